//! What a request's head means for its connection: framing, persistence, expectations.
//!
//! The fields are gathered first and judged afterwards, so that their order makes no difference.

use super::{RequestHead, Version, target};
use crate::config::HttpLimits;
use crate::http::field::{has_token, is_token, parse_decimal};
use crate::http::refusal::Refusal;

/// How the end of a request's body is found (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; 0 when there is no body.
    Length(u64),
    /// Chunks, up to an empty one.
    Chunked,
}

/// What a head means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// How the body ends.
    pub framing: Framing,
    /// The client wants the connection to stay (RFC 9112, section 9.3).
    pub keep_alive: bool,
    /// The client waits for `100 Continue` (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
    /// The client takes trailers (RFC 9110, section 10.1.4).
    pub takes_trailers: bool,
    /// The client asks for another protocol (RFC 9110, section 7.8).
    pub upgrade: bool,
}

impl Meaning {
    /// Judges the fields of `head`.
    ///
    /// # Errors
    /// What is ambiguous or over a limit, or asks for what the server does not do.
    pub(super) fn of(head: &RequestHead, limits: &HttpLimits) -> Result<Meaning, Refusal> {
        let fields = Fields::gather(head);
        let is_http11 = head.version() == Version::Http11;
        fields.check_host(is_http11)?;
        let framing = fields.framing(is_http11)?;
        if fields.expects_other && is_http11 {
            return Err(Refusal::UnknownExpectation);
        }
        if let (Framing::Length(length), Some(max)) = (framing, limits.body_bytes_max)
            && length > max
        {
            return Err(Refusal::BodyTooLarge);
        }
        Ok(Meaning {
            framing,
            keep_alive: !fields.close && (is_http11 || fields.keep_alive),
            expects_continue: fields.expects_continue && is_http11 && framing != Framing::Length(0),
            takes_trailers: fields.takes_trailers && is_http11,
            upgrade: fields.has_upgrade && fields.connection_upgrade && is_http11,
        })
    }
}

/// The fields that the server itself must understand.
#[derive(Default)]
struct Fields<'a> {
    host: Single<'a>,
    content_length: Single<'a>,
    transfer_encoding: Single<'a>,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    has_upgrade: bool,
    takes_trailers: bool,
    expects_continue: bool,
    expects_other: bool,
}

/// A field that may stand in a head once.
#[derive(Default)]
enum Single<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Single::Absent => Single::Once(value),
            Single::Once(_) | Single::Repeated => Single::Repeated,
        };
    }
}

impl<'a> Fields<'a> {
    fn gather(head: &'a RequestHead) -> Fields<'a> {
        let mut fields = Fields::default();
        for (name, value) in head.headers() {
            match name {
                b"host" => fields.host.add(value),
                b"content-length" => fields.content_length.add(value),
                b"transfer-encoding" => fields.transfer_encoding.add(value),
                b"connection" => {
                    fields.close |= has_token(value, b"close");
                    fields.keep_alive |= has_token(value, b"keep-alive");
                    fields.connection_upgrade |= has_token(value, b"upgrade");
                }
                b"upgrade" => fields.has_upgrade = true,
                b"te" => fields.takes_trailers |= has_token(value, b"trailers"),
                b"expect" if value.eq_ignore_ascii_case(b"100-continue") => {
                    fields.expects_continue = true;
                }
                b"expect" => fields.expects_other = true,
                _ => {}
            }
        }
        fields
    }

    /// RFC 9112, section 3.2.
    fn check_host(&self, is_http11: bool) -> Result<(), Refusal> {
        match self.host {
            Single::Once(host) if target::is_host(host) => Ok(()),
            Single::Absent if !is_http11 => Ok(()),
            _ => Err(Refusal::Malformed),
        }
    }

    /// RFC 9112, section 6.3, with all that it lets a server refuse refused.
    fn framing(&self, is_http11: bool) -> Result<Framing, Refusal> {
        match (&self.transfer_encoding, &self.content_length) {
            (Single::Absent, Single::Absent) => Ok(Framing::Length(0)),
            (Single::Absent, Single::Once(value)) => parse_decimal(value)
                .map(Framing::Length)
                .ok_or(Refusal::Malformed),
            (Single::Once(value), Single::Absent) if is_http11 => check_codings(value),
            _ => Err(Refusal::Malformed),
        }
    }
}

/// Takes `chunked` alone. Other codings are unknown here, and when `chunked` is not the last one
/// and the only one of its kind, or has parameters (RFC 9112, section 7.1), the body's end is too.
fn check_codings(value: &[u8]) -> Result<Framing, Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let last = codings.clone().count() - 1;
    for (index, coding) in codings.enumerate() {
        let name = coding
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default();
        let name = name.trim_ascii();
        let is_chunked = name.eq_ignore_ascii_case(b"chunked");
        let is_plain = name.len() == coding.len();
        if !is_token(name) || (is_chunked && !(is_plain && index == last)) {
            return Err(Refusal::Malformed);
        }
    }
    Err(Refusal::NotImplemented)
}
