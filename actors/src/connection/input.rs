//! What a connection has read and its machine has not taken yet. Nearly always nothing: then no
//! memory is held.

/// Bytes that wait for the machine.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    /// Where in `bytes` the first one is that was not taken.
    start: usize,
    /// True when the machine has seen them all and needs more before it can go on.
    shown: bool,
}

impl Input {
    /// The bytes that wait.
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// True when bytes wait that the machine may be able to take now.
    pub fn may_be_taken(&self) -> bool {
        !self.shown && !self.waiting().is_empty()
    }

    /// The machine has changed: what it could not take before, it may take now.
    pub fn show_again(&mut self) {
        self.shown = false;
    }

    /// The machine saw [`waiting`](Self::waiting) and took `taken` bytes of it.
    pub fn take(&mut self, taken: usize) {
        self.start = self.start.saturating_add(taken).min(self.bytes.len());
        self.shown = true;
        if self.start == self.bytes.len() {
            *self = Input::default();
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Puts `bytes` behind those that wait.
    pub fn append(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes.extend_from_slice(bytes);
            self.shown = false;
        }
    }

    /// Keeps what the machine left of bytes that it saw right where they were read.
    pub fn keep_rest(&mut self, rest: &[u8]) {
        self.append(rest);
        self.shown = true;
    }
}

#[cfg(test)]
mod tests {
    use super::Input;

    #[test]
    fn bytes_are_shown_again_only_when_something_changed() {
        let mut input = Input::default();
        input.keep_rest(b"half a he");
        assert!(!input.may_be_taken());
        input.append(b"ad, and more");
        assert!(input.may_be_taken());
        input.take(11);
        assert_eq!(input.waiting(), b", and more");
        assert!(!input.may_be_taken());
        input.show_again();
        assert!(input.may_be_taken());
        input.append(b"");
        input.take(2);
        assert_eq!(input.waiting(), b"and more");
    }

    #[test]
    fn nothing_is_held_when_all_is_taken() {
        let mut input = Input::default();
        input.append(&[7; 1000]);
        input.take(400);
        input.take(600);
        assert!(input.waiting().is_empty());
        assert!(!input.may_be_taken());
        assert_eq!(input.bytes.capacity(), 0);
    }

    #[test]
    fn more_than_there_is_cannot_be_taken() {
        let mut input = Input::default();
        input.append(b"abc");
        input.take(usize::MAX);
        assert!(input.waiting().is_empty());
    }
}
