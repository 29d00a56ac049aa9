//! Messages that the application was sent and has not taken.

use std::collections::VecDeque;

use crate::ws::limits::UNREAD_BYTES_MAX;

/// A queue longer than this is given back when it is empty, so that an idle connection holds
/// little memory.
const LENGTHS_KEPT: usize = 64;

/// Counts messages, and their bytes.
#[derive(Debug)]
pub(super) struct Unread {
    messages_max: usize,
    lengths: VecDeque<usize>,
    bytes: usize,
}

impl Unread {
    /// None, and at most `messages_max`.
    pub(super) fn new(messages_max: usize) -> Unread {
        Unread {
            messages_max: messages_max.max(1),
            lengths: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The application was sent a message of `bytes` bytes.
    pub(super) fn push(&mut self, bytes: usize) {
        self.lengths.push_back(bytes);
        self.bytes += bytes;
    }

    /// The application took `messages` messages.
    pub(super) fn take(&mut self, messages: usize) {
        for bytes in self.lengths.drain(..messages.min(self.lengths.len())) {
            self.bytes -= bytes;
        }
        if self.lengths.is_empty() && self.lengths.capacity() > LENGTHS_KEPT {
            self.lengths = VecDeque::new();
        }
    }

    /// True while no more should be read.
    pub(super) fn is_full(&self) -> bool {
        self.lengths.len() >= self.messages_max || self.bytes > UNREAD_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{UNREAD_BYTES_MAX, Unread};

    #[test]
    fn messages_and_bytes_fill_it() {
        let mut unread = Unread::new(2);
        unread.push(UNREAD_BYTES_MAX);
        assert!(!unread.is_full());
        unread.push(0);
        assert!(unread.is_full());
        unread.take(1);
        assert!(!unread.is_full());
        unread.take(9);
        unread.push(UNREAD_BYTES_MAX + 1);
        assert!(unread.is_full());
        unread.take(1);
        assert!(!unread.is_full());
    }

    #[test]
    fn no_queue_at_all_is_a_queue_of_one() {
        let mut unread = Unread::new(0);
        assert!(!unread.is_full());
        unread.push(1);
        assert!(unread.is_full());
    }
}
