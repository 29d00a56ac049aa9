//! A worker process as Python sees it: what the life cycle tells its supervisor, and asks.

use std::time::Duration;

use pyo3::prelude::*;

use crate::supervisor::link::{Report, TemplateReport, WORKER_VARIABLE};
use crate::supervisor::preload::{self, Order};
use crate::supervisor::worker::{self, Membership};

/// How much longer than its graceful shutdown a worker without a supervisor may live.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(7);

/// The supervisor's worker that this process is.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Worker {
    membership: &'static Membership,
}

/// Makes this process a worker, or a template of workers, if it was started as one. The variable
/// that says so is taken out of the environment: it is not for the programs that the application
/// starts.
///
/// # Errors
/// The variable is there and was not meant for this process.
pub fn join(py: Python<'_>, graceful_shutdown_timeout: Duration) -> PyResult<()> {
    let environ = py.import("os")?.getattr("environ")?;
    let value = environ.call_method1("pop", (WORKER_VARIABLE, py.None()))?;
    if let Some(text) = value.extract::<Option<String>>()? {
        worker::join(&text, graceful_shutdown_timeout + ORPHAN_PATIENCE)?;
    }
    Ok(())
}

/// The template that this process is; `None` for every other one.
pub fn template() -> Option<Template> {
    preload::is_template().then_some(Template)
}

/// A process from which workers are forked: what it tells its supervisor, and asks.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Template;

#[pymethods]
impl Template {
    /// Readable when there is an order.
    fn fileno(&self) -> i32 {
        preload::control().unwrap_or(-1)
    }

    /// The next order, which is waited for: "fork", "retire" or "end".
    fn order(&self, py: Python<'_>) -> &'static str {
        match py.detach(preload::order) {
            Order::Fork => "fork",
            Order::Retire => "retire",
            Order::End => "end",
        }
    }

    /// Says that the application is imported.
    fn loaded(&self) {
        preload::report(TemplateReport::Loaded);
    }

    /// Says that the worker that was ordered is process `pid`.
    fn forked(&self, pid: u32) {
        preload::report(TemplateReport::Forked(pid));
    }

    /// Says that the system has no room for another process.
    fn not_forked(&self, errno: i32) {
        preload::report(TemplateReport::NotForked(errno));
    }

    /// Says that a worker has ended, with this status of `os.waitpid`.
    fn ended(&self, pid: u32, status: i32) {
        preload::report(TemplateReport::Ended(pid, status));
    }

    /// True if this process may show why it cannot start.
    fn may_complain(&self) -> bool {
        preload::may_complain()
    }

    /// Makes this process, which was forked on an order, a worker.
    fn become_worker(&self) -> PyResult<()> {
        Ok(preload::become_worker()?)
    }
}

/// The worker that this process is; `None` where there is no supervisor.
pub fn current() -> Option<Worker> {
    worker::current().map(|membership| Worker { membership })
}

#[pymethods]
impl Worker {
    /// True when the whole server stops; false when others take over from this worker.
    #[getter]
    fn stopping(&self) -> bool {
        self.membership.is_stopping()
    }

    /// True when this worker is to end soon, because nobody serves until it has.
    #[getter]
    fn hurried(&self) -> bool {
        self.membership.is_hurried()
    }

    /// True while it is not this worker's turn to load the application.
    #[getter]
    fn early(&self) -> bool {
        self.membership.is_early()
    }

    /// True if nobody served when this worker was started.
    #[getter]
    fn first(&self) -> bool {
        self.membership.is_first()
    }

    /// Returns when it is its turn. A signal to end ends the process meanwhile.
    fn await_turn(&self, py: Python<'_>) {
        py.detach(|| self.membership.await_turn());
    }

    /// Says that connections are accepted.
    fn ready(&self) {
        self.membership.report(Report::Ready);
    }

    /// Says why the application cannot start; the last that is said.
    fn failed(&self, text: &str) {
        self.membership.report_failure(text);
    }

    /// Asks to be replaced.
    fn recycle(&self) {
        self.membership.report(Report::Recycle);
    }

    /// Says that this worker has begun to end, whoever told it to.
    fn leaving(&self) {
        self.membership.leave();
    }

    /// True if this worker, of all that cannot start, is the one to say why.
    fn may_complain(&self) -> bool {
        self.membership.may_complain()
    }

    /// From now on `tick()` must come more often than every `seconds`; when it does not,
    /// `on_blocked(seconds)` is called in a thread of its own.
    fn watch_loop(&self, seconds: f64, on_blocked: Py<PyAny>) {
        let timeout = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.membership.watch_loop(timeout, move |silent| {
            Python::attach(|py| {
                if let Err(error) = on_blocked.call1(py, (silent.as_secs_f64(),)) {
                    error.write_unraisable(py, None);
                }
            });
        });
    }

    /// The loop is no longer watched.
    fn unwatch_loop(&self) {
        self.membership.unwatch_loop();
    }

    /// Says that the loop runs.
    fn tick(&self) {
        self.membership.tick();
    }
}
