//! How smolcorn's actors run: who they are, how they talk, which thread polls them.
//!
//! ```text
//!   listener --spawns--> connection --ToDispatch--> dispatch (owner of the application)
//!      ^  \--Drain, Abort--> ^  ^                      |
//!      |                     |  '------Command---------'
//!      '------Closed---------'
//! ```
//!
//! Every actor owns its state and is reached only through its mailbox. Nothing here names HTTP
//! or Python: a connection drives any [`Protocol`](protocol::Protocol), and the dispatch actor
//! hands batches to any application.

#![deny(unsafe_code)]

mod accept;
pub mod actor;
mod connection;
pub mod dispatch;
pub mod limits;
mod listener;
pub mod mailbox;
pub mod messages;
pub mod outbox;
pub mod placement;
pub mod pool;
pub mod protocol;
#[cfg(unix)]
pub mod reactor;
pub mod server;
pub mod socket;
pub mod stream;
pub mod thread;
pub mod timers;
pub mod tls;
pub mod trace;
