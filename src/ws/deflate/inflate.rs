//! Decompresses a client's messages, piece by piece, and no further than a message may grow.
//!
//! A decompressor is needed only while a message is under way. Between two messages a connection
//! keeps what the next one may refer to, and nothing else: the end of what was said.

use std::cell::RefCell;
use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status};

use super::{Deflate, TAIL};
use crate::ws::close::Failure;

/// Output grows by no less and no more at a time, bytes, but for doubling.
const GROWTH_BYTES: std::ops::RangeInclusive<usize> = 512..=64 * 1024;

/// Unused decompressors that a thread keeps.
const DECOMPRESSORS_KEPT: usize = 4;

/// Unused decompressors of one thread.
#[derive(Debug, Default)]
pub struct Decompressors(RefCell<Vec<Decompress>>);

impl Decompressors {
    fn take(&self) -> Decompress {
        self.0
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Decompress::new(false))
    }

    fn give_back(&self, mut decompress: Decompress) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < DECOMPRESSORS_KEPT {
            decompress.reset(false);
            kept.push(decompress);
        }
    }
}

/// Decompresses the messages of one connection.
#[derive(Debug)]
pub struct Inflater {
    decompressors: Rc<Decompressors>,
    /// Bytes that a message may refer back.
    window_bytes: usize,
    /// So many of the last bytes of the messages before. Empty without context takeover.
    context: Vec<u8>,
    takeover: bool,
    /// Present while a message is under way.
    inner: Option<Decompress>,
}

impl Inflater {
    /// For messages as agreed on.
    pub fn new(deflate: &Deflate, decompressors: Rc<Decompressors>) -> Inflater {
        Inflater {
            decompressors,
            window_bytes: 1 << deflate.client_window_bits.unwrap_or(15).min(15),
            context: Vec::new(),
            takeover: !deflate.client_no_context_takeover,
            inner: None,
        }
    }

    /// The decompressor of the message under way.
    fn begin(&mut self) -> Result<&mut Decompress, Failure> {
        if self.inner.is_none() {
            let mut inner = self.decompressors.take();
            if !self.context.is_empty() {
                inner
                    .set_dictionary(&self.context)
                    .map_err(|_| Failure::invalid_deflate())?;
            }
            self.inner = Some(inner);
        }
        self.inner.as_mut().ok_or(Failure::invalid_deflate())
    }

    /// Decompresses the next piece of a message to the end of `out`.
    ///
    /// # Errors
    /// 1009 as soon as `out` is longer than `out_bytes_max`, 1007 for what is no deflate data.
    pub fn inflate(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        out_bytes_max: usize,
    ) -> Result<(), Failure> {
        let mut rest = input;
        loop {
            let inner = self.begin()?;
            if out.len() == out.capacity() {
                // One byte more than allowed is enough to see that there are too many.
                let growth = out.len().clamp(*GROWTH_BYTES.start(), *GROWTH_BYTES.end());
                let room = out_bytes_max.saturating_sub(out.len()).saturating_add(1);
                out.reserve_exact(growth.max(out.len()).min(room));
            }
            let (taken, written) = (inner.total_in(), out.len());
            let status = inner
                .decompress_vec(rest, out, FlushDecompress::Sync)
                .map_err(|_| Failure::invalid_deflate())?;
            let taken = (inner.total_in() - taken) as usize;
            rest = rest.get(taken..).unwrap_or_default();
            if out.len() > out_bytes_max {
                return Err(Failure::inflated_too_big(out_bytes_max));
            }
            if status == Status::StreamEnd {
                // A last block, in zlib's sense: the next one begins anew (section 7.2.3.4).
                inner.reset(false);
                if rest.is_empty() {
                    return Ok(());
                }
            } else if rest.is_empty() && out.len() < out.capacity() {
                return Ok(());
            } else if taken == 0 && written == out.len() {
                return Err(Failure::invalid_deflate());
            }
        }
    }

    /// The message is complete: `out` has all of it.
    ///
    /// # Errors
    /// As [`inflate`](Self::inflate).
    pub fn finish(&mut self, out: &mut Vec<u8>, out_bytes_max: usize) -> Result<(), Failure> {
        self.inflate(&TAIL, out, out_bytes_max)?;
        if let Some(inner) = self.inner.take() {
            self.decompressors.give_back(inner);
        }
        if self.takeover {
            self.remember(out);
        }
        Ok(())
    }

    /// Keeps the end of what was said.
    fn remember(&mut self, message: &[u8]) {
        let end = message.len().saturating_sub(self.window_bytes);
        let last = message.get(end..).unwrap_or_default();
        let excess = (self.context.len() + last.len()).saturating_sub(self.window_bytes);
        self.context.drain(..excess.min(self.context.len()));
        if self.context.capacity() - self.context.len() < last.len() {
            let doubled = (2 * self.context.len()).min(self.window_bytes);
            let wanted = doubled.max(self.context.len() + last.len());
            self.context.reserve_exact(wanted - self.context.len());
        }
        self.context.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::Inflater;
    use crate::ws::close::Failure;
    use crate::ws::deflate::Deflate;

    fn inflater(client_no_context_takeover: bool) -> Inflater {
        let deflate = Deflate {
            server_window_bits: 12,
            client_window_bits: None,
            server_no_context_takeover: false,
            client_no_context_takeover,
        };
        Inflater::new(&deflate, Rc::default())
    }

    fn message(inflater: &mut Inflater, wire: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::new();
        inflater.inflate(wire, &mut out, 1000)?;
        inflater.finish(&mut out, 1000)?;
        Ok(out)
    }

    /// RFC 7692, section 7.2.3.
    #[test]
    fn the_examples_of_the_rfc() {
        let hello = Ok(b"Hello".to_vec());
        let plain = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        let mut one = inflater(false);
        assert_eq!(message(&mut one, plain), hello);
        assert_eq!(message(&mut one, b"\xf2\x00\x11\x00\x00"), hello);
        let stored = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
        assert_eq!(message(&mut one, stored), hello);
        let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
        assert_eq!(message(&mut one, last), hello);
        assert_eq!(message(&mut one, plain), hello);
        let two_blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
        assert_eq!(message(&mut one, two_blocks), hello);
        assert_eq!(message(&mut one, b"\x00"), Ok(Vec::new()));
    }

    #[test]
    fn without_takeover_nothing_is_remembered() {
        let mut one = inflater(true);
        assert!(message(&mut one, b"\xf2\x48\xcd\xc9\xc9\x07\x00").is_ok());
        assert!(one.inner.is_none() && one.context.is_empty());
        assert_eq!(
            message(&mut one, b"\xf2\x00\x11\x00\x00"),
            Err(Failure::invalid_deflate())
        );
    }

    #[test]
    fn every_byte_alone() {
        let mut out = Vec::new();
        let mut one = inflater(false);
        for byte in b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00" {
            assert_eq!(one.inflate(&[*byte], &mut out, 5), Ok(()));
        }
        assert_eq!(one.finish(&mut out, 5), Ok(()));
        assert_eq!(out, b"Hello");
    }

    #[test]
    fn no_more_is_remembered_than_the_window() {
        let mut one = Inflater {
            window_bytes: 10,
            ..inflater(false)
        };
        for (message, context) in [
            (&b"abc"[..], &b"abc"[..]),
            (b"defg", b"abcdefg"),
            (b"hijkl", b"cdefghijkl"),
            (b"", b"cdefghijkl"),
            (b"0123456789x", b"123456789x"),
        ] {
            one.remember(message);
            assert_eq!(one.context, context);
            assert!(one.context.capacity() <= 10);
        }
    }

    #[test]
    fn what_is_too_long_is_not_inflated() {
        let mut out = Vec::new();
        let mut one = inflater(false);
        let failure = one.inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", &mut out, 4);
        assert_eq!(failure, Err(Failure::inflated_too_big(4)));
        assert!(out.capacity() < 16);
    }

    #[test]
    fn what_is_no_deflate_data() {
        for wire in [&b"\x07"[..], b"\xff\xff", b"\x00\x05\x00\x00\x00Hello"] {
            assert_eq!(
                message(&mut inflater(false), wire),
                Err(Failure::invalid_deflate()),
                "{wire:?}"
            );
        }
    }
}
