//! What a connection still has to write: one queue of bytes and files, written in few calls.
//!
//! Small pieces are copied together, large ones are kept as they were given and go out by
//! vectored writes without a copy, files by the kernel's own copy where the stream allows it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::IoSlice;
use std::thread::LocalKey;

use crate::pool::{Pooled, ROOM_MAX_BYTES, Reuse, Spare};

/// Pieces up to this length are copied into the piece before them, bytes.
pub const COPY_MAX_BYTES: usize = 4 * 1024;

/// What a piece counts for at least while it is unsent, bytes: about what its place in a queue takes.
const PIECE_WEIGHT_MIN: u64 = 64;

/// What a piece of so many bytes counts for while it is unsent. Whoever gives credit and whoever
/// takes it reckon by this, so that pieces of next to nothing do not fill the memory.
pub const fn unsent_weight(len_bytes: u64) -> u64 {
    if len_bytes < PIECE_WEIGHT_MIN {
        PIECE_WEIGHT_MIN
    } else {
        len_bytes
    }
}

/// Room for an ordinary response, bytes: so much a buffer for copies has at least.
const COPIED_ROOM_BYTES: usize = 512;

/// Bytes that belong to somebody else (the application's own object) and are given back when
/// this is dropped.
pub trait LentBytes: Send {
    /// The bytes; the same ones at each call.
    fn as_bytes(&self) -> &[u8];
}

thread_local! {
    static SPARE: Spare<Copied> = const { Cell::new(Vec::new()) };
}

/// Bytes that were copied together, in a buffer that is used again.
#[derive(Default)]
pub struct Copied(Vec<u8>);

impl Copied {
    /// An empty buffer. All have the same room at least: who takes one next wants no other.
    fn take() -> Pooled<Copied> {
        let mut copied = Pooled::<Copied>::take();
        copied.0.reserve(COPIED_ROOM_BYTES);
        copied
    }
}

impl Reuse for Copied {
    fn spare() -> &'static LocalKey<Spare<Self>> {
        &SPARE
    }

    fn reset(&mut self) -> bool {
        self.0.clear();
        self.0.capacity() <= ROOM_MAX_BYTES
    }
}

/// A piece of a body on its way to the peer.
pub enum Payload {
    /// A copy of a few bytes.
    Copied(Pooled<Copied>),
    /// Bytes of our own.
    Owned(Vec<u8>),
    /// Bytes of the application's, borrowed until they are written.
    Lent(Box<dyn LentBytes>),
}

impl Payload {
    /// No bytes.
    pub const fn empty() -> Payload {
        Payload::Owned(Vec::new())
    }

    /// A copy of `bytes`: in a spare buffer, or else in one without room for more. Of a body in
    /// many small pieces many wait at once, and the room of all would be most of their memory.
    pub fn copy_of(bytes: &[u8]) -> Payload {
        match Pooled::<Copied>::spare() {
            Some(mut copied) => {
                copied.0.extend_from_slice(bytes);
                Payload::Copied(copied)
            }
            None => Payload::Owned(bytes.to_vec()),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Payload::Copied(copied) => &copied.0,
            Payload::Owned(bytes) => bytes,
            Payload::Lent(lent) => lent.as_bytes(),
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// True when there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

enum Piece {
    Bytes { payload: Payload, written: usize },
    File { file: File, offset: u64, left: u64 },
}

/// What can be written next.
pub enum Next<'a> {
    /// Nothing waits.
    Empty,
    /// So many slices were filled in.
    Slices(usize),
    /// A range of a file is in front.
    File {
        /// The open file.
        file: &'a File,
        /// Where in the file the next byte is.
        offset: u64,
        /// How many bytes are left of the range.
        left: u64,
    },
}

/// The queue of bytes and files that a connection has to write.
#[derive(Default)]
pub struct Outbox {
    pieces: VecDeque<Piece>,
    /// Sum over all pieces, bytes; those of files included.
    len_bytes: u64,
}

impl Outbox {
    /// An empty queue.
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// Bytes not yet written, those of files included.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len_bytes == 0
    }

    /// In how many slices and ranges of files the bytes are.
    pub fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    /// Gives the buffer at the end of the queue to `write`, which appends to it.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(
            self.pieces.back(),
            Some(Piece::Bytes { payload: Payload::Copied(copied), .. })
                if copied.0.len() < COPY_MAX_BYTES
        ) {
            self.pieces.push_back(Piece::Bytes {
                payload: Payload::Copied(Copied::take()),
                written: 0,
            });
        }
        if let Some(Piece::Bytes {
            payload: Payload::Copied(copied),
            ..
        }) = self.pieces.back_mut()
        {
            let bytes = &mut copied.0;
            let before = bytes.len();
            write(bytes);
            self.len_bytes += bytes.len().saturating_sub(before) as u64;
            if bytes.is_empty() {
                self.pieces.pop_back();
            }
        }
    }

    /// Appends a copy of `bytes`.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.append(|buffer| buffer.extend_from_slice(bytes));
    }

    /// Appends `payload`: a small one as a copy, a large one as it is.
    pub fn push(&mut self, payload: Payload) {
        let len = payload.len();
        if len == 0 {
            return;
        }
        if len <= COPY_MAX_BYTES {
            self.push_bytes(payload.as_bytes());
        } else {
            self.len_bytes += len as u64;
            self.pieces.push_back(Piece::Bytes {
                payload,
                written: 0,
            });
        }
    }

    /// Appends `len_bytes` bytes of `file` from `offset` on.
    pub fn push_file(&mut self, file: File, offset: u64, len_bytes: u64) {
        if len_bytes > 0 {
            self.len_bytes += len_bytes;
            self.pieces.push_back(Piece::File {
                file,
                offset,
                left: len_bytes,
            });
        }
    }

    /// Shows what is in front: as many byte slices as fit into `slices`, or a range of a file.
    pub fn next<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> Next<'a> {
        if let Some(Piece::File { file, offset, left }) = self.pieces.front() {
            return Next::File {
                file,
                offset: *offset,
                left: *left,
            };
        }
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(&self.pieces) {
            let Piece::Bytes { payload, written } = piece else {
                break;
            };
            *slot = IoSlice::new(payload.as_bytes().get(*written..).unwrap_or_default());
            count += 1;
        }
        if count == 0 {
            Next::Empty
        } else {
            Next::Slices(count)
        }
    }

    /// Takes note that the peer's kernel has `bytes` more of what [`next`](Self::next) showed.
    pub fn advance(&mut self, bytes: u64) {
        let mut rest = bytes;
        self.len_bytes = self.len_bytes.saturating_sub(bytes);
        while let Some(piece) = self.pieces.front_mut() {
            let left = match piece {
                Piece::Bytes { payload, written } => (payload.len() - *written) as u64,
                Piece::File { left, .. } => *left,
            };
            if rest < left {
                match piece {
                    Piece::Bytes { written, .. } => *written += rest as usize,
                    Piece::File { offset, left, .. } => {
                        *offset += rest;
                        *left -= rest;
                    }
                }
                return;
            }
            rest -= left;
            self.pieces.pop_front();
        }
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.len_bytes = 0;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pool::SPARE_MAX;

    struct Loan(Vec<u8>);

    impl LentBytes for Loan {
        fn as_bytes(&self) -> &[u8] {
            &self.0
        }
    }

    /// Takes up to `count` bytes out, as the system would.
    fn write(outbox: &mut Outbox, count: usize) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 4];
        let mut bytes = match outbox.next(&mut slices) {
            Next::Empty => Vec::new(),
            Next::Slices(filled) => slices[..filled]
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect(),
            Next::File { .. } => panic!("no file was pushed"),
        };
        bytes.truncate(count);
        outbox.advance(bytes.len() as u64);
        bytes
    }

    #[test]
    fn small_pieces_are_one_slice_and_large_ones_are_not_copied() {
        let mut outbox = Outbox::new();
        outbox.push_bytes(b"head ");
        outbox.push(Payload::Owned(b"body ".to_vec()));
        let large = vec![b'x'; COPY_MAX_BYTES + 1];
        let at = large.as_ptr();
        outbox.push(Payload::Owned(large));
        outbox.push_bytes(b"tail");
        let mut slices = [IoSlice::new(&[]); 8];
        assert!(matches!(outbox.next(&mut slices), Next::Slices(3)));
        assert_eq!(&*slices[0], b"head body ");
        assert_eq!(slices[1].as_ptr(), at);
        assert_eq!(&*slices[2], b"tail");
    }

    #[test]
    fn a_file_waits_for_the_bytes_before_it() {
        let mut outbox = Outbox::new();
        outbox.push_bytes(b"head");
        outbox.push_file(File::open("Cargo.toml").unwrap(), 3, 10);
        outbox.push_bytes(b"tail");
        assert_eq!(outbox.len_bytes(), 18);
        let mut slices = [IoSlice::new(&[]); 8];
        assert!(matches!(outbox.next(&mut slices), Next::Slices(1)));
        outbox.advance(4);
        outbox.advance(7);
        let mut slices = [IoSlice::new(&[]); 8];
        let next = outbox.next(&mut slices);
        let Next::File { offset, left, .. } = next else {
            panic!("the file is in front");
        };
        assert_eq!((offset, left), (10, 3));
        outbox.advance(3);
        assert_eq!(write(&mut outbox, 9), b"tail");
        assert!(outbox.is_empty());
    }

    #[test]
    fn many_small_copies_take_little_room() {
        // The thread gets its share of spare buffers.
        drop((0..SPARE_MAX).map(|_| Copied::take()).collect::<Vec<_>>());
        let copies: Vec<_> = (0..SPARE_MAX + 1000)
            .map(|_| Payload::copy_of(b"a"))
            .collect();
        let room = |copy: &Payload| match copy {
            Payload::Copied(copied) => copied.0.capacity(),
            Payload::Owned(bytes) => bytes.capacity(),
            Payload::Lent(_) => 0,
        };
        let room_bytes: usize = copies.iter().map(room).sum();
        assert!(copies.iter().all(|copy| copy.as_bytes() == b"a"));
        assert!(
            room_bytes < SPARE_MAX * 2 * COPIED_ROOM_BYTES,
            "{room_bytes}"
        );
    }

    #[test]
    fn nothing_appended_is_nothing() {
        let mut outbox = Outbox::new();
        outbox.append(|_| {});
        outbox.push(Payload::empty());
        outbox.push_bytes(b"");
        assert!(outbox.is_empty());
        assert!(matches!(outbox.next(&mut []), Next::Empty));
        assert!(outbox.pieces.is_empty());
    }

    proptest! {
        /// Whatever is pushed comes out, in order and once, however it is cut.
        #[test]
        fn bytes_come_out_as_they_went_in(
            steps in prop::collection::vec(
                (0usize..3, 0usize..3 * COPY_MAX_BYTES, 0usize..4 * COPY_MAX_BYTES),
                1..40,
            )
        ) {
            let mut outbox = Outbox::new();
            let (mut expected, mut got) = (Vec::new(), Vec::new());
            for (number, (kind, len, cut)) in steps.into_iter().enumerate() {
                let bytes: Vec<u8> = (0..len).map(|at| (at + number) as u8).collect();
                expected.extend_from_slice(&bytes);
                match kind {
                    0 => outbox.push_bytes(&bytes),
                    1 => outbox.push(Payload::Owned(bytes)),
                    _ => outbox.push(Payload::Lent(Box::new(Loan(bytes)))),
                }
                got.extend(write(&mut outbox, cut));
                prop_assert_eq!(outbox.len_bytes() as usize, expected.len() - got.len());
            }
            while !outbox.is_empty() {
                let bytes = write(&mut outbox, usize::MAX);
                prop_assert!(!bytes.is_empty());
                got.extend(bytes);
            }
            prop_assert!(got == expected);
            prop_assert!(outbox.pieces.is_empty());
        }
    }
}
