//! The border between the machine and an engine, which takes a client's frames apart and makes
//! frames of the application's messages. Pongs, pings and close frames the machine writes itself.

use smolcorn_actors::outbox::{COPY_MAX_BYTES, Outbox, Payload};

use super::close::{self, Failure};
use super::decoder::Decoder;
use super::deflate::Deflate;
use super::deflate::compress::{COMPRESSED_BYTES_MIN, Owner};
use super::deflate::inflate::Inflater;
use super::frame::{HEADER_BYTES_MAX, Header, Opcode, write_header};
use super::limits::CONTROL_BYTES_MAX;
use super::mask::Mask;
use super::message::Message;
use super::shared::WsShared;

/// An engine, at work for one connection.
pub trait Codec: Sized + 'static {
    /// For a connection that begins, with compression as agreed on.
    fn new(shared: &WsShared, deflate: Option<Deflate>) -> Self;

    /// Takes bytes up to the end of the next item, and says how many. Without an item all that
    /// can be taken was taken; what is left are the first bytes of a header or a control frame,
    /// which are to be shown again with more behind them.
    ///
    /// # Errors
    /// Why the connection must be failed. The engine is of no further use then.
    fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Item>), Failure>;

    /// From now on messages are of no use, not even the one under way.
    fn skip_messages(&mut self);

    /// Puts a message into the outbox.
    ///
    /// # Errors
    /// When the engine cannot write it, which is a fault of ours.
    fn push_message(
        &mut self,
        kind: Opcode,
        payload: Payload,
        shared: &WsShared,
        outbox: &mut Outbox,
    ) -> Result<(), Failure>;
}

/// What a client has said.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A whole message.
    Message(Message),
    /// Asks for a pong with the same payload.
    Ping(ControlPayload),
    /// Answers a ping.
    Pong,
    /// The client's last frame.
    Close {
        /// The code, or [`close::NO_CODE`].
        code: u16,
        /// The reason.
        reason: String,
    },
}

/// The payload of a control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPayload {
    bytes: [u8; CONTROL_BYTES_MAX],
    len: u8,
}

impl ControlPayload {
    /// Takes the mask off. `masked` is no longer than a control frame's payload may be.
    fn unmask(masked: &[u8], mut mask: Mask) -> ControlPayload {
        let mut bytes = [0; CONTROL_BYTES_MAX];
        let len = masked.len().min(CONTROL_BYTES_MAX);
        for (byte, masked) in bytes.iter_mut().zip(masked) {
            *byte = *masked;
        }
        mask.apply(bytes.get_mut(..len).unwrap_or_default());
        ControlPayload {
            bytes,
            len: len as u8,
        }
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The control frame at the beginning of `input`, whose header is `header`, and what is behind it;
/// `None` while it is incomplete.
///
/// # Errors
/// What is wrong with a close frame.
pub(super) fn control_item<'a>(
    header: &Header,
    input: &'a [u8],
) -> Result<Option<(Item, &'a [u8])>, Failure> {
    let len = header.payload_bytes as usize;
    let payload = input.get(header.header_bytes..).unwrap_or_default();
    let Some((masked, behind)) = payload.split_at_checked(len) else {
        return Ok(None);
    };
    let payload = ControlPayload::unmask(masked, header.mask);
    let item = match header.opcode {
        Opcode::Ping => Item::Ping(payload),
        Opcode::Close => {
            let (code, reason) = close::read_payload(payload.as_bytes())?;
            Item::Close {
                code,
                reason: reason.to_owned(),
            }
        }
        _ => Item::Pong,
    };
    Ok(Some((item, behind)))
}

/// Our own engine.
#[derive(Debug)]
pub struct Native {
    decoder: Decoder,
    compression: Option<Compression>,
}

/// Our messages are compressed, as agreed on.
#[derive(Debug)]
struct Compression {
    owner: Owner,
    deflate: Deflate,
}

impl Codec for Native {
    fn new(shared: &WsShared, deflate: Option<Deflate>) -> Native {
        let inflater = deflate
            .as_ref()
            .map(|deflate| Inflater::new(deflate, shared.decompressors.clone()));
        Native {
            decoder: Decoder::new(shared.config().message_bytes_max, inflater),
            compression: deflate.map(|deflate| Compression {
                owner: shared.compressors.borrow_mut().new_owner(),
                deflate,
            }),
        }
    }

    fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Item>), Failure> {
        self.decoder.next(input)
    }

    fn skip_messages(&mut self) {
        self.decoder.skip_messages();
    }

    fn push_message(
        &mut self,
        kind: Opcode,
        payload: Payload,
        shared: &WsShared,
        outbox: &mut Outbox,
    ) -> Result<(), Failure> {
        match &self.compression {
            Some(Compression { owner, deflate }) if payload.len() >= COMPRESSED_BYTES_MIN => {
                let mut compressors = shared.compressors.borrow_mut();
                match compressors.compress(payload.as_bytes(), *owner, deflate) {
                    Some(out) if out.len() <= COPY_MAX_BYTES => {
                        push_copied(kind, true, out, outbox);
                    }
                    Some(out) => {
                        let payload = Payload::Owned(std::mem::take(out));
                        push_whole(kind, true, payload, outbox);
                    }
                    None => push_whole(kind, false, payload, outbox),
                }
            }
            _ => push_whole(kind, false, payload, outbox),
        }
        Ok(())
    }
}

/// Puts a frame into the outbox: a small payload as a copy behind its header, a large one as it
/// is.
fn push_whole(opcode: Opcode, deflated: bool, payload: Payload, outbox: &mut Outbox) {
    let len = payload.len();
    if len <= COPY_MAX_BYTES {
        push_copied(opcode, deflated, payload.as_bytes(), outbox);
    } else {
        outbox.append(|out| write_header(out, opcode, deflated, len));
        outbox.push(payload);
    }
}

/// Puts a copy of a frame into the outbox.
pub(super) fn push_copied(opcode: Opcode, deflated: bool, payload: &[u8], outbox: &mut Outbox) {
    outbox.append(|out| {
        out.reserve(HEADER_BYTES_MAX + payload.len());
        write_header(out, opcode, deflated, payload.len());
        out.extend_from_slice(payload);
    });
}
