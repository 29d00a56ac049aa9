//! The dispatch actor and what it needs of Python: the loop, the logs, the native module.
//!
//! ```text
//!   entry.rs    the wheel's command line; module.rs the native module
//!   options.rs, settings.rs, sockets.rs, tls.rs  what was configured, on its way through Python
//!   engine.rs   starts and stops everything for a loop
//!   turn.rs     what the loop calls: poll, dispatch, write
//!   drive.rs    who polls the connections; wake.rs wakes the loop from other threads
//!   dispatch.rs the dispatch actor: messages of connections -> calls of the application
//!   stacks.rs   where the loop and the requests are, for who looks
//!   worker.rs, pid_file.rs  what the life cycle tells a supervisor, and everybody
//! ```
//!
//! What a request is to the application is in `asgi`. Nothing here reads or writes a connection.

pub mod dispatch;
pub mod drive;
pub mod engine;
pub mod entry;
pub mod module;
pub mod options;
pub mod pid_file;
pub mod settings;
pub mod sockets;
pub mod stacks;
pub mod tls;
pub mod turn;
pub mod wake;
#[cfg(unix)]
pub mod worker;
