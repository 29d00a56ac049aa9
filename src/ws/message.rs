//! A message on its way in: one growing buffer, and for text how much of it is known to be UTF-8.
//!
//! Text is checked as it comes, also in the middle of a frame, so the first wrong byte is noticed
//! when it is there. No byte is looked at twice, but for the up to three of a character that is
//! not complete yet.

use super::close::Failure;
use super::deflate::inflate::Inflater;
use super::mask::Mask;

/// A whole message.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// Of a text message.
    Text(String),
    /// Of a binary message.
    Binary(Vec<u8>),
}

/// A message of which more is to come.
#[derive(Debug)]
pub struct PartialMessage {
    bytes: Vec<u8>,
    /// Text: so many bytes at the beginning are UTF-8 that ends with a whole character. Binary:
    /// none.
    checked: Option<usize>,
}

/// Makes a message of bytes that came all at once.
///
/// # Errors
/// 1007 for text that is not UTF-8.
pub fn whole(is_text: bool, bytes: Vec<u8>) -> Result<Message, Failure> {
    if is_text {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Err(Failure::invalid_text()),
        }
    } else {
        Ok(Message::Binary(bytes))
    }
}

impl PartialMessage {
    /// An empty one.
    pub fn new(is_text: bool) -> PartialMessage {
        PartialMessage {
            bytes: Vec::new(),
            checked: is_text.then_some(0),
        }
    }

    /// Bytes that have come.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True when none have come.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for `more` bytes. The buffer grows geometrically with what has come, whatever
    /// was announced, but not beyond `total_max` bytes.
    pub fn reserve(&mut self, more: usize, total_max: usize) {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        if capacity - len < more {
            let wanted = capacity.saturating_mul(2).min(total_max);
            self.bytes.reserve_exact(wanted.max(len + more) - len);
        }
    }

    /// Appends masked bytes of a frame.
    ///
    /// # Errors
    /// 1007 at the first byte that no UTF-8 text can have there.
    pub fn push_masked(&mut self, piece: &[u8], mask: &mut Mask) -> Result<(), Failure> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(piece);
        mask.apply(self.bytes.get_mut(start..).unwrap_or_default());
        self.check()
    }

    /// Appends what a piece of a compressed message stands for.
    ///
    /// # Errors
    /// As [`push_masked`](Self::push_masked), and what the decompressor says.
    pub fn push_deflated(
        &mut self,
        piece: &[u8],
        inflater: &mut Inflater,
        bytes_max: usize,
    ) -> Result<(), Failure> {
        // What came before wrong data may be wrong text already; that is noticed first, however
        // the message is cut.
        let inflated = inflater.inflate(piece, &mut self.bytes, bytes_max);
        self.check()?;
        inflated
    }

    /// A compressed message is complete.
    ///
    /// # Errors
    /// As [`push_deflated`](Self::push_deflated).
    pub fn end_deflated(
        &mut self,
        inflater: &mut Inflater,
        bytes_max: usize,
    ) -> Result<(), Failure> {
        let finished = inflater.finish(&mut self.bytes, bytes_max);
        self.check()?;
        finished
    }

    fn check(&mut self) -> Result<(), Failure> {
        let Some(checked) = &mut self.checked else {
            return Ok(());
        };
        match std::str::from_utf8(self.bytes.get(*checked..).unwrap_or_default()) {
            Ok(text) => *checked += text.len(),
            Err(error) if error.error_len().is_none() => *checked += error.valid_up_to(),
            Err(_) => return Err(Failure::invalid_text()),
        }
        Ok(())
    }

    /// The message is complete.
    ///
    /// # Errors
    /// 1007 for text that ends within a character.
    pub fn finish(self) -> Result<Message, Failure> {
        match self.checked {
            None => Ok(Message::Binary(self.bytes)),
            Some(checked) if checked == self.bytes.len() => {
                // SAFETY: `check` has seen every byte up to `checked`, in order, and found whole
                // characters of UTF-8. Those bytes are only appended to afterwards.
                Ok(Message::Text(unsafe {
                    String::from_utf8_unchecked(self.bytes)
                }))
            }
            Some(_) => Err(Failure::invalid_text()),
        }
    }
}
