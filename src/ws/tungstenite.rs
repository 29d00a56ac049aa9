//! An engine on the crate async-tungstenite, for comparison: `--ws tungstenite`. docs/options.md
//! has its limits.
//!
//! The crate gets the frames of messages. It reads from a pipe in memory (`pipe.rs`) that is given one
//! frame at a time, so that it never swallows more than the machine has asked for, and is polled
//! where its machine is, without a waker. Headers are looked at by our own code first, and control
//! frames never get to the crate: it would answer them by itself, without limits.
//!
//! The crate has no compression, checks text only when a frame is complete, and copies what it
//! writes.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Error, Message as Theirs};
use futures_lite::Stream;
use smolcorn_actors::outbox::{Outbox, Payload};

use super::close::Failure;
use super::codec::{Codec, Item, control_item};
use super::deflate::Deflate;
use super::frame::{Header, Opcode};
use super::message::Message;
use super::shared::WsShared;
use pipe::Pipe;

mod pipe;

/// The crate's buffer, which it has from the beginning, bytes.
const READ_BUFFER_BYTES: usize = 4096;

/// One connection on the crate async-tungstenite.
#[derive(Debug)]
pub struct Tungstenite {
    /// Absent only if the crate could not begin.
    stream: Option<Box<WebSocketStream<Pipe>>>,
    /// Bytes that are to come of the frame under way, its header included.
    frame_left: u64,
    skips_messages: bool,
}

impl Codec for Tungstenite {
    fn new(shared: &WsShared, _deflate: Option<Deflate>) -> Tungstenite {
        let max = Some(shared.config().message_bytes_max);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(max)
            .max_frame_size(max);
        let begin = WebSocketStream::from_raw_socket(Pipe::default(), Role::Server, Some(config));
        Tungstenite {
            stream: poll_once(begin).map(Box::new),
            frame_left: 0,
            skips_messages: false,
        }
    }

    fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Item>), Failure> {
        let stream = self.stream.as_mut().ok_or_else(unable)?;
        let mut rest = input;
        loop {
            if self.frame_left == 0 {
                let Some(header) = Header::read(rest, false)? else {
                    return Ok((input.len() - rest.len(), None));
                };
                if header.opcode.is_control() {
                    let Some((item, behind)) = control_item(&header, rest)? else {
                        return Ok((input.len() - rest.len(), None));
                    };
                    return Ok((input.len() - behind.len(), Some(item)));
                }
                self.frame_left = header
                    .payload_bytes
                    .saturating_add(header.header_bytes as u64);
            }
            let len = usize::try_from(self.frame_left).unwrap_or(usize::MAX);
            let (piece, behind) = rest.split_at(len.min(rest.len()));
            self.frame_left -= piece.len() as u64;
            rest = behind;
            if !self.skips_messages {
                stream.get_mut().push(piece);
                if let Some(message) = poll_message(stream)? {
                    return Ok((input.len() - rest.len(), Some(Item::Message(message))));
                }
            }
            if rest.is_empty() {
                return Ok((input.len(), None));
            }
        }
    }

    fn skip_messages(&mut self) {
        self.skips_messages = true;
    }

    fn push_message(
        &mut self,
        kind: Opcode,
        payload: Payload,
        _shared: &WsShared,
        outbox: &mut Outbox,
    ) -> Result<(), Failure> {
        let bytes = match payload {
            Payload::Owned(bytes) => bytes,
            Payload::Copied(_) | Payload::Lent(_) => payload.as_bytes().to_vec(),
        };
        let message = if kind == Opcode::Text {
            Theirs::text(String::from_utf8(bytes).map_err(|_| unable())?)
        } else {
            Theirs::binary(bytes)
        };
        let stream = self.stream.as_mut().ok_or_else(unable)?;
        match poll_once(stream.send(message)) {
            Some(Ok(())) => {
                outbox.push(Payload::Owned(stream.get_mut().take_written()));
                Ok(())
            }
            Some(Err(_)) | None => Err(unable()),
        }
    }
}

/// The crate does not do what it should.
const fn unable() -> Failure {
    Failure::internal("cannot go on")
}

/// The result of a future that never has to wait.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// The next message, if the crate has one.
fn poll_message(stream: &mut WebSocketStream<Pipe>) -> Result<Option<Message>, Failure> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(stream).poll_next(&mut context) {
        Poll::Ready(Some(Ok(Theirs::Text(text)))) => {
            Ok(Some(Message::Text(text.as_str().to_owned())))
        }
        Poll::Ready(Some(Ok(Theirs::Binary(bytes)))) => Ok(Some(Message::Binary(bytes.into()))),
        Poll::Ready(Some(Err(error))) => Err(failure_of(&error)),
        // It sees no control frames.
        Poll::Ready(Some(Ok(_)) | None) => Err(unable()),
        Poll::Pending => Ok(None),
    }
}

fn failure_of(error: &Error) -> Failure {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            Failure::frame_too_big(*size as u64, 0, *max_size)
        }
        Error::Utf8(_) => Failure::invalid_text(),
        Error::Protocol(ProtocolError::UnexpectedContinueFrame) => {
            Failure::protocol("unexpected continuation frame")
        }
        Error::Protocol(ProtocolError::ExpectedFragment(_)) => {
            Failure::protocol("expected a continuation frame")
        }
        Error::Protocol(_) => Failure::protocol("protocol error"),
        _ => unable(),
    }
}
