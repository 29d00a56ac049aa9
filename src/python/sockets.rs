//! Bound sockets on their way through Python, which decides when to bind and when to close.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::settings;
use crate::net::{self, BindSpec, BoundSocket, LocalAddress};

/// A socket that is bound and listens.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Socket {
    description: String,
    bound: Mutex<Option<BoundSocket>>,
}

impl Socket {
    /// The native socket, for a listener; the path of a unix socket stays with this object.
    pub fn listening(&self) -> PyResult<socket2::Socket> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bound {
            Some(bound) => Ok(bound.socket.try_clone()?),
            None => Err(PyOSError::new_err("the socket is closed")),
        }
    }
}

impl Socket {
    /// For a unix socket: the name under which it was made, which is what the system tells of it,
    /// and the path as it was given.
    pub fn unix_path(&self) -> Option<(PathBuf, PathBuf)> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = bound.as_ref()?;
        match &bound.local {
            LocalAddress::Unix(path) if !path.as_os_str().is_empty() => {
                let name = bound.socket.local_addr().ok()?;
                Some((name.as_pathname()?.to_owned(), path.clone()))
            }
            _ => None,
        }
    }
}

#[pymethods]
impl Socket {
    /// The address as the banner shows it.
    #[getter]
    fn description(&self) -> &str {
        &self.description
    }

    /// Closes the socket; a unix socket's path that it made is removed.
    fn close(&self) {
        let bound = self
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(bound);
    }
}

/// Binds what the settings name.
pub fn bind(settings: &Bound<'_, PyAny>) -> PyResult<Vec<Socket>> {
    let native = settings::native(settings)?;
    let bound = match inherited() {
        Some(sockets) => sockets,
        None => {
            let spec = BindSpec::of(&native.get().config, |name| std::env::var(name).ok());
            net::bind(&spec).map_err(|error| PyOSError::new_err(error.to_string()))?
        }
    };
    Ok(bound
        .into_iter()
        .map(|socket| Socket {
            description: socket.description.clone(),
            bound: Mutex::new(Some(socket)),
        })
        .collect())
}

/// What a supervisor has bound for this process, if there is one.
fn inherited() -> Option<Vec<BoundSocket>> {
    #[cfg(unix)]
    return crate::supervisor::worker::current().map(|worker| worker.take_sockets());
    #[cfg(not(unix))]
    None
}
