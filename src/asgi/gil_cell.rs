//! A cell whose lock is the GIL.
//!
//! What a request's Python objects hold is reached many times per request, always with the GIL
//! held. A lock of its own would cost two atomic operations each time and exclude nobody that
//! the GIL does not exclude.

use pyo3::prelude::*;

#[cfg(not(Py_GIL_DISABLED))]
mod inner {
    use std::cell::{RefCell, RefMut};

    /// The value, to be held only while no Python code runs.
    pub type Guard<'a, T> = RefMut<'a, T>;

    #[derive(Default)]
    pub(super) struct Lock<T>(RefCell<T>);

    // SAFETY: the cell is only reached through `GilCell::borrow`, which asks for a token of the
    // attached thread, so no two threads are inside at once, and handing the GIL over orders their
    // accesses. A guard that lives while its thread gives the GIL up cannot be used meanwhile (it
    // is not `Send`), and keeps others out by the cell's own count. `T: Send`, because the value
    // may be reached and dropped on any thread.
    unsafe impl<T: Send> Sync for Lock<T> {}

    impl<T> Lock<T> {
        pub(super) const fn new(value: T) -> Self {
            Lock(RefCell::new(value))
        }

        pub(super) fn lock(&self) -> Guard<'_, T> {
            self.0.borrow_mut()
        }
    }
}

/// A Python without a GIL: here a real lock is needed.
#[cfg(Py_GIL_DISABLED)]
mod inner {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// The value, to be held only while no Python code runs.
    pub type Guard<'a, T> = MutexGuard<'a, T>;

    #[derive(Default)]
    pub(super) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(super) const fn new(value: T) -> Self {
            Lock(Mutex::new(value))
        }

        pub(super) fn lock(&self) -> Guard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

pub use inner::Guard;

/// A value that only who holds the GIL can reach, one at a time.
#[derive(Default)]
pub struct GilCell<T>(inner::Lock<T>);

impl<T> GilCell<T> {
    /// A cell with `value` in it.
    pub const fn new(value: T) -> Self {
        GilCell(inner::Lock::new(value))
    }

    /// The value. The guard must be gone before Python code can run, or it is asked for again:
    /// before any call into Python, and before a Python object is released.
    pub fn borrow<'a>(&'a self, _py: Python<'a>) -> Guard<'a, T> {
        self.0.lock()
    }
}
