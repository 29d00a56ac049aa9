//! What the dispatch actor remembers of a connection: where to answer, and how its two ends look
//! in a scope. Made once for each connection, shared by its exchanges.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use smolcorn_actors::actor::ConnectionId;
use smolcorn_actors::mailbox::Address;
use smolcorn_actors::messages::{End, Ends, ToConnection};

use super::border::Border;
use crate::http::HttpCommand;

/// A connection, as the application's side knows it.
pub struct ConnectionRecord {
    /// The Python side that it belongs to.
    pub border: Arc<Border>,
    /// Its number.
    pub id: ConnectionId,
    /// Where commands for it go.
    pub reply: Address<ToConnection<HttpCommand>>,
    /// `scope["client"]`: `(host, port)`, or `None` for a unix socket.
    pub client: Py<PyAny>,
    /// `scope["server"]`: `(host, port)`, or `(path, None)` for a unix socket.
    pub server: Py<PyAny>,
    /// The peer's address; `None` for a unix socket.
    pub peer: Option<IpAddr>,
    /// The client as the access log shows it: `ip:port`, or empty for a unix socket.
    pub client_text: String,
    /// What the ASGI extension `tls` says of it; unset: it is in the clear. Scopes get copies.
    pub tls: OnceLock<Py<PyDict>>,
    /// The log says that it is an open WebSocket, and not yet that this has ended.
    websocket_is_open: AtomicBool,
}

impl ConnectionRecord {
    /// Takes down a new connection.
    pub fn new(
        py: Python<'_>,
        border: &Arc<Border>,
        id: ConnectionId,
        ends: &Ends,
        reply: Address<ToConnection<HttpCommand>>,
    ) -> PyResult<ConnectionRecord> {
        let (client, peer, client_text) = match &ends.peer {
            End::Inet(address) => {
                let host = address.ip().to_string();
                let text = format!("{host}:{}", address.port());
                let tuple = client_tuple(py, &host, address.port())?;
                (tuple, Some(address.ip()), text)
            }
            End::Unix(_) => (py.None(), None, String::new()),
        };
        let server = match &ends.local {
            End::Inet(address) => client_tuple(py, &address.ip().to_string(), address.port())?,
            End::Unix(path) => {
                // Its own address may still show the name under which it was made.
                let path = border
                    .unix_path(&ends.local)
                    .or(path.as_deref())
                    .map(|path| path.to_string_lossy());
                PyTuple::new(
                    py,
                    [path.into_pyobject(py)?.into_any(), py.None().into_bound(py)],
                )?
                .into_any()
                .unbind()
            }
        };
        Ok(ConnectionRecord {
            border: Arc::clone(border),
            id,
            reply,
            client,
            server,
            peer,
            client_text,
            tls: OnceLock::new(),
            websocket_is_open: AtomicBool::new(false),
        })
    }

    /// Logs that the connection is an open WebSocket now.
    pub fn log_websocket_open(&self, py: Python<'_>) {
        self.websocket_is_open.store(true, Ordering::Relaxed);
        self.border.log.info(py, "connection open");
    }

    /// Logs that it is none any more, if that was logged; once.
    pub fn log_websocket_closed(&self, py: Python<'_>) {
        if self.websocket_is_open.swap(false, Ordering::Relaxed) {
            self.border.log.info(py, "connection closed");
        }
    }

    /// Sends a command to the connection; one that has ended needs none.
    pub fn command(&self, command: HttpCommand) {
        if smolcorn_actors::trace::enabled() {
            crate::trace::work::answered(self.id, &command);
        }
        let _ = self.reply.tell(ToConnection::Command(command));
    }
}

/// A `(host, port)` pair as scopes have it.
pub fn client_tuple(py: Python<'_>, host: &str, port: u16) -> PyResult<Py<PyAny>> {
    let host = PyString::new(py, host).into_any();
    let port = port.into_pyobject(py)?.into_any();
    Ok(PyTuple::new(py, [host, port])?.into_any().unbind())
}
