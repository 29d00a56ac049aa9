//! The head of a response: checked as it is built, written in one go.

mod status;

pub use status::reason_phrase;

use std::cell::Cell;
use std::thread::LocalKey;

use smolcorn_actors::pool::{Pooled, ROOM_MAX_BYTES, Reuse, Spare};

use super::field::{BadHeader, has_token, parse_decimal, push_line};
use super::head::Version;
use super::shared::Shared;

/// Room for the header lines of an ordinary response, bytes.
const LINES_CAPACITY_BYTES: usize = 192;

const SWITCHING_PROTOCOLS: u16 = 101;

thread_local! {
    static SPARE: Spare<ResponseHead> = const { Cell::new(Vec::new()) };
}

/// Status and headers of a response, checked against RFC 9110 as they are added.
#[derive(Debug, Default)]
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

/// What a response says about its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLine {
    /// Nothing: it stays, as HTTP/1.1 has it.
    Nothing,
    /// It stays, to a client of HTTP/1.0.
    KeepAlive,
    /// It closes.
    Close,
}

impl ConnectionLine {
    /// For a connection that stays or not, to a client of that version.
    pub const fn of(stays: bool, version: Version) -> ConnectionLine {
        match (stays, version) {
            (false, _) => ConnectionLine::Close,
            (true, Version::Http10) => ConnectionLine::KeepAlive,
            (true, Version::Http11) => ConnectionLine::Nothing,
        }
    }
}

impl ResponseHead {
    /// A head with no headers yet. `status` must be 200 to 599 (the border checks it); for the
    /// one below there is [`switching`](Self::switching).
    pub fn new(status: u16) -> Pooled<ResponseHead> {
        let mut head = Pooled::<ResponseHead>::take();
        head.status = status;
        head.lines.reserve(LINES_CAPACITY_BYTES);
        head
    }

    /// The headers of a response that switches protocols (RFC 9110, section 15.2.2). It has no
    /// body, and its first lines are those of the other protocol's handshake.
    pub fn switching() -> Pooled<ResponseHead> {
        ResponseHead::new(SWITCHING_PROTOCOLS)
    }

    /// The head of a text of our own.
    pub(super) fn of_text(status: u16, len_bytes: usize) -> Pooled<ResponseHead> {
        let mut head = ResponseHead::new(status);
        head.lines
            .extend_from_slice(b"content-type: text/plain; charset=utf-8\r\n");
        head.set_content_length(len_bytes as u64);
        head
    }

    /// Announces trailers.
    pub fn expect_trailers(&mut self) {
        self.trailers = true;
    }

    /// Adds a header. `transfer-encoding` is dropped (framing is the server's), `connection` is
    /// understood and not copied, the name is lower-cased. A `content-length` is dropped from a
    /// 101 and a 204, which must not have one (RFC 9110, section 8.6).
    ///
    /// After an error the head is as it was before.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), BadHeader> {
        let start = self.lines.len();
        let pushed = push_line(&mut self.lines, name, value);
        let lower_case = self
            .lines
            .get(start..start + name.len())
            .unwrap_or_default();
        match lower_case {
            _ if pushed.is_err() => return pushed,
            b"content-length" => {
                self.lines.truncate(start);
                return self.push_content_length(value);
            }
            b"transfer-encoding" => self.lines.truncate(start),
            b"connection" => {
                self.lines.truncate(start);
                self.close |= has_token(value, b"close");
            }
            b"date" => self.has_date = true,
            b"server" => self.has_server = true,
            _ => {}
        }
        Ok(())
    }

    fn push_content_length(&mut self, value: &[u8]) -> Result<(), BadHeader> {
        let length = parse_decimal(value.trim_ascii()).ok_or(BadHeader::ContentLength)?;
        match self.content_length {
            Some(known) if known != length => Err(BadHeader::ContentLength),
            Some(_) => Ok(()),
            None => {
                self.set_content_length(length);
                Ok(())
            }
        }
    }

    fn set_content_length(&mut self, length: u64) {
        self.content_length = Some(length);
        if !matches!(self.status, SWITCHING_PROTOCOLS | 204) {
            self.lines.extend_from_slice(b"content-length: ");
            self.lines
                .extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            self.lines.extend_from_slice(b"\r\n");
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What the application said of the body's length, bytes.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// True when the application wants the connection to close.
    pub fn closes(&self) -> bool {
        self.close
    }

    /// True when the application announced trailers.
    pub fn expects_trailers(&self) -> bool {
        self.trailers
    }

    /// Appends the head to `out`: status line, our lines, the application's, framing.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        shared: &Shared,
        unix_seconds: u64,
        chunked: bool,
        connection: ConnectionLine,
    ) {
        match status::status_line(self.status) {
            Some(line) => out.extend_from_slice(line.as_bytes()),
            None => {
                out.extend_from_slice(b"HTTP/1.1 ");
                out.extend_from_slice(itoa::Buffer::new().format(self.status).as_bytes());
                out.extend_from_slice(b" \r\n");
            }
        }
        self.write_lines(out, shared, unix_seconds);
        if chunked {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        out.extend_from_slice(match connection {
            ConnectionLine::Nothing => b"\r\n",
            ConnectionLine::KeepAlive => b"connection: keep-alive\r\n\r\n",
            ConnectionLine::Close => b"connection: close\r\n\r\n",
        });
    }

    /// Appends our header lines and the application's; no framing but `content-length`.
    pub(super) fn write_lines(&self, out: &mut Vec<u8>, shared: &Shared, unix_seconds: u64) {
        shared.write_default_lines(out, unix_seconds, self.has_date, self.has_server);
        out.extend_from_slice(&self.lines);
    }
}

impl Reuse for ResponseHead {
    fn spare() -> &'static LocalKey<Spare<Self>> {
        &SPARE
    }

    fn reset(&mut self) -> bool {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        let keeps = lines.capacity() <= ROOM_MAX_BYTES;
        *self = ResponseHead {
            lines,
            ..ResponseHead::default()
        };
        keeps
    }
}
