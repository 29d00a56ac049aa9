//! What a call of the application talks about: an HTTP exchange or a WebSocket. The coroutines of
//! `send()`, `receive()` and the call itself are the same for both.

use std::sync::Arc;

use pyo3::prelude::*;

use super::border::{Border, ExchangeKey};
use super::exchange::{Exchange, Sent};
use super::waiter::Waiter;
use super::websocket::WebSocket;

/// An exchange or a WebSocket.
pub enum Conversation {
    /// A request and its response.
    Http(Py<Exchange>),
    /// A WebSocket, from its handshake on.
    WebSocket(Py<WebSocket>),
}

impl Conversation {
    /// Another reference to the same.
    pub fn clone_ref(&self, py: Python<'_>) -> Conversation {
        match self {
            Conversation::Http(exchange) => Conversation::Http(exchange.clone_ref(py)),
            Conversation::WebSocket(socket) => Conversation::WebSocket(socket.clone_ref(py)),
        }
    }

    /// The Python object with the methods `receive` and `send`.
    pub fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        match self {
            Conversation::Http(exchange) => exchange.bind(py).as_any(),
            Conversation::WebSocket(socket) => socket.bind(py).as_any(),
        }
    }

    /// Which conversation this is.
    pub fn key(&self) -> ExchangeKey {
        match self {
            Conversation::Http(exchange) => exchange.get().key(),
            Conversation::WebSocket(socket) => socket.get().key(),
        }
    }

    /// The Python side that it belongs to.
    pub fn border(&self) -> &Arc<Border> {
        match self {
            Conversation::Http(exchange) => exchange.get().border(),
            Conversation::WebSocket(socket) => socket.get().border(),
        }
    }

    /// Takes one message of the application.
    pub fn accept(&self, message: &Bound<'_, PyAny>) -> PyResult<Sent> {
        let py = message.py();
        match self {
            Conversation::Http(exchange) => Exchange::accept(exchange.bind(py), message),
            Conversation::WebSocket(socket) => WebSocket::accept(socket.get(), message),
        }
    }

    /// The next message for the application, or `None` when it has to wait.
    pub fn take_message(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self {
            Conversation::Http(exchange) => exchange.get().take_message(py),
            Conversation::WebSocket(socket) => socket.get().take_message(py),
        }
    }

    /// Makes a waiter that ends when there may be a message.
    pub fn wait_for_message(&self, py: Python<'_>) -> PyResult<Py<Waiter>> {
        match self {
            Conversation::Http(exchange) => exchange.get().wait_for_message(py),
            Conversation::WebSocket(socket) => socket.get().wait_for_message(py),
        }
    }

    /// The connection is gone in both directions.
    pub fn connection_lost(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Conversation::Http(exchange) => exchange.get().disconnected(py, true),
            Conversation::WebSocket(socket) => socket.get().connection_lost(py),
        }
    }

    /// The server is about to end: `receive()` shall say so.
    pub fn server_stops(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Conversation::Http(exchange) => exchange.get().disconnected(py, false),
            Conversation::WebSocket(socket) => socket.get().server_stops(py),
        }
    }

    /// The application returned.
    pub fn application_returned(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        match self {
            Conversation::Http(exchange) => {
                let border = exchange.get().border();
                border.application_returned(py, exchange.bind(py), value)
            }
            Conversation::WebSocket(socket) => socket.get().application_returned(value),
        }
    }

    /// The application raised.
    pub fn application_raised(&self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        match self {
            Conversation::Http(exchange) => {
                let border = exchange.get().border();
                border.application_raised(py, exchange.bind(py), error)
            }
            Conversation::WebSocket(socket) => socket.get().application_raised(py, error),
        }
    }
}
