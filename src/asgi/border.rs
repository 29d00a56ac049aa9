//! The Python border: what the dispatch actor, the exchanges and the engine share. Everything
//! here belongs to the loop's thread.

use std::collections::BTreeMap;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::Instant;

use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smolcorn_actors::actor::ConnectionId;
use smolcorn_actors::messages::End;
use smolcorn_actors::pool::Pooled;
use smolcorn_actors::trace;
use smolcorn_actors::trace::cells::Place;

use super::access::AccessLogger;
use super::log::ServerLog;
use crate::asgi::ClientDisconnected;
use crate::asgi::connection::ConnectionRecord;
use crate::asgi::conversation::Conversation;
use crate::asgi::exchange::{Exchange, LoggedRequest, Outcome};
use crate::asgi::gil_cell::GilCell;
use crate::asgi::lent::ReleaseAddress;
use crate::asgi::receive::ReceiveCall;
use crate::asgi::scope::ScopeMaker;
use crate::asgi::send::SendCall;
use crate::asgi::spare::Spare;
use crate::asgi::waiter::Resumption;
use crate::http::StreamId;
use crate::http::response::ResponseHead;
use crate::trace::Counts;

/// Names an exchange in the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExchangeKey {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its number there.
    pub stream: StreamId,
}

/// What the border needs of the configuration.
#[derive(Clone, Debug)]
pub struct BorderConfig {
    /// Response bytes that may be unsent before `send()` waits.
    pub write_buffer_max: u64,
    /// Messages of a WebSocket that may wait for the application before no more are read.
    pub ws_unread_max: usize,
    /// Requests in flight at which the next one gets a 503; `None`: no limit.
    pub concurrency_max: Option<usize>,
    /// Completed responses after which the server stops; `None`: never.
    pub requests_max: Option<u64>,
    /// Each request starts in an empty context instead of a copy of the server's.
    pub empty_context: bool,
    /// The application is WSGI, and answered elsewhere: what comes here is beyond a limit.
    pub is_wsgi: bool,
}

/// A request whose application has not ended.
pub struct Running {
    /// The request, or the WebSocket.
    pub conversation: Conversation,
    /// Its task; held, because the loop only keeps a weak reference.
    pub task: Py<PyAny>,
}

/// What the dispatch actor, the exchanges and the engine share.
pub struct Border {
    /// The asyncio loop.
    pub event_loop: Py<PyAny>,
    /// A future of the loop that is done.
    pub done_future: Py<PyAny>,
    /// The application, an ASGI 3 callable.
    pub application: Py<PyAny>,
    /// Settings.
    pub config: BorderConfig,
    /// Makes scopes.
    pub scopes: ScopeMaker,
    /// Where written bytes objects go to be released.
    pub released: ReleaseAddress,
    /// Server messages.
    pub log: ServerLog,
    /// The access log.
    pub access: AccessLogger,
    /// Called when listeners, connections or tasks have come to zero.
    pub on_idle: Py<PyAny>,
    /// Called once when `requests_max` is reached.
    pub on_limit: Py<PyAny>,
    /// The context in which turns and requests begin.
    pub context: Py<PyAny>,
    /// The callable that makes a turn; there from the engine's start to its close. It owns this,
    /// so leaving it here would keep both for ever.
    turn: GilCell<Option<Py<PyAny>>>,
    /// Unix sockets of the server: the name under which each was made, and where it is bound now;
    /// set once when the engine starts.
    pub unix_paths: OnceLock<Vec<(PathBuf, PathBuf)>>,
    /// The loop's thread.
    pub thread: ThreadId,
    /// Connections are polled on the loop's own thread.
    pub fused: AtomicBool,
    /// A turn is under way: it will see whatever is left behind.
    pub in_turn: AtomicBool,
    /// A turn is scheduled.
    pub armed: AtomicBool,
    /// Completed responses.
    pub completed: AtomicU64,
    /// Listeners that accept, or have connections left.
    pub listeners: AtomicUsize,
    /// Open connections.
    pub connections: AtomicUsize,
    /// What the dispatch actor shows of itself; set once when the engine starts.
    pub place: OnceLock<Place>,
    /// What a trace was told.
    pub counts: Counts,
    running: GilCell<BTreeMap<ExchangeKey, Running>>,
    held: GilCell<Vec<Py<Exchange>>>,
    /// The exchange whose application makes its first step now.
    starting: GilCell<Option<ExchangeKey>>,
    /// A task of the application is being run inside a turn.
    stepping: GilCell<bool>,
    /// Messages are being handled: tasks that they wake are collected.
    collecting: GilCell<bool>,
    /// Those tasks.
    resumptions: GilCell<Vec<Resumption>>,
    /// For the next call of `send()`.
    pub send_calls: Spare<SendCall>,
    /// For the next call of `receive()`.
    pub receive_calls: Spare<ReceiveCall>,
}

impl Border {
    /// Where the unix socket is bound whose own name is `local`.
    pub fn unix_path(&self, local: &End) -> Option<&Path> {
        let End::Unix(Some(name)) = local else {
            return None;
        };
        let paths = self.unix_paths.get()?.iter();
        let mut found = paths.filter(|(made, _)| made == name);
        found.next().map(|(_, path)| path.as_path())
    }

    /// Puts the parts together.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        py: Python<'_>,
        event_loop: Py<PyAny>,
        application: Py<PyAny>,
        config: BorderConfig,
        scopes: ScopeMaker,
        released: ReleaseAddress,
        log: ServerLog,
        access: AccessLogger,
        on_idle: Py<PyAny>,
        on_limit: Py<PyAny>,
    ) -> PyResult<Border> {
        let context = py
            .import("contextvars")?
            .call_method0("copy_context")?
            .unbind();
        let done_future = event_loop.call_method0(py, "create_future")?;
        done_future.call_method1(py, "set_result", (py.None(),))?;
        Ok(Border {
            event_loop,
            done_future,
            application,
            config,
            scopes,
            released,
            log,
            access,
            on_idle,
            on_limit,
            context,
            turn: GilCell::default(),
            unix_paths: OnceLock::new(),
            thread: this_thread(),
            fused: AtomicBool::new(false),
            in_turn: AtomicBool::new(false),
            armed: AtomicBool::new(false),
            completed: AtomicU64::new(0),
            listeners: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            place: OnceLock::new(),
            counts: Counts::default(),
            running: GilCell::default(),
            held: GilCell::default(),
            starting: GilCell::default(),
            stepping: GilCell::default(),
            collecting: GilCell::default(),
            resumptions: GilCell::default(),
            send_calls: Spare::default(),
            receive_calls: Spare::default(),
        })
    }

    /// The callable that makes a turn, while the engine runs.
    pub fn turn(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.turn.borrow(py).as_ref().map(|turn| turn.clone_ref(py))
    }

    /// Sets the callable that makes a turn, or removes it for good.
    pub fn set_turn(&self, py: Python<'_>, turn: Option<Py<PyAny>>) {
        let before = mem::replace(&mut *self.turn.borrow(py), turn);
        drop(before);
    }

    // --- turns -------------------------------------------------------------------------------

    /// A command was sent to a connection: where it lives on this thread, see that it gets a turn.
    pub fn work_was_made(&self, py: Python<'_>) -> PyResult<()> {
        if self.fused.load(Ordering::Relaxed) {
            self.arm(py)
        } else {
            Ok(())
        }
    }

    /// Schedules a turn, unless one is under way or scheduled.
    pub fn arm(&self, py: Python<'_>) -> PyResult<()> {
        let here = this_thread() == self.thread;
        if here && self.in_turn.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Only who holds the GIL changes it.
        if self.armed.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.armed.store(true, Ordering::Relaxed);
        let Some(turn) = self.turn(py) else {
            return Ok(());
        };
        let schedule = if here {
            intern!(py, "call_soon")
        } else {
            intern!(py, "call_soon_threadsafe")
        };
        let options = PyDict::new(py);
        options.set_item(intern!(py, "context"), self.context.bind(py))?;
        self.event_loop
            .bind(py)
            .call_method(schedule, (turn,), Some(&options))?;
        Ok(())
    }

    /// From now on tasks that messages wake are collected, until [`resume_all`](Self::resume_all).
    pub fn collect_resumptions(&self, py: Python<'_>) {
        *self.collecting.borrow(py) = true;
    }

    /// True when a task that is woken now can go on in this turn: by a message of a connection, and
    /// not by a task that is being run. No task may be entered while another one is.
    pub fn may_step(&self, py: Python<'_>) -> bool {
        *self.collecting.borrow(py) && !*self.stepping.borrow(py) && this_thread() == self.thread
    }

    /// Lets a task go on before the turn ends. Only where [`may_step`](Self::may_step) holds.
    pub fn resume_later(&self, py: Python<'_>, resumption: Resumption) {
        self.resumptions.borrow(py).push(resumption);
    }

    /// Lets those tasks go on. All do; the error is the first one.
    pub fn resume_all(&self, py: Python<'_>) -> PyResult<()> {
        *self.collecting.borrow(py) = false;
        let mut first = Ok(());
        let mut resumptions = mem::take(&mut *self.resumptions.borrow(py));
        for resumption in resumptions.drain(..) {
            let resumed = resumption.run(py, self);
            first = first.and(resumed);
        }
        // For its capacity: nothing was added while nothing was collected.
        *self.resumptions.borrow(py) = resumptions;
        first
    }

    /// Runs a task of the application up to its next wait.
    pub fn step_application<T>(&self, py: Python<'_>, step: impl FnOnce() -> T) -> T {
        let before = mem::replace(&mut *self.stepping.borrow(py), true);
        let outcome = step();
        *self.stepping.borrow(py) = before;
        outcome
    }

    /// Runs `first_step` of the application for `exchange`. In that step most give their whole
    /// answer, so a head that waits for its body is only looked for when the step is over.
    pub fn in_first_step(
        &self,
        exchange: &Bound<'_, Exchange>,
        first_step: impl FnOnce() -> PyResult<()>,
    ) -> PyResult<()> {
        let py = exchange.py();
        *self.starting.borrow(py) = Some(exchange.get().key());
        let outcome = first_step();
        *self.starting.borrow(py) = None;
        if exchange.get().outcome(py) == Outcome::Held {
            self.hold_head(exchange)?;
        }
        outcome
    }

    /// Keeps an exchange whose head waits for a body until the end of the turn.
    pub fn hold_head(&self, exchange: &Bound<'_, Exchange>) -> PyResult<()> {
        let py = exchange.py();
        if *self.starting.borrow(py) == Some(exchange.get().key()) {
            return Ok(());
        }
        self.held.borrow(py).push(exchange.clone().unbind());
        self.arm(py)
    }

    /// Sends the heads that have got no body in this turn. All go; the error is the first one.
    pub fn flush_heads(&self, py: Python<'_>) -> PyResult<()> {
        let held = mem::take(&mut *self.held.borrow(py));
        let mut first = Ok(());
        for exchange in &held {
            let sent = exchange.get().flush_head(py);
            first = first.and(sent);
        }
        first
    }

    // --- what is shown of the dispatch actor -----------------------------------------------------

    /// The dispatch actor handles messages, in a turn that began at `begun`, until what is returned
    /// is dropped.
    pub fn begins_turn(&self, begun: Instant) -> Busy<'_> {
        let place = self.place.get();
        if let Some(place) = place {
            place.set_busy_since(trace::nanos(begun));
        }
        Busy(place)
    }

    /// The application's code runs for this request from now on. True: outside of a turn.
    #[inline]
    pub fn begins_work(&self, key: ExchangeKey) -> bool {
        let Some(place) = self.place.get() else {
            return false;
        };
        place.set_work(key.connection.0, key.stream);
        let is_alone = !place.is_busy();
        if is_alone {
            place.set_busy_since(trace::now());
        }
        is_alone
    }

    /// It does so no more. `is_alone` is what [`begins_work`](Self::begins_work) returned.
    #[inline]
    pub fn ends_work(&self, is_alone: bool) {
        if let Some(place) = self.place.get() {
            place.clear_work();
            if is_alone {
                place.set_idle();
            }
        }
    }

    // --- requests in flight ------------------------------------------------------------------

    /// Takes note of a request whose application goes on.
    pub fn keep(&self, py: Python<'_>, key: ExchangeKey, running: Running) {
        self.running.borrow(py).insert(key, running);
    }

    /// The conversation of this name, if its application has not ended.
    pub fn find(&self, py: Python<'_>, key: ExchangeKey) -> Option<Conversation> {
        self.running
            .borrow(py)
            .get(&key)
            .map(|running| running.conversation.clone_ref(py))
    }

    /// All conversations on a connection whose applications have not ended.
    pub fn of_connection(&self, py: Python<'_>, connection: ConnectionId) -> Vec<Conversation> {
        let key = |stream| ExchangeKey { connection, stream };
        self.running
            .borrow(py)
            .range(key(StreamId::MIN)..=key(StreamId::MAX))
            .map(|(_, running)| running.conversation.clone_ref(py))
            .collect()
    }

    /// All requests in flight.
    pub fn all(&self, py: Python<'_>) -> Vec<(Conversation, Py<PyAny>)> {
        self.running
            .borrow(py)
            .values()
            .map(|running| {
                (
                    running.conversation.clone_ref(py),
                    running.task.clone_ref(py),
                )
            })
            .collect()
    }

    /// Connection, number and task of each request in flight.
    pub fn keyed(&self, py: Python<'_>) -> Vec<(u64, StreamId, Py<PyAny>)> {
        self.running
            .borrow(py)
            .iter()
            .map(|(key, running)| (key.connection.0, key.stream, running.task.clone_ref(py)))
            .collect()
    }

    /// Number of requests whose applications have not ended.
    pub fn tasks(&self, py: Python<'_>) -> usize {
        self.running.borrow(py).len()
    }

    /// A response is complete.
    pub fn response_completed(&self, py: Python<'_>) -> PyResult<()> {
        // Only who holds the GIL changes it.
        let completed = self.completed.load(Ordering::Relaxed) + 1;
        self.completed.store(completed, Ordering::Relaxed);
        if self.config.requests_max == Some(completed) {
            self.on_limit.call0(py)?;
        }
        Ok(())
    }

    /// A connection has ended, or an application: tell whoever waits for none to be left.
    pub fn tell_if_idle(&self, py: Python<'_>) -> PyResult<()> {
        if self.connections.load(Ordering::Relaxed) == 0 || self.tasks(py) == 0 {
            self.on_idle.call0(py)?;
        }
        Ok(())
    }

    /// Writes the access line of a response that starts.
    pub fn log_access(
        &self,
        py: Python<'_>,
        connection: &ConnectionRecord,
        request: &LoggedRequest,
        status: u16,
    ) -> PyResult<()> {
        if !self.access.is_enabled() {
            return Ok(());
        }
        self.access
            .response_started(py, request.client(connection), request, status);
        // A turn's end hands waiting lines over.
        self.arm(py)
    }

    // --- how applications end ----------------------------------------------------------------

    /// The application returned.
    pub fn application_returned(
        &self,
        py: Python<'_>,
        exchange: &Bound<'_, Exchange>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let request = exchange.get();
        let outcome = request.outcome(py);
        if !value.is_none() && outcome == Outcome::Complete {
            let text = format!("ASGI callable should return None, but returned '{value}'.");
            self.log.error(py, &text);
            request.retire_connection(py)?;
        } else if request.is_disconnected(py) && outcome != Outcome::Complete {
            request.abort(py)?;
        } else {
            match outcome {
                Outcome::Complete => {}
                Outcome::NotStarted => {
                    self.log
                        .error(py, "ASGI callable returned without starting response.");
                    answer_500(py, request)?;
                }
                Outcome::Held | Outcome::Incomplete => {
                    self.log
                        .error(py, "ASGI callable returned without completing response.");
                    give_up(py, request, outcome)?;
                }
            }
        }
        self.ended(py, request.key())
    }

    /// The application raised.
    pub fn application_raised(
        &self,
        py: Python<'_>,
        exchange: &Bound<'_, Exchange>,
        error: PyErr,
    ) -> PyResult<()> {
        let request = exchange.get();
        let outcome = request.outcome(py);
        if !is_disconnect(&error.clone_ref(py).into_value(py).into_bound(py).into_any()) {
            self.log
                .exception(py, "Exception in ASGI application\n", &error);
        }
        if request.is_gone(py) && outcome != Outcome::Complete {
            // Nobody is there to be answered, and so there is nothing to log or to count.
            request.abort(py)?;
        } else {
            give_up(py, request, outcome)?;
        }
        self.ended(py, request.key())
    }

    /// An application has ended.
    pub fn ended(&self, py: Python<'_>, key: ExchangeKey) -> PyResult<()> {
        let (running, left) = {
            let mut all = self.running.borrow(py);
            (all.remove(&key), all.len())
        };
        if running.is_some() && left == 0 {
            self.on_idle.call0(py)?;
        }
        Ok(())
    }
}

/// The dispatch actor handles messages.
pub struct Busy<'a>(Option<&'a Place>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.set_idle();
        }
    }
}

/// The number of this thread, which the standard library does not give without counting a
/// reference.
fn this_thread() -> ThreadId {
    thread_local!(static ID: ThreadId = std::thread::current().id());
    ID.with(|id| *id)
}

/// How many exceptions are followed from one to what caused it.
const CAUSES_MAX: usize = 16;

/// How deep groups of exceptions are looked into.
const GROUPS_MAX: usize = 8;

/// True for our own [`ClientDisconnected`], and for what frameworks make of it: an exception with
/// "Disconnect" in its name, or an `OSError`, raised because of it; and for a group of nothing else,
/// as task groups raise it. Any other exception that was raised meanwhile is a fault of the
/// application.
pub fn is_disconnect(error: &Bound<'_, PyAny>) -> bool {
    is_disconnect_within(error, GROUPS_MAX)
}

fn is_disconnect_within(error: &Bound<'_, PyAny>, groups: usize) -> bool {
    let py = error.py();
    let mut error = error.clone();
    for _ in 0..CAUSES_MAX {
        if error.is_instance_of::<ClientDisconnected>() {
            return true;
        }
        if let Ok(members) = error.getattr(intern!(py, "exceptions"))
            && let Ok(members) = members.cast::<PyTuple>()
        {
            return groups > 0
                && !members.is_empty()
                && members
                    .iter()
                    .all(|member| is_disconnect_within(&member, groups - 1));
        }
        let passes_on = error.is_instance_of::<PyOSError>()
            || error
                .get_type()
                .name()
                .is_ok_and(|name| name.to_string_lossy().contains("Disconnect"));
        let cause = match error.getattr(intern!(py, "__cause__")) {
            Ok(cause) if !cause.is_none() => Ok(cause),
            _ => error.getattr(intern!(py, "__context__")),
        };
        match cause {
            Ok(cause) if passes_on && !cause.is_none() => error = cause,
            _ => return false,
        }
    }
    false
}

/// The application failed to answer: the best that can still be done for its client.
pub fn answer_failed(py: Python<'_>, request: &Exchange) -> PyResult<()> {
    give_up(py, request, request.outcome(py))
}

/// The same when it is known how far the response is.
fn give_up(py: Python<'_>, request: &Exchange, outcome: Outcome) -> PyResult<()> {
    match outcome {
        Outcome::NotStarted | Outcome::Held => answer_500(py, request),
        Outcome::Incomplete => request.abort(py),
        Outcome::Complete => request.retire_connection(py),
    }
}

fn answer_500(py: Python<'_>, request: &Exchange) -> PyResult<()> {
    const BODY: &[u8] = b"Internal Server Error";
    request.answer(py, plain_head(500, BODY.len(), &[]), BODY)
}

/// The head of an answer that the server gives by itself, after which the connection closes.
pub fn plain_head(status: u16, len_bytes: usize, more: &[(&[u8], &[u8])]) -> Pooled<ResponseHead> {
    let mut head = ResponseHead::new(status);
    let len = len_bytes.to_string();
    let headers: [(&[u8], &[u8]); 3] = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", len.as_bytes()),
        (b"connection", b"close"),
    ];
    for (name, value) in headers.iter().chain(more) {
        // These are well-formed; `push` refuses only what is not.
        let _ = head.push(name, value);
    }
    head
}

/// The border, shared.
pub type SharedBorder = Arc<Border>;
