//! Bytes objects of the application that a connection writes without a copy.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use smolcorn_actors::mailbox::Address;
use smolcorn_actors::outbox::LentBytes;

/// Where lent objects go when they are written: to the loop's thread, which holds the GIL and can
/// release them.
pub type ReleaseAddress = Address<PyBackedBytes>;

/// A bytes object of the application's, lent to a connection until it is written.
pub struct LentBody {
    object: Option<PyBackedBytes>,
    home: ReleaseAddress,
}

impl LentBody {
    /// Lends `bytes`, which come back to `home`.
    pub fn new(bytes: Bound<'_, PyBytes>, home: &ReleaseAddress) -> LentBody {
        LentBody {
            object: Some(PyBackedBytes::from(bytes)),
            home: home.clone(),
        }
    }
}

impl LentBytes for LentBody {
    fn as_bytes(&self) -> &[u8] {
        self.object.as_deref().unwrap_or_default()
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
