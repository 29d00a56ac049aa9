//! The wheel's way in: what the command line of a Python process comes to.

#[cfg(unix)]
use std::ffi::OsString;

#[cfg(unix)]
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::settings;
#[cfg(unix)]
use super::worker;
use crate::cli::Program;
use crate::config::Config;
#[cfg(unix)]
use crate::entry::Supervision;
use crate::entry::{self, Request};
#[cfg(unix)]
use crate::responder;

/// Serves until told to stop. Returns the exit code.
pub fn serve(py: Python<'_>, config: &Config) -> PyResult<i32> {
    #[cfg(unix)]
    worker::join(py, config.graceful_shutdown_timeout)?;
    let process = import_server(py)?;
    let settings = settings::to_python(py, config)?;
    process.call_method1("run", (settings,))?.extract()
}

/// Imports what every server needs, before the application. None of it is ever garbage: Python's
/// collector rests meanwhile, and looks at nothing of it afterwards.
fn import_server(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let gc = py.import("gc")?;
    if !gc.call_method0("isenabled")?.is_truthy()? {
        return py.import("smolcorn.process");
    }
    gc.call_method0("disable")?;
    let process = py.import("smolcorn.process");
    gc.call_method0("freeze")?;
    gc.call_method0("enable")?;
    process
}

/// Does what the command line `argv` says, and returns the exit code. Where `may_become_other`, a
/// process that is to be the parent of others becomes a program without Python.
pub fn command_line(py: Python<'_>, argv: &[String], may_become_other: bool) -> PyResult<i32> {
    let number = Python::version_str().split(' ').next().unwrap_or_default();
    let interpreter = format!("CPython {number}");
    let program = Program {
        name: "smolcorn",
        interpreter: &interpreter,
        embeds_python: false,
    };
    match entry::read_command_line(argv, &program) {
        #[cfg(unix)]
        Request::Serve(config) => run(py, *config, argv, may_become_other),
        #[cfg(not(unix))]
        Request::Serve(config) => serve(py, &config),
        Request::Exit(code) => Ok(code),
    }
}

#[cfg(unix)]
fn run(
    py: Python<'_>,
    mut config: Config,
    argv: &[String],
    may_become_other: bool,
) -> PyResult<i32> {
    let supervision = entry::supervised(&config);
    // Before anything that can be read only once: that is for whoever takes over.
    if may_become_other && matches!(supervision, Some(Supervision::Workers(_))) {
        py.import("smolcorn.worker")?
            .call_method1("become_supervisor", (argv.to_vec(),))?;
    }
    if let Err(code) = entry::complete(&mut config) {
        return Ok(code);
    }
    match supervision {
        Some(supervision) => supervise(py, &config, supervision, argv),
        None => {
            entry::warn(&config);
            serve(py, &config)
        }
    }
}

/// Is the parent of other processes, each of which is this interpreter with the same command
/// line. Python stays as it is meanwhile: no thread of it is stopped, and none is needed.
#[cfg(unix)]
fn supervise(
    py: Python<'_>,
    config: &Config,
    supervision: Supervision,
    argv: &[String],
) -> PyResult<i32> {
    let helper = py.import("smolcorn.worker")?;
    let interpreter: Vec<OsString> = helper.call_method0("interpreter")?.extract()?;
    let arguments: Vec<OsString> = argv.iter().map(Into::into).collect();
    let Some(worker) = entry::worker_of(&interpreter, &arguments, config) else {
        return Err(PyRuntimeError::new_err("sys.executable is not known"));
    };
    let signals = helper.call_method0("signals_left_alone")?;
    signals.call_method0("__enter__")?;
    let code = py.detach(|| supervision.run(config, &worker, &worker, responder::start));
    signals.call_method1("__exit__", (py.None(), py.None(), py.None()))?;
    Ok(code)
}
