//! The dispatch actor: the one that holds the GIL. It turns requests into calls of the
//! application, and tells exchanges what their connections say.
//!
//! Senders: connections and listeners (see `smolcorn_actors::messages`). It runs when the loop
//! calls it (see `turn.rs`), and drains its mailbox in one batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use smolcorn_actors::actor::{ActorName, ConnectionId};
use smolcorn_actors::mailbox::{Mail, Mailbox};
use smolcorn_actors::messages::ToDispatch;
use smolcorn_actors::outbox::Payload;

use crate::asgi::app_call::AppCall;
use crate::asgi::border::{Border, ExchangeKey, Running, SharedBorder, plain_head};
use crate::asgi::connection::ConnectionRecord;
use crate::asgi::conversation::Conversation;
use crate::asgi::exchange::{ClientText, Exchange, LoggedRequest, Opening};
use crate::asgi::tls::TlsExtension;
use crate::asgi::waiter::ends_the_loop;
use crate::asgi::websocket::WebSocket;
use crate::http::StreamId;
use crate::http::machine::HttpMachine;
use crate::http::response::reason_phrase;
use crate::http::{Handshake, HttpCommand, HttpEvent, Request, Warning};
use crate::trace::work::Work;
use crate::ws::WsEvent;

/// The dispatch actor's state. What exchanges need as well is in the [`Border`].
pub struct Dispatch {
    border: SharedBorder,
    mailbox: Mailbox<ToDispatch<HttpMachine>>,
    connections: HashMap<ConnectionId, Arc<ConnectionRecord>>,
    tasks: TaskMaker,
    tls: TlsExtension,
    /// Kept for its capacity.
    batch: Vec<Mail<ToDispatch<HttpMachine>>>,
}

/// Starts the task of a request.
struct TaskMaker {
    /// `asyncio.Task` where it can start eagerly (3.12 and later).
    eager: Option<Py<PyAny>>,
    /// The loop has a task factory of its own, which is to make our tasks as well.
    has_factory: bool,
    /// The loop may be run once more by what it runs (nest_asyncio). That cannot be inside of a turn,
    /// so no task is run there.
    loop_nests: bool,
    /// `loop=…, eager_start=True`.
    eager_options: Py<PyDict>,
}

impl Dispatch {
    /// An actor that has not been given a message yet.
    pub fn new(
        py: Python<'_>,
        border: SharedBorder,
        mailbox: Mailbox<ToDispatch<HttpMachine>>,
    ) -> PyResult<Dispatch> {
        let tasks = TaskMaker::new(py, &border)?;
        Ok(Dispatch {
            border,
            mailbox,
            connections: HashMap::new(),
            tasks,
            tls: TlsExtension::default(),
            batch: Vec::new(),
        })
    }

    /// The mailbox, for whoever has to wake this actor.
    pub fn mailbox(&self) -> &Mailbox<ToDispatch<HttpMachine>> {
        &self.mailbox
    }

    /// Handles everything that is in the mailbox now. An error in one message does not keep the
    /// others from being handled; it is logged.
    ///
    /// # Errors
    /// What the loop has to see: `SystemExit` or `KeyboardInterrupt` of a task that went on.
    pub fn deliver(&mut self, py: Python<'_>) -> PyResult<()> {
        let mut batch = std::mem::take(&mut self.batch);
        batch.extend(self.mailbox.drain_mail());
        if !batch.is_empty() {
            self.tasks.look_at_loop(py, &self.border);
        }
        if !self.tasks.loop_nests {
            self.border.collect_resumptions(py);
        }
        let mut end = Ok(());
        for mail in batch.drain(..) {
            let (message, _handling) = mail.open(ActorName::Dispatch);
            match self.handle(py, message) {
                Ok(()) => {}
                Err(error) if ends_the_loop(py, &error) => end = Err(error),
                Err(error) => {
                    let log = &self.border.log;
                    log.exception(py, "Exception in the server\n", &error);
                }
            }
        }
        self.batch = batch;
        let end = end.and(self.border.resume_all(py));
        end.and(self.border.flush_heads(py))
    }

    fn handle(&mut self, py: Python<'_>, message: ToDispatch<HttpMachine>) -> PyResult<()> {
        match message {
            ToDispatch::Opened {
                connection,
                ends,
                reply,
            } => {
                let record = ConnectionRecord::new(py, &self.border, connection, &ends, reply)?;
                self.trace_connection(py, &record, "HTTP connection made");
                self.connections.insert(connection, Arc::new(record));
                self.count_connections();
                Ok(())
            }
            ToDispatch::Secured {
                connection,
                session,
            } => {
                if let Some(record) = self.connections.get(&connection) {
                    let _ = record.tls.set(self.tls.make(py, &session)?);
                }
                Ok(())
            }
            ToDispatch::HandshakeFailed { connection, error } => {
                self.handshake_failed(py, connection, &error);
                Ok(())
            }
            ToDispatch::Event { connection, event } => self.event(py, connection, event),
            ToDispatch::Closed { connection, .. } => self.closed(py, connection),
            ToDispatch::ListenerStopped { .. } => {
                self.border.listeners.fetch_sub(1, Ordering::Relaxed);
                self.border.tell_if_idle(py)
            }
            ToDispatch::AcceptFailed { listener, error } => {
                let text = format!(
                    "listener#{listener} cannot accept for now and will try again: {error}"
                );
                self.border.log.warning(py, &text);
                Ok(())
            }
            ToDispatch::Trace(line) => {
                self.border.log.trace(py, &line);
                Ok(())
            }
        }
    }

    fn event(
        &mut self,
        py: Python<'_>,
        connection: ConnectionId,
        event: HttpEvent,
    ) -> PyResult<()> {
        let find = |stream| self.border.find(py, ExchangeKey { connection, stream });
        match event {
            HttpEvent::Request(request) => {
                let Some(record) = self.connections.get(&connection) else {
                    return Ok(());
                };
                let (record, stream) = (Arc::clone(record), request.stream);
                let done = self.request(py, Arc::clone(&record), request);
                cut_if_failed(&record, stream, done)
            }
            HttpEvent::Body { stream, data, last } => match find(stream) {
                Some(Conversation::Http(exchange)) => exchange.get().body_came(py, data, last),
                _ => Ok(()),
            },
            HttpEvent::Disconnect { stream, gone } => match find(stream) {
                Some(Conversation::Http(exchange)) => exchange.get().disconnected(py, gone),
                Some(Conversation::WebSocket(socket)) => socket.get().disconnected(py, gone),
                None => Ok(()),
            },
            HttpEvent::Sent { stream, bytes } => match find(stream) {
                Some(Conversation::Http(exchange)) => exchange.get().credited(py, bytes),
                Some(Conversation::WebSocket(socket)) => socket.get().response_credited(py, bytes),
                None => Ok(()),
            },
            HttpEvent::Handshake(handshake) => {
                let Some(record) = self.connections.get(&connection) else {
                    return Ok(());
                };
                let (record, stream) = (Arc::clone(record), handshake.stream);
                let done = self.handshake(py, Arc::clone(&record), *handshake);
                cut_if_failed(&record, stream, done)
            }
            HttpEvent::WebSocket { stream, event } => {
                if matches!(event, WsEvent::Disconnected { .. }) {
                    self.websocket_ended(py, connection);
                }
                match find(stream) {
                    Some(Conversation::WebSocket(socket)) => socket.get().happened(py, event),
                    _ => Ok(()),
                }
            }
            HttpEvent::Warning(warning) => {
                self.border.log.warning(py, &text_of(warning));
                Ok(())
            }
        }
    }

    /// The client's trouble, or somebody's who tries ports: nothing that an operator must see.
    fn handshake_failed(&self, py: Python<'_>, connection: ConnectionId, error: &std::io::Error) {
        let client = self
            .connections
            .get(&connection)
            .map_or("", |record| record.client_text.as_str());
        let log = &self.border.log;
        log.debug(py, &format!("{client} - TLS handshake failed: {error}"));
    }

    fn closed(&mut self, py: Python<'_>, connection: ConnectionId) -> PyResult<()> {
        let record = self.connections.remove(&connection);
        self.count_connections();
        for conversation in self.border.of_connection(py, connection) {
            conversation.connection_lost(py)?;
        }
        if let Some(record) = record {
            // One that was lost before it could switch has not said so itself.
            record.log_websocket_closed(py);
            self.trace_connection(py, &record, "HTTP connection lost");
        }
        if self.connections.is_empty() {
            self.border.tell_if_idle(py)?;
        }
        Ok(())
    }

    fn count_connections(&self) {
        self.border
            .connections
            .store(self.connections.len(), Ordering::Relaxed);
    }

    /// uvicorn's own trace line for a connection, named by the actor besides.
    fn trace_connection(&self, py: Python<'_>, record: &ConnectionRecord, what: &str) {
        if !self.border.log.shows_trace() {
            return;
        }
        let actor = ActorName::Connection(record.id);
        let prefix = match record.client_text.as_str() {
            "" => String::new(),
            client => format!("{client} - "),
        };
        self.border
            .log
            .trace(py, &format!("{actor} {prefix}{what}"));
    }

    // --- requests ----------------------------------------------------------------------------

    fn request(
        &self,
        py: Python<'_>,
        connection: Arc<ConnectionRecord>,
        request: Request,
    ) -> PyResult<()> {
        let border = &self.border;
        let scope = border.scopes.make(py, &connection, &request.head)?;
        let logged = LoggedRequest {
            head: request.head,
            client_text: match scope.forwarded_client {
                Some(text) => ClientText::Forwarded(text),
                None => ClientText::Peer,
            },
        };
        if border.config.is_wsgi
            || border
                .config
                .concurrency_max
                .is_some_and(|max| border.tasks(py) >= max)
        {
            return refuse_busy(py, border, &connection, request.stream, &logged);
        }
        let work = Work::of(connection.id, request.stream, &logged.head, false);
        let exchange = Exchange::new(
            connection,
            Opening {
                stream: request.stream,
                head_only: logged.head.method() == "HEAD",
                body: request.body,
                body_complete: request.body_complete,
                expects_continue: request.expects_continue,
                request: Some(logged),
            },
        );
        let key = exchange.key();
        let exchange = Bound::new(py, exchange)?;
        let conversation = Conversation::Http(exchange.clone().unbind());
        let scope = scope.dict.into_any().unbind();
        let started = border.in_first_step(&exchange, || {
            self.tasks.start(py, border, key, conversation, scope, work)
        });
        // Without a task nobody else answers.
        match started {
            Err(error) if !ends_the_loop(py, &error) => {
                border.application_raised(py, &exchange, error)
            }
            started => started,
        }
    }

    /// Starts the application for a WebSocket. `--limit-concurrency` does not hold for them, as
    /// with uvicorn; they count towards it.
    fn handshake(
        &self,
        py: Python<'_>,
        connection: Arc<ConnectionRecord>,
        handshake: Handshake,
    ) -> PyResult<()> {
        let border = &self.border;
        self.trace_connection(py, &connection, "Upgrading to WebSocket");
        let scope = border.scopes.make_websocket(py, &connection, &handshake)?;
        let logged = LoggedRequest {
            head: handshake.head,
            client_text: match scope.forwarded_client {
                Some(text) => ClientText::Forwarded(text),
                None => ClientText::Peer,
            },
        };
        let work = Work::of(connection.id, handshake.stream, &logged.head, true);
        let socket = WebSocket::new(connection, handshake.stream, logged);
        let key = socket.key();
        let socket = Py::new(py, socket)?;
        let conversation = Conversation::WebSocket(socket.clone_ref(py));
        let scope = scope.dict.into_any().unbind();
        let started = self.tasks.start(py, border, key, conversation, scope, work);
        match started {
            Err(error) if !ends_the_loop(py, &error) => socket.get().application_raised(py, error),
            started => started,
        }
    }

    fn websocket_ended(&self, py: Python<'_>, connection: ConnectionId) {
        if let Some(record) = self.connections.get(&connection) {
            self.trace_connection(py, record, "WebSocket connection lost");
            record.log_websocket_closed(py);
        }
    }
}

impl TaskMaker {
    fn new(py: Python<'_>, border: &Border) -> PyResult<TaskMaker> {
        let task = py.import("asyncio")?.getattr("Task")?;
        let options = PyDict::new(py);
        options.set_item("loop", &border.event_loop)?;
        options.set_item("eager_start", true)?;
        let eager = py.version_info() >= (3, 12);
        Ok(TaskMaker {
            eager: eager.then(|| task.unbind()),
            has_factory: false,
            loop_nests: false,
            eager_options: options.unbind(),
        })
    }

    /// Sees whether the loop has a task factory, and whether it nests: once for each batch of
    /// messages, because both are settled when an application starts if ever.
    fn look_at_loop(&mut self, py: Python<'_>, border: &Border) {
        let event_loop = border.event_loop.bind(py);
        self.loop_nests = event_loop
            .hasattr(intern!(py, "_nest_patched"))
            .unwrap_or(false);
        if self.eager.is_some() {
            let get_factory = intern!(py, "get_task_factory");
            // A loop that cannot tell makes its tasks itself.
            self.has_factory = match event_loop.call_method0(get_factory) {
                Ok(factory) => !factory.is_none(),
                Err(_) => true,
            };
        }
    }

    /// Starts the task that calls the application. One that cannot finish at once is kept among
    /// those in flight.
    fn start(
        &self,
        py: Python<'_>,
        border: &Border,
        key: ExchangeKey,
        conversation: Conversation,
        scope: Py<PyAny>,
        work: Option<Box<Work>>,
    ) -> PyResult<()> {
        let call = AppCall::new(conversation.clone_ref(py), scope, work);
        let call = Bound::new(py, call)?;
        // A factory may make tasks that begin at once, as ours do.
        let task = border.step_application(py, || match &self.eager {
            Some(task) if !self.has_factory && !self.loop_nests => {
                self.make_eager(py, border, task, &call)
            }
            _ => make_ordinary(py, border, &call),
        })?;
        if !call.get().has_ended(py) {
            let task = task.unbind();
            border.keep(py, key, Running { conversation, task });
        }
        Ok(())
    }

    fn make_eager<'py>(
        &self,
        py: Python<'py>,
        border: &Border,
        task: &Py<PyAny>,
        call: &Bound<'py, AppCall>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = if border.config.empty_context {
            let options = self.eager_options.bind(py).copy()?;
            options.set_item("context", empty_context(py)?)?;
            options
        } else {
            self.eager_options.bind(py).clone()
        };
        task.bind(py).call((call,), Some(&options))
    }
}

/// A task that the loop makes, by its factory if it has one.
fn make_ordinary<'py>(
    py: Python<'py>,
    border: &Border,
    call: &Bound<'py, AppCall>,
) -> PyResult<Bound<'py, PyAny>> {
    let event_loop = border.event_loop.bind(py);
    let create = event_loop.getattr(intern!(py, "create_task"))?;
    // A task copies the context that it is made in.
    if border.config.empty_context {
        empty_context(py)?.call_method1("run", (create, call))
    } else {
        create.call1((call,))
    }
}

/// Nobody answers a request of which nothing could be made.
fn cut_if_failed(
    connection: &ConnectionRecord,
    stream: StreamId,
    done: PyResult<()>,
) -> PyResult<()> {
    if done.is_err() {
        connection.command(HttpCommand::Abort { stream });
    }
    done
}

fn empty_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import("contextvars")?.call_method0("Context")
}

/// Answers 503, because as many requests are in flight as `--limit-concurrency` allows.
fn refuse_busy(
    py: Python<'_>,
    border: &Border,
    connection: &ConnectionRecord,
    stream: u32,
    logged: &LoggedRequest,
) -> PyResult<()> {
    const BODY: &[u8] = b"Service Unavailable";
    border.log.warning(py, "Exceeded concurrency limit.");
    border.log_access(py, connection, logged, 503)?;
    connection.command(HttpCommand::Respond {
        stream,
        head: plain_head(503, BODY.len(), &[(b"retry-after", b"1")]),
        body: Payload::copy_of(BODY),
        end: true,
    });
    border.response_completed(py)
}

fn text_of(warning: Warning) -> String {
    match warning {
        Warning::InvalidRequest(400) => "Invalid HTTP request received.".to_owned(),
        Warning::InvalidRequest(status) => {
            let phrase = reason_phrase(status);
            format!("Invalid HTTP request received: {status} {phrase}.")
        }
        Warning::UnsupportedUpgrade => "Unsupported upgrade request.".to_owned(),
        Warning::WebSocketsOff => {
            "Unsupported upgrade request: a client asks for a WebSocket, and \
             WebSockets are switched off. Start without '--ws none' to serve them."
                .to_owned()
        }
        Warning::InvalidHandshake(status) => {
            let phrase = reason_phrase(status);
            format!("Invalid WebSocket handshake received: {status} {phrase}.")
        }
        Warning::UnwritableResponse(status) => format!(
            "The HTTP engine cannot send this response (status {status}); answered 500 in its place."
        ),
    }
}
