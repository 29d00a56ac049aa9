//! `wsgi.input`: the request's body as a file. It is read from the connection as the application
//! reads it, so a body of any size takes constant memory.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::exchange::{Exchange, Taken};
use crate::asgi::ClientDisconnected;

/// How much of a body of unknown length is gathered at a time, bytes.
const GATHER_BYTES: usize = 64 * 1024;

/// A request's body.
#[pyclass(frozen, freelist = 64, module = "smolcorn._core")]
pub struct Input {
    /// `None`: there is no body.
    exchange: Option<Arc<Exchange>>,
}

impl Input {
    /// The body of an exchange; `None`: one without bytes.
    pub fn new(exchange: Option<Arc<Exchange>>) -> Input {
        Input { exchange }
    }

    /// Up to `max` bytes; fewer only at the body's end, or with `line` at a line's.
    fn take(&self, py: Python<'_>, max: Option<usize>, line: bool) -> PyResult<Vec<u8>> {
        let mut out = Vec::new();
        let Some(exchange) = &self.exchange else {
            return Ok(out);
        };
        loop {
            let left = max.map_or(GATHER_BYTES, |max| max - out.len());
            if left == 0 || (line && out.last() == Some(&b'\n')) {
                return Ok(out);
            }
            match exchange.take(left, line, &mut out) {
                Taken::Bytes(_) => {}
                Taken::End => return Ok(out),
                Taken::Nothing => {
                    exchange.ask_for_body();
                    py.detach(|| exchange.wait_for_body());
                }
                Taken::Gone => {
                    return Err(ClientDisconnected::new_err(
                        "The client has gone before the end of the request's body.",
                    ));
                }
            }
        }
    }
}

/// A size as files take it: none, and below zero, mean everything.
fn size_of(size: Option<&Bound<'_, PyAny>>) -> PyResult<Option<usize>> {
    let Some(size) = size else { return Ok(None) };
    let number: i64 = size.extract().map_err(|_| {
        PyTypeError::new_err(format!("A size must be an int or None, not {size:?}."))
    })?;
    Ok(usize::try_from(number).ok())
}

#[pymethods]
impl Input {
    /// So many bytes, or all that are left.
    #[pyo3(signature = (size=None, /))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        size: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.take(py, size_of(size)?, false)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// A line with its end, or so many bytes of it.
    #[pyo3(signature = (size=None, /))]
    fn readline<'py>(
        &self,
        py: Python<'py>,
        size: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.take(py, size_of(size)?, true)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// All lines that are left, or those that together have at least `hint` bytes.
    #[pyo3(signature = (hint=None, /))]
    fn readlines<'py>(
        &self,
        py: Python<'py>,
        hint: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let enough = size_of(hint)?.filter(|hint| *hint > 0);
        let lines = PyList::empty(py);
        let mut len = 0;
        loop {
            let line = self.take(py, None, true)?;
            if line.is_empty() {
                return Ok(lines);
            }
            len += line.len();
            lines.append(PyBytes::new(py, &line))?;
            if enough.is_some_and(|enough| len >= enough) {
                return Ok(lines);
            }
        }
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.take(py, None, true)?;
        Ok((!line.is_empty()).then(|| PyBytes::new(py, &line)))
    }

    /// Does nothing: what is left of the body is the server's business.
    fn close(&self) {}
}
