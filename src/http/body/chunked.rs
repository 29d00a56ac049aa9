//! The chunked transfer coding (RFC 9112, section 7.1), received.
//!
//! ```text
//!   Size --;--> Extension --.
//!    |  CR                  | CR
//!    '----> SizeLf <--------'
//!             |LF   size > 0: Data --> DataCr --> DataLf --> Size
//!             '---- size = 0: TrailerStart --name:--> TrailerValue --CR--> TrailerLf
//!                              ^  | CR                                       |
//!                              |  '---> EndLf --> Complete                   |
//!                              '---------------------------------------------'
//! ```
//!
//! Lines end in CRLF and in nothing else. Extensions and trailers are read, counted and dropped.

use crate::http::field::{TOKEN_LOWER, is_field_value};
use crate::http::limits::{
    CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, TRAILER_BYTES_MAX, TRAILER_COUNT_MAX,
};
use crate::http::refusal::Refusal;

/// Takes a chunked body apart.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// Decoded bytes that may still come before the body is too long.
    allowed: u64,
    /// Of all extensions so far.
    extension_bytes: usize,
    /// Of all trailers so far.
    trailer_bytes: usize,
    trailer_count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a chunk's size.
    Size {
        digits: u8,
        size: u64,
    },
    /// In blanks behind the size; only an extension may follow.
    SizeBlank {
        size: u64,
    },
    /// In extensions, up to the line's CR.
    Extension {
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the beginning of a trailer line, or of the empty line that ends all.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Complete,
}

impl ChunkedDecoder {
    /// A decoder for a body of at most `bytes_max` decoded bytes.
    pub fn new(bytes_max: Option<u64>) -> ChunkedDecoder {
        ChunkedDecoder {
            state: State::Size { digits: 0, size: 0 },
            allowed: bytes_max.unwrap_or(u64::MAX),
            extension_bytes: 0,
            trailer_bytes: 0,
            trailer_count: 0,
        }
    }

    /// True when the empty line behind the last chunk has been seen.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// How many bytes are left of the current chunk.
    pub(super) fn left_min(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    /// As [`BodyDecoder::decode`](super::BodyDecoder::decode).
    pub fn decode(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, Refusal> {
        let mut rest = input;
        while self.state != State::Complete {
            if let State::Data { left } = self.state {
                let len = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                let Some((data, behind)) = rest.split_at_checked(len) else {
                    break;
                };
                if data.is_empty() {
                    break;
                }
                sink(data);
                rest = behind;
                self.state = match left - data.len() as u64 {
                    0 => State::DataCr,
                    left => State::Data { left },
                };
            } else {
                let Some((byte, behind)) = rest.split_first() else {
                    break;
                };
                self.state = self.step(*byte)?;
                rest = behind;
            }
        }
        Ok(input.len() - rest.len())
    }

    /// Takes one byte of the framing.
    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        Ok(match (self.state, byte) {
            (State::Size { digits, size }, _) => return self.in_size(digits, size, byte),
            (State::SizeBlank { size }, b' ' | b'\t' | b';') => {
                self.count_extension_byte()?;
                if byte == b';' {
                    State::Extension { size }
                } else {
                    State::SizeBlank { size }
                }
            }
            (State::Extension { size }, b'\r') => State::SizeLf { size },
            (State::Extension { size }, _) if is_field_value(&[byte]) => {
                self.count_extension_byte()?;
                State::Extension { size }
            }
            (State::SizeLf { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { size }, b'\n') => {
                self.allowed = self
                    .allowed
                    .checked_sub(size)
                    .ok_or(Refusal::BodyTooLarge)?;
                State::Data { left: size }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { digits: 0, size: 0 },
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::Complete,
            _ => return self.in_trailer(byte),
        })
    }

    fn in_size(&mut self, digits: u8, size: u64, byte: u8) -> Result<State, Refusal> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if digits == CHUNK_SIZE_DIGITS_MAX {
                return Err(Refusal::Malformed);
            }
            return Ok(State::Size {
                digits: digits + 1,
                size: size << 4 | u64::from(digit),
            });
        }
        match byte {
            _ if digits == 0 => Err(Refusal::Malformed),
            b'\r' => Ok(State::SizeLf { size }),
            b' ' | b'\t' => {
                self.count_extension_byte()?;
                Ok(State::SizeBlank { size })
            }
            b';' => {
                self.count_extension_byte()?;
                Ok(State::Extension { size })
            }
            _ => Err(Refusal::Malformed),
        }
    }

    fn in_trailer(&mut self, byte: u8) -> Result<State, Refusal> {
        let is_token = TOKEN_LOWER[usize::from(byte)] != 0;
        let next = match (self.state, byte) {
            (State::TrailerStart, _) if is_token => {
                self.trailer_count += 1;
                State::TrailerName
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerName, _) if is_token => State::TrailerName,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, _) if is_field_value(&[byte]) => State::TrailerValue,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            _ => return Err(Refusal::Malformed),
        };
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX || self.trailer_count > TRAILER_COUNT_MAX {
            return Err(Refusal::HeadTooLarge);
        }
        Ok(next)
    }

    fn count_extension_byte(&mut self) -> Result<(), Refusal> {
        self.extension_bytes += 1;
        if self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX {
            return Err(Refusal::Malformed);
        }
        Ok(())
    }
}
