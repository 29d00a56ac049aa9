//! What happens once in the life of a server, without Python and without HTTP: the command line,
//! the configuration, sockets and TLS, and the parents of other processes.
//!
//! It is a crate of its own because it is built to be small (`Cargo.toml` of the workspace), which
//! nothing that runs for each request is. Programs see it as modules of `smolcorn`.

pub mod cli;
pub mod config;
pub mod entry;
pub mod env_file;
pub mod inspect;
pub mod net;
pub mod pid_file;
pub mod reload;
#[cfg(unix)]
pub mod supervisor;
pub mod tls;
pub mod ws_config;
