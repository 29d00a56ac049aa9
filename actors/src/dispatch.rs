//! The dispatch actor's mailbox. The actor itself, which owns the application, lives in whatever
//! loop the application has, and drains the mailbox in batches.
//!
//! About one connection it reads, in this order: opened; with TLS secured, or that the handshake
//! failed; events; closed. It reads nothing about a connection after its end.

use crate::mailbox::{Address, Mailbox};
use crate::messages::ToDispatch;

/// Where listeners and connections send.
pub type DispatchAddress<P> = Address<ToDispatch<P>>;

/// What the dispatch actor reads.
pub type DispatchMailbox<P> = Mailbox<ToDispatch<P>>;
