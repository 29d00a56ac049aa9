//! What `send()`, `receive()` and the call of the application have in common: they are coroutines
//! to Python.
//!
//! Frameworks do not only `await` what `send()` returns: they hand it to `asyncio.create_task`,
//! `asyncio.wait_for`, `asyncio.gather` and anyio's task groups, which ask for a
//! `collections.abc.Coroutine`.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// What one step of a coroutine came to.
pub enum Step {
    /// It waits: this is what the task must see (a future, or what an inner coroutine yielded).
    Yield(Py<PyAny>),
    /// It returned.
    Return(Py<PyAny>),
}

impl Step {
    /// The step as `coroutine.send()` tells it: a value, or `StopIteration`.
    pub fn into_python(self) -> PyResult<Py<PyAny>> {
        match self {
            Step::Yield(value) => Ok(value),
            Step::Return(value) => Err(PyStopIteration::new_err((value,))),
        }
    }
}

/// The exception that `coroutine.throw()` was called with: an instance, or a type and a value.
pub fn thrown(error: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyErr {
    if let Ok(kind) = error.cast::<PyType>() {
        let built = match value {
            Some(value) if value.is_instance(kind).unwrap_or(false) => Ok(value.clone()),
            Some(value) if !value.is_none() => kind.call1((value,)),
            _ => kind.call0(),
        };
        return match built {
            Ok(instance) => PyErr::from_value(instance),
            Err(error) => error,
        };
    }
    PyErr::from_value(error.clone())
}

/// Makes `isinstance(object, collections.abc.Coroutine)` true for the classes given.
pub fn register_coroutines(py: Python<'_>, classes: &[Bound<'_, PyType>]) -> PyResult<()> {
    let abc = py.import("collections.abc")?.getattr("Coroutine")?;
    for class in classes {
        abc.call_method1("register", (class,))?;
    }
    Ok(())
}
