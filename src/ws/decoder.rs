//! Takes a client's frames apart, and puts messages together (RFC 6455, section 5).
//!
//! Bytes of a message are taken as they come. A header and a control frame are taken whole: until
//! then their few bytes stay with the actor, so nothing is kept for them here. An idle decoder
//! holds no memory.

use super::close::Failure;
use super::codec::{Item, control_item};
use super::deflate::inflate::Inflater;
use super::frame::{Header, Opcode};
use super::mask::Mask;
use super::message::{self, PartialMessage};

/// Compressed bytes are unmasked in pieces of so many bytes, on the stack.
const UNMASKED_BYTES: usize = 4096;

/// What compression may add to a message, besides a 64th: headers of its blocks.
const DEFLATE_EXCESS_BYTES: usize = 1024;

/// Frames in, what they say out.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    /// The data frame whose payload comes next.
    frame: Option<DataFrame>,
    /// The message whose last frame has not ended.
    message: Option<PartialMessage>,
    /// Bytes of that message's payloads, while it is a compressed one.
    deflated: Option<usize>,
    /// Present when compression was agreed on.
    inflater: Option<Box<Inflater>>,
    /// Messages are skipped: only control frames are of interest.
    skips_messages: bool,
}

#[derive(Debug)]
struct DataFrame {
    fin: bool,
    left: usize,
    mask: Mask,
}

impl Decoder {
    /// For a connection that begins, with so many bytes for a message, and with a
    /// decompressor when compression was agreed on.
    pub fn new(message_bytes_max: usize, inflater: Option<Inflater>) -> Decoder {
        Decoder {
            message_bytes_max,
            frame: None,
            message: None,
            deflated: None,
            inflater: inflater.map(Box::new),
            skips_messages: false,
        }
    }

    /// From now on messages are of no use, not even the one under way.
    pub fn skip_messages(&mut self) {
        self.skips_messages = true;
        self.message = None;
        self.deflated = None;
    }

    /// Takes bytes up to the end of the next item, and says how many. Without an item all that
    /// can be taken was taken; what is left are the first bytes of a header or a control frame,
    /// which are to be shown again with more behind them.
    ///
    /// # Errors
    /// Why the connection must be failed. The decoder is of no further use then.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Item>), Failure> {
        let mut rest = input;
        loop {
            if self.frame.is_none() {
                let Some(header) = Header::read(rest, self.inflater.is_some())? else {
                    return Ok((input.len() - rest.len(), None));
                };
                if header.opcode.is_control() {
                    let Some((item, behind)) = control_item(&header, rest)? else {
                        return Ok((input.len() - rest.len(), None));
                    };
                    return Ok((input.len() - behind.len(), Some(item)));
                }
                let payload = rest.get(header.header_bytes..).unwrap_or_default();
                let left = self.admit(&header)?;
                if let Some((payload, behind)) = payload.split_at_checked(left)
                    && header.fin
                    && header.opcode != Opcode::Continuation
                    && !header.rsv1
                    && !self.skips_messages
                {
                    let item = whole_message(&header, payload)?;
                    return Ok((input.len() - behind.len(), Some(item)));
                }
                self.begin_frame(&header, left);
                rest = payload;
            }
            rest = self.take_payload(rest)?;
            let Some(frame) = &self.frame else { continue };
            if frame.left > 0 {
                return Ok((input.len() - rest.len(), None));
            }
            let fin = frame.fin;
            self.frame = None;
            if fin && let Some(mut message) = self.message.take() {
                self.end_deflated(&mut message)?;
                let item = Item::Message(message.finish()?);
                return Ok((input.len() - rest.len(), Some(item)));
            }
        }
    }

    /// Checks a data frame's place and length, before its payload has come.
    fn admit(&self, header: &Header) -> Result<usize, Failure> {
        let max = self.message_bytes_max;
        if self.skips_messages {
            // Nothing of it is kept, so it may be as long as it likes.
            return Ok(usize::try_from(header.payload_bytes).unwrap_or(usize::MAX));
        }
        let before = match (&self.message, header.opcode) {
            (None, Opcode::Continuation) => {
                return Err(Failure::protocol("unexpected continuation frame"));
            }
            (Some(message), Opcode::Continuation) => self.deflated.unwrap_or(message.len()),
            (Some(_), _) => return Err(Failure::protocol("expected a continuation frame")),
            (None, _) => 0,
        };
        let max = if header.rsv1 || self.deflated.is_some() {
            // What cannot be compressed gets a little longer.
            max.saturating_add(max / 64 + DEFLATE_EXCESS_BYTES)
        } else {
            max
        };
        match usize::try_from(header.payload_bytes) {
            Ok(len) if len <= max.saturating_sub(before) => Ok(len),
            _ => {
                let told = self.message_bytes_max;
                Err(Failure::frame_too_big(header.payload_bytes, before, told))
            }
        }
    }

    fn begin_frame(&mut self, header: &Header, left: usize) {
        if header.opcode != Opcode::Continuation && !self.skips_messages {
            self.message = Some(PartialMessage::new(header.opcode == Opcode::Text));
            self.deflated = header.rsv1.then_some(0);
        }
        self.frame = Some(DataFrame {
            fin: header.fin,
            left,
            mask: header.mask,
        });
    }

    /// Takes what has come of the frame's payload, and gives what is behind it.
    fn take_payload<'a>(&mut self, input: &'a [u8]) -> Result<&'a [u8], Failure> {
        let Some(frame) = &mut self.frame else {
            return Ok(input);
        };
        let (piece, behind) = input.split_at(input.len().min(frame.left));
        match (&mut self.message, &mut self.deflated, &mut self.inflater) {
            (Some(message), Some(deflated), Some(inflater)) => {
                *deflated += piece.len();
                for piece in piece.chunks(UNMASKED_BYTES) {
                    let mut unmasked = [0; UNMASKED_BYTES];
                    let (unmasked, _) = unmasked.split_at_mut(piece.len());
                    unmasked.copy_from_slice(piece);
                    frame.mask.apply(unmasked);
                    message.push_deflated(unmasked, inflater, self.message_bytes_max)?;
                }
            }
            (Some(message), ..) => {
                let total_max = if frame.fin {
                    message.len() + frame.left
                } else {
                    self.message_bytes_max
                };
                message.reserve(piece.len(), total_max);
                message.push_masked(piece, &mut frame.mask)?;
            }
            (None, ..) => {}
        }
        frame.left -= piece.len();
        Ok(behind)
    }

    /// Ends `message`, if it is a compressed one. One without a byte has no block to end.
    fn end_deflated(&mut self, message: &mut PartialMessage) -> Result<(), Failure> {
        match (self.deflated.take(), &mut self.inflater) {
            (Some(1..), Some(inflater)) => message.end_deflated(inflater, self.message_bytes_max),
            _ => Ok(()),
        }
    }
}

/// A message that is one frame, and all there.
fn whole_message(header: &Header, payload: &[u8]) -> Result<Item, Failure> {
    let mut bytes = payload.to_vec();
    let mut mask = header.mask;
    mask.apply(&mut bytes);
    message::whole(header.opcode == Opcode::Text, bytes).map(Item::Message)
}
