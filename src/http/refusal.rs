//! Why a request is refused, and what its client is told. The client is always at fault, and the
//! connection always closes: where the next request begins cannot be trusted.

use super::response::{ConnectionLine, ResponseHead, reason_phrase};
use super::shared::Shared;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: not HTTP/1, or ambiguous.
    Malformed,
    /// 408: a head or a body did not come in time.
    TimedOut,
    /// 413: the body is over `body_bytes_max`.
    BodyTooLarge,
    /// 414: the request line alone is over `head_bytes_max`.
    TargetTooLong,
    /// 417: an `Expect` other than `100-continue`.
    UnknownExpectation,
    /// 431: the head is over `head_bytes_max` or `header_count_max`, or the trailers are too much.
    HeadTooLarge,
    /// 501: `CONNECT`, a transfer coding other than `chunked`, or a method that the engine does
    /// not know.
    NotImplemented,
    /// 505: a major version other than 1, or one that the engine does not speak.
    UnsupportedVersion,
}

impl Refusal {
    /// The status that the client gets.
    pub const fn status(self) -> u16 {
        match self {
            Refusal::Malformed => 400,
            Refusal::TimedOut => 408,
            Refusal::BodyTooLarge => 413,
            Refusal::TargetTooLong => 414,
            Refusal::UnknownExpectation => 417,
            Refusal::HeadTooLarge => 431,
            Refusal::NotImplemented => 501,
            Refusal::UnsupportedVersion => 505,
        }
    }

    fn body(self) -> &'static str {
        match self {
            Refusal::Malformed => "Invalid HTTP request received.",
            other => reason_phrase(other.status()),
        }
    }

    /// Appends the whole response to `out`; without its body when `HEAD` was asked.
    pub(super) fn write(
        self,
        out: &mut Vec<u8>,
        shared: &Shared,
        unix_seconds: u64,
        to_head_request: bool,
    ) {
        let (status, body) = (self.status(), self.body());
        write_closing_text(out, status, body, shared, unix_seconds, to_head_request);
    }
}

/// Appends a whole response with a text of our own that ends its connection; without its body
/// when `HEAD` was asked.
pub(super) fn write_closing_text(
    out: &mut Vec<u8>,
    status: u16,
    body: &str,
    shared: &Shared,
    unix_seconds: u64,
    to_head_request: bool,
) {
    let head = ResponseHead::of_text(status, body.len());
    write_closing(out, &head, body, shared, unix_seconds, to_head_request);
}

/// The same with a head that may say more.
pub(super) fn write_closing(
    out: &mut Vec<u8>,
    head: &ResponseHead,
    body: &str,
    shared: &Shared,
    unix_seconds: u64,
    to_head_request: bool,
) {
    head.write(out, shared, unix_seconds, false, ConnectionLine::Close);
    if !to_head_request {
        out.extend_from_slice(body.as_bytes());
    }
}
