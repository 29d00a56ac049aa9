//! Ready-made str objects for the methods of requests.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Methods worth keeping.
const COMMON: [&str; 8] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "QUERY",
];

/// The objects.
pub struct Methods(Vec<(&'static str, Py<PyString>)>);

impl Methods {
    /// Makes them.
    pub fn new(py: Python<'_>) -> Methods {
        let objects = COMMON.iter();
        Methods(
            objects
                .map(|method| (*method, PyString::intern(py, method).unbind()))
                .collect(),
        )
    }

    /// The str object for `method`: a ready one, or a new one.
    pub fn get<'py>(&self, py: Python<'py>, method: &str) -> Bound<'py, PyString> {
        self.0
            .iter()
            .find(|(known, _)| *known == method)
            .map_or_else(
                || PyString::new(py, method),
                |(_, object)| object.bind(py).clone(),
            )
    }
}
