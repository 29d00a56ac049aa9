//! Server messages, through Python's logging: logger `uvicorn.error`, as users' configurations
//! name it.
//!
//! A filter or a handler may raise. That is told where Python tells of exceptions that nobody can
//! catch (`sys.unraisablehook`), and no more comes of it: no answer to a client may depend on
//! whether it could be logged.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::border::Border;
use super::connection::ConnectionRecord;
use super::exchange::LoggedRequest;

const INFO_LEVEL: u8 = 20;

/// uvicorn's level below DEBUG.
const TRACE_LEVEL: u8 = 5;

/// The logger of the server's own messages.
pub struct ServerLog {
    logger: Py<PyAny>,
    /// Messages at TRACE go somewhere.
    traces: AtomicBool,
}

impl ServerLog {
    /// Finds the logger.
    pub fn new(py: Python<'_>) -> PyResult<ServerLog> {
        let logger = py
            .import("logging")?
            .call_method1("getLogger", ("uvicorn.error",))?
            .unbind();
        Ok(ServerLog {
            logger,
            traces: AtomicBool::new(false),
        })
    }

    /// Whether messages of this level go anywhere.
    pub fn is_enabled(&self, py: Python<'_>, level: u8) -> PyResult<bool> {
        self.logger
            .call_method1(py, intern!(py, "isEnabledFor"), (level,))?
            .is_truthy(py)
    }

    /// Finds out whether messages at TRACE go anywhere, and says it.
    pub fn look_for_trace(&self, py: Python<'_>) -> PyResult<bool> {
        let traces = self.is_enabled(py, TRACE_LEVEL)?;
        self.traces.store(traces, Ordering::Relaxed);
        Ok(traces)
    }

    /// What that has found.
    pub fn shows_trace(&self) -> bool {
        self.traces.load(Ordering::Relaxed)
    }

    /// Logs a message at DEBUG.
    pub fn debug(&self, py: Python<'_>, text: &str) {
        self.log(py, intern!(py, "debug"), text);
    }

    /// Logs a WARNING.
    pub fn warning(&self, py: Python<'_>, text: &str) {
        self.log(py, intern!(py, "warning"), text);
    }

    /// Logs an INFO.
    pub fn info(&self, py: Python<'_>, text: &str) {
        self.log(py, intern!(py, "info"), text);
    }

    fn log(&self, py: Python<'_>, method: &Bound<'_, PyString>, text: &str) {
        let logged = self.logger.call_method1(py, method, (text,));
        tell_if_failed(py, logged, &self.logger);
    }

    /// Logs how the handshake of a WebSocket was answered: `answer` is a status, or `[accepted]`.
    pub fn websocket_answered(
        &self,
        py: Python<'_>,
        border: &Border,
        connection: &ConnectionRecord,
        request: &LoggedRequest,
        answer: &str,
    ) {
        let logged = self.is_enabled(py, INFO_LEVEL).and_then(|enabled| {
            if enabled {
                let (client, path) = (request.client(connection), border.access.path_of(request));
                let text = format!("%s - \"WebSocket %s\" {answer}");
                let info = intern!(py, "info");
                self.logger.call_method1(py, info, (text, client, path))?;
            }
            Ok(())
        });
        tell_if_failed(py, logged, &self.logger);
    }

    /// Logs an ERROR.
    pub fn error(&self, py: Python<'_>, text: &str) {
        self.log(py, intern!(py, "error"), text);
    }

    /// Logs an ERROR with the traceback of `error`.
    pub fn exception(&self, py: Python<'_>, text: &str, error: &PyErr) {
        let options = PyDict::new(py);
        // Before Python 3.12 only this puts the traceback into the exception.
        let error = error.clone_ref(py).into_value(py);
        let logged = options
            .set_item(intern!(py, "exc_info"), error)
            .and_then(|()| {
                let logger = self.logger.bind(py);
                logger.call_method(intern!(py, "error"), (text,), Some(&options))
            });
        tell_if_failed(py, logged, &self.logger);
    }

    /// Logs a message at TRACE.
    pub fn trace(&self, py: Python<'_>, text: &str) {
        let logged = self
            .logger
            .call_method1(py, intern!(py, "log"), (TRACE_LEVEL, text));
        tell_if_failed(py, logged, &self.logger);
    }
}

/// Tells of what `logger` has raised.
pub fn tell_if_failed<T>(py: Python<'_>, logged: PyResult<T>, logger: &Py<PyAny>) {
    if let Err(error) = logged {
        error.write_unraisable(py, Some(logger.bind(py)));
    }
}
