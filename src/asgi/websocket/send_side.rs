//! The send side of a WebSocket: which message may come now, and what becomes of it.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::pool::Pooled;

use super::message::{self, Data, Kind};
use super::{End, Phase, WebSocket};
use crate::asgi::ClientDisconnected;
use crate::asgi::border::plain_head;
use crate::asgi::exchange::{Exchange, Opening, Sent};
use crate::http::HttpCommand;
use crate::http::response::{ResponseHead, reason_phrase};
use crate::ws::WsCommand;

/// What may be done with a message.
enum Course {
    Go,
    /// Wait for credit.
    Wait,
    /// Nothing: it says what is known already.
    Ignore,
    /// It is for the response to the handshake.
    Deny(Py<Exchange>),
}

impl WebSocket {
    /// Takes one message of the application.
    pub fn accept(&self, message: &Bound<'_, PyAny>) -> PyResult<Sent> {
        let py = message.py();
        let (kind, name) = Kind::of(message)?;
        match self.course(py, kind, &name.to_string_lossy())? {
            Course::Go => {}
            Course::Wait => return self.credit.wait(py, self.border()).map(Sent::Wait),
            Course::Ignore => return Ok(Sent::Accepted),
            Course::Deny(exchange) => {
                return message::deny(exchange.bind(py), message, &name.to_string_lossy());
            }
        }
        match kind {
            Kind::Accept => self.open(py, message::read_accept(message)?)?,
            Kind::Close => self.close(py, message)?,
            Kind::Send => {
                self.send_data(py, message::read_send(message, &self.border().released)?)?
            }
            Kind::ResponseStart => self.deny(py, message)?,
            Kind::ResponseBody | Kind::Unknown => {}
        }
        Ok(Sent::Accepted)
    }

    /// Whether a message of this kind may come now.
    fn course(&self, py: Python<'_>, kind: Kind, name: &str) -> PyResult<Course> {
        let state = self.state(py);
        let over = state.end.is_some();
        let wrong = |text: String| Err(PyRuntimeError::new_err(text));
        match (&state.phase, kind) {
            (Phase::Denying(exchange), _) => Ok(Course::Deny(exchange.clone_ref(py))),
            (Phase::Closed, _) => wrong(format!(
                "Unexpected ASGI message '{name}', after sending 'websocket.close'."
            )),
            (Phase::Connecting, Kind::Accept | Kind::Close | Kind::ResponseStart) if over => {
                Err(disconnected())
            }
            (Phase::Connecting, Kind::Accept | Kind::Close | Kind::ResponseStart) => Ok(Course::Go),
            (Phase::Connecting, _) => wrong(format!(
                "Expected ASGI message 'websocket.accept', 'websocket.close' or \
                 'websocket.http.response.start' but got '{name}'."
            )),
            (Phase::Open, Kind::Close) if state.gone => Err(disconnected()),
            (Phase::Open, Kind::Close) if over => Ok(Course::Ignore),
            (Phase::Open, Kind::Send) if over || state.gone => Err(disconnected()),
            (Phase::Open, Kind::Send)
                if self
                    .credit
                    .is_spent(py, self.border().config.write_buffer_max) =>
            {
                Ok(Course::Wait)
            }
            (Phase::Open, Kind::Close | Kind::Send) => Ok(Course::Go),
            (Phase::Open, _) => wrong(format!(
                "Expected ASGI message 'websocket.send' or 'websocket.close', but got '{name}'."
            )),
        }
    }

    /// Accepts the handshake.
    fn open(&self, py: Python<'_>, head: Pooled<ResponseHead>) -> PyResult<()> {
        let request = {
            let mut state = self.state(py);
            state.phase = Phase::Open;
            state.request.take()
        };
        let stream = self.stream;
        self.send_command(py, HttpCommand::Accept { stream, head })?;
        if let Some(request) = request {
            let log = &self.border().log;
            log.websocket_answered(py, self.border(), &self.connection, &request, "[accepted]");
            self.connection.log_websocket_open(py);
        }
        Ok(())
    }

    fn send_data(&self, py: Python<'_>, data: Option<Data>) -> PyResult<()> {
        let Some(data) = data else { return Ok(()) };
        let (command, len) = match data {
            Data::Text(text) => {
                let len = text.len();
                (WsCommand::Text(text), len)
            }
            Data::Binary(bytes) => {
                let len = bytes.len();
                (WsCommand::Binary(bytes), len)
            }
        };
        self.credit.owe(py, len as u64);
        self.command(py, command)
    }

    /// Closes what is open, or refuses the handshake.
    fn close(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let connecting = matches!(self.state(py).phase, Phase::Connecting);
        if connecting {
            return self.refuse(py, 403, b"");
        }
        let (code, reason) = message::read_close(message)?;
        self.say_close(py, code, reason)
    }

    /// Begins the closing handshake.
    pub(super) fn say_close(&self, py: Python<'_>, code: u16, reason: String) -> PyResult<()> {
        {
            let mut state = self.state(py);
            state.phase = Phase::Closed;
            state.end.get_or_insert(End {
                code,
                reason: reason.clone(),
            });
        }
        self.command(py, WsCommand::Close { code, reason })?;
        self.receivers.wake(py)
    }

    /// Answers the handshake with an error of our own.
    pub(super) fn refuse(&self, py: Python<'_>, status: u16, body: &[u8]) -> PyResult<()> {
        let request = {
            let mut state = self.state(py);
            state.phase = Phase::Closed;
            state.end.get_or_insert(End::abnormal());
            state.request.take()
        };
        if let Some(request) = request.filter(|_| status != 500) {
            let (log, status) = (&self.border().log, status.to_string());
            log.websocket_answered(py, self.border(), &self.connection, &request, &status);
        }
        self.log_rejection(py, status);
        self.send_command(
            py,
            HttpCommand::Respond {
                stream: self.stream,
                head: plain_head(status, body.len(), &[]),
                body: Payload::copy_of(body),
                end: true,
            },
        )?;
        self.receivers.wake(py)
    }

    /// Answers the handshake with the application's own response: an exchange like others.
    fn deny(&self, py: Python<'_>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let head = message::read_denial(message)?;
        let status = head.status();
        let exchange = Exchange::new(
            self.connection.clone(),
            Opening {
                stream: self.stream,
                head_only: false,
                body: Vec::new(),
                body_complete: true,
                expects_continue: false,
                request: None,
            },
        );
        let exchange = Bound::new(py, exchange)?;
        let request = {
            let mut state = self.state(py);
            state.phase = Phase::Denying(exchange.clone().unbind());
            state.request.take()
        };
        if let Some(request) = request {
            let (log, status) = (&self.border().log, status.to_string());
            log.websocket_answered(py, self.border(), &self.connection, &request, &status);
        }
        self.log_rejection(py, status);
        exchange.get().start(&exchange, head)
    }

    fn log_rejection(&self, py: Python<'_>, status: u16) {
        let phrase = reason_phrase(status);
        let text = format!("connection rejected ({status} {phrase})");
        self.border().log.info(py, &text);
    }
}

fn disconnected() -> PyErr {
    ClientDisconnected::new_err("The client has closed the connection.")
}
