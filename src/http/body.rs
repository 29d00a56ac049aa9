//! Framing of a request's body: takes the bytes behind a head apart into body and frame.
//!
//! A decoder takes input in pieces of any size and gives the decoded bytes on as they come; it
//! holds nothing back and keeps nothing.

mod chunked;

use super::head::Framing;
use super::refusal::Refusal;
pub use chunked::ChunkedDecoder;

/// Finds the end of a request's body.
#[derive(Debug)]
pub enum BodyDecoder {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks are.
    Chunked(ChunkedDecoder),
}

impl BodyDecoder {
    /// A decoder for a body framed as `framing`, of at most `bytes_max` decoded bytes.
    pub fn new(framing: Framing, bytes_max: Option<u64>) -> BodyDecoder {
        match framing {
            Framing::Length(length) => BodyDecoder::Length(length),
            Framing::Chunked => BodyDecoder::Chunked(ChunkedDecoder::new(bytes_max)),
        }
    }

    /// Takes bytes from `input` up to the body's end, gives the decoded ones to `sink`, and says
    /// how many it took: all, or those up to the end.
    ///
    /// # Errors
    /// Broken framing, or a body that is too long. The decoder is of no use then.
    pub fn decode(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize, Refusal> {
        match self {
            BodyDecoder::Length(left) => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                let data = input.get(..len).unwrap_or_default();
                *left -= data.len() as u64;
                if !data.is_empty() {
                    sink(data);
                }
                Ok(data.len())
            }
            BodyDecoder::Chunked(decoder) => decoder.decode(input, sink),
        }
    }

    /// True when the body's end has been seen.
    pub fn is_complete(&self) -> bool {
        match self {
            BodyDecoder::Length(left) => *left == 0,
            BodyDecoder::Chunked(decoder) => decoder.is_complete(),
        }
    }

    /// How many bytes are still to come at least, as far as that is known.
    pub fn left_min(&self) -> u64 {
        match self {
            BodyDecoder::Length(left) => *left,
            BodyDecoder::Chunked(decoder) => decoder.left_min(),
        }
    }
}
