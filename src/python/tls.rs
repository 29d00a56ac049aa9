//! Certificates on their way through Python, which decides when to read them again.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::settings::NativeConfig;
use crate::tls::{TlsError, TlsServer};

/// The certificates of a server.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Tls(Arc<TlsServer>);

impl Tls {
    /// A handle for Python.
    pub fn new(server: Arc<TlsServer>) -> Tls {
        Tls(server)
    }
}

#[pymethods]
impl Tls {
    /// What the operator should be told.
    #[getter]
    fn warning(&self) -> Option<String> {
        self.0.warning()
    }

    /// Seconds between two looks whether files have changed.
    #[getter]
    fn reload_interval(&self) -> Option<f64> {
        let interval = self.0.config().reload_interval;
        interval.map(|interval| interval.as_secs_f64())
    }

    /// Whether files have changed since they were read, and not since the last look.
    fn has_changed(&self, py: Python<'_>) -> bool {
        py.detach(|| self.0.has_changed())
    }

    /// Reads all files again. Raises ValueError with the text for the user.
    fn reload(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.reload()).map_err(refused)
    }

    /// The same by what another configuration says of TLS. Raises ValueError with the text for
    /// the user.
    fn reconfigure(&self, py: Python<'_>, settings: &NativeConfig) -> PyResult<()> {
        match &settings.config.tls {
            Some(config) => py.detach(|| self.0.reconfigure(config)).map_err(refused),
            None => Err(PyValueError::new_err("There is no certificate.")),
        }
    }
}

fn refused(error: TlsError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
