//! The dispatch actor's side of the mailbox. The actor itself, which owns the application, lives
//! in whatever loop the application has; it drains its mailbox in batches.

use crate::mailbox::{Address, Mailbox, mailbox};
use crate::messages::ToDispatch;
use crate::protocol::Protocol;

/// Where listeners and connections send.
pub type DispatchAddress<P> = Address<ToDispatch<P>>;

/// What the dispatch actor reads.
pub type DispatchMailbox<P> = Mailbox<ToDispatch<P>>;

/// Makes the dispatch actor's mailbox and its first address.
pub fn dispatch_mailbox<P: Protocol>() -> (DispatchAddress<P>, DispatchMailbox<P>) {
    mailbox()
}

/// What the dispatch actor does with its messages.
pub trait Application<P: Protocol> {
    /// Takes one message. About one connection they come in order: opened, events, closed.
    fn deliver(&mut self, message: ToDispatch<P>);
}

/// Gives everything in the mailbox to `application` and says how many messages that was.
pub fn drain<P: Protocol>(
    mailbox: &DispatchMailbox<P>,
    application: &mut impl Application<P>,
) -> usize {
    let mut count = 0;
    for message in mailbox.drain() {
        application.deliver(message);
        count += 1;
    }
    count
}
