//! The threads of the pool, as Python sees them: `smolcorn/wsgi.py` starts them, and asks for one
//! request after the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::call::Call;
use super::environ::{Environ, EnvironMaker};
use super::exchange::Exchange;
use super::input::Input;
use super::queue::Woken;
use super::service::{Job, Service};
use crate::asgi::exchange::{ClientText, LoggedRequest};
use crate::http::HttpCommand;

/// A thread that is never idle hands access lines over this often.
const LINES_INTERVAL: Duration = Duration::from_millis(50);

/// What the threads need to begin.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Pool {
    service: Arc<Service>,
    environs: Arc<EnvironMaker>,
}

impl Pool {
    /// The pool of a service.
    pub fn new(service: Arc<Service>, environs: EnvironMaker) -> Pool {
        Pool {
            service,
            environs: Arc::new(environs),
        }
    }
}

#[pymethods]
impl Pool {
    /// The application.
    #[getter]
    fn application(&self, py: Python<'_>) -> Py<PyAny> {
        self.service.border.application.clone_ref(py)
    }

    /// The context of which requests get copies; `None`: an empty one each.
    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let border = &self.service.border;
        (!border.config.empty_context).then(|| border.context.clone_ref(py))
    }

    /// A place for the calling thread.
    fn join(&self) -> PoolThread {
        PoolThread {
            seat: self.service.queue.join(),
            service: Arc::clone(&self.service),
            environs: Arc::clone(&self.environs),
            state: Mutex::new(ThreadState {
                current: None,
                lines_at: Instant::now(),
            }),
        }
    }

    /// Ends threads that wait, and others when their requests are done.
    fn close(&self) {
        let left = self.service.queue.close();
        self.service.drops(left.len());
        for job in left {
            abort(&job);
        }
    }
}

/// One thread of the pool.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct PoolThread {
    seat: usize,
    service: Arc<Service>,
    environs: Arc<EnvironMaker>,
    state: Mutex<ThreadState>,
}

struct ThreadState {
    /// Its request.
    current: Option<Arc<Exchange>>,
    /// When it has handed access lines over.
    lines_at: Instant,
}

#[pymethods]
impl PoolThread {
    /// The request before is done. Returns the next one as `(environ, call)`; waits for it without
    /// the GIL. `None` when there will be none.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        loop {
            let Some(job) = self.next_job(py) else {
                return Ok(None);
            };
            match self.open(py, job) {
                Ok(request) => return Ok(Some(request)),
                Err(error) => {
                    self.service
                        .border
                        .log
                        .exception(py, "Exception in the server\n", &error);
                }
            }
        }
    }
}

impl PoolThread {
    fn next_job(&self, py: Python<'_>) -> Option<Job> {
        let now = Instant::now();
        if let Some(exchange) = self.set_current(None) {
            exchange.forget_body();
            self.service.ends(py);
        }
        let queue = &self.service.queue;
        if let Some(job) = queue.next(self.seat, now) {
            self.hand_lines_over(now);
            self.set_current(Some(Arc::clone(&job.exchange)));
            return Some(job);
        }
        let job = py.detach(|| {
            let access = &self.service.border.access;
            loop {
                // A lone request is logged at once; the lines of many go out together.
                access.end_of_turn(Instant::now());
                match queue.wait(self.seat, access.next_flush()) {
                    Woken::Job(job) => return Some(job),
                    Woken::Due => {}
                    Woken::Closed => return None,
                }
            }
        });
        if let Some(job) = &job {
            self.set_current(Some(Arc::clone(&job.exchange)));
        }
        job
    }

    /// Sets the request that this thread has; gives the one before.
    fn set_current(&self, exchange: Option<Arc<Exchange>>) -> Option<Arc<Exchange>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut state.current, exchange)
    }

    fn hand_lines_over(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.lines_at) >= LINES_INTERVAL {
            state.lines_at = now;
            drop(state);
            self.service.border.access.end_of_turn(now);
        }
    }

    /// Makes what the application is called with.
    fn open<'py>(&self, py: Python<'py>, job: Job) -> PyResult<Bound<'py, PyTuple>> {
        let made = self.environ(py, &job);
        let Environ {
            dict,
            forwarded_client,
        } = match made {
            Ok(environ) => environ,
            Err(error) => {
                abort(&job);
                return Err(error);
            }
        };
        let request = LoggedRequest {
            head: job.head,
            client_text: match forwarded_client {
                Some(text) => ClientText::Forwarded(text),
                None => ClientText::Peer,
            },
        };
        let call = Call::new(Arc::clone(&self.service), job.exchange, request);
        let call = Bound::new(py, call)?;
        PyTuple::new(py, [dict.into_any(), call.into_any()])
    }

    fn environ<'py>(&self, py: Python<'py>, job: &Job) -> PyResult<Environ<'py>> {
        let exchange = &job.exchange;
        let body = (!exchange.is_bodiless()).then(|| Input::new(Some(Arc::clone(exchange))));
        let border = &self.service.border;
        self.environs
            .make(py, border, &exchange.connection, &job.head, body)
    }
}

/// Cuts the connection of a request that nobody will answer.
fn abort(job: &Job) {
    job.exchange.command(HttpCommand::Abort {
        stream: job.exchange.stream,
    });
}

/// Starts so many threads by `smolcorn.wsgi`; what it returns ends them.
pub fn start_threads(py: Python<'_>, pool: &Bound<'_, Pool>, threads: u16) -> PyResult<Py<PyAny>> {
    let options = PyDict::new(py);
    options.set_item("count", threads)?;
    let module = py.import("smolcorn.wsgi")?;
    let started = module.call_method(intern!(py, "start"), (pool,), Some(&options))?;
    Ok(started.unbind())
}
