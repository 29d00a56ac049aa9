//! The head of a request: request line and headers, in one buffer.

/// Which version of HTTP/1 a request was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

/// A request's head: one buffer, and where in it the parts are.
#[derive(Debug)]
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
    pub fn method(&self) -> &str { todo!() }
    /// The version.
    pub fn version(&self) -> Version { self.version }
    /// The raw path (ASGI `raw_path` without the root path): bytes of the wire.
    pub fn path(&self) -> &[u8] { self.bytes(self.path) }
    /// The query string's bytes, undecoded.
    pub fn query(&self) -> &[u8] { self.bytes(self.query) }
    /// The headers: lower-case name, value.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> { self.headers.iter().map(|(n, v)| (self.bytes(*n), self.bytes(*v))) }
    fn bytes(&self, span: Span) -> &[u8] { self.buffer.get(span.start as usize..span.end as usize).unwrap_or_default() }
}
