//! What `receive()` returns: a coroutine that ends with the next message.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::awaitable::{self, Step};
use super::conversation::Conversation;
use super::gil_cell::{GilCell, Guard};
use super::spare::Reusable;
use crate::trace::work::{Wait, waits_for};

/// One call of `receive()`. It takes its message in the step in which it returns it, so that a
/// cancelled wait loses none.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct ReceiveCall {
    conversation: GilCell<Option<Conversation>>,
}

impl Reusable for ReceiveCall {
    type State = Conversation;

    /// A call that has not begun.
    fn new(conversation: Conversation) -> ReceiveCall {
        ReceiveCall {
            conversation: GilCell::new(Some(conversation)),
        }
    }

    fn state(&self) -> &GilCell<Option<Conversation>> {
        &self.conversation
    }
}

impl ReceiveCall {
    fn conversation<'a>(&'a self, py: Python<'a>) -> Guard<'a, Option<Conversation>> {
        self.conversation.borrow(py)
    }

    /// Ends the call.
    fn end(&self, py: Python<'_>) {
        let conversation = self.conversation(py).take();
        drop(conversation);
    }

    fn step(&self, py: Python<'_>) -> PyResult<Step> {
        let conversation = match &*self.conversation(py) {
            Some(conversation) => conversation.clone_ref(py),
            None => return Err(already_awaited("receive()")),
        };
        match conversation.take_message(py)? {
            Some(message) => {
                self.end(py);
                Ok(Step::Return(message))
            }
            None => {
                waits_for(Wait::Receive);
                let waiter = conversation.wait_for_message(py)?;
                Ok(Step::Yield(waiter.into_any()))
            }
        }
    }
}

/// The error for a coroutine that is awaited a second time.
pub fn already_awaited(call: &str) -> PyErr {
    PyRuntimeError::new_err(format!("cannot reuse already awaited {call}"))
}

#[pymethods]
impl ReceiveCall {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.step(py)?.into_python()
    }

    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.step(py)?.into_python()
    }

    #[pyo3(signature = (error, value=None, _traceback=None))]
    fn throw(
        &self,
        py: Python<'_>,
        error: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        self.end(py);
        Err(awaitable::thrown(error, value))
    }

    fn close(&self, py: Python<'_>) {
        self.end(py);
    }
}
