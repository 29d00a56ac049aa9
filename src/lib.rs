//! smolcorn: an ASGI server.

pub mod config;
pub mod http;
