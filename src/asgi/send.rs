//! What `send(message)` returns: a coroutine that ends when the message is taken.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;

use super::awaitable;
use super::conversation::Conversation;
use super::exchange::Sent;
use super::gil_cell::{GilCell, Guard};
use super::receive::already_awaited;
use super::spare::Reusable;
use crate::trace::work::{Wait, waits_for};

/// One call of `send()`. The message is looked at when the coroutine is first run, as with any
/// `async def`; it waits while the connection has too much to write.
#[pyclass(frozen, module = "smolcorn._core")]
pub struct SendCall {
    call: GilCell<Option<(Conversation, Py<PyAny>)>>,
}

impl Reusable for SendCall {
    type State = (Conversation, Py<PyAny>);

    /// A call that has not begun.
    fn new(call: (Conversation, Py<PyAny>)) -> SendCall {
        SendCall {
            call: GilCell::new(Some(call)),
        }
    }

    fn state(&self) -> &GilCell<Option<(Conversation, Py<PyAny>)>> {
        &self.call
    }
}

impl SendCall {
    fn call<'a>(&'a self, py: Python<'a>) -> Guard<'a, Option<(Conversation, Py<PyAny>)>> {
        self.call.borrow(py)
    }

    /// What to wait for, or `None` when the message was taken.
    fn step(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some((conversation, message)) = self.call(py).take() else {
            return Err(already_awaited("send()"));
        };
        match conversation.accept(message.bind(py))? {
            Sent::Accepted => Ok(None),
            Sent::Wait(waiter) => {
                waits_for(Wait::Send);
                *self.call(py) = Some((conversation, message));
                Ok(Some(waiter.into_any()))
            }
        }
    }
}

#[pymethods]
impl SendCall {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// `None` ends the iteration, and the `await` with it, without an exception object.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.step(py)
    }

    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        self.step(py)?
            .ok_or_else(|| PyStopIteration::new_err((py.None(),)))
    }

    #[pyo3(signature = (error, value=None, _traceback=None))]
    fn throw(
        &self,
        py: Python<'_>,
        error: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let call = self.call(py).take();
        drop(call);
        Err(awaitable::thrown(error, value))
    }

    fn close(&self, py: Python<'_>) {
        let call = self.call(py).take();
        drop(call);
    }
}
