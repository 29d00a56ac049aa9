//! smolcorn: an ASGI and WSGI server.

pub mod access_log;
#[cfg(feature = "python")]
pub mod asgi;
pub mod cli;
pub mod config;
pub mod entry;
pub mod env_file;
pub mod http;
pub mod inspect;
pub mod net;
pub mod percent;
pub mod pid_file;
pub mod proxy;
#[cfg(feature = "python")]
pub mod python;
pub mod reload;
#[cfg(unix)]
pub mod supervisor;
pub mod tls;
pub mod trace;
pub mod ws;
#[cfg(feature = "python")]
pub mod wsgi;
