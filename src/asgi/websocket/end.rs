//! What becomes of a WebSocket whose application has ended.

use pyo3::prelude::*;

use super::{Phase, WebSocket};
use crate::asgi::border::{answer_failed, is_disconnect};
use crate::asgi::exchange::{Exchange, Outcome};
use crate::ws::close;

/// What there is to finish.
enum Unfinished {
    /// The handshake was not answered; `gone`: the client does not wait for it any more.
    Handshake {
        gone: bool,
    },
    /// It is answered with a response.
    Response(Py<Exchange>),
    /// It is open, and so is the peer's side.
    Open,
    Nothing,
}

impl WebSocket {
    /// The application returned.
    pub fn application_returned(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        let log = &self.border().log;
        if !value.is_none() {
            let text = format!("ASGI callable should return None, but returned '{value}'.");
            log.error(py, &text);
        }
        match self.unfinished(py) {
            Unfinished::Nothing => {}
            Unfinished::Open => self.say_close(py, close::NORMAL, String::new())?,
            Unfinished::Handshake { gone } => {
                if !gone {
                    log.error(py, "ASGI callable returned without completing handshake.");
                }
                self.refuse(py, 500, b"Internal Server Error")?;
            }
            Unfinished::Response(exchange) => {
                let exchange = exchange.get();
                if exchange.outcome(py) != Outcome::Complete && !exchange.is_disconnected(py) {
                    log.error(py, "ASGI callable returned without completing response.");
                    answer_failed(py, exchange)?;
                }
            }
        }
        self.border().ended(py, self.key())
    }

    /// The application raised.
    pub fn application_raised(&self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        let value = error.clone_ref(py).into_value(py).into_bound(py).into_any();
        if !is_disconnect(&value) {
            let log = &self.border().log;
            log.exception(py, "Exception in ASGI application\n", &error);
        }
        match self.unfinished(py) {
            Unfinished::Nothing => {}
            Unfinished::Open => self.say_close(py, close::INTERNAL_ERROR, String::new())?,
            Unfinished::Handshake { .. } => self.refuse(py, 500, b"Internal Server Error")?,
            Unfinished::Response(exchange) => answer_failed(py, exchange.get())?,
        }
        self.border().ended(py, self.key())
    }

    fn unfinished(&self, py: Python<'_>) -> Unfinished {
        let state = self.state(py);
        match &state.phase {
            Phase::Denying(exchange) => Unfinished::Response(exchange.clone_ref(py)),
            Phase::Connecting => Unfinished::Handshake {
                gone: state.end.is_some(),
            },
            Phase::Open if state.end.is_none() => Unfinished::Open,
            Phase::Open | Phase::Closed => Unfinished::Nothing,
        }
    }
}
