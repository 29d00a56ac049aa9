//! Ready-made objects for header names that clients send all the time.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Names worth keeping; lower case.
const COMMON: &[&[u8]] = &[
    b"accept",
    b"accept-charset",
    b"accept-encoding",
    b"accept-language",
    b"access-control-request-headers",
    b"access-control-request-method",
    b"authorization",
    b"cache-control",
    b"cdn-loop",
    b"cf-connecting-ip",
    b"cf-ray",
    b"connection",
    b"content-disposition",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"cookie",
    b"date",
    b"dnt",
    b"expect",
    b"forwarded",
    b"from",
    b"host",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"keep-alive",
    b"last-event-id",
    b"max-forwards",
    b"origin",
    b"pragma",
    b"priority",
    b"proxy-authorization",
    b"range",
    b"referer",
    b"sec-ch-ua",
    b"sec-ch-ua-mobile",
    b"sec-ch-ua-platform",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"sec-fetch-user",
    b"sec-gpc",
    b"sec-websocket-extensions",
    b"sec-websocket-key",
    b"sec-websocket-protocol",
    b"sec-websocket-version",
    b"te",
    b"traceparent",
    b"tracestate",
    b"transfer-encoding",
    b"upgrade",
    b"upgrade-insecure-requests",
    b"user-agent",
    b"via",
    b"x-api-key",
    b"x-correlation-id",
    b"x-csrf-token",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"x-request-id",
    b"x-requested-with",
];

/// Slots of the table; a power of two, several times the number of names.
const SLOTS: usize = 512;

/// An object for each common name: found by length, first, middle and last byte, then compared.
pub struct NameTable<T> {
    slots: Vec<Option<(&'static [u8], T)>>,
}

fn slot_of(name: &[u8]) -> usize {
    let first = name.first().copied().unwrap_or_default() as usize;
    let last = name.last().copied().unwrap_or_default() as usize;
    let middle = name.get(name.len() / 2).copied().unwrap_or_default() as usize;
    (name.len() * 67 + first * 31 + middle * 13 + last * 7) % SLOTS
}

impl<T> NameTable<T> {
    /// A table of what `make` gives for each name.
    pub fn new(mut make: impl FnMut(&'static [u8]) -> T) -> NameTable<T> {
        let mut slots: Vec<Option<(&'static [u8], T)>> = Vec::new();
        slots.resize_with(SLOTS, || None);
        for name in COMMON {
            // A name whose slot is taken is merely not cached.
            if let Some(slot @ None) = slots.get_mut(slot_of(name)) {
                *slot = Some((name, make(name)));
            }
        }
        NameTable { slots }
    }

    /// The object for `name`, if there is one.
    pub fn find(&self, name: &[u8]) -> Option<&T> {
        match self.slots.get(slot_of(name)) {
            Some(Some((known, object))) if *known == name => Some(object),
            _ => None,
        }
    }
}

/// The names as scopes have them.
pub struct HeaderNames {
    table: NameTable<Py<PyBytes>>,
}

impl HeaderNames {
    /// Builds the table.
    pub fn new(py: Python<'_>) -> HeaderNames {
        HeaderNames {
            table: NameTable::new(|name| PyBytes::new(py, name).unbind()),
        }
    }

    /// The bytes object for `name`: a ready one, or a new one.
    pub fn get<'py>(&self, py: Python<'py>, name: &[u8]) -> Bound<'py, PyBytes> {
        match self.table.find(name) {
            Some(object) => object.bind(py).clone(),
            None => PyBytes::new(py, name),
        }
    }
}
