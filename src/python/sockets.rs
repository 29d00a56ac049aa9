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
                Some((name(&bound.socket)?, path.clone()))
            }
            _ => None,
        }
    }
}

/// The path under which the system knows a Unix socket.
#[cfg(unix)]
fn name(socket: &socket2::Socket) -> Option<PathBuf> {
    let address = socket.local_addr().ok()?;
    Some(address.as_pathname()?.to_owned())
}

/// There are none.
#[cfg(not(unix))]
fn name(_socket: &socket2::Socket) -> Option<PathBuf> {
    None
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
    let bound = match inherited() {
        Some(sockets) => sockets,
        None => {
            let spec = BindSpec::of(&native.get().config, |name| std::env::var(name).ok());
            net::bind(&spec).map_err(|error| PyOSError::new_err(error.to_string()))?
        }
    };
    Ok(wrapped(bound))
}

fn wrapped(sockets: Vec<BoundSocket>) -> Vec<Socket> {
    let wrap = |socket: BoundSocket| Socket {
        description: socket.description.clone(),
        bound: Mutex::new(Some(socket)),
    };
    sockets.into_iter().map(wrap).collect()
}

/// What a supervisor has bound for this process, if there is one.
fn inherited() -> Option<Vec<BoundSocket>> {
    #[cfg(unix)]
    return crate::supervisor::worker::current().map(|worker| worker.take_sockets());
    #[cfg(not(unix))]
    None
}
