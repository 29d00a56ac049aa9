//! The receive side of a WebSocket: which message `receive()` gets next.

use std::mem;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::{End, Inbound, Incoming, Taken, WebSocket};
use crate::asgi::waiter::Waiter;
use crate::ws::WsCommand;

/// With so many bytes taken and not acknowledged, they are acknowledged at once.
const ACKNOWLEDGED_BYTES: usize = 16 * 1024;

impl WebSocket {
    /// The next message for the application, or `None` when it has to wait.
    pub fn take_message(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut state = self.state(py);
        let inbound = &mut state.inbound;
        if !mem::replace(&mut inbound.connected, true) {
            drop(state);
            return connect_message(py).map(Some);
        }
        if let Some(message) = inbound.queue.pop_front() {
            inbound.taken.add(&message);
            let acknowledged = inbound.acknowledge(self.border().config.ws_unread_max);
            drop(state);
            if let Some(messages) = acknowledged {
                self.command(py, WsCommand::Consumed { messages })?;
            }
            return receive_message(py, message).map(Some);
        }
        let Some(end) = state.end.clone() else {
            return Ok(None);
        };
        // It is said as often as it is asked for. But a loop that does not look at what it gets
        // must not keep the others waiting: every second time goes through the loop.
        let inbound = &mut state.inbound;
        inbound.end_told = !inbound.end_told;
        if !inbound.end_told {
            return Ok(None);
        }
        drop(state);
        disconnect_message(py, &end).map(Some)
    }

    /// Makes a waiter that ends when there may be a message.
    pub fn wait_for_message(&self, py: Python<'_>) -> PyResult<Py<Waiter>> {
        let ended = self.state(py).end.is_some();
        if ended {
            return Waiter::ended(py, self.border());
        }
        self.receivers.join(py, self.border())
    }
}

impl Taken {
    pub(super) fn add(&mut self, message: &Incoming) {
        self.messages += 1;
        self.bytes += message.len();
    }
}

impl Inbound {
    /// How many messages the connection must be told of. It reads on while fewer than `unread_max`
    /// are not acknowledged, so as long as that holds it need not hear of each.
    pub(super) fn acknowledge(&mut self, unread_max: usize) -> Option<usize> {
        let unread = self.queue.len() + self.taken.messages;
        let due = unread >= unread_max.max(1) || self.taken.bytes >= ACKNOWLEDGED_BYTES;
        if !due || self.taken.messages == 0 {
            return None;
        }
        Some(mem::take(&mut self.taken).messages)
    }
}

fn new_message<'py>(py: Python<'py>, kind: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyDict>> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), kind)?;
    Ok(message)
}

fn connect_message(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let message = new_message(py, intern!(py, "websocket.connect"))?;
    Ok(message.into_any().unbind())
}

fn receive_message(py: Python<'_>, received: Incoming) -> PyResult<Py<PyAny>> {
    let message = new_message(py, intern!(py, "websocket.receive"))?;
    match received {
        Incoming::Text(text) => {
            message.set_item(intern!(py, "text"), PyString::new(py, &text))?;
        }
        Incoming::Binary(bytes) => {
            message.set_item(intern!(py, "bytes"), PyBytes::new(py, &bytes))?;
        }
    }
    Ok(message.into_any().unbind())
}

fn disconnect_message(py: Python<'_>, end: &End) -> PyResult<Py<PyAny>> {
    let message = new_message(py, intern!(py, "websocket.disconnect"))?;
    message.set_item(intern!(py, "code"), end.code)?;
    message.set_item(intern!(py, "reason"), &end.reason)?;
    Ok(message.into_any().unbind())
}
