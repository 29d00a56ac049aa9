//! What the loop calls: one turn of the server.
//!
//! Fused placement:
//!
//! ```text
//!   1. without the GIL   poll the reactor, run what is ready     bytes -> requests
//!   2. with the GIL      the dispatch actor drains its mailbox   requests -> the application
//!   3. without the GIL   run what is ready                       answers -> bytes
//!   4. what is left behind (budget spent, new messages) gets another turn
//! ```
//!
//! In the threads placement 1 and 3 happen on other threads, and a turn is step 2.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use smolcorn_actors::actor::ActorName;
use smolcorn_actors::mailbox::Mailbox;
use smolcorn_actors::trace;

use super::dispatch::Dispatch;
use super::drive::Drive;
use crate::asgi::border::SharedBorder;
use crate::asgi::gil_cell::GilCell;
use crate::asgi::lent::LentObject;
use crate::trace::timed;

/// A timer of the loop is moved forward only when that gains at least this much.
const TIMER_SLACK: Duration = Duration::from_millis(50);

/// The callable that the loop calls when there is something to do.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Turn {
    border: SharedBorder,
    dispatch: Mutex<Dispatch>,
    /// Who polls the connections; set once, when the loop has been asked what it can do.
    drive: OnceLock<Drive>,
    /// Written bytes objects on their way to be released.
    released: GilCell<Mailbox<LentObject>>,
    timer: Mutex<Option<Timer>>,
    /// The application has not started: what comes for it waits in the mailbox. Each connection
    /// has at most one request under way, so that is bounded by the connections.
    holding: AtomicBool,
}

/// A timer of the loop that makes a turn.
struct Timer {
    due: Instant,
    handle: Py<PyAny>,
}

/// Clears the flag when a turn is over, however it ends.
struct InTurn<'a>(&'a SharedBorder);

impl Drop for InTurn<'_> {
    fn drop(&mut self) {
        self.0.in_turn.store(false, Ordering::Relaxed);
    }
}

impl Turn {
    /// The turn of a server that is not driven yet.
    pub fn new(border: SharedBorder, dispatch: Dispatch, released: Mailbox<LentObject>) -> Turn {
        Turn {
            border,
            dispatch: Mutex::new(dispatch),
            drive: OnceLock::new(),
            released: GilCell::new(released),
            timer: Mutex::new(None),
            holding: AtomicBool::new(false),
        }
    }

    /// Whether what comes for the application waits. Whoever ends that arms.
    pub fn hold(&self, holding: bool) {
        self.holding.store(holding, Ordering::Release);
    }

    /// Says who polls the connections; only the first call counts.
    pub fn drive_with(&self, drive: Drive) -> &Drive {
        self.drive.get_or_init(|| drive)
    }

    /// Makes one turn.
    pub fn run(&self, py: Python<'_>) -> PyResult<()> {
        let Some(drive) = self.drive.get() else {
            return Ok(());
        };
        self.border.armed.store(false, Ordering::Release);
        let mut dispatch = match self.dispatch.try_lock() {
            Ok(dispatch) => dispatch,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // The application runs a nested loop inside its task: the outer turn goes on later.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        self.border.in_turn.store(true, Ordering::Relaxed);
        let in_turn = InTurn(&self.border);

        let traced = trace::enabled().then(|| trace::enter(ActorName::Dispatch));
        let begun = timed("connections", || {
            drive.begin(py, dispatch.mailbox(), &self.released)
        })?;
        let busy = self.border.begins_turn(begun);
        let is_holding = self.holding.load(Ordering::Acquire);
        let delivered = if is_holding {
            Ok(())
        } else {
            timed("messages", || dispatch.deliver(py))
        };
        drop(busy);
        let more_work = timed("connections", || drive.finish(py));
        if let Some(turn) = traced {
            let border = &self.border;
            let connections = border.connections.load(Ordering::Relaxed);
            border.counts.tell(connections, border.tasks(py));
            turn.finish("turn", &[]);
        }

        self.release(py);
        let now = Instant::now();
        self.border.access.end_of_turn(now);
        drop(in_turn);
        if more_work || (!is_holding && !dispatch.mailbox().is_empty()) {
            self.border.arm(py)?;
        }
        drop(dispatch);
        self.set_timer(py, now, drive.next_deadline())?;
        delivered
    }

    /// Sees that a turn comes when the next deadline passes.
    fn set_timer(&self, py: Python<'_>, now: Instant, deadline: Option<Instant>) -> PyResult<()> {
        let next = [deadline, self.border.access.next_flush()]
            .into_iter()
            .flatten()
            .min();
        let mut timer = self.timer();
        let Some(due) = next else {
            return Ok(());
        };
        if let Some(timer) = &*timer {
            if timer.due <= due + TIMER_SLACK {
                return Ok(());
            }
            timer.handle.call_method0(py, intern!(py, "cancel"))?;
        }
        let Some(turn) = self.border.turn(py) else {
            return Ok(());
        };
        let options = PyDict::new(py);
        options.set_item(intern!(py, "context"), self.border.context.bind(py))?;
        let delay = due.saturating_duration_since(now).as_secs_f64();
        let handle = self.border.event_loop.bind(py).call_method(
            intern!(py, "call_later"),
            (delay, turn.getattr(py, intern!(py, "on_timer"))?),
            Some(&options),
        )?;
        *timer = Some(Timer {
            due,
            handle: handle.unbind(),
        });
        Ok(())
    }

    /// Stops everything that would call again. The engine calls it once, at its end.
    pub fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(timer) = self.timer().take() {
            timer.handle.call_method0(py, intern!(py, "cancel"))?;
        }
        if let Some(drive) = self.drive.get() {
            drive.close(py, &self.border)?;
        }
        self.release(py);
        Ok(())
    }

    /// Releases the bytes objects that are written.
    fn release(&self, py: Python<'_>) {
        let written: Vec<_> = self.released.borrow(py).drain().collect();
        drop(written);
    }

    fn timer(&self) -> MutexGuard<'_, Option<Timer>> {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Turn {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py)
    }

    /// A turn that the loop's timer makes. Only this takes the timer for spent: loops round their
    /// time, so a timer may fire a little before the time it was set to.
    fn on_timer(&self, py: Python<'_>) -> PyResult<()> {
        *self.timer() = None;
        self.run(py)
    }
}
