//! The engine: starts the actors for one loop and one application, and stops them. The life
//! cycle (`smolcorn/server.py`) decides when.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use smolcorn_actors::actor::ActorName;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::{Address, Mailbox, mailbox, mailbox_of};
use smolcorn_actors::messages::ToDispatch;
use smolcorn_actors::placement::Placement as ActorPlacement;
use smolcorn_actors::placement::threads::IoThreads;
use smolcorn_actors::server;
use smolcorn_actors::tls::TlsAcceptance;
use smolcorn_actors::trace::{What, cells, note};

use super::dispatch::Dispatch;
#[cfg(unix)]
use super::drive::FusedDrive;
use super::drive::{Drive, ThreadsDrive};
use super::settings;
use super::sockets::Socket;
use super::stacks;
use super::turn::Turn;
#[cfg(unix)]
use super::wake::DescriptorWaker;
use super::wake::{LoopWaker, ThreadWaker};
use crate::asgi::access::AccessLogger;
use crate::asgi::border::{Border, BorderConfig, SharedBorder};
use crate::asgi::lent::LentObject;
use crate::asgi::log::ServerLog;
use crate::asgi::scope::ScopeMaker;
use crate::config::{Config, FORWARDED_ALLOW_IPS_DEFAULT, Placement, WebSockets};
use crate::http::factory::HttpFactory;
use crate::http::machine::HttpMachine;
use crate::http::readiness::Readiness;
#[cfg(unix)]
use crate::inspect::endpoint::Endpoint;
use crate::proxy::TrustList;
use crate::tls::{PLAINTEXT_ANSWER, TlsServer};
use crate::trace::{Tracing, timed};
use crate::wsgi::environ::{EnvironMaker, Surroundings};
use crate::wsgi::router::Router;
use crate::wsgi::service::Service;
use crate::wsgi::worker::{self, Pool};

/// How many connections a worker accepts in one go.
#[cfg(unix)]
const WORKER_ACCEPTS_PER_TURN: usize = 1;

/// The actors of one server, for one loop and one application.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Engine {
    config: Config,
    tls: Option<Arc<TlsServer>>,
    state: Mutex<State>,
    border: SharedBorder,
    readiness: Readiness,
    /// What a WSGI application is served by.
    wsgi: Option<Arc<Service>>,
    /// Taken when the engine starts.
    released: Mutex<Option<Mailbox<LentObject>>>,
}

enum State {
    /// Not started.
    New,
    Started(Started),
    Closed,
}

struct Started {
    turn: Py<Turn>,
    listeners: server::Running,
    placement: &'static str,
    /// The threads of a WSGI application, `smolcorn.wsgi.Threads`.
    pool: Option<Py<PyAny>>,
    tracing: Tracing,
    /// Answers those who look into this process.
    #[cfg(unix)]
    endpoint: Option<Arc<Endpoint>>,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (settings, event_loop, app, state, on_idle, on_limit))]
    fn new(
        py: Python<'_>,
        settings: &Bound<'_, PyAny>,
        event_loop: Py<PyAny>,
        app: Py<PyAny>,
        state: Option<Bound<'_, PyDict>>,
        on_idle: Py<PyAny>,
        on_limit: Py<PyAny>,
    ) -> PyResult<Engine> {
        let native = settings::native(settings)?;
        let config = native.get().config.clone();
        let tls = native
            .get()
            .tls(None)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let requests_max: Option<u64> = settings.getattr("limit_max_requests")?.extract()?;
        let trusted = config.forwarded_allow_ips.as_deref();
        let trust = config
            .proxy_headers
            .then(|| TrustList::parse(trusted.unwrap_or(FORWARDED_ALLOW_IPS_DEFAULT)));
        let interface: String = settings.getattr("interface")?.extract()?;
        let is_wsgi = interface == "wsgi";
        let asgi_version = if interface == "asgi2" { "2.0" } else { "3.0" };
        let scopes = ScopeMaker::new(
            py,
            asgi_version,
            &config.root_path,
            state.map(Bound::unbind),
            trust,
        )?;
        let (home, released) = mailbox();
        let border = Border::new(
            py,
            event_loop,
            app,
            BorderConfig {
                write_buffer_max: config.output.unsent_bytes_max as u64,
                ws_unread_max: config.http.websocket.machine.queue_messages_max,
                concurrency_max: config.limit_concurrency,
                requests_max,
                empty_context: config.reset_contextvars,
                is_wsgi,
            },
            scopes,
            home,
            ServerLog::new(py)?,
            AccessLogger::new(py, config.access_log, &config.root_path)?,
            on_idle,
            on_limit,
        )?;
        let readiness = Readiness::new(config.health_path.as_deref());
        let border = Arc::new(border);
        Ok(Engine {
            config,
            readiness,
            tls,
            state: Mutex::new(State::New),
            wsgi: is_wsgi.then(|| Arc::new(Service::new(Arc::clone(&border)))),
            border,
            released: Mutex::new(Some(released)),
        })
    }

    /// Registers with the loop and begins to accept. With `hold` requests wait for `admit()`, and
    /// the health path says that the server starts.
    #[pyo3(signature = (sockets, hold=false))]
    fn start(&self, py: Python<'_>, sockets: Vec<Bound<'_, Socket>>, hold: bool) -> PyResult<()> {
        let released = self
            .released
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or_else(|| PyRuntimeError::new_err("The engine has been started."))?;
        let listening = sockets
            .iter()
            .map(|socket| socket.get().listening())
            .collect::<PyResult<Vec<_>>>()?;
        let unix_paths = sockets.iter().filter_map(|socket| socket.get().unix_path());
        let _ = self.border.unix_paths.set(unix_paths.collect());
        let (address, mailbox) = mailbox_of(ActorName::Dispatch);
        let lines = self.border.log.look_for_trace(py)?;
        let tracing = Tracing::start(&self.config.trace, lines, is_worker(), &address)
            .map_err(PyOSError::new_err)?;
        let own = address.clone();
        let place = cells::register(ActorName::Dispatch, None, Instant::now(), move || own.len());
        place.set_state(cells::ActorState::Open);
        let _ = self.border.place.set(place);
        note(ActorName::Dispatch, || What::Started);
        let dispatch = Dispatch::new(py, Arc::clone(&self.border), mailbox)?;
        let turn = Turn::new(Arc::clone(&self.border), dispatch, released);
        turn.hold(hold);
        if hold {
            self.readiness.wait();
        }
        let turn = Py::new(py, turn)?;
        let callable = turn.clone_ref(py).into_any();
        self.border.set_turn(py, Some(callable.clone_ref(py)));
        let drive = turn.get().drive_with(self.choose_drive(py, &callable)?);
        let fused = matches!(drive.name(), "fused");
        self.border.fused.store(fused, Ordering::Relaxed);
        let begun = self
            .route(drive, address)
            .and_then(|address| self.listen(drive, listening, &address))
            .and_then(|listeners| {
                let pool = match &self.wsgi {
                    Some(service) => Some(self.start_pool(py, service)?),
                    None => None,
                };
                Ok((listeners, pool))
            });
        let (listeners, pool) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                turn.get().close(py)?;
                return Err(error);
            }
        };
        self.border
            .listeners
            .store(listeners.listeners.len(), Ordering::Relaxed);
        *self.state() = State::Started(Started {
            placement: drive.name(),
            turn: turn.clone_ref(py),
            listeners,
            pool,
            tracing,
            // Without descriptors for it, nobody can look.
            #[cfg(unix)]
            endpoint: Endpoint::open(stacks::all).ok(),
        });
        stacks::add(py, &self.border)?;
        // The first turn tells the actors' side whom to wake.
        self.border.arm(py)
    }

    /// Answers SIGUSR1 from now on, until the engine is closed.
    #[cfg(unix)]
    fn answer_signal(&self) -> PyResult<()> {
        if let State::Started(Started {
            endpoint: Some(endpoint),
            ..
        }) = &*self.state()
        {
            endpoint.answer_signal()?;
        }
        Ok(())
    }

    /// Lets the application have requests.
    fn admit(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Started(started) = &*self.state() {
            started.turn.get().hold(false);
        }
        self.readiness.begin();
        self.border.arm(py)
    }

    /// `fused` or `threads`.
    #[getter]
    fn placement(&self) -> &'static str {
        match &*self.state() {
            State::Started(started) => started.placement,
            State::New | State::Closed => "none",
        }
    }

    /// Listeners that accept, or have connections left.
    #[getter]
    fn listeners(&self) -> usize {
        self.border.listeners.load(Ordering::Relaxed)
    }

    /// Open connections.
    #[getter]
    fn connections(&self) -> usize {
        match &self.wsgi {
            Some(service) => service.connections.load(Ordering::SeqCst),
            None => self.border.connections.load(Ordering::Relaxed),
        }
    }

    /// Requests whose applications have not ended.
    #[getter]
    fn tasks(&self, py: Python<'_>) -> usize {
        match &self.wsgi {
            Some(service) => service.in_flight(),
            None => self.border.tasks(py),
        }
    }

    /// The tasks of requests whose applications have not ended.
    fn running(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let running = self.border.all(py);
        running.into_iter().map(|(_, task)| task).collect()
    }

    /// Completed responses.
    #[getter]
    fn requests(&self) -> u64 {
        self.border.completed.load(Ordering::Relaxed)
    }

    /// Begins to stop: listeners close, connections finish what is under way.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.leave();
        if let State::Started(started) = &*self.state() {
            timed("stop", || started.listeners.stop());
        }
        self.border.work_was_made(py)
    }

    /// Accepts nothing more, and ends each connection with its next response. What waits to be
    /// accepted is for the other processes that listen on the sockets.
    fn retire(&self, py: Python<'_>) -> PyResult<()> {
        self.leave();
        self.readiness.retire();
        if let State::Started(started) = &*self.state() {
            timed("retire", || started.listeners.retire());
        }
        self.border.work_was_made(py)
    }

    /// Ends each connection with its next response, and lets the health path say 503. Goes on to
    /// accept.
    fn drain(&self) {
        self.readiness.drain();
    }

    /// Drops all connections.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        self.leave();
        if let State::Started(started) = &*self.state() {
            timed("abort", || started.listeners.abort());
        }
        self.border.work_was_made(py)
    }

    /// Lets `receive()` of all requests in flight say `http.disconnect`, and `websocket.disconnect`
    /// that of all WebSockets.
    fn disconnect_streams(&self, py: Python<'_>) -> PyResult<()> {
        for (conversation, _) in self.border.all(py) {
            conversation.server_stops(py)?;
        }
        Ok(())
    }

    /// Cancels the tasks of all requests in flight; says how many there were. A WSGI application
    /// cannot be cancelled: its connections are cut, and it learns of that when it reads or writes.
    fn cancel_tasks(&self, py: Python<'_>, message: &str) -> PyResult<usize> {
        if let Some(service) = &self.wsgi {
            let count = service.in_flight();
            self.abort(py)?;
            return Ok(count);
        }
        let running = self.border.all(py);
        for (_, task) in &running {
            task.call_method1(py, "cancel", (message,))?;
        }
        Ok(running.len())
    }

    /// Ends everything: threads are joined, the access log is written. The error is the first one;
    /// the rest is ended all the same.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let state = std::mem::replace(&mut *self.state(), State::Closed);
        stacks::remove(&self.border);
        let mut closed = Ok(());
        if let State::Started(started) = state {
            closed = started.turn.get().close(py);
            if let Some(pool) = started.pool {
                closed = closed.and(pool.call_method0(py, "close").map(drop));
            }
            note(ActorName::Dispatch, || What::Stopped(None));
            let complaint = py.detach(|| started.tracing.finish());
            if let Some(complaint) = complaint {
                self.border.log.warning(py, &complaint);
            }
        }
        self.border.set_turn(py, None);
        self.border.send_calls.clear(py);
        self.border.receive_calls.clear(py);
        let written = self.border.access.close(py);
        if let Ok(false) = written {
            let text = "Nobody reads the access log any more. Its last lines are dropped.";
            self.border.log.warning(py, text);
        }
        closed.and(written.map(drop))
    }
}

impl Engine {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses the placement that the configuration asks for and the loop allows, and registers
    /// with the loop.
    fn choose_drive(&self, py: Python<'_>, turn: &Py<PyAny>) -> PyResult<Drive> {
        let event_loop = &self.border.event_loop;
        let threads = match self.config.placement {
            Placement::Threads(count) => usize::from(count),
            // The loop has nothing to do with requests, and need not fight for the GIL.
            Placement::Auto if self.wsgi.is_some() => 1,
            Placement::Auto | Placement::Fused => {
                #[cfg(unix)]
                {
                    let fused = FusedDrive::new()?;
                    match fused.watch(py, event_loop, turn) {
                        Ok(()) => return Ok(Drive::Fused(fused)),
                        // The life cycle tells of it.
                        Err(_) => fused.close(py, event_loop)?,
                    }
                }
                1
            }
        };
        Ok(Drive::Threads(ThreadsDrive {
            threads: Mutex::new(Some(IoThreads::start(threads)?)),
            waker: loop_waker(py, event_loop, turn)?,
        }))
    }

    /// Somebody will wait for the end.
    fn leave(&self) {
        if let Some(service) = &self.wsgi {
            service.leave();
        }
    }

    /// Where connections and listeners send: to the dispatch actor, or for a WSGI application to
    /// a router, which is started.
    fn route(
        &self,
        drive: &Drive,
        dispatch: Address<ToDispatch<HttpMachine>>,
    ) -> PyResult<Address<ToDispatch<HttpMachine>>> {
        let Some(service) = &self.wsgi else {
            return Ok(dispatch);
        };
        let (address, mailbox) = mailbox();
        let router = Router::new(Arc::clone(service), dispatch);
        drive.spawn(move |local| local.spawn(router.run(mailbox)))?;
        Ok(address)
    }

    fn start_pool(&self, py: Python<'_>, service: &Arc<Service>) -> PyResult<Py<PyAny>> {
        let around = Surroundings {
            multithread: self.config.wsgi_threads > 1,
            multiprocess: self.config.workers.is_some_and(|workers| workers > 1),
        };
        let environs = EnvironMaker::new(py, &self.config.root_path, around)?;
        let pool = Bound::new(py, Pool::new(Arc::clone(service), environs))?;
        worker::start_threads(py, &pool, self.config.wsgi_threads)
    }

    fn listen(
        &self,
        drive: &Drive,
        sockets: Vec<socket2::Socket>,
        dispatch: &Address<ToDispatch<HttpMachine>>,
    ) -> PyResult<server::Running> {
        let mut http = self.config.http.clone();
        if self.wsgi.is_some() {
            // To WSGI, a request for one is a request like others.
            http.websocket.engine = WebSockets::Off;
        }
        let factory =
            HttpFactory::new(http, self.config.http_engine).with_readiness(self.readiness.clone());
        let mut limits = Limits {
            write_timeout: self.config.output.write_timeout,
            ..Limits::default()
        };
        #[cfg(unix)]
        if is_worker() {
            limits.accepts_per_turn_max = WORKER_ACCEPTS_PER_TURN;
            limits.shares_sockets = true;
        }
        if let Some(tls) = &self.config.tls {
            limits.handshake_timeout = tls.handshake_timeout;
        }
        let tls = self.tls.as_ref().map(|tls| TlsAcceptance {
            chooser: Arc::clone(tls) as _,
            plaintext_answer: PLAINTEXT_ANSWER.into(),
        });
        let running = match drive {
            #[cfg(unix)]
            Drive::Fused(fused) => match fused.executor() {
                Some(fused) => server::start(
                    ActorPlacement::Fused(&fused),
                    sockets,
                    &factory,
                    dispatch,
                    &limits,
                    tls.as_ref(),
                )?,
                None => return Err(PyRuntimeError::new_err("The engine is on another thread.")),
            },
            Drive::Threads(drive) => {
                let threads = drive.threads.lock().unwrap_or_else(PoisonError::into_inner);
                match &*threads {
                    Some(threads) => server::start(
                        ActorPlacement::Threads(threads),
                        sockets,
                        &factory,
                        dispatch,
                        &limits,
                        tls.as_ref(),
                    )?,
                    None => return Err(PyRuntimeError::new_err("The engine is closed.")),
                }
            }
        };
        Ok(running)
    }
}

/// Whether other processes serve with the same settings.
fn is_worker() -> bool {
    #[cfg(unix)]
    return crate::supervisor::worker::current().is_some();
    #[cfg(not(unix))]
    false
}

fn loop_waker(py: Python<'_>, event_loop: &Py<PyAny>, turn: &Py<PyAny>) -> PyResult<LoopWaker> {
    #[cfg(unix)]
    if let Ok(descriptor) = DescriptorWaker::watch(py, event_loop, turn) {
        return Ok(LoopWaker::Descriptor(descriptor));
    }
    Ok(LoopWaker::Thread(ThreadWaker::start(py, event_loop, turn)?))
}
