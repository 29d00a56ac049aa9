//! smolcorn: an ASGI server.

pub mod access_log;
pub mod cli;
pub mod config;
pub mod http;
pub mod net;
pub mod percent;
pub mod proxy;
