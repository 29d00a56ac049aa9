//! smolcorn: an ASGI server.

pub mod cli;
pub mod config;
pub mod http;
