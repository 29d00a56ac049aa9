//! The coroutine that runs in a request's task: it calls the application and sees how it ends.
//!
//! It stands between the task and the application's own coroutine so that no exception of an
//! application (`SystemExit` included) reaches the loop, and so that a request's end is known
//! without a callback. The call itself is made in the first step, inside the task and its
//! context.

use pyo3::exceptions::{PyGeneratorExit, PyStopIteration, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use smolcorn_actors::actor::ActorName;
use smolcorn_actors::trace;

use super::awaitable::{self, Step};
use super::conversation::Conversation;
use super::gil_cell::{GilCell, Guard};
use super::receive::already_awaited;
use crate::trace::work::Work;

/// One call of the application, for one request.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct AppCall {
    conversation: Conversation,
    state: GilCell<State>,
    /// What a trace is to show of it; present while tracing is on.
    work: Option<GilCell<Option<Box<Work>>>>,
}

enum State {
    /// Not called yet; the scope.
    Fresh(Py<PyAny>),
    /// Called; the application's coroutine, or the iterator of what it returned.
    Running(Py<PyAny>),
    /// The same, while it makes a step.
    Stepping(Py<PyAny>),
    /// Over.
    Ended,
}

impl AppCall {
    /// A call that has not begun.
    pub fn new(conversation: Conversation, scope: Py<PyAny>, work: Option<Box<Work>>) -> AppCall {
        AppCall {
            conversation,
            state: GilCell::new(State::Fresh(scope)),
            work: work.map(|work| GilCell::new(Some(work))),
        }
    }

    /// True when the application has returned or raised.
    pub fn has_ended(&self, py: Python<'_>) -> bool {
        matches!(*self.state(py), State::Ended)
    }

    fn state<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.borrow(py)
    }

    /// What makes the next step, calling the application first if that has not been done.
    fn begin_step(&self, py: Python<'_>, state: State) -> PyResult<Py<PyAny>> {
        let coroutine = match state {
            State::Fresh(scope) => self.call(py, scope)?,
            State::Running(coroutine) | State::Stepping(coroutine) => coroutine,
            State::Ended => return Err(already_awaited("application")),
        };
        self.enter(py, State::Stepping(coroutine.clone_ref(py)));
        Ok(coroutine)
    }

    /// Takes the state out, unless it is in use.
    fn take(&self, py: Python<'_>) -> PyResult<State> {
        let mut state = self.state(py);
        match &*state {
            State::Stepping(_) => Err(PyValueError::new_err("coroutine already executing")),
            _ => Ok(std::mem::replace(&mut *state, State::Ended)),
        }
    }

    fn call(&self, py: Python<'_>, scope: Py<PyAny>) -> PyResult<Py<PyAny>> {
        let object = self.conversation.object(py);
        let receive = object.getattr(intern!(py, "receive"))?;
        let send = object.getattr(intern!(py, "send"))?;
        let app = self.conversation.border().application.bind(py);
        let result = app.call1((scope, receive, send))?;
        if is_native_coroutine(&result) {
            return Ok(result.unbind());
        }
        if !result.hasattr(intern!(py, "__await__"))? {
            return Err(PyTypeError::new_err(format!(
                "The application returned {}, which cannot be awaited.",
                result.get_type().name()?
            )));
        }
        Ok(result.call_method0(intern!(py, "__await__"))?.unbind())
    }

    /// Runs the application up to its next wait. Never fails: an error is the end of the request.
    fn step(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Step> {
        self.watched(py, || self.step_now(py, value))
    }

    /// Takes note of what runs, for whoever asks, and for a trace.
    fn watched(&self, py: Python<'_>, step: impl FnOnce() -> PyResult<Step>) -> PyResult<Step> {
        let border = self.conversation.border();
        let watch = border.begins_work(self.conversation.key());
        let Some(work) = &self.work else {
            let done = step();
            border.ends_work(watch);
            return done;
        };
        let done = traced(py, work, step);
        border.ends_work(watch);
        // Trace lines may wait for a turn.
        border.arm(py)?;
        done
    }

    fn enter(&self, py: Python<'_>, state: State) {
        let before = std::mem::replace(&mut *self.state(py), state);
        drop(before);
    }

    fn step_now(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Step> {
        let state = self.take(py)?;
        let outcome = self
            .begin_step(py, state)
            .and_then(|coroutine| resume(&coroutine, value).map(|step| (coroutine, step)));
        self.settle(py, outcome)
    }

    fn step_with_error(&self, py: Python<'_>, error: PyErr) -> PyResult<Step> {
        self.watched(py, || self.throw_now(py, error))
    }

    fn throw_now(&self, py: Python<'_>, error: PyErr) -> PyResult<Step> {
        let outcome = match self.take(py)? {
            State::Running(coroutine) | State::Stepping(coroutine) => {
                self.enter(py, State::Stepping(coroutine.clone_ref(py)));
                throw_into(py, &coroutine, error).map(|step| (coroutine, step))
            }
            State::Fresh(_) | State::Ended => Err(error),
        };
        self.settle(py, outcome)
    }

    fn settle(&self, py: Python<'_>, outcome: PyResult<(Py<PyAny>, Step)>) -> PyResult<Step> {
        match outcome {
            Ok((coroutine, Step::Yield(waited_for))) => {
                self.enter(py, State::Running(coroutine));
                return Ok(Step::Yield(waited_for));
            }
            Ok((_, Step::Return(value))) => {
                self.enter(py, State::Ended);
                self.conversation.application_returned(value.bind(py))?;
            }
            Err(error) => {
                self.enter(py, State::Ended);
                self.conversation.application_raised(py, error)?;
            }
        }
        Ok(Step::Return(py.None()))
    }
}

/// A step that a trace is told of.
#[cold]
fn traced(
    py: Python<'_>,
    work: &GilCell<Option<Box<Work>>>,
    step: impl FnOnce() -> PyResult<Step>,
) -> PyResult<Step> {
    let _inside = trace::enter(ActorName::Dispatch);
    let begun = work.borrow(py).as_mut().map(|work| work.step_begins());
    let done = step();
    let has_ended = !matches!(done, Ok(Step::Yield(_)));
    if let (Some(work), Some(begun)) = (work.borrow(py).as_mut(), begun) {
        work.step_ends(begun, has_ended);
    }
    if has_ended {
        work.borrow(py).take();
    }
    done
}

fn is_native_coroutine(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: reads the object's type; the object is alive and the GIL is held.
    unsafe { ffi::PyCoro_CheckExact(object.as_ptr()) != 0 }
}

/// One step of a coroutine or iterator, as `await` makes it.
fn resume(coroutine: &Py<PyAny>, value: &Bound<'_, PyAny>) -> PyResult<Step> {
    let py = value.py();
    let mut result = std::ptr::null_mut();
    // SAFETY: both objects are alive and the GIL is held; `PyIter_Send` gives a new reference in
    // `result` for NEXT and RETURN, and null with an exception set for ERROR.
    unsafe {
        match ffi::PyIter_Send(coroutine.as_ptr(), value.as_ptr(), &mut result) {
            ffi::PySendResult::PYGEN_NEXT => Ok(Step::Yield(
                Bound::from_owned_ptr_or_err(py, result)?.unbind(),
            )),
            ffi::PySendResult::PYGEN_RETURN => Ok(Step::Return(
                Bound::from_owned_ptr_or_err(py, result)?.unbind(),
            )),
            ffi::PySendResult::PYGEN_ERROR => Err(PyErr::fetch(py)),
        }
    }
}

fn throw_into(py: Python<'_>, coroutine: &Py<PyAny>, error: PyErr) -> PyResult<Step> {
    match coroutine.call_method1(py, intern!(py, "throw"), (error,)) {
        Ok(waited_for) => Ok(Step::Yield(waited_for)),
        Err(error) if error.is_instance_of::<PyStopIteration>(py) => Ok(Step::Return(
            error.value(py).getattr(intern!(py, "value"))?.unbind(),
        )),
        Err(error) => Err(error),
    }
}

#[pymethods]
impl AppCall {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let none = py.None();
        match self.step(py, none.bind(py))? {
            Step::Yield(waited_for) => Ok(Some(waited_for)),
            Step::Return(_) => Ok(None),
        }
    }

    fn send(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.step(py, value)?.into_python()
    }

    #[pyo3(signature = (error, value=None, _traceback=None))]
    fn throw(
        &self,
        py: Python<'_>,
        error: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.step_with_error(py, awaitable::thrown(error, value))?
            .into_python()
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Running(coroutine) = self.take(py)? {
            match coroutine.call_method0(py, intern!(py, "close")) {
                Err(error) if !error.is_instance_of::<PyGeneratorExit>(py) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// `cr_frame`, `cr_code` and the like of the application's own coroutine, for debuggers; and a
    /// name where there is none, for those who list tasks.
    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        // What the application made may run its own code to answer: no state is held meanwhile.
        let coroutine = match &*self.state(py) {
            State::Running(coroutine) | State::Stepping(coroutine)
                if name.starts_with("cr_") || name.starts_with("__") =>
            {
                Some(coroutine.clone_ref(py))
            }
            _ => None,
        };
        match coroutine {
            Some(coroutine) => coroutine.getattr(py, name),
            None if matches!(name, "__name__" | "__qualname__") => {
                Ok(intern!(py, "application").clone().into_any().unbind())
            }
            None => Err(pyo3::exceptions::PyAttributeError::new_err(format!(
                "'AppCall' object has no attribute '{name}'"
            ))),
        }
    }
}
