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

pub mod actor;
pub mod mailbox;
pub mod messages;
pub mod outbox;
pub mod protocol;
