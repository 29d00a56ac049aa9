//! The dispatch actor and what it needs of Python: the loop, the logs, the native module.
//!
//! ```text
//!   engine.rs   starts and stops everything for a loop
//!   turn.rs     what the loop calls: poll, dispatch, write
//!   drive.rs    who polls the connections; wake.rs wakes the loop from other threads
//!   dispatch.rs the dispatch actor: messages of connections -> calls of the application
//!   border.rs   what dispatch, exchanges and engine share
//! ```
//!
//! What a request is to the application is in `asgi`. Nothing here reads or writes a socket.

pub mod access;
pub mod border;
pub mod dispatch;
pub mod drive;
pub mod engine;
pub mod log;
pub mod module;
pub mod settings;
pub mod sockets;
pub mod turn;
pub mod wake;

pyo3::create_exception!(
    smolcorn._core,
    ClientDisconnected,
    pyo3::exceptions::PyOSError,
    "The client is gone: nothing can be sent to it any more."
);
