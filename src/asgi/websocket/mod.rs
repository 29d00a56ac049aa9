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
use std::mem;
use std::sync::Arc;

use pyo3::prelude::*;

use super::border::{Border, ExchangeKey};
use super::connection::ConnectionRecord;
use super::exchange::{Exchange, LoggedRequest};
use super::receive::ReceiveCall;
use super::send::SendCall;
use crate::asgi::conversation::Conversation;
use crate::asgi::gil_cell::{GilCell, Guard};
use crate::asgi::waiter::{Waiter, wake_all};
use crate::http::{HttpCommand, StreamId};
use crate::ws::{WsCommand, WsEvent};

/// What `receive()` says of a connection that ended without a close frame (RFC 6455, section
/// 7.1.5).
const ABNORMAL_CLOSURE: u16 = 1006;
/// What it says when the server stops (registered with IANA: service restart).
const SERVICE_RESTART: u16 = 1012;

/// A WebSocket, as the application's `send` and `receive` see it.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct WebSocket {
    connection: Arc<ConnectionRecord>,
    stream: StreamId,
    state: GilCell<State>,
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
    /// Bytes of messages given to the connection and not yet with the kernel.
    unsent_bytes: u64,
    /// Waiters of `send()` calls that wait for credit.
    senders: Vec<Py<Waiter>>,
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
    /// Waiters of `receive()` calls that wait.
    receivers: Vec<Py<Waiter>>,
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
                    receivers: Vec::new(),
                },
                request: Some(Box::new(request)),
                end: None,
                gone: false,
                unsent_bytes: 0,
                senders: Vec::new(),
            }),
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
        let (receivers, acknowledged) = {
            let mut state = self.state(py);
            if matches!(state.phase, Phase::Open) {
                state.inbound.queue.push_back(message);
            } else {
                // Nobody will take it; the peer's close frame may stand behind it.
                state.inbound.taken.add(&message);
            }
            let acknowledged = state
                .inbound
                .acknowledge(self.border().config.ws_unread_max);
            (mem::take(&mut state.inbound.receivers), acknowledged)
        };
        if let Some(messages) = acknowledged {
            self.command(py, WsCommand::Consumed { messages })?;
        }
        wake_all(py, &receivers)
    }

    /// So many bytes of messages more are with the kernel.
    fn credited(&self, py: Python<'_>, bytes: u64) -> PyResult<()> {
        let senders = {
            let mut state = self.state(py);
            state.unsent_bytes = state.unsent_bytes.saturating_sub(bytes);
            if state.unsent_bytes > self.border().config.write_buffer_max / 4 {
                return Ok(());
            }
            mem::take(&mut state.senders)
        };
        wake_all(py, &senders)
    }

    /// Nothing that is sent reaches the peer; messages that it had sent may still come.
    fn unreachable(&self, py: Python<'_>) -> PyResult<()> {
        let senders = {
            let mut state = self.state(py);
            state.gone |= state.end.is_none();
            mem::take(&mut state.senders)
        };
        wake_all(py, &senders)
    }

    /// It is over. What the application was told first counts.
    fn ended(&self, py: Python<'_>, end: End, gone: bool) -> PyResult<()> {
        let (receivers, senders) = {
            let mut state = self.state(py);
            if state.end.is_none() {
                state.end = Some(end);
                state.gone = gone;
            }
            (
                mem::take(&mut state.inbound.receivers),
                mem::take(&mut state.senders),
            )
        };
        wake_all(py, &receivers)?;
        wake_all(py, &senders)
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
            code: SERVICE_RESTART,
            reason: String::new(),
        };
        self.ended(py, end, false)
    }
}

impl End {
    fn abnormal() -> End {
        End {
            code: ABNORMAL_CLOSURE,
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
