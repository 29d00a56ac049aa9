//! What `receive()` returns: a coroutine that ends with the next message.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::awaitable::{self, Step};
use super::conversation::Conversation;
use crate::trace::work::{Wait, waits_for};

/// One call of `receive()`. It takes its message in the step in which it returns it, so that a
/// cancelled wait loses none.
#[pyclass(frozen, freelist = 256, module = "smolcorn._core")]
pub struct ReceiveCall {
    conversation: Mutex<Option<Conversation>>,
}

impl ReceiveCall {
    /// A call that has not begun.
    pub fn new(conversation: Conversation) -> ReceiveCall {
        ReceiveCall {
            conversation: Mutex::new(Some(conversation)),
        }
    }

    fn conversation(&self) -> MutexGuard<'_, Option<Conversation>> {
        self.conversation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, py: Python<'_>) -> PyResult<Step> {
        let conversation = match &*self.conversation() {
            Some(conversation) => conversation.clone_ref(py),
            None => return Err(already_awaited("receive()")),
        };
        match conversation.take_message(py)? {
            Some(message) => {
                *self.conversation() = None;
                Ok(Step::Return(message))
            }
            None => {
                waits_for(Wait::Receive);
                conversation.wait_for_message(py).map(Step::Yield)
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
        error: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        *self.conversation() = None;
        Err(awaitable::thrown(error, value))
    }

    fn close(&self) {
        *self.conversation() = None;
    }
}
