//! One WebSocket, between the application and the connection that carries it.
//!
//! ```text
//!                                 .-- accept ------------> Open ----- close, the end --> Closed
//!   Connecting (connect is told) -+-- close: 403 --------------------------------------> Closed
//!                                 '-- response.start ----> Denying    an HTTP exchange
//!
//!   receive():  connect, then messages in their order, then disconnect
//! ```
//!
//! Here is what both directions share, and what the connection tells; `receive_side.rs` and
//! `send_side.rs` are what the application asks and says, `end.rs` is how its call ends.

mod end;
mod message;
mod receive_side;
mod send_side;

use std::collections::VecDeque;
use std::sync::Arc;

use pyo3::prelude::*;

use super::border::{Border, ExchangeKey};
use super::connection::ConnectionRecord;
use super::exchange::{Exchange, LoggedRequest};
use super::receive::ReceiveCall;
use super::send::SendCall;
use crate::asgi::conversation::Conversation;
use crate::asgi::credit::Credit;
use crate::asgi::gil_cell::{GilCell, Guard};
use crate::asgi::waiter::Waiters;
use crate::http::{HttpCommand, StreamId};
use crate::ws::{WsCommand, WsEvent, close};

/// A WebSocket, as the application's `send` and `receive` see it.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct WebSocket {
    connection: Arc<ConnectionRecord>,
    stream: StreamId,
    state: GilCell<State>,
    credit: Credit,
    /// Calls of `receive()` that wait.
    receivers: Waiters,
}

struct State {
    phase: Phase,
    inbound: Inbound,
    /// What log lines need, until the handshake is answered.
    request: Option<Box<LoggedRequest>>,
    /// How it ended for the application, once it has.
    end: Option<End>,
    /// The peer has gone without a close frame, as far as is known: closing is an error, as sending
    /// is.
    gone: bool,
}

enum Phase {
    /// The handshake is not answered.
    Connecting,
    /// It is answered with an ordinary response.
    Denying(Py<Exchange>),
    /// It is accepted.
    Open,
    /// The application has closed it.
    Closed,
}

/// What `websocket.disconnect` says.
#[derive(Clone)]
struct End {
    code: u16,
    reason: String,
}

/// The receive side.
struct Inbound {
    /// The application has had `websocket.connect`.
    connected: bool,
    /// Messages that were not taken yet.
    queue: VecDeque<Incoming>,
    /// The connection has not been told of the last few messages that were taken.
    taken: Taken,
    /// The application has just had `websocket.disconnect`.
    end_told: bool,
}

/// What was taken and not acknowledged.
#[derive(Default)]
struct Taken {
    messages: usize,
    bytes: usize,
}

/// A message of the peer's.
enum Incoming {
    Text(String),
    Binary(Vec<u8>),
}

impl Incoming {
    fn len(&self) -> usize {
        match self {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(bytes) => bytes.len(),
        }
    }
}

impl WebSocket {
    /// A WebSocket whose handshake is to be answered.
    pub fn new(
        connection: Arc<ConnectionRecord>,
        stream: StreamId,
        request: LoggedRequest,
    ) -> WebSocket {
        WebSocket {
            connection,
            stream,
            state: GilCell::new(State {
                phase: Phase::Connecting,
                inbound: Inbound {
                    connected: false,
                    queue: VecDeque::new(),
                    taken: Taken::default(),
                    end_told: false,
                },
                request: Some(Box::new(request)),
                end: None,
                gone: false,
            }),
            credit: Credit::default(),
            receivers: Waiters::default(),
        }
    }

    /// Which conversation this is.
    pub fn key(&self) -> ExchangeKey {
        ExchangeKey {
            connection: self.connection.id,
            stream: self.stream,
        }
    }

    /// The Python side that this belongs to.
    pub fn border(&self) -> &Arc<Border> {
        &self.connection.border
    }

    /// Never held while Python runs.
    fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.borrow(py)
    }

    fn send_command(&self, py: Python<'_>, command: HttpCommand) -> PyResult<()> {
        self.connection.command(command);
        self.border().work_was_made(py)
    }

    fn command(&self, py: Python<'_>, command: WsCommand) -> PyResult<()> {
        let stream = self.stream;
        self.send_command(py, HttpCommand::WebSocket { stream, command })
    }

    /// The exchange that answers the handshake, if that is how it is answered.
    fn denial(&self, py: Python<'_>) -> Option<Py<Exchange>> {
        match &self.state(py).phase {
            Phase::Denying(exchange) => Some(exchange.clone_ref(py)),
            _ => None,
        }
    }

    // --- what the connection tells -----------------------------------------------------------

    /// Something has happened on the WebSocket.
    pub fn happened(&self, py: Python<'_>, event: WsEvent) -> PyResult<()> {
        match event {
            WsEvent::Text(text) => self.message_came(py, Incoming::Text(text)),
            WsEvent::Binary(bytes) => self.message_came(py, Incoming::Binary(bytes)),
            WsEvent::Unreachable => self.unreachable(py),
            WsEvent::Disconnected { code, reason, gone } => {
                self.ended(py, End { code, reason }, gone)
            }
            WsEvent::Sent { bytes } => self.credited(py, bytes),
        }
    }

    fn message_came(&self, py: Python<'_>, message: Incoming) -> PyResult<()> {
        let acknowledged = {
            let mut state = self.state(py);
            if matches!(state.phase, Phase::Open) {
                state.inbound.queue.push_back(message);
            } else {
                // Nobody will take it; the peer's close frame may stand behind it.
                state.inbound.taken.add(&message);
            }
            state
                .inbound
                .acknowledge(self.border().config.ws_unread_max)
        };
        if let Some(messages) = acknowledged {
            self.command(py, WsCommand::Consumed { messages })?;
        }
        self.receivers.wake(py)
    }

    /// So many bytes of messages more are with the kernel.
    fn credited(&self, py: Python<'_>, bytes: u64) -> PyResult<()> {
        let limit_bytes = self.border().config.write_buffer_max;
        self.credit.earned(py, bytes, limit_bytes)
    }

    /// Nothing that is sent reaches the peer; messages that it had sent may still come.
    fn unreachable(&self, py: Python<'_>) -> PyResult<()> {
        {
            let mut state = self.state(py);
            state.gone |= state.end.is_none();
        }
        self.credit.end(py)
    }

    /// It is over. What the application was told first counts.
    fn ended(&self, py: Python<'_>, end: End, gone: bool) -> PyResult<()> {
        {
            let mut state = self.state(py);
            if state.end.is_none() {
                state.end = Some(end);
                state.gone = gone;
            }
        }
        let woken = self.receivers.wake(py);
        woken.and(self.credit.end(py))
    }

    /// The client of a handshake, or of the response to it, sends nothing more or is gone.
    pub fn disconnected(&self, py: Python<'_>, gone: bool) -> PyResult<()> {
        if let Some(denial) = self.denial(py) {
            denial.get().disconnected(py, gone)?;
        }
        self.ended(py, End::abnormal(), gone)
    }

    /// So many bytes of the response to the handshake are with the kernel.
    pub fn response_credited(&self, py: Python<'_>, bytes: u64) -> PyResult<()> {
        match self.denial(py) {
            Some(denial) => denial.get().credited(py, bytes),
            None => Ok(()),
        }
    }

    /// The connection is gone in both directions.
    pub fn connection_lost(&self, py: Python<'_>) -> PyResult<()> {
        self.disconnected(py, true)
    }

    /// The server is about to end.
    pub fn server_stops(&self, py: Python<'_>) -> PyResult<()> {
        let end = End {
            code: close::SERVICE_RESTART,
            reason: String::new(),
        };
        self.ended(py, end, false)
    }
}

impl End {
    fn abnormal() -> End {
        End {
            code: close::ABNORMAL,
            reason: String::new(),
        }
    }
}

#[pymethods]
impl WebSocket {
    /// ASGI `receive`.
    fn receive(slf: &Bound<'_, Self>) -> PyResult<Py<ReceiveCall>> {
        let call = Conversation::WebSocket(slf.clone().unbind());
        slf.get().border().receive_calls.take(slf.py(), call)
    }

    /// ASGI `send`.
    fn send(slf: &Bound<'_, Self>, message: Py<PyAny>) -> PyResult<Py<SendCall>> {
        let call = (Conversation::WebSocket(slf.clone().unbind()), message);
        slf.get().border().send_calls.take(slf.py(), call)
    }
}
