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

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use smolcorn_actors::outbox::Payload;

use super::awaitable;
use super::connection::ConnectionRecord;
use super::message::{self, Kind};
use super::receive::ReceiveCall;
use super::send::SendCall;
use crate::http::head::{RequestHead, Version};
use crate::http::response::ResponseHead;
use crate::http::{HttpCommand, StreamId};
use crate::python::ClientDisconnected;
use crate::python::border::{Border, ExchangeKey};

/// A request and its response, as the application's `send` and `receive` see them.
#[pyclass(frozen, freelist = 256, module = "smolcorn._core")]
pub struct Exchange {
    border: Arc<Border>,
    connection: Arc<ConnectionRecord>,
    stream: StreamId,
    state: Mutex<State>,
}

struct State {
    inbound: Inbound,
    phase: Phase,
    /// The client asked with HEAD: no body goes out, and none is counted.
    head_only: bool,
    /// What the access log needs, until the response starts.
    request: Option<LoggedRequest>,
    /// Body bytes the declared content-length still lacks; `None` when none was declared.
    body_missing_bytes: Option<u64>,
    /// Body bytes given to the connection and not yet with the kernel.
    unsent_bytes: u64,
    /// Futures of `send()` calls that wait for credit.
    senders: Vec<Py<PyAny>>,
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
    /// Futures of `receive()` calls that wait.
    receivers: Vec<Py<PyAny>>,
}

enum Phase {
    AwaitStart,
    Held(Box<ResponseHead>),
    Open { trailers: bool },
    Trailers(Vec<u8>),
    Done,
}

/// What the access log says of a request.
pub struct LoggedRequest {
    /// The request's head.
    pub head: RequestHead,
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
    /// The connection has enough to write: wait for this future, then send again.
    Wait(Py<PyAny>),
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
    /// For the access log.
    pub request: LoggedRequest,
}

impl Exchange {
    /// Opens an exchange.
    pub fn new(border: Arc<Border>, connection: Arc<ConnectionRecord>, opening: Opening) -> Self {
        Exchange {
            border,
            connection,
            stream: opening.stream,
            state: Mutex::new(State {
                inbound: Inbound {
                    body: opening.body,
                    complete: opening.body_complete,
                    delivered: false,
                    expects_continue: opening.expects_continue,
                    disconnected: false,
                    receivers: Vec::new(),
                },
                phase: Phase::AwaitStart,
                head_only: opening.head_only,
                request: Some(opening.request),
                body_missing_bytes: None,
                unsent_bytes: 0,
                senders: Vec::new(),
                gone: false,
            }),
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
        &self.border
    }

    /// Never held while Python runs.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, py: Python<'_>, command: HttpCommand) -> PyResult<()> {
        self.connection.command(command);
        self.border.work_was_made(py)
    }

    // --- what the connection tells -----------------------------------------------------------

    /// More of the body has come.
    pub fn body_came(&self, py: Python<'_>, data: &[u8], last: bool) -> PyResult<()> {
        let receivers = {
            let mut state = self.state();
            state.inbound.body.extend_from_slice(data);
            state.inbound.complete |= last;
            mem::take(&mut state.inbound.receivers)
        };
        wake_all(py, &receivers)
    }

    /// The client sends nothing more, or is gone altogether.
    pub fn disconnected(&self, py: Python<'_>, gone: bool) -> PyResult<()> {
        let (receivers, senders) = {
            let mut state = self.state();
            state.inbound.disconnected = true;
            state.gone |= gone;
            let senders = if gone {
                mem::take(&mut state.senders)
            } else {
                Vec::new()
            };
            (mem::take(&mut state.inbound.receivers), senders)
        };
        wake_all(py, &receivers)?;
        wake_all(py, &senders)
    }

    /// So many body bytes more are with the kernel.
    pub fn credited(&self, py: Python<'_>, bytes: u64) -> PyResult<()> {
        let senders = {
            let mut state = self.state();
            state.unsent_bytes = state.unsent_bytes.saturating_sub(bytes);
            if state.unsent_bytes > self.border.config.write_buffer_max / 4 {
                return Ok(());
            }
            mem::take(&mut state.senders)
        };
        wake_all(py, &senders)
    }

    // --- receive() ---------------------------------------------------------------------------

    /// The next message for the application, or `None` when it has to wait.
    pub fn take_message(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut state = self.state();
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
        let disconnected = inbound.disconnected || done;
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
            None if disconnected => disconnect_message(py).map(Some),
            None => Ok(None),
        }
    }

    /// Makes a future that ends when there may be a message.
    pub fn wait_for_message(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let future = awaitable::waiting_future(py, &self.border.event_loop)?;
        self.state().inbound.receivers.push(future.clone_ref(py));
        Ok(future)
    }

    // --- send() ------------------------------------------------------------------------------

    /// Takes one message of the application.
    pub fn accept(slf: &Bound<'_, Self>, message: &Bound<'_, PyAny>) -> PyResult<Sent> {
        let py = slf.py();
        let exchange = slf.get();
        let (kind, name) = Kind::of(message)?;
        if let Some(future) = exchange.check_order(py, kind, &name.to_string_lossy())? {
            return Ok(Sent::Wait(future));
        }
        match kind {
            Kind::Start => exchange.start(slf, message::read_start(message)?)?,
            Kind::Body => {
                let (body, more) = message::read_body(message, &exchange.border.released)?;
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

    /// Whether a message of this kind may come now; a future when it must wait for credit.
    fn check_order(&self, py: Python<'_>, kind: Kind, name: &str) -> PyResult<Option<Py<PyAny>>> {
        let expected = {
            let state = self.state();
            match (&state.phase, kind) {
                (Phase::Done, _) => {
                    return Err(PyRuntimeError::new_err(format!(
                        "Unexpected ASGI message '{name}' sent, after response already completed."
                    )));
                }
                _ if state.gone => {
                    return Err(ClientDisconnected::new_err(
                        "The client has closed the connection.",
                    ));
                }
                (Phase::AwaitStart, Kind::Start | Kind::Debug | Kind::EarlyHint)
                | (Phase::Held(_), Kind::Body | Kind::PathSend | Kind::EarlyHint | Kind::Debug)
                | (Phase::Trailers(_), Kind::Trailers) => return Ok(None),
                (Phase::Open { .. }, Kind::EarlyHint | Kind::Debug) => return Ok(None),
                (Phase::Open { .. }, Kind::Body | Kind::PathSend) => {
                    if state.unsent_bytes <= self.border.config.write_buffer_max {
                        return Ok(None);
                    }
                    None
                }
                (Phase::AwaitStart, _) => Some("http.response.start"),
                (Phase::Trailers(_), _) => Some("http.response.trailers"),
                (Phase::Held(_) | Phase::Open { .. }, _) => Some("http.response.body"),
            }
        };
        if let Some(expected) = expected {
            return Err(PyRuntimeError::new_err(format!(
                "Expected ASGI message '{expected}', but got '{name}'."
            )));
        }
        let future = awaitable::waiting_future(py, &self.border.event_loop)?;
        self.state().senders.push(future.clone_ref(py));
        Ok(Some(future))
    }

    fn start(&self, slf: &Bound<'_, Self>, head: Box<ResponseHead>) -> PyResult<()> {
        {
            let mut state = self.state();
            state.body_missing_bytes = if state.head_only {
                None
            } else if matches!(head.status(), 204 | 304) {
                Some(0)
            } else {
                head.content_length()
            };
            state.phase = Phase::Held(head);
        }
        self.border.hold_head(slf)
    }

    fn body(&self, py: Python<'_>, body: Payload, more: bool) -> PyResult<()> {
        let len = body.len() as u64;
        let mut state = self.state();
        if let Some(missing) = &mut state.body_missing_bytes {
            if len > *missing {
                return Err(PyRuntimeError::new_err(
                    "Response content longer than Content-Length",
                ));
            }
            *missing -= len;
        }
        let short = !more && state.body_missing_bytes.is_some_and(|missing| missing > 0);
        let short = short && !matches!(&state.phase, Phase::Held(head) if head.status() == 304);
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
        state.unsent_bytes += if end { 0 } else { len };
        state.phase = match (more || short, trailers) {
            (true, _) => Phase::Open { trailers },
            (false, true) => Phase::Trailers(Vec::new()),
            (false, false) => Phase::Done,
        };
        let done = matches!(state.phase, Phase::Done);
        drop(state);
        if let Some((request, status)) = started {
            self.border
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
        let declared = self.state().body_missing_bytes;
        if declared.is_some_and(|declared| declared != len_bytes) {
            return Err(PyRuntimeError::new_err(format!(
                "The file of 'http.response.pathsend' has {len_bytes} bytes, but Content-Length \
                 leaves {}.",
                declared.unwrap_or_default()
            )));
        }
        self.flush_head(py)?;
        {
            let mut state = self.state();
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
        let done = matches!(self.state().phase, Phase::Done);
        if done { self.completed(py) } else { Ok(()) }
    }

    fn trailers(&self, py: Python<'_>, mut lines: Vec<u8>, more: bool) -> PyResult<()> {
        {
            let mut state = self.state();
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
        let mut state = self.state();
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
            self.border
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
        let receivers = mem::take(&mut self.state().inbound.receivers);
        wake_all(py, &receivers)?;
        self.border.response_completed(py)
    }

    // --- the end -----------------------------------------------------------------------------

    /// What the response has come to.
    pub fn outcome(&self) -> Outcome {
        match self.state().phase {
            Phase::AwaitStart => Outcome::NotStarted,
            Phase::Held(_) => Outcome::Held,
            Phase::Open { .. } | Phase::Trailers(_) => Outcome::Incomplete,
            Phase::Done => Outcome::Complete,
        }
    }

    /// True when the client is gone, wholly or as far as `receive()` is concerned.
    pub fn is_disconnected(&self) -> bool {
        let state = self.state();
        state.gone || state.inbound.disconnected
    }

    /// Answers in the application's place. Only before anything went out.
    pub fn answer(&self, py: Python<'_>, head: Box<ResponseHead>, body: &[u8]) -> PyResult<()> {
        let request = {
            let mut state = self.state();
            state.phase = Phase::Done;
            state.request.take()
        };
        if let Some(request) = request {
            self.border
                .log_access(py, &self.connection, &request, head.status())?;
        }
        self.command(
            py,
            HttpCommand::Respond {
                stream: self.stream,
                head,
                body: Payload::Owned(body.to_vec()),
                end: true,
            },
        )?;
        self.completed(py)
    }

    /// Cuts the connection, because the response cannot be completed.
    pub fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.state().phase = Phase::Done;
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

#[pymethods]
impl Exchange {
    /// ASGI `receive`.
    fn receive(slf: &Bound<'_, Self>) -> ReceiveCall {
        ReceiveCall::new(slf.clone().unbind())
    }

    /// ASGI `send`.
    fn send(slf: &Bound<'_, Self>, message: Py<PyAny>) -> SendCall {
        SendCall::new(slf.clone().unbind(), message)
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

    /// The request's version of HTTP.
    pub fn version(&self) -> Version {
        self.head.version()
    }
}

fn wake_all(py: Python<'_>, futures: &[Py<PyAny>]) -> PyResult<()> {
    for future in futures {
        awaitable::wake(py, future)?;
    }
    Ok(())
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
