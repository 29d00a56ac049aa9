//! The layout of a frame (RFC 6455, section 5.2): reads the headers of a client's frames, writes
//! those of ours. It knows what one header may say, and nothing of the frames before it.

use super::close::Failure;
use super::limits::CONTROL_BYTES_MAX;
use super::mask::Mask;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_RSV3: u8 = 0x30;
const MASKED: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// A header of ours is no longer, bytes.
pub const HEADER_BYTES_MAX: usize = 10;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message before.
    Continuation,
    /// Begins a text message.
    Text,
    /// Begins a binary message.
    Binary,
    /// Closes the connection.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0,
            Opcode::Text => 1,
            Opcode::Binary => 2,
            Opcode::Close => 8,
            Opcode::Ping => 9,
            Opcode::Pong => 10,
        }
    }

    /// True for close, ping and pong.
    pub const fn is_control(self) -> bool {
        self.bits() & 8 != 0
    }
}

/// The header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Nothing of the message comes after this frame.
    pub fin: bool,
    /// The message is compressed (RFC 7692).
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// Bytes of the payload.
    pub payload_bytes: u64,
    /// Of the payload.
    pub mask: Mask,
    /// Bytes of this header.
    pub header_bytes: usize,
}

impl Header {
    /// Reads the header at the beginning of `input`; `None` while it is incomplete. `deflate`
    /// tells that compression was agreed on. What the first bytes alone forbid is refused
    /// without waiting for the rest.
    ///
    /// # Errors
    /// 1002 for all that section 5.2 forbids a client.
    pub fn read(input: &[u8], deflate: bool) -> Result<Option<Header>, Failure> {
        let Some(&first) = input.first() else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0f);
        let rsv1_allowed = deflate && matches!(opcode, Some(Opcode::Text | Opcode::Binary));
        if first & RSV2_RSV3 != 0 || (first & RSV1 != 0 && !rsv1_allowed) {
            return Err(Failure::protocol("reserved bits must be 0"));
        }
        let Some(opcode) = opcode else {
            return Err(Failure::protocol("invalid opcode"));
        };
        let fin = first & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(Failure::protocol("fragmented control frame"));
        }
        let Some(&second) = input.get(1) else {
            return Ok(None);
        };
        if second & MASKED == 0 {
            return Err(Failure::protocol("incorrect masking"));
        }
        let short = second & !MASKED;
        if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
            return Err(Failure::protocol("control frame too long"));
        }
        let Some((payload_bytes, rest)) = read_length(short, input.get(2..).unwrap_or_default())?
        else {
            return Ok(None);
        };
        let Some((key, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        Ok(Some(Header {
            fin,
            rsv1: first & RSV1 != 0,
            opcode,
            payload_bytes,
            mask: Mask::new(*key),
            header_bytes: input.len() - rest.len(),
        }))
    }
}

/// Reads what follows the second byte of a length. A length need not be in its shortest form: the
/// RFC demands that of senders, and no receiver could misread it.
fn read_length(short: u8, input: &[u8]) -> Result<Option<(u64, &[u8])>, Failure> {
    Ok(match short {
        LENGTH_16 => input
            .split_first_chunk::<2>()
            .map(|(bytes, rest)| (u64::from(u16::from_be_bytes(*bytes)), rest)),
        LENGTH_64 => match input.split_first_chunk::<8>() {
            Some((bytes, _)) if bytes[0] & 0x80 != 0 => {
                return Err(Failure::protocol("invalid frame length"));
            }
            Some((bytes, rest)) => Some((u64::from_be_bytes(*bytes), rest)),
            None => None,
        },
        short => Some((u64::from(short), input)),
    })
}

/// Appends the header of a whole, unmasked frame of ours.
pub fn write_header(out: &mut Vec<u8>, opcode: Opcode, rsv1: bool, payload_bytes: usize) {
    out.push(FIN | if rsv1 { RSV1 } else { 0 } | opcode.bits());
    if let Ok(len) = u8::try_from(payload_bytes)
        && len < LENGTH_16
    {
        out.push(len);
    } else if let Ok(len) = u16::try_from(payload_bytes) {
        out.push(LENGTH_16);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(LENGTH_64);
        out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
    }
}
