//! A Python object of ours that is used again when nobody else has it any more.
//!
//! `await send(…)` makes an object that lives as long as the call. Most calls end before the next
//! begins, so that one object serves them all, and none is allocated, tracked and freed for each.

use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::{PyClass, ffi};

use super::gil_cell::GilCell;

/// An object whose whole state is one value: there while it is in use.
pub trait Reusable: PyClass<Frozen = True> + Sync + Into<PyClassInitializer<Self>> {
    /// Its state.
    type State: Send;

    /// A new object.
    fn new(state: Self::State) -> Self;

    /// Where the state is.
    fn state(&self) -> &GilCell<Option<Self::State>>;
}

/// The object that was made last.
pub struct Spare<T: Reusable>(GilCell<Option<Py<T>>>);

impl<T: Reusable> Default for Spare<T> {
    fn default() -> Self {
        Spare(GilCell::default())
    }
}

impl<T: Reusable> Spare<T> {
    /// An object with this state: the last one, if nobody has it, or a new one.
    pub fn take(&self, py: Python<'_>, state: T::State) -> PyResult<Py<T>> {
        // Taken out for as long as Python code might run, so that nobody meets it half-made.
        let last = self.0.borrow(py).take();
        let object = match last {
            Some(last) if is_only_ours(py, &last) => {
                let before = last.get().state().borrow(py).replace(state);
                drop(before);
                last
            }
            last => {
                drop(last);
                Py::new(py, T::new(state))?
            }
        };
        let before = self.0.borrow(py).replace(object.clone_ref(py));
        drop(before);
        Ok(object)
    }

    /// Lets the object go, which may know of whom it belongs to.
    pub fn clear(&self, py: Python<'_>) {
        let last = self.0.borrow(py).take();
        drop(last);
    }
}

/// True when there is no other reference: then no other thread can make one either, as long as
/// this one has the GIL.
#[cfg(not(Py_GIL_DISABLED))]
fn is_only_ours<T>(_py: Python<'_>, object: &Py<T>) -> bool {
    // SAFETY: the object is alive, because we hold a reference, and the GIL is held.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) == 1 }
}

/// Without a GIL the count says nothing of other threads.
#[cfg(Py_GIL_DISABLED)]
fn is_only_ours<T>(_py: Python<'_>, _object: &Py<T>) -> bool {
    false
}
