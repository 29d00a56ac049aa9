//! The receive side of an exchange: which message `receive()` gets next.

use std::mem;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::{Exchange, Phase};
use crate::asgi::waiter::Waiter;
use crate::http::HttpCommand;

impl Exchange {
    /// The next message for the application, or `None` when it has to wait.
    pub fn take_message(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut state = self.state(py);
        let done = matches!(state.phase, Phase::Done);
        let inbound = &mut state.inbound;
        let say_continue = mem::take(&mut inbound.expects_continue) && !inbound.complete;
        let body = if !done && !inbound.delivered && (inbound.complete || !inbound.body.is_empty())
        {
            inbound.delivered = inbound.complete;
            Some((mem::take(&mut inbound.body), !inbound.complete))
        } else {
            None
        };
        // The end is said as often as it is asked for. But a loop that does not look at what it
        // gets must not keep the others waiting: every 256th time goes through the event loop. It
        // is not every second one, because frameworks ask without waiting whether it is there.
        let mut say_disconnect = false;
        if body.is_none() && (inbound.disconnected || done) {
            inbound.ends_told = inbound.ends_told.wrapping_add(1);
            say_disconnect = inbound.ends_told != 0;
        }
        drop(state);

        if say_continue {
            self.command(
                py,
                HttpCommand::Continue {
                    stream: self.stream,
                },
            )?;
        }
        match body {
            Some((body, more)) => {
                if more {
                    self.command(
                        py,
                        HttpCommand::Consumed {
                            stream: self.stream,
                            bytes: body.len(),
                        },
                    )?;
                }
                request_message(py, &body, more).map(Some)
            }
            None if say_disconnect => disconnect_message(py).map(Some),
            None => Ok(None),
        }
    }

    /// Makes a waiter that ends when there may be a message.
    pub fn wait_for_message(&self, py: Python<'_>) -> PyResult<Py<Waiter>> {
        let ended = {
            let state = self.state(py);
            state.inbound.disconnected || matches!(state.phase, Phase::Done)
        };
        if ended {
            return Waiter::ended(py, self.border());
        }
        self.receivers.join(py, self.border())
    }
}

fn request_message(py: Python<'_>, body: &[u8], more: bool) -> PyResult<Py<PyAny>> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), intern!(py, "http.request"))?;
    message.set_item(intern!(py, "body"), PyBytes::new(py, body))?;
    message.set_item(intern!(py, "more_body"), more)?;
    Ok(message.into_any().unbind())
}

fn disconnect_message(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let message = PyDict::new(py);
    message.set_item(intern!(py, "type"), intern!(py, "http.disconnect"))?;
    Ok(message.into_any().unbind())
}
