//! The file of `--pid-file`, as the life cycle holds it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::pid_file;

/// A file with the number of this process.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct PidFile {
    file: Mutex<Option<pid_file::PidFile>>,
}

#[pymethods]
impl PidFile {
    #[new]
    fn new(path: &str) -> PyResult<PidFile> {
        let file = pid_file::PidFile::claim(Path::new(path)).map_err(PyOSError::new_err)?;
        Ok(PidFile {
            file: Mutex::new(Some(file)),
        })
    }

    /// Removes it, unless another process has written its own number. Harmless if repeated.
    fn remove(&self) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        drop(file.take());
    }
}
