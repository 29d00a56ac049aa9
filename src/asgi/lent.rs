//! Objects of the application that a connection writes without a copy.

use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyString};
use smolcorn_actors::mailbox::Address;
use smolcorn_actors::outbox::LentBytes;

/// Where lent objects go when they are written: to the loop's thread, which holds the GIL and can
/// release them.
pub type ReleaseAddress = Address<LentObject>;

/// An object of the application's, with its bytes at hand.
pub enum LentObject {
    /// A bytes object.
    Bytes(PyBackedBytes),
    /// A string, of which the interpreter has the UTF-8.
    Text(PyBackedStr),
}

/// An object of the application's, lent to a connection until it is written.
pub struct LentBody {
    object: Option<LentObject>,
    home: ReleaseAddress,
}

impl LentBody {
    /// Lends `bytes`, which come back to `home`.
    pub fn bytes(bytes: Bound<'_, PyBytes>, home: &ReleaseAddress) -> LentBody {
        LentBody {
            object: Some(LentObject::Bytes(PyBackedBytes::from(bytes))),
            home: home.clone(),
        }
    }

    /// Lends `text`, which comes back to `home`.
    ///
    /// # Errors
    /// It has no UTF-8.
    pub fn text(text: Bound<'_, PyString>, home: &ReleaseAddress) -> PyResult<LentBody> {
        Ok(LentBody {
            object: Some(LentObject::Text(PyBackedStr::try_from(text)?)),
            home: home.clone(),
        })
    }
}

impl LentBytes for LentBody {
    fn as_bytes(&self) -> &[u8] {
        match &self.object {
            Some(LentObject::Bytes(bytes)) => bytes,
            Some(LentObject::Text(text)) => text.as_bytes(),
            None => &[],
        }
    }
}

impl Drop for LentBody {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            // With the receiver gone the server is at its end, and so is the object.
            let _ = self.home.send(object);
        }
    }
}
