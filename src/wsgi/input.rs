//! `wsgi.input`: the request's body as a file. It is read from the connection as the application
//! reads it, so a body of any size takes constant memory.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView, PySlice};

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
        loop {
            let left = max.map_or(GATHER_BYTES, |max| max - out.len());
            let at_end = left == 0 || (line && out.last() == Some(&b'\n'));
            if at_end || !self.take_some(py, left, line, &mut out)? {
                return Ok(out);
            }
        }
    }

    /// Appends what has come, at least one byte and up to `max`; waits for it. `max` is not zero.
    /// False at the body's end.
    fn take_some(
        &self,
        py: Python<'_>,
        max: usize,
        line: bool,
        out: &mut Vec<u8>,
    ) -> PyResult<bool> {
        let Some(exchange) = &self.exchange else {
            return Ok(false);
        };
        loop {
            match exchange.take(max, line, out) {
                Taken::Bytes(_) => return Ok(true),
                Taken::End => return Ok(false),
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

    /// Fills a buffer with what has come, and says how many bytes that was. It waits for the first
    /// one only, as `io.RawIOBase` has it, on which `io.BufferedReader` goes.
    #[pyo3(signature = (buffer, /))]
    fn readinto(&self, py: Python<'_>, buffer: &Bound<'_, PyAny>) -> PyResult<usize> {
        let view = PyMemoryView::from(buffer)?;
        let room = view.call_method1(intern!(py, "cast"), (intern!(py, "B"),))?;
        let is_fixed: bool = room.getattr(intern!(py, "readonly"))?.extract()?;
        if is_fixed {
            // Before anything is taken that could not be put there.
            return Err(PyTypeError::new_err("A buffer must be writable."));
        }
        let mut bytes = Vec::new();
        let max = room.len()?;
        if max > 0 && self.take_some(py, max, false, &mut bytes)? {
            let begin = PySlice::new(py, 0, bytes.len().try_into()?, 1);
            room.set_item(begin, PyBytes::new(py, &bytes))?;
        }
        Ok(bytes.len())
    }

    /// True: `io.BufferedReader` asks.
    fn readable(&self) -> bool {
        true
    }

    /// False.
    fn writable(&self) -> bool {
        false
    }

    /// False: it comes from the connection.
    fn seekable(&self) -> bool {
        false
    }

    /// False, also after `close()`.
    #[getter]
    fn closed(&self) -> bool {
        false
    }

    /// Does nothing: nothing is ever written.
    fn flush(&self) {}

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
