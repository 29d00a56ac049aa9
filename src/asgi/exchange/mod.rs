//! One request and its response, between the application and the connection that carries them.
//!
//! ```text
//!   receive side:   Body* --> chunks --> receive()         then: wait, http.disconnect
//!
//!   send side:      AwaitStart --start--> Held --body--> Open --last body--> Done
//!                                           |             |  \-(trailers announced)-> Trailers --> Done
//!                                           '-end of turn-'
//! ```
//!
//! A head is *held* until the first body message, so that a simple answer is one message to the
//! connection and one write. A head that gets no body within the turn goes out alone.
//!
//! Here is what both sides share, and what the connection tells; `receive_side.rs` and
//! `send_side.rs` are what the application asks and says.

mod receive_side;
mod send_side;

use std::sync::Arc;

use pyo3::prelude::*;
use smolcorn_actors::pool::Pooled;

use super::connection::ConnectionRecord;
use super::conversation::Conversation;
use super::receive::ReceiveCall;
use super::send::SendCall;
use crate::asgi::border::{Border, ExchangeKey};
use crate::asgi::credit::Credit;
use crate::asgi::gil_cell::{GilCell, Guard};
use crate::asgi::waiter::{Waiter, Waiters};
use crate::http::head::RequestHead;
use crate::http::response::ResponseHead;
use crate::http::{HttpCommand, StreamId};

/// A request and its response, as the application's `send` and `receive` see them.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Exchange {
    connection: Arc<ConnectionRecord>,
    stream: StreamId,
    state: GilCell<State>,
    credit: Credit,
    /// Calls of `receive()` that wait.
    receivers: Waiters,
}

struct State {
    inbound: Inbound,
    phase: Phase,
    /// The client asked with HEAD: no body goes out, and none is counted.
    head_only: bool,
    /// What the access log needs, until the response starts.
    request: Option<LoggedRequest>,
    /// The response counts as one that was completed.
    counted: bool,
    /// Body bytes the declared content-length still lacks; `None` when none was declared.
    body_missing_bytes: Option<u64>,
    /// Nothing can be written any more: `send()` raises.
    gone: bool,
}

/// The receive side.
struct Inbound {
    /// What has come and was not yet taken; empty as a rule.
    body: Vec<u8>,
    /// Nothing of the body is still to come from the client.
    complete: bool,
    /// The application has had the message with `more_body` false.
    delivered: bool,
    /// The client waits for `100 Continue`.
    expects_continue: bool,
    /// `receive()` says `http.disconnect` (once the body has been delivered).
    disconnected: bool,
    /// How often it has said so, modulo 256.
    ends_told: u8,
}

enum Phase {
    AwaitStart,
    Held(Pooled<ResponseHead>),
    Open { trailers: bool },
    Trailers(Vec<u8>),
    Done,
}

/// What the access log says of a request.
pub struct LoggedRequest {
    /// The request's head.
    pub head: Pooled<RequestHead>,
    /// The client as the log shows it.
    pub client_text: ClientText,
}

/// Where the text for the client stands.
pub enum ClientText {
    /// The connection's own peer.
    Peer,
    /// What a trusted proxy said.
    Forwarded(String),
}

/// What became of a message that the application sent.
pub enum Sent {
    /// It is on its way.
    Accepted,
    /// The connection has enough to write: wait for this, then send again.
    Wait(Py<Waiter>),
}

/// What the response had come to when the application ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was sent to the client yet: another answer can be given.
    NotStarted,
    /// `http.response.start` was sent, but nothing has reached the client yet.
    Held,
    /// Part of it is out.
    Incomplete,
    /// All of it was sent.
    Complete,
}

/// What a request is made into an exchange from.
pub struct Opening {
    /// The request's number on its connection.
    pub stream: StreamId,
    /// The method is HEAD.
    pub head_only: bool,
    /// The part of the body that came with the head.
    pub body: Vec<u8>,
    /// Nothing of it is still to come.
    pub body_complete: bool,
    /// The client waits for `100 Continue`.
    pub expects_continue: bool,
    /// For the access log; `None` where the response is neither logged nor counted.
    pub request: Option<LoggedRequest>,
}

impl Exchange {
    /// Opens an exchange.
    pub fn new(connection: Arc<ConnectionRecord>, opening: Opening) -> Self {
        Exchange {
            connection,
            stream: opening.stream,
            state: GilCell::new(State {
                inbound: Inbound {
                    body: opening.body,
                    complete: opening.body_complete,
                    delivered: false,
                    expects_continue: opening.expects_continue,
                    disconnected: false,
                    ends_told: 0,
                },
                phase: Phase::AwaitStart,
                head_only: opening.head_only,
                counted: opening.request.is_some(),
                request: opening.request,
                body_missing_bytes: None,
                gone: false,
            }),
            credit: Credit::default(),
            receivers: Waiters::default(),
        }
    }

    /// Which exchange this is.
    pub fn key(&self) -> ExchangeKey {
        ExchangeKey {
            connection: self.connection.id,
            stream: self.stream,
        }
    }

    /// The Python side that this exchange belongs to.
    pub fn border(&self) -> &Arc<Border> {
        &self.connection.border
    }

    /// Never held while Python runs.
    fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.borrow(py)
    }

    fn command(&self, py: Python<'_>, command: HttpCommand) -> PyResult<()> {
        self.connection.command(command);
        self.border().work_was_made(py)
    }

    // --- what the connection tells -----------------------------------------------------------

    /// More of the body has come.
    pub fn body_came(&self, py: Python<'_>, data: Vec<u8>, last: bool) -> PyResult<()> {
        {
            let mut state = self.state(py);
            if state.inbound.body.is_empty() {
                state.inbound.body = data;
            } else {
                state.inbound.body.extend_from_slice(&data);
            }
            state.inbound.complete |= last;
        }
        self.receivers.wake(py)
    }

    /// The client sends nothing more, or is gone altogether.
    pub fn disconnected(&self, py: Python<'_>, gone: bool) -> PyResult<()> {
        {
            let mut state = self.state(py);
            state.inbound.disconnected = true;
            state.gone |= gone;
        }
        let woken = self.receivers.wake(py);
        if gone {
            return woken.and(self.credit.end(py));
        }
        woken
    }

    /// So many body bytes more are with the kernel.
    pub fn credited(&self, py: Python<'_>, bytes: u64) -> PyResult<()> {
        let limit_bytes = self.border().config.write_buffer_max;
        self.credit.earned(py, bytes, limit_bytes)
    }
}

#[pymethods]
impl Exchange {
    /// ASGI `receive`.
    fn receive(slf: &Bound<'_, Self>) -> PyResult<Py<ReceiveCall>> {
        let call = Conversation::Http(slf.clone().unbind());
        slf.get().border().receive_calls.take(slf.py(), call)
    }

    /// ASGI `send`.
    fn send(slf: &Bound<'_, Self>, message: Py<PyAny>) -> PyResult<Py<SendCall>> {
        let call = (Conversation::Http(slf.clone().unbind()), message);
        slf.get().border().send_calls.take(slf.py(), call)
    }
}

impl LoggedRequest {
    /// The client as the access log shows it.
    pub fn client<'a>(&'a self, connection: &'a ConnectionRecord) -> &'a str {
        match &self.client_text {
            ClientText::Peer => &connection.client_text,
            ClientText::Forwarded(text) => text,
        }
    }
}
