//! What one exchange is in bytes: the border between the machine, which decides when something
//! is read and written and what becomes of the connection, and an engine, which knows how.
//!
//! [`Native`] is our own engine. `http/async_h1` has another one.

use std::fmt::Debug;

use smolcorn_actors::outbox::{Outbox, Payload};

use crate::config::HttpLimits;
use crate::http::body::BodyDecoder;
use crate::http::head::{Parsed, parse};
use crate::http::refusal::Refusal;
use crate::http::response::{ConnectionLine, ResponseHead};
use crate::http::shared::Shared;

/// Takes a request apart and puts its response together.
pub trait Codec: Debug + Sized + 'static {
    /// Takes `head`, a complete head of `lines` lines, apart, and makes the codec of its exchange.
    ///
    /// # Errors
    /// What RFC 9112 does not allow, or what the engine does not do, with the status to answer.
    fn read_head(head: &[u8], lines: usize, limits: &HttpLimits)
    -> Result<(Parsed, Self), Refusal>;

    /// Takes bytes of the request's body, as [`BodyDecoder::decode`] does.
    ///
    /// # Errors
    /// Broken framing, or a body that is too long.
    fn read_body(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, Refusal>;

    /// True when the end of the request's body has been seen.
    fn body_is_complete(&self) -> bool;

    /// How many bytes of the request's body are still to come at least, as far as that is known.
    fn body_left_min(&self) -> u64;

    /// Writes the response's head.
    ///
    /// # Errors
    /// The engine has no way to write it. `outbox` is then as before.
    fn write_head(
        &mut self,
        head: &ResponseHead,
        setting: &HeadSetting<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable>;

    /// Writes a piece of the response's body. Behind the `last` one stands the body's end.
    ///
    /// # Errors
    /// The engine has no way to write it.
    fn write_data(
        &mut self,
        data: Payload,
        framing: ResponseFraming,
        last: bool,
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable>;

    /// Writes the end of a chunked body, with `trailers` (`name: value\r\n` lines) if the engine
    /// can write them.
    ///
    /// # Errors
    /// The engine has no way to write it.
    fn write_last_chunk(&mut self, trailers: &[u8], outbox: &mut Outbox) -> Result<(), Unwritable>;
}

/// The engine has no way to write a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritable;

/// How the client finds the end of a response's body (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There is no body; the application's is dropped.
    Bodiless,
    /// So many bytes are still to come.
    Length(u64),
    /// An empty chunk.
    Chunked,
    /// The connection's end.
    UntilClose,
}

/// What a response's head says beside what the application gave.
#[derive(Debug)]
pub struct HeadSetting<'a> {
    /// How its body ends.
    pub framing: ResponseFraming,
    /// What becomes of the connection.
    pub connection: ConnectionLine,
    /// The header lines that every response begins with.
    pub shared: &'a Shared,
    /// Seconds since 1970.
    pub unix_seconds: u64,
}

/// Our own engine.
#[derive(Debug)]
pub struct Native {
    body: BodyDecoder,
}

impl Codec for Native {
    fn read_head(
        head: &[u8],
        lines: usize,
        limits: &HttpLimits,
    ) -> Result<(Parsed, Native), Refusal> {
        let parsed = parse(head, lines, limits)?;
        let body = BodyDecoder::new(parsed.meaning.framing, limits.body_bytes_max);
        Ok((parsed, Native { body }))
    }

    fn read_body(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, Refusal> {
        self.body.decode(input, sink)
    }

    fn body_is_complete(&self) -> bool {
        self.body.is_complete()
    }

    fn body_left_min(&self) -> u64 {
        self.body.left_min()
    }

    fn write_head(
        &mut self,
        head: &ResponseHead,
        setting: &HeadSetting<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable> {
        let chunked = setting.framing == ResponseFraming::Chunked;
        outbox.append(|out| {
            head.write(
                out,
                setting.shared,
                setting.unix_seconds,
                chunked,
                setting.connection,
            );
        });
        Ok(())
    }

    fn write_data(
        &mut self,
        data: Payload,
        framing: ResponseFraming,
        last: bool,
        outbox: &mut Outbox,
    ) -> Result<(), Unwritable> {
        match framing {
            ResponseFraming::Chunked => push_chunk(data, last, outbox),
            ResponseFraming::Length(_) | ResponseFraming::UntilClose => outbox.push(data),
            ResponseFraming::Bodiless => {}
        }
        Ok(())
    }

    fn write_last_chunk(&mut self, trailers: &[u8], outbox: &mut Outbox) -> Result<(), Unwritable> {
        outbox.append(|out| {
            out.extend_from_slice(b"0\r\n");
            out.extend_from_slice(trailers);
            out.extend_from_slice(b"\r\n");
        });
        Ok(())
    }
}

/// Appends `data` as a chunk, and the last chunk behind it if it is the `last` piece.
fn push_chunk(data: Payload, last: bool, outbox: &mut Outbox) {
    let behind: &[u8] = match (data.is_empty(), last) {
        (true, false) => return,
        (true, true) => return outbox.push_bytes(b"0\r\n\r\n"),
        (false, true) => b"\r\n0\r\n\r\n",
        (false, false) => b"\r\n",
    };
    let len = data.len() as u64;
    outbox.append(|out| write_chunk_size(out, len));
    outbox.push(data);
    outbox.push_bytes(behind);
}

/// Appends the line in front of a chunk: its size in hexadecimal digits.
pub(super) fn write_chunk_size(out: &mut Vec<u8>, len: u64) {
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = (len >> (place * 4) & 0xf) as u8;
        out.push(if digit < 10 {
            b'0' + digit
        } else {
            b'a' - 10 + digit
        });
    }
    out.extend_from_slice(b"\r\n");
}
