//! Python inside the binary: finds the user's environment, starts an interpreter that takes
//! itself for that environment's own, and gives it the package smolcorn from the binary itself.
//!
//! ```text
//!   environment.rs   which Python is meant, and whether this binary can run it
//!   interpreter.rs   start, run, finish; all that is `unsafe`
//!   package.rs       the Python sources, served by importer.py
//! ```
//!
//! Used by the binary only; the wheel runs in an interpreter that is there already. Nothing here
//! knows what the server does.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

mod environment;
mod interpreter;
mod package;

pub use interpreter::{Interpreter, interpreter_name};

/// The Python that this binary was built for and can run, as `3.13`; `3.13t` is free-threaded.
const BUILT_FOR: &str = env!("SMOLCORN_PYTHON_VERSION");

/// Starts Python in the environment that `python` names (`--python`), else in the one that is
/// found. `argv` becomes `sys.argv`; its first is this program.
///
/// # Errors
/// One line for the user, when there is no environment that this binary can run.
pub fn start(python: Option<&Path>, argv: &[OsString]) -> Result<Interpreter, String> {
    let directory = env::current_dir()
        .map_err(|error| format!("The working directory is not to be had: {error}"))?;
    let python = environment::Surroundings {
        variable: &|name| env::var_os(name).filter(|value| !value.is_empty()),
        directory: &directory,
        ask: &environment::ask,
    }
    .find(python)?;
    let program = env::current_exe().or_else(|error| match argv.first() {
        Some(name) => Ok(name.into()),
        None => Err(format!("This program does not know its own path: {error}")),
    })?;
    Interpreter::start(&python, &program, argv)
}

/// Writes a line to stderr, if anybody reads it.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
