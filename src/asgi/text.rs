//! Text of a peer's, as a `str`.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Shorter text Python decodes as quickly.
const ASCII_BYTES_MIN: usize = 1024;

/// A `str` of `text`. It has been checked already: where it is ASCII Python need not look at it
/// once more, which takes it longer than the copy.
pub fn new_text<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyString>> {
    if text.len() < ASCII_BYTES_MIN || !text.is_ascii() {
        return Ok(PyString::new(py, text));
    }
    let Ok(len) = ffi::Py_ssize_t::try_from(text.len()) else {
        return Ok(PyString::new(py, text));
    };
    // SAFETY: the GIL is held. `PyUnicode_New` gives a string of `len` characters of one byte each
    // that nobody else has, or null with an exception; all its bytes are written, with ASCII as was
    // promised, before anybody sees it.
    unsafe {
        let object = Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_New(len, 127))?;
        let data = ffi::PyUnicode_DATA(object.as_ptr()).cast::<u8>();
        data.copy_from_nonoverlapping(text.as_ptr(), text.len());
        Ok(object.cast_into_unchecked())
    }
}
