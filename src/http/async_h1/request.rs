//! Requests, as the crate reads them behind our own parser.

use std::pin::pin;
use std::str::FromStr;
use std::task::Poll;

use http_types::{Body, Method, Request};

use super::pipe::{Pipe, poll_once, read_available};
use crate::config::HttpLimits;
use crate::http::body::BodyDecoder;
use crate::http::head::{Framing, Parsed, RequestHead, Version};
use crate::http::refusal::Refusal;

/// The body of a request.
#[derive(Debug)]
pub(super) enum RequestBody {
    /// So many bytes are still to come, through the crate.
    Length {
        left: u64,
        /// Into the crate.
        pipe: Pipe,
        /// Out of it.
        reader: Box<Body>,
    },
    /// In chunks. The crate's own decoder hangs where a chunk's end is cut, and refuses
    /// extensions.
    Chunked(BodyDecoder),
}

/// Gives a head to the crate that our parser has understood.
///
/// # Errors
/// What the crate cannot do, with the status to answer.
pub(super) fn decode(
    parsed: &Parsed,
    limits: &HttpLimits,
) -> Result<(Method, RequestBody), Refusal> {
    let method = check(&parsed.head)?;
    let pipe = Pipe::default();
    pipe.push(&head_bytes(&parsed.head));
    let mut request = decode_head(&pipe)?;
    if request.method() != method {
        return Err(Refusal::Malformed);
    }
    let framing = parsed.meaning.framing;
    let body = match framing {
        Framing::Chunked => RequestBody::Chunked(BodyDecoder::new(framing, limits.body_bytes_max)),
        Framing::Length(left) => {
            let len = usize::try_from(left).map_err(|_| Refusal::BodyTooLarge)?;
            if request.len() != Some(len) {
                return Err(Refusal::Malformed);
            }
            RequestBody::Length {
                left,
                pipe,
                reader: Box::new(request.take_body()),
            }
        }
    };
    Ok((method, body))
}

/// Refuses what the crate takes wrongly, or in a way that panics.
fn check(head: &RequestHead) -> Result<Method, Refusal> {
    if head.version() != Version::Http11 {
        return Err(Refusal::UnsupportedVersion);
    }
    // The crate takes methods in any case; they have one (RFC 9110, section 9.1).
    let method = Method::from_str(head.method())
        .ok()
        .filter(|method| method.as_ref() == head.method())
        .ok_or(Refusal::NotImplemented)?;
    if head.path() == b"*" {
        return Err(Refusal::NotImplemented);
    }
    // Of the path behind an empty host the crate would make a host.
    let takes = |(name, value): (&[u8], &[u8])| value.is_ascii() && (name, value) != (b"host", b"");
    if !head.headers().all(takes) {
        return Err(Refusal::Malformed);
    }
    Ok(method)
}

/// The head as our parser understood it, so that the crate cannot understand another one. It is
/// no longer than the one that came. `expect` is left out, because the crate would start an
/// executor to answer it.
fn head_bytes(head: &RequestHead) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(head.method().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(head.path());
    if !head.query().is_empty() {
        bytes.push(b'?');
        bytes.extend_from_slice(head.query());
    }
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in head.headers().filter(|(name, _)| *name != b"expect") {
        bytes.extend_from_slice(name);
        bytes.push(b':');
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn decode_head(pipe: &Pipe) -> Result<Request, Refusal> {
    match poll_once(pin!(async_h1::server::decode(pipe.clone()))) {
        Poll::Ready(Ok(Some((request, _body)))) => Ok(request),
        // It refuses what we take, a `Host` that no URL may have say, or sees no end of it.
        Poll::Ready(Ok(None) | Err(_)) | Poll::Pending => Err(Refusal::Malformed),
    }
}

impl RequestBody {
    /// As [`BodyDecoder::decode`].
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<usize, Refusal> {
        match self {
            RequestBody::Chunked(decoder) => decoder.decode(input, sink),
            RequestBody::Length { left, pipe, reader } => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                let data = input.get(..len).unwrap_or_default();
                pipe.push(data);
                let mut given = 0;
                let read = read_available(reader, &mut |piece| {
                    given += piece.len();
                    sink(piece);
                });
                if read.is_err() || given != len {
                    return Err(Refusal::Malformed);
                }
                *left -= len as u64;
                Ok(len)
            }
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        match self {
            RequestBody::Length { left, .. } => *left == 0,
            RequestBody::Chunked(decoder) => decoder.is_complete(),
        }
    }

    pub(super) fn left_min(&self) -> u64 {
        match self {
            RequestBody::Length { left, .. } => *left,
            RequestBody::Chunked(decoder) => decoder.left_min(),
        }
    }
}
