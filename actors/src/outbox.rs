//! What a connection still has to write: one queue of bytes and files, written in few calls.
//!
//! Small pieces are copied together, large ones are kept as they were given and go out by
//! vectored writes without a copy, files by the kernel's own copy where the stream allows it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::IoSlice;

/// Pieces up to this length are copied into the piece before them, bytes.
pub const COPY_MAX_BYTES: usize = 16 * 1024;

/// Bytes that belong to somebody else (the application's own object) and are given back when
/// this is dropped.
pub trait LentBytes: Send {
    /// The bytes; the same ones at each call.
    fn as_bytes(&self) -> &[u8];
}

/// A piece of a body on its way to the peer.
pub enum Payload {
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

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
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

    /// Gives the buffer at the end of the queue to `write`, which appends to it.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(
            self.pieces.back(),
            Some(Piece::Bytes { payload: Payload::Owned(bytes), .. }) if bytes.len() < COPY_MAX_BYTES
        ) {
            self.pieces.push_back(Piece::Bytes {
                payload: Payload::Owned(Vec::with_capacity(512)),
                written: 0,
            });
        }
        if let Some(Piece::Bytes {
            payload: Payload::Owned(bytes),
            ..
        }) = self.pieces.back_mut()
        {
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
