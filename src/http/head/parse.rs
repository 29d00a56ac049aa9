//! Makes a [`RequestHead`] of a complete head: request line, target, and where each field is.

use std::mem::MaybeUninit;
use std::ops::Range;

use smolcorn_actors::pool::Pooled;

use super::meaning::Meaning;
use super::{RequestHead, Span, Version, target};
use crate::config::HttpLimits;
use crate::http::refusal::Refusal;

/// Heads with up to this many lines are parsed without an allocation for the parser.
const LINES_ON_STACK: usize = 64;

/// A head, and what it means for the connection.
#[derive(Debug)]
pub struct Parsed {
    /// The head itself.
    pub head: Pooled<RequestHead>,
    /// What it means.
    pub meaning: Meaning,
}

/// Parses `bytes`, a complete head of `lines` lines as [`HeadScanner`](super::HeadScanner) found
/// it: every line ends in CRLF.
///
/// # Errors
/// What RFC 9112 does not allow, or what the server does not do, with the status to answer.
pub fn parse(bytes: &[u8], lines: usize, limits: &HttpLimits) -> Result<Parsed, Refusal> {
    let mut head = Pooled::<RequestHead>::take();
    let RequestHead {
        buffer, headers, ..
    } = &mut *head;
    buffer.extend_from_slice(bytes);
    let raw = match parse_lines(buffer, lines, headers) {
        Err(httparse::Error::Version) => {
            take_minor_version_as_1(buffer)?;
            parse_lines(buffer, lines, headers)
        }
        raw => raw,
    }
    .map_err(|error| match error {
        httparse::Error::TooManyHeaders => Refusal::HeadTooLarge,
        _ => Refusal::Malformed,
    })?;
    let method = buffer.get(raw.method.range()).unwrap_or_default();
    if method == b"CONNECT" {
        return Err(Refusal::NotImplemented);
    }
    let target_start = raw.target.start as usize;
    let target = buffer.get(raw.target.range()).unwrap_or_default();
    let split = target::split(target).ok_or(Refusal::Malformed)?;

    for (name, _) in headers.iter() {
        if let Some(name) = buffer.get_mut(name.range()) {
            name.make_ascii_lowercase();
        }
    }
    head.version = raw.version;
    head.method = raw.method;
    head.path = Span::at(target_start, split.path);
    head.query = Span::at(target_start, split.query);
    let meaning = Meaning::of(&head, limits)?;
    Ok(Parsed { head, meaning })
}

impl Span {
    fn at(base: usize, range: Range<usize>) -> Span {
        // Both fit: `parse_lines` has looked at the buffer's length.
        Span {
            start: (base + range.start) as u32,
            end: (base + range.end) as u32,
        }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What httparse found in the request line, as ranges of its input.
struct RequestLine {
    method: Span,
    target: Span,
    version: Version,
}

/// Puts where the fields are into `fields`.
fn parse_lines(
    buffer: &[u8],
    lines: usize,
    fields: &mut Vec<(Span, Span)>,
) -> Result<RequestLine, httparse::Error> {
    if u32::try_from(buffer.len()).is_err() {
        return Err(httparse::Error::TooManyHeaders);
    }
    if lines <= LINES_ON_STACK {
        parse_into(
            buffer,
            &mut [const { MaybeUninit::uninit() }; LINES_ON_STACK],
            fields,
        )
    } else {
        parse_into(buffer, &mut vec![MaybeUninit::uninit(); lines], fields)
    }
}

fn parse_into<'a>(
    buffer: &'a [u8],
    headers: &mut [MaybeUninit<httparse::Header<'a>>],
    fields: &mut Vec<(Span, Span)>,
) -> Result<RequestLine, httparse::Error> {
    let mut request = httparse::Request::new(&mut []);
    let status = request.parse_with_uninit_headers(buffer, headers)?;
    let span = |part: &[u8]| {
        let start = (part.as_ptr() as usize).wrapping_sub(buffer.as_ptr() as usize);
        Span::at(start, 0..part.len())
    };
    match (status, request.method, request.path, request.version) {
        (httparse::Status::Complete(len), Some(method), Some(target), Some(minor))
            if len == buffer.len() =>
        {
            let found = request
                .headers
                .iter()
                .map(|header| (span(header.name.as_bytes()), span(header.value)));
            fields.extend(found);
            Ok(RequestLine {
                method: span(method.as_bytes()),
                target: span(target.as_bytes()),
                version: if minor == 0 {
                    Version::Http10
                } else {
                    Version::Http11
                },
            })
        }
        _ => Err(httparse::Error::Token),
    }
}

/// Makes `HTTP/1.1` of an `HTTP/1.2` or later at the end of the request line, which is to be
/// served so (RFC 9110, section 2.5).
fn take_minor_version_as_1(buffer: &mut [u8]) -> Result<(), Refusal> {
    let line_end = memchr::memchr(b'\r', buffer).unwrap_or(0);
    let line = buffer.get_mut(..line_end).unwrap_or_default();
    match line {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            if *major != b'1' {
                return Err(Refusal::UnsupportedVersion);
            }
            *minor = b'1';
            Ok(())
        }
        _ => Err(Refusal::Malformed),
    }
}
