//! smolcorn: an ASGI and WSGI server.

pub mod access_log;
pub mod asgi;
pub mod http;
pub mod percent;
pub mod proxy;
pub mod python;
pub mod responder;
pub mod trace;
pub mod ws;
pub mod wsgi;

#[cfg(unix)]
pub use smolcorn_control::supervisor;
pub use smolcorn_control::{cli, config, entry, env_file, inspect, net, pid_file, reload, tls};
