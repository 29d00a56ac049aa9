//! What `send()` and `receive()` wait on.
//!
//! To asyncio this is a future of the loop: a task that gets one waits for it, cancels it, and
//! asks for its result. What makes it worth having is who resumes the task. A future's
//! `set_result` hands the task to the loop, to be run in a later iteration; a waiter that a
//! connection's message ends lets the task go on before the turn is over, as tasks that start
//! eagerly do, so that its answer leaves in the same turn. Everywhere else it goes through the
//! loop as well.

use std::mem;
use std::sync::Arc;

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};

use super::border::Border;
use super::gil_cell::{GilCell, Guard};

/// A future of the loop that has no value: it only ends.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct Waiter {
    border: Arc<Border>,
    /// The loop, where asyncio looks for it if there is no `get_loop()`: reading it makes no call.
    #[pyo3(get, name = "_loop")]
    event_loop: Py<PyAny>,
    state: GilCell<State>,
}

struct State {
    outcome: Outcome,
    /// `_asyncio_future_blocking`: set when it is yielded, cleared by the task that takes it.
    blocking: bool,
    /// Who is called when it ends: one task, as a rule.
    callback: Option<Callback>,
    more_callbacks: Vec<Callback>,
}

enum Outcome {
    Pending,
    Ended,
    /// Cancelled; with this message.
    Cancelled(Py<PyAny>),
}

struct Callback {
    function: Py<PyAny>,
    context: Py<PyAny>,
}

impl Waiter {
    /// One that a coroutine of ours yields next.
    fn new(py: Python<'_>, border: &Arc<Border>) -> PyResult<Py<Waiter>> {
        let waiter = Waiter {
            border: Arc::clone(border),
            event_loop: border.event_loop.clone_ref(py),
            state: GilCell::new(State {
                outcome: Outcome::Pending,
                blocking: true,
                callback: None,
                more_callbacks: Vec::new(),
            }),
        };
        Py::new(py, waiter)
    }

    /// One that only lets others have their turn.
    pub fn ended(py: Python<'_>, border: &Arc<Border>) -> PyResult<Py<Waiter>> {
        let waiter = Waiter::new(py, border)?;
        Waiter::wake(waiter.bind(py))?;
        Ok(waiter)
    }

    fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.borrow(py)
    }

    /// True when nobody waits for it any more: it has ended, or was cancelled.
    pub fn is_done(&self, py: Python<'_>) -> bool {
        !matches!(self.state(py).outcome, Outcome::Pending)
    }

    /// Ends the wait; one that is over stays as it is. Who waits is resumed when the turn has
    /// handled all messages, of which more may be for the same task.
    pub fn wake(slf: &Bound<'_, Self>) -> PyResult<()> {
        let waiter = slf.get();
        let py = slf.py();
        for callback in waiter.finish(py, Outcome::Ended) {
            let ended = callback.argument(slf);
            if waiter.border.may_step(py) {
                waiter.border.resume_later(
                    py,
                    Resumption {
                        callback,
                        ended: ended.unbind(),
                    },
                );
            } else {
                waiter.schedule(py, &callback, &ended)?;
            }
        }
        Ok(())
    }

    /// Sets how it ended, unless that is settled; gives whom to call.
    fn finish(&self, py: Python<'_>, outcome: Outcome) -> impl Iterator<Item = Callback> + use<> {
        let mut state = self.state(py);
        let pending = matches!(state.outcome, Outcome::Pending);
        let (one, more) = if pending {
            state.outcome = outcome;
            (state.callback.take(), mem::take(&mut state.more_callbacks))
        } else {
            (None, Vec::new())
        };
        one.into_iter().chain(more)
    }

    /// Has the loop call.
    fn schedule(
        &self,
        py: Python<'_>,
        callback: &Callback,
        ended: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let options = PyDict::new(py);
        options.set_item(intern!(py, "context"), &callback.context)?;
        let event_loop = self.border.event_loop.bind(py);
        event_loop.call_method(
            intern!(py, "call_soon"),
            (&callback.function, ended),
            Some(&options),
        )?;
        Ok(())
    }
}

/// A task that is to go on before the turn ends.
pub struct Resumption {
    callback: Callback,
    ended: Py<PyAny>,
}

impl Resumption {
    /// Lets it go on.
    ///
    /// # Errors
    /// `SystemExit` and `KeyboardInterrupt`; the loop has to see them. Other exceptions go to the
    /// loop's exception handler.
    pub fn run(self, py: Python<'_>, border: &Border) -> PyResult<()> {
        let context = self.callback.context.bind(py);
        let called = border.step_application(py, || {
            context.call_method1(intern!(py, "run"), (&self.callback.function, &self.ended))
        });
        match called {
            Ok(_) => Ok(()),
            Err(error) if ends_the_loop(py, &error) => Err(error),
            Err(error) => {
                let report = PyDict::new(py);
                report.set_item("message", "Exception in a callback of a waiter")?;
                report.set_item("exception", error.value(py))?;
                let event_loop = border.event_loop.bind(py);
                event_loop.call_method1("call_exception_handler", (report,))?;
                Ok(())
            }
        }
    }
}

impl Callback {
    /// What it is called with when `waiter` has ended. The C function of a task asks its argument
    /// for nothing but the result, and is much quicker with a real future: it gets one that is
    /// done and is kept for this.
    fn argument<'py>(&self, waiter: &Bound<'py, Waiter>) -> Bound<'py, PyAny> {
        let py = waiter.py();
        if self.function.bind(py).is_exact_instance_of::<PyCFunction>() {
            waiter.get().border.done_future.bind(py).clone()
        } else {
            waiter.clone().into_any()
        }
    }
}

/// True for what a loop lets through to whoever runs it.
pub fn ends_the_loop(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PySystemExit>(py) || error.is_instance_of::<PyKeyboardInterrupt>(py)
}

/// The part of `asyncio.Future` that tasks use, and those who look at a task's waiter.
#[pymethods]
impl Waiter {
    #[getter(_asyncio_future_blocking)]
    fn asyncio_future_blocking(&self, py: Python<'_>) -> bool {
        self.state(py).blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_asyncio_future_blocking(&self, py: Python<'_>, blocking: bool) {
        self.state(py).blocking = blocking;
    }

    fn done(&self, py: Python<'_>) -> bool {
        self.is_done(py)
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        matches!(self.state(py).outcome, Outcome::Cancelled(_))
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        let (class, message) = match &self.state(py).outcome {
            Outcome::Ended => return Ok(()),
            Outcome::Cancelled(message) => ("CancelledError", Some(message.clone_ref(py))),
            Outcome::Pending => ("InvalidStateError", None),
        };
        let class = py.import("asyncio")?.getattr(class)?;
        let error = match message {
            Some(message) if !message.is_none(py) => class.call1((message,))?,
            Some(_) => class.call0()?,
            None => class.call1(("Result is not set.",))?,
        };
        Err(PyErr::from_value(error))
    }

    /// It never ends with an exception.
    fn exception(&self, py: Python<'_>) -> PyResult<()> {
        self.result(py)
    }

    #[pyo3(signature = (function, *, context=None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        function: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let context = match context {
            Some(context) => context,
            None => py
                .import("contextvars")?
                .call_method0("copy_context")?
                .unbind(),
        };
        let callback = Callback { function, context };
        let waiter = slf.get();
        if waiter.is_done(py) {
            return waiter.schedule(py, &callback, slf.as_any());
        }
        let mut state = waiter.state(py);
        if state.callback.is_none() {
            state.callback = Some(callback);
        } else {
            state.more_callbacks.push(callback);
        }
        Ok(())
    }

    /// Takes all callbacks to `function` back, and says how many there were.
    fn remove_done_callback(slf: &Bound<'_, Self>, function: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = slf.py();
        let waiter = slf.get();
        let (one, more) = {
            let mut state = waiter.state(py);
            (state.callback.take(), mem::take(&mut state.more_callbacks))
        };
        let mut kept = Vec::new();
        let mut removed = 0;
        for callback in one.into_iter().chain(more) {
            // What is compared may be any object: no state is held meanwhile.
            if function.eq(&callback.function)? {
                removed += 1;
            } else {
                kept.push(callback);
            }
        }
        if waiter.is_done(py) {
            // It has ended while they were compared, and found nobody to call.
            for callback in kept {
                waiter.schedule(py, &callback, slf.as_any())?;
            }
        } else {
            waiter.state(py).more_callbacks.extend(kept);
        }
        Ok(removed)
    }

    /// Its task is cancelled.
    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let py = slf.py();
        let waiter = slf.get();
        if waiter.is_done(py) {
            return Ok(false);
        }
        let message = msg.unwrap_or_else(|| py.None());
        for callback in waiter.finish(py, Outcome::Cancelled(message)) {
            waiter.schedule(py, &callback, slf.as_any())?;
        }
        Ok(true)
    }

    fn __repr__(&self, py: Python<'_>) -> &'static str {
        match self.state(py).outcome {
            Outcome::Pending => "<Waiter pending>",
            Outcome::Ended => "<Waiter finished>",
            Outcome::Cancelled(_) => "<Waiter cancelled>",
        }
    }
}

/// Calls that wait for the same thing.
#[derive(Default)]
pub struct Waiters(GilCell<Vec<Py<Waiter>>>);

impl Waiters {
    /// Makes a waiter that ends with the next [`wake`](Self::wake).
    pub fn join(&self, py: Python<'_>, border: &Arc<Border>) -> PyResult<Py<Waiter>> {
        let waiter = Waiter::new(py, border)?;
        // Taken out while objects are released. Cancelled calls leave theirs behind, and an
        // application may make any number of them.
        let mut waiting = mem::take(&mut *self.0.borrow(py));
        waiting.retain(|waiter| !waiter.get().is_done(py));
        waiting.push(waiter.clone_ref(py));
        self.put_back(py, waiting);
        Ok(waiter)
    }

    /// Ends all their waits. All are woken; the error is the first one.
    pub fn wake(&self, py: Python<'_>) -> PyResult<()> {
        let mut waiting = mem::take(&mut *self.0.borrow(py));
        let mut first = Ok(());
        for waiter in waiting.drain(..) {
            let woken = Waiter::wake(waiter.bind(py));
            first = first.and(woken);
        }
        self.put_back(py, waiting);
        first
    }

    /// Keeps those who have come meanwhile, and else the room.
    fn put_back(&self, py: Python<'_>, mut waiting: Vec<Py<Waiter>>) {
        let mut now = self.0.borrow(py);
        waiting.append(&mut now);
        *now = waiting;
    }
}
