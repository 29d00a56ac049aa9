//! The head of a response: checked as it is built, written in one go.

/// Status and headers of a response, checked against RFC 9110 as they are added.
#[derive(Debug)]
pub struct ResponseHead {
    status: u16,
    /// `name: value\r\n` for each header that goes out as it is.
    lines: Vec<u8>,
    content_length: Option<u64>,
    /// The application asked for the connection to close.
    close: bool,
    has_date: bool,
    has_server: bool,
    /// The application announced `http.response.trailers`.
    trailers: bool,
}

/// What is wrong with a header that the application gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// The name is empty or has a byte that no field name may have.
    Name,
    /// The value has CR, LF, NUL or another control byte.
    Value,
    /// `content-length` is not a number, or there are two different ones.
    ContentLength,
}

impl ResponseHead {
    /// A head with no headers yet. `status` must be 200 to 599 (the border checks it).
    pub fn new(status: u16) -> ResponseHead { todo!() }
    /// Announces trailers.
    pub fn expect_trailers(&mut self) { todo!() }
    /// Adds a header. `transfer-encoding` is dropped (framing is the server's), `connection` is
    /// understood and not copied, the name is lower-cased.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), BadHeader> { todo!() }
    /// The status code.
    pub fn status(&self) -> u16 { self.status }
}
