//! The dispatch actor and what it needs of Python: the loop, the logs, the native module.
//!
//! ```text
//!   entry.rs    the wheel's command line
//!   engine.rs   starts and stops everything for a loop
//!   turn.rs     what the loop calls: poll, dispatch, write
//!   drive.rs    who polls the connections; wake.rs wakes the loop from other threads
//!   worker.rs, pid_file.rs  what the life cycle tells a supervisor, and everybody
//!   dispatch.rs the dispatch actor: messages of connections -> calls of the application
//! ```
//!
//! What a request is to the application is in `asgi`. Nothing here reads or writes a socket.

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
