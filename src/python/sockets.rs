//! Bound sockets on their way through Python, which decides when to bind and when to close.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::settings;
use crate::config::Config;
use crate::net::{self, BindSpec, BoundSocket, LocalAddress, SystemdVars};

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
    /// The path of the unix socket that this is, as it was given.
    pub fn unix_path(&self) -> Option<PathBuf> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        match &bound.as_ref()?.local {
            LocalAddress::Unix(path) if !path.as_os_str().is_empty() => Some(path.clone()),
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

    /// The descriptor, which stays this object's. Raises OSError when it is closed.
    fn fileno(&self) -> PyResult<i64> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        match &*bound {
            Some(bound) => Ok(number(&bound.socket)),
            None => Err(PyOSError::new_err("the socket is closed")),
        }
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

/// The number that Python's `socket` takes.
#[cfg(unix)]
fn number(socket: &socket2::Socket) -> i64 {
    use std::os::fd::AsRawFd;
    i64::from(socket.as_raw_fd())
}

/// The number that Python's `socket` takes.
#[cfg(windows)]
fn number(socket: &socket2::Socket) -> i64 {
    use std::os::windows::io::AsRawSocket;
    i64::try_from(socket.as_raw_socket()).unwrap_or(-1)
}

/// Takes sockets that the caller has bound; they stay the caller's to close.
pub fn adopt(settings: &Bound<'_, PyAny>, descriptors: &[i32]) -> PyResult<Vec<Socket>> {
    let native = settings::native(settings)?;
    let backlog = i32::try_from(native.get().config.backlog).unwrap_or(i32::MAX);
    let bound = net::adopt(descriptors, backlog);
    Ok(wrapped(
        bound.map_err(|error| PyOSError::new_err(error.to_string()))?,
    ))
}

/// Binds what the settings name.
pub fn bind(settings: &Bound<'_, PyAny>) -> PyResult<Vec<Socket>> {
    let native = settings::native(settings)?;
    let spec = spec(&native.get().config);
    let bound = net::bind(&spec).map_err(|error| PyOSError::new_err(error.to_string()))?;
    Ok(wrapped(bound))
}

fn wrapped(sockets: Vec<BoundSocket>) -> Vec<Socket> {
    let wrap = |socket: BoundSocket| Socket {
        description: socket.description.clone(),
        bound: Mutex::new(Some(socket)),
    };
    sockets.into_iter().map(wrap).collect()
}

fn spec(config: &Config) -> BindSpec {
    let variable = |name| std::env::var(name).ok();
    BindSpec {
        host: config.host.clone(),
        port: config.port,
        uds: config.uds.clone(),
        uds_mode: config.uds_mode,
        fd: config.fd,
        backlog: i32::try_from(config.backlog).unwrap_or(i32::MAX),
        systemd: SystemdVars {
            listen_pid: variable("LISTEN_PID"),
            listen_fds: variable("LISTEN_FDS"),
            listen_fdnames: variable("LISTEN_FDNAMES"),
        },
        tls: config.tls.is_some(),
    }
}
