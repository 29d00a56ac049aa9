//! WSGI (PEP 3333): applications that block, on threads of their own.
//!
//! ```text
//!   connection --ToDispatch--> router.rs --Job--> queue.rs --> worker.rs: app(environ, start_response)
//!                                  |                               |   environ.rs, input.rs
//!                                  '--Body, Sent--> exchange.rs <--'   call.rs, start_response.rs,
//!   connection <------------------HttpCommand--------------------------file.rs: the response
//!                                  |
//!                                  '--what is rare: warnings, refusals, traces--> dispatch actor
//! ```
//!
//! The router is an actor without Python. It runs where the connections run, so a request goes from
//! its connection to a thread of the pool, and its answer back, without the event loop. Neither the
//! router nor an I/O thread ever waits for the GIL. Threads of the pool do, and hold no lock while
//! they do.

pub mod call;
pub mod connection;
pub mod environ;
pub mod exchange;
pub mod file;
pub mod input;
pub mod queue;
pub mod router;
pub mod service;
pub mod start_response;
pub mod worker;
