//! The send side of an exchange: which message may come now, and what becomes of it.

use std::mem;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::pool::Pooled;

use super::{Exchange, Outcome, Phase, Sent};
use crate::asgi::ClientDisconnected;
use crate::asgi::message::{self, Kind};
use crate::asgi::waiter::Waiter;
use crate::http::HttpCommand;
use crate::http::response::ResponseHead;

/// What the order of messages says to one that comes now.
enum Order {
    Go,
    /// It has to wait for credit.
    Wait,
    /// The response is complete.
    Over,
    /// The client is.
    Gone,
    /// Another one is due.
    Expected(&'static str),
}

impl Exchange {
    /// Takes one message of the application.
    pub fn accept(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<Sent> {
        let py = slf.py();
        let exchange = slf.get();
        let (kind, name) = Kind::of(message)?;
        if let Some(waiter) =
            exchange.check_order(py, kind, || name.to_string_lossy().into_owned())?
        {
            return Ok(Sent::Wait(waiter));
        }
        match kind {
            Kind::Start => exchange.start(slf, message::read_start(message)?)?,
            Kind::Body => {
                let (body, more) = message::read_body(message, &exchange.border().released)?;
                exchange.body(py, body, more)?;
            }
            Kind::PathSend => exchange.path_send(py, message)?,
            Kind::Trailers => {
                let (lines, more) = message::read_trailers(message)?;
                exchange.trailers(py, lines, more)?;
            }
            Kind::EarlyHint => {
                let links = message::read_early_hint(message)?;
                exchange.command(
                    py,
                    HttpCommand::EarlyHint {
                        stream: exchange.stream,
                        links,
                    },
                )?;
            }
            Kind::Debug | Kind::Unknown => {}
        }
        Ok(Sent::Accepted)
    }

    /// Takes a message for a response that goes by other names: that of a WebSocket's handshake.
    /// Only its body is still to come (`is_body`: that is what this is).
    pub fn accept_body(
        slf: &Bound<'_, Self>,
        message: &Bound<'_, PyAny>,
        name: &str,
        is_body: bool,
        expected: &str,
    ) -> PyResult<Sent> {
        let py = slf.py();
        let exchange = slf.get();
        if !is_body && exchange.outcome(py) != Outcome::Complete {
            return Err(PyRuntimeError::new_err(format!(
                "Expected ASGI message '{expected}', but got '{name}'."
            )));
        }
        if let Some(waiter) = exchange.check_order(py, Kind::Body, || name.to_owned())? {
            return Ok(Sent::Wait(waiter));
        }
        let (body, more) = message::read_body(message, &exchange.border().released)?;
        exchange.body(py, body, more)?;
        Ok(Sent::Accepted)
    }

    /// Whether a message of this kind may come now; a waiter when it must wait for credit.
    fn check_order(
        &self,
        py: Python<'_>,
        kind: Kind,
        name: impl Fn() -> String,
    ) -> PyResult<Option<Py<Waiter>>> {
        match self.order(py, kind) {
            Order::Go => Ok(None),
            Order::Wait => self.credit.wait(py, self.border()).map(Some),
            Order::Over => Err(PyRuntimeError::new_err(format!(
                "Unexpected ASGI message '{}' sent, after response already completed.",
                name()
            ))),
            Order::Gone => Err(ClientDisconnected::new_err(
                "The client has closed the connection.",
            )),
            Order::Expected(expected) => Err(PyRuntimeError::new_err(format!(
                "Expected ASGI message '{expected}', but got '{}'.",
                name()
            ))),
        }
    }

    fn order(&self, py: Python<'_>, kind: Kind) -> Order {
        let state = self.state(py);
        match (&state.phase, kind) {
            (Phase::Done, _) => Order::Over,
            _ if state.gone => Order::Gone,
            (Phase::AwaitStart, Kind::Start | Kind::Debug | Kind::EarlyHint)
            | (Phase::Held(_), Kind::Body | Kind::PathSend | Kind::EarlyHint | Kind::Debug)
            | (Phase::Trailers(_), Kind::Trailers)
            | (Phase::Open { .. }, Kind::EarlyHint | Kind::Debug) => Order::Go,
            (Phase::Open { .. }, Kind::Body | Kind::PathSend) => {
                if self
                    .credit
                    .is_spent(py, self.border().config.write_buffer_max)
                {
                    Order::Wait
                } else {
                    Order::Go
                }
            }
            (Phase::AwaitStart, _) => Order::Expected("http.response.start"),
            (Phase::Trailers(_), _) => Order::Expected("http.response.trailers"),
            (Phase::Held(_) | Phase::Open { .. }, _) => Order::Expected("http.response.body"),
        }
    }

    /// Begins the response.
    pub fn start(&self, slf: &Bound<'_, Self>, head: Pooled<ResponseHead>) -> PyResult<()> {
        {
            let mut state = self.state(slf.py());
            // Where no body goes out none is counted: frameworks send one with a 204 or 304, and
            // the machine drops it.
            state.body_missing_bytes = if state.head_only || matches!(head.status(), 204 | 304) {
                None
            } else {
                head.content_length()
            };
            state.phase = Phase::Held(head);
        }
        self.border().hold_head(slf)
    }

    fn body(&self, py: Python<'_>, body: Payload, more: bool) -> PyResult<()> {
        let len = body.len() as u64;
        let mut state = self.state(py);
        if let Some(missing) = &mut state.body_missing_bytes {
            if len > *missing {
                return Err(PyRuntimeError::new_err(
                    "Response content longer than Content-Length",
                ));
            }
            *missing -= len;
        }
        let short = !more && state.body_missing_bytes.is_some_and(|missing| missing > 0);
        let stream = self.stream;
        // A short body goes out as it is, and then the connection is cut.
        let end = !more && !short;
        let mut started = None;
        let (command, trailers) = match mem::replace(&mut state.phase, Phase::Done) {
            Phase::Held(head) => {
                let trailers = head.expects_trailers();
                let status = head.status();
                started = state.request.take().map(|request| (request, status));
                let command = HttpCommand::Respond {
                    stream,
                    head,
                    body,
                    end: end && !trailers,
                };
                (command, trailers)
            }
            // It says nothing, and any number of them would wait for the connection.
            phase @ Phase::Open { .. } if len == 0 && more => {
                state.phase = phase;
                return Ok(());
            }
            Phase::Open { trailers } => {
                let command = HttpCommand::Body {
                    stream,
                    data: body,
                    end: end && !trailers,
                };
                (command, trailers)
            }
            phase => {
                state.phase = phase;
                return Ok(());
            }
        };
        if len > 0 && !end {
            self.credit.owe(py, len);
        }
        state.phase = match (more || short, trailers) {
            (true, _) => Phase::Open { trailers },
            (false, true) => Phase::Trailers(Vec::new()),
            (false, false) => Phase::Done,
        };
        let done = matches!(state.phase, Phase::Done);
        drop(state);
        if let Some((request, status)) = started {
            self.border()
                .log_access(py, &self.connection, &request, status)?;
        }
        self.command(py, command)?;
        if short {
            return Err(PyRuntimeError::new_err(
                "Response content shorter than Content-Length",
            ));
        }
        if done { self.completed(py) } else { Ok(()) }
    }

    fn path_send(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let (file, len_bytes) = message::read_path_send(message)?;
        let declared = self.state(py).body_missing_bytes;
        if declared.is_some_and(|declared| declared != len_bytes) {
            return Err(PyRuntimeError::new_err(format!(
                "The file of 'http.response.pathsend' has {len_bytes} bytes, but Content-Length \
                 leaves {}.",
                declared.unwrap_or_default()
            )));
        }
        self.flush_head(py)?;
        {
            let mut state = self.state(py);
            state.phase = match state.phase {
                Phase::Open { trailers: true } => Phase::Trailers(Vec::new()),
                _ => Phase::Done,
            };
        }
        self.command(
            py,
            HttpCommand::File {
                stream: self.stream,
                file,
                len_bytes,
            },
        )?;
        let done = matches!(self.state(py).phase, Phase::Done);
        if done { self.completed(py) } else { Ok(()) }
    }

    fn trailers(&self, py: Python<'_>, mut lines: Vec<u8>, more: bool) -> PyResult<()> {
        {
            let mut state = self.state(py);
            let Phase::Trailers(before) = &mut state.phase else {
                return Ok(());
            };
            before.append(&mut lines);
            if more {
                return Ok(());
            }
            lines = mem::take(before);
            state.phase = Phase::Done;
        }
        self.command(
            py,
            HttpCommand::Trailers {
                stream: self.stream,
                lines,
            },
        )?;
        self.completed(py)
    }

    /// Sends a head that was held, without waiting for a body.
    pub fn flush_head(&self, py: Python<'_>) -> PyResult<()> {
        let mut state = self.state(py);
        let head = match mem::replace(&mut state.phase, Phase::Done) {
            Phase::Held(head) => head,
            phase => {
                state.phase = phase;
                return Ok(());
            }
        };
        state.phase = Phase::Open {
            trailers: head.expects_trailers(),
        };
        let request = state.request.take();
        drop(state);
        if let Some(request) = request {
            self.border()
                .log_access(py, &self.connection, &request, head.status())?;
        }
        self.command(
            py,
            HttpCommand::Respond {
                stream: self.stream,
                head,
                body: Payload::empty(),
                end: false,
            },
        )
    }

    fn completed(&self, py: Python<'_>) -> PyResult<()> {
        self.receivers.wake(py)?;
        let counted = self.state(py).counted;
        if !counted {
            return Ok(());
        }
        self.border().response_completed(py)
    }

    // --- the end -----------------------------------------------------------------------------

    /// What the response has come to.
    pub fn outcome(&self, py: Python<'_>) -> Outcome {
        match self.state(py).phase {
            Phase::AwaitStart => Outcome::NotStarted,
            Phase::Held(_) => Outcome::Held,
            Phase::Open { .. } | Phase::Trailers(_) => Outcome::Incomplete,
            Phase::Done => Outcome::Complete,
        }
    }

    /// True when the client is gone, wholly or as far as `receive()` is concerned.
    pub fn is_disconnected(&self, py: Python<'_>) -> bool {
        let state = self.state(py);
        state.gone || state.inbound.disconnected
    }

    /// True when the client is gone altogether: it reads no answer.
    pub fn is_gone(&self, py: Python<'_>) -> bool {
        self.state(py).gone
    }

    /// Answers in the application's place. Only before anything went out.
    pub fn answer(&self, py: Python<'_>, head: Pooled<ResponseHead>, body: &[u8]) -> PyResult<()> {
        let request = {
            let mut state = self.state(py);
            state.phase = Phase::Done;
            state.request.take()
        };
        if let Some(request) = request {
            self.border()
                .log_access(py, &self.connection, &request, head.status())?;
        }
        self.command(
            py,
            HttpCommand::Respond {
                stream: self.stream,
                head,
                body: Payload::copy_of(body),
                end: true,
            },
        )?;
        self.completed(py)
    }

    /// Cuts the connection, because the response cannot be completed.
    pub fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.state(py).phase = Phase::Done;
        self.command(
            py,
            HttpCommand::Abort {
                stream: self.stream,
            },
        )
    }

    /// Lets the connection end after this response.
    pub fn retire_connection(&self, py: Python<'_>) -> PyResult<()> {
        self.command(py, HttpCommand::Retire)
    }
}
