//! What `receive()` returns: a coroutine that ends with the next message.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::awaitable::{self, Step};
use super::exchange::Exchange;

/// One call of `receive()`. It takes its message in the step in which it returns it, so that a
/// cancelled wait loses none.
#[pyclass(frozen, freelist = 256, module = "smolcorn._core")]
pub struct ReceiveCall {
    exchange: Mutex<Option<Py<Exchange>>>,
}

impl ReceiveCall {
    /// A call that has not begun.
    pub fn new(exchange: Py<Exchange>) -> ReceiveCall {
        ReceiveCall {
            exchange: Mutex::new(Some(exchange)),
        }
    }

    fn exchange(&self) -> MutexGuard<'_, Option<Py<Exchange>>> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, py: Python<'_>) -> PyResult<Step> {
        let exchange = match &*self.exchange() {
            Some(exchange) => exchange.clone_ref(py),
            None => return Err(already_awaited("receive()")),
        };
        match exchange.get().take_message(py)? {
            Some(message) => {
                *self.exchange() = None;
                Ok(Step::Return(message))
            }
            None => exchange.get().wait_for_message(py).map(Step::Yield),
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
        *self.exchange() = None;
        Err(awaitable::thrown(error, value))
    }

    fn close(&self) {
        *self.exchange() = None;
    }
}
