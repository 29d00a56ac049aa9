//! The configuration on its way through Python: `smolcorn.config.Settings` carries what the
//! Python side needs by name, and the native configuration as it is. What Python changes before
//! the engine starts (the interface it found, the limit with its jitter) the engine reads by name.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::tls::Tls;
use crate::config::Config;
use crate::tls::tickets::TicketSecret;
use crate::tls::{TlsError, TlsServer};

/// The native configuration, opaque to Python.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct NativeConfig {
    /// The configuration.
    pub config: Config,
    /// What it says of TLS, once the files were read.
    tls: OnceLock<Arc<TlsServer>>,
}

impl NativeConfig {
    fn new(config: Config) -> NativeConfig {
        NativeConfig {
            config,
            tls: OnceLock::new(),
        }
    }

    /// The server's side of TLS, if it is on. The files are read at the first call.
    pub fn tls(&self, secret: Option<TicketSecret>) -> Result<Option<Arc<TlsServer>>, TlsError> {
        let Some(config) = &self.config.tls else {
            return Ok(None);
        };
        if let Some(tls) = self.tls.get() {
            return Ok(Some(Arc::clone(tls)));
        }
        let tls = Arc::new(TlsServer::load(config, secret)?);
        Ok(Some(Arc::clone(self.tls.get_or_init(|| tls))))
    }
}

#[pymethods]
impl NativeConfig {
    /// The same with what the variables say that an environment file may have set. Python's own
    /// environment is that of the process. Raises ValueError with the text for the user.
    fn with_late_environment(&self) -> PyResult<NativeConfig> {
        let config = self.config.clone();
        config
            .with_late_environment(&|name| std::env::var(name).ok())
            .map(NativeConfig::new)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Reads certificates and keys; `None` without TLS. Raises ValueError with the text for the
    /// user.
    fn load_tls(&self, py: Python<'_>) -> PyResult<Option<Tls>> {
        let secret = inherited_secret();
        // An encrypted key may take a while.
        py.detach(|| self.tls(secret))
            .map(|tls| tls.map(Tls::new))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Processes that serve; None before the late environment was read.
    #[getter]
    fn workers(&self) -> Option<u32> {
        self.config.workers
    }

    /// Options that mean nothing with as few workers as WEB_CONCURRENCY asks for.
    #[getter]
    fn dropped(&self) -> Vec<&'static str> {
        self.config.dropped.clone()
    }

    /// Path that the server answers by itself.
    #[getter]
    fn health_path(&self) -> Option<&str> {
        self.config.health_path.as_deref()
    }

    /// Who may set forwarded headers; None before the late environment was read.
    #[getter]
    fn forwarded_allow_ips(&self) -> Option<&str> {
        self.config.forwarded_allow_ips.as_deref()
    }
}

/// Makes a `smolcorn.config.Settings`.
pub fn to_python<'py>(py: Python<'py>, config: &Config) -> PyResult<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("app", &config.app)?;
    fields.set_item("app_dir", &config.app_dir)?;
    fields.set_item("factory", config.factory)?;
    fields.set_item("interface", config.interface.as_str())?;
    fields.set_item("lifespan", config.lifespan.as_str())?;
    let env_files: Vec<_> = config
        .env_files
        .iter()
        .map(|path| text(Some(path)))
        .collect();
    fields.set_item("env_files", PyTuple::new(py, env_files)?)?;
    fields.set_item("loop", config.event_loop.as_str())?;
    fields.set_item("log_config", text(config.log_config.as_deref()))?;
    fields.set_item("log_level", config.log_level.map(|level| level.as_str()))?;
    fields.set_item("access_log", config.access_log)?;
    fields.set_item("use_colors", config.use_colors)?;
    fields.set_item("io_threads", config.placement.io_threads())?;
    fields.set_item("limit_max_requests", config.limit_max_requests)?;
    fields.set_item(
        "limit_max_requests_jitter",
        config.limit_max_requests_jitter,
    )?;
    fields.set_item(
        "timeout_graceful_shutdown",
        config.graceful_shutdown_timeout.as_secs_f64(),
    )?;
    fields.set_item(
        "timeout_keep_alive",
        config.http.limits.keep_alive_timeout.as_secs_f64(),
    )?;
    fields.set_item("drain_delay", config.drain_delay.as_secs_f64())?;
    fields.set_item("pid_file", text(config.pid_file.as_deref()))?;
    fields.set_item(
        "timeout_worker_healthcheck",
        config.worker_healthcheck_timeout.as_secs_f64(),
    )?;
    let native = NativeConfig::new(config.clone());
    fields.set_item("native", Bound::new(py, native)?)?;
    py.import("smolcorn.config")?
        .getattr("Settings")?
        .call((), Some(&fields))
}

/// What the process that started this one has handed over. It is not for processes that the
/// application starts.
fn inherited_secret() -> Option<TicketSecret> {
    #[cfg(unix)]
    if let Some(worker) = crate::supervisor::worker::current() {
        return Some(worker.ticket_secret());
    }
    None
}

/// The native configuration inside a `Settings`.
pub fn native<'py>(settings: &Bound<'py, PyAny>) -> PyResult<Bound<'py, NativeConfig>> {
    let native = settings.getattr(intern!(settings.py(), "native"))?;
    Ok(native.cast_into::<NativeConfig>()?)
}

/// A path as Python's functions take it. The command line has no paths that are not text.
fn text(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.to_string_lossy().into_owned())
}
