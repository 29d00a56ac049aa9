//! Responses, as the crate writes them.

use async_h1::server::Encoder;
use futures_lite::io::BufReader;
use http_types::headers::{CONNECTION, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use http_types::{Body, Method, Response, StatusCode};
use smolcorn_actors::outbox::Outbox;

use super::pipe::{Pipe, read_available};
use crate::http::h1::codec::{HeadSetting, ResponseFraming, Unwritable};
use crate::http::response::{ConnectionLine, ResponseHead};

/// The line that the crate makes of an empty date.
const EMPTY_DATE: &[u8] = b"\r\ndate: \r\n";

/// The line that the crate makes for a response without a body.
const NO_LENGTH: &[u8] = b"\r\ncontent-length: 0\r\n";

/// A response on its way through the crate.
#[derive(Debug)]
pub(super) struct Writer {
    /// Into the crate.
    pipe: Pipe,
    /// Out of it.
    encoder: Box<Encoder>,
}

impl Writer {
    /// Writes the head.
    ///
    /// # Errors
    /// The status is none that the crate knows, or a header is not ASCII.
    pub(super) fn begin(
        head: &ResponseHead,
        setting: &HeadSetting<'_>,
        method: Method,
        outbox: &mut Outbox,
    ) -> Result<Writer, Unwritable> {
        let status = StatusCode::try_from(head.status()).map_err(|_| Unwritable)?;
        let pipe = Pipe::default();
        let mut response = Response::new(status);
        let length = body_length(head, setting.framing)?;
        response.set_body(Body::from_reader(BufReader::new(pipe.clone()), length));
        // The crate has made one up.
        response.remove_header(CONTENT_TYPE);
        add_headers(&mut response, head, setting)?;
        if setting.connection == ConnectionLine::Close {
            response.insert_header(CONNECTION, HeaderValue::from_bytes(b"close".to_vec())?);
        }
        let has_date = response.header(DATE).is_some();
        if !has_date {
            // The crate would add its own.
            response.insert_header(DATE, HeaderValue::from_bytes(Vec::new())?);
        }

        let mut writer = Writer {
            pipe,
            encoder: Box::new(Encoder::new(response, method)),
        };
        let mut bytes = writer.take()?;
        if !has_date {
            remove_line(&mut bytes, EMPTY_DATE);
        }
        if setting.framing == ResponseFraming::Bodiless && length == Some(0) {
            // Where there is no body, the length of one is the application's to say.
            let said = head.content_length().is_some() && head.status() != 204;
            if !said {
                remove_line(&mut bytes, NO_LENGTH);
            }
        }
        outbox.push_bytes(&bytes);
        Ok(writer)
    }

    /// Writes a piece of the body.
    ///
    /// # Errors
    /// None that the crate is known to have.
    pub(super) fn write(
        &mut self,
        data: &[u8],
        last: bool,
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable> {
        self.pipe.push(data);
        if last {
            self.pipe.end();
        }
        read_available(&mut self.encoder, &mut |bytes| outbox.push_bytes(bytes))?;
        Ok(())
    }

    /// What the crate has to write.
    fn take(&mut self) -> Result<Vec<u8>, Unwritable> {
        let mut bytes = Vec::new();
        read_available(&mut self.encoder, &mut |piece| {
            bytes.extend_from_slice(piece);
        })?;
        Ok(bytes)
    }
}

/// The length that the crate is to say; `None`: it writes chunks.
fn body_length(head: &ResponseHead, framing: ResponseFraming) -> Result<Option<usize>, Unwritable> {
    let length = match framing {
        ResponseFraming::Length(length) => Some(length),
        ResponseFraming::Bodiless if head.status() == 204 => Some(0),
        ResponseFraming::Bodiless => Some(head.content_length().unwrap_or(0)),
        ResponseFraming::Chunked => None,
        // Only HTTP/1.0 has it.
        ResponseFraming::UntilClose => return Err(Unwritable),
    };
    match length.map(usize::try_from) {
        None => Ok(None),
        Some(Ok(length)) => Ok(Some(length)),
        Some(Err(_)) => Err(Unwritable),
    }
}

/// Adds our headers and the application's.
fn add_headers(
    response: &mut Response,
    head: &ResponseHead,
    setting: &HeadSetting<'_>,
) -> Result<(), Unwritable> {
    let mut lines = Vec::new();
    head.write_lines(&mut lines, setting.shared, setting.unix_seconds);
    let mut rest = lines.as_slice();
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, behind) = rest.split_at(end + 1);
        rest = behind;
        let (name, value) = field(line).ok_or(Unwritable)?;
        let name = HeaderName::from_bytes(name.to_vec())?;
        response.append_header(name, HeaderValue::from_bytes(value.to_vec())?);
    }
    Ok(())
}

/// Takes `name: value\r\n` apart.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_suffix(b"\r\n")?;
    let colon = memchr::memchr(b':', line)?;
    Some((line.get(..colon)?, line.get(colon + 2..)?))
}

/// Removes `line`, which stands here between the line ends before and behind it, from a head.
fn remove_line(head: &mut Vec<u8>, line: &[u8]) {
    if let Some(at) = memchr::memmem::find(head, line) {
        head.drain(at..at + line.len() - 2);
    }
}

impl From<http_types::Error> for Unwritable {
    fn from(_: http_types::Error) -> Unwritable {
        Unwritable
    }
}

impl From<std::io::Error> for Unwritable {
    fn from(_: std::io::Error) -> Unwritable {
        Unwritable
    }
}
