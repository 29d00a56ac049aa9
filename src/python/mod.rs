//! The dispatch actor and what it needs of Python: the loop, the logs, the native module.
//!
//! ```text
//!   engine.rs   starts and stops everything for a loop
//!   turn.rs     what the loop calls: poll, dispatch, write
//!   dispatch.rs the dispatch actor: messages of connections -> calls of the application
//! ```

pub mod dispatch;
pub mod drive;
pub mod engine;
pub mod module;
pub mod settings;
pub mod sockets;
pub mod turn;
pub mod wake;
