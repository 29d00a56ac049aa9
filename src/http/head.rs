//! The head of a request: request line and headers, in one buffer.
//!
//! `scan` finds a head's end in a growing input, `parse` makes a [`RequestHead`] of it, and
//! `meaning` says how its message is framed. All are strict: what RFC 9112 lets a server refuse is
//! refused, so that no two parsers can disagree about where a request ends.
//!
//! One strictness differs from uvicorn, whose default parser serves it: an HTTP/1.1 request
//! without exactly one valid `Host` is refused (RFC 9112, section 3.2).

use std::cell::Cell;
use std::thread::LocalKey;

use smolcorn_actors::pool::{ROOM_MAX_BYTES, Reuse, Spare};

mod meaning;
mod parse;
mod scan;
mod target;

pub use meaning::{Framing, Meaning};
pub use parse::{Parsed, parse};
pub use scan::{HeadScanner, Scan};

/// Which version of HTTP/1 a request was made in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1, or a later HTTP/1, which is served as 1.1 (RFC 9110, section 2.5).
    #[default]
    Http11,
}

impl Version {
    /// As the ASGI scope says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
        }
    }
}

/// A range of [`RequestHead`]'s buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

thread_local! {
    static SPARE: Spare<RequestHead> = const { Cell::new(Vec::new()) };
}

/// A request's head: one buffer, and where in it the parts are.
#[derive(Debug, Default)]
pub struct RequestHead {
    buffer: Vec<u8>,
    version: Version,
    method: Span,
    /// Path as on the wire, without query and fragment.
    path: Span,
    /// What stands behind the `?`; empty without one.
    query: Span,
    /// Names in lower case, and values without the blanks around them, in the order of the wire.
    headers: Vec<(Span, Span)>,
}

impl RequestHead {
    /// The method, as sent.
    pub fn method(&self) -> &str {
        // A token is ASCII.
        std::str::from_utf8(self.bytes(self.method)).unwrap_or_default()
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The raw path (ASGI `raw_path` without the root path): bytes of the wire, all ASCII. `*`
    /// for a request to the server as a whole.
    pub fn path(&self) -> &[u8] {
        self.bytes(self.path)
    }

    /// The query string's bytes, undecoded, all ASCII.
    pub fn query(&self) -> &[u8] {
        self.bytes(self.query)
    }

    /// The headers in the order of the wire: lower-case name, value. Behind a target in
    /// absolute-form `host` has the target's.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (self.bytes(*name), self.bytes(*value)))
    }

    /// Has `host` say what the target in absolute-form says (RFC 9112, section 3.2.2), so that
    /// whoever routed the request by its target and the application mean the same host.
    fn replace_host(&mut self, authority: Span) {
        let buffer = &self.buffer;
        for (name, value) in &mut self.headers {
            if buffer.get(name.start as usize..name.end as usize) == Some(b"host") {
                *value = authority;
            }
        }
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.buffer
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }
}

impl Reuse for RequestHead {
    fn spare() -> &'static LocalKey<Spare<Self>> {
        &SPARE
    }

    fn reset(&mut self) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut headers = std::mem::take(&mut self.headers);
        buffer.clear();
        headers.clear();
        let room_bytes = buffer.capacity() + headers.capacity() * size_of::<(Span, Span)>();
        *self = RequestHead {
            buffer,
            headers,
            ..RequestHead::default()
        };
        room_bytes <= ROOM_MAX_BYTES
    }
}
