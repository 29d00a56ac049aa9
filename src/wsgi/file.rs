//! `wsgi.file_wrapper`: a file as a response. Where it is one of the system's, and at its
//! beginning, it goes out by the kernel's own copy; else block by block.
//!
//! What goes out is what `read` gives. That this is what the system's file has, only classes are
//! believed whose `read` is known: a file that decompresses or decodes has a `fileno` as well, and a
//! position that is not the system's.

use std::fs::File;

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyModule, PyString};

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
        // What is wrong with a file its blocks tell.
        let number = number_of_plain(self.filelike.bind(py)).ok()??;
        open(number)
    }
}

/// The number of a file that stands at its beginning and of which reading gives the system's bytes;
/// `None` for any other.
fn number_of_plain(filelike: &Bound<'_, PyAny>) -> PyResult<Option<i32>> {
    let py = filelike.py();
    let Some(file) = within_temporary(filelike)? else {
        return Ok(None);
    };
    let io = py.import(intern!(py, "io"))?;
    let is_raw = |file: &Bound<'_, PyAny>| is_exactly(file, &io, intern!(py, "FileIO"));
    let is_changeable = is_exactly(&file, &io, intern!(py, "BufferedRandom"))?;
    let is_buffered = is_changeable || is_exactly(&file, &io, intern!(py, "BufferedReader"))?;
    let is_plain = if is_buffered {
        let raw = file.getattr(intern!(py, "raw"))?;
        is_raw(&raw)? && !has_own(&raw, intern!(py, "readinto"))?
    } else {
        is_raw(&file)?
    };
    if !is_plain || has_own(&file, intern!(py, "read"))? {
        return Ok(None);
    }
    let can_be_read: bool = file.call_method0(intern!(py, "readable"))?.extract()?;
    let at: u64 = file.call_method0(intern!(py, "tell"))?.extract()?;
    if !can_be_read || at != 0 {
        return Ok(None);
    }
    if is_changeable {
        // It reads what it has written, also before the system has it.
        file.call_method0(intern!(py, "flush"))?;
    }
    file.call_method0(intern!(py, "fileno"))?
        .extract()
        .map(Some)
}

/// The file in what `tempfile` gives, and any other file as it is; `None` where the object has
/// been given a `read` of its own.
fn within_temporary<'py>(filelike: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = filelike.py();
    // By its name first: most programs have no need of the module.
    if filelike.get_type().name()? != "_TemporaryFileWrapper" {
        return Ok(Some(filelike.clone()));
    }
    let tempfile = py.import(intern!(py, "tempfile"))?;
    if !is_exactly(filelike, &tempfile, intern!(py, "_TemporaryFileWrapper"))? {
        return Ok(Some(filelike.clone()));
    }
    if has_own(filelike, intern!(py, "read"))? {
        return Ok(None);
    }
    filelike.getattr(intern!(py, "file")).map(Some)
}

/// True for an object of this class of a module, and of none that is made of it.
fn is_exactly(
    object: &Bound<'_, PyAny>,
    module: &Bound<'_, PyModule>,
    class: &Bound<'_, PyString>,
) -> PyResult<bool> {
    Ok(object.get_type().is(&module.getattr(class)?))
}

/// True when the object itself has this attribute, in the place of its class's.
fn has_own(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    match object.getattr_opt(intern!(object.py(), "__dict__"))? {
        Some(own) => own.contains(name),
        None => Ok(false),
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
