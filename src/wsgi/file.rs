//! `wsgi.file_wrapper`: a file as a response. Where it is one of the system's, and at its
//! beginning, it goes out by the kernel's own copy; else block by block.

use std::fs::File;

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What is read at a time of a file that is no file of the system's, bytes.
const BLOCK_BYTES: usize = 64 * 1024;

/// A file-like object as an iterable of blocks.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct FileWrapper {
    #[pyo3(get)]
    filelike: Py<PyAny>,
    block_size: usize,
}

impl FileWrapper {
    /// The file of the system behind it, and how long it is; `None` where there is none that can
    /// be sent from its beginning.
    pub fn regular_file(&self, py: Python<'_>) -> Option<(File, u64)> {
        let filelike = self.filelike.bind(py);
        let at: u64 = filelike
            .call_method0(intern!(py, "tell"))
            .and_then(|at| at.extract())
            .ok()?;
        let number: i32 = filelike
            .call_method0(intern!(py, "fileno"))
            .and_then(|number| number.extract())
            .ok()?;
        if at != 0 {
            return None;
        }
        open(number)
    }
}

#[cfg(unix)]
fn open(number: i32) -> Option<(File, u64)> {
    let file = File::from(crate::net::descriptor::duplicate(number).ok()?);
    let metadata = file.metadata().ok()?;
    metadata.is_file().then_some((file, metadata.len()))
}

/// Numbers of files are the C library's alone.
#[cfg(not(unix))]
fn open(_number: i32) -> Option<(File, u64)> {
    None
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, block_size=BLOCK_BYTES))]
    fn new(filelike: Py<PyAny>, block_size: usize) -> FileWrapper {
        FileWrapper {
            filelike,
            block_size: block_size.max(1),
        }
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let read = intern!(py, "read");
        let block = self
            .filelike
            .bind(py)
            .call_method1(read, (self.block_size,))?;
        let at_end = match block.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes().is_empty(),
            // Whoever sends it says what is wrong with it.
            Err(_) => !block.is_truthy()?,
        };
        Ok((!at_end).then_some(block))
    }

    /// Closes the file, if that can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.filelike.getattr(py, intern!(py, "close")) {
            Ok(close) => close.call0(py).map(drop),
            Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
