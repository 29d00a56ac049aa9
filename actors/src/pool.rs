//! Values whose memory is used again by the same thread.
//!
//! A request takes a few buffers for as long as it is under way. In a turn that serves many, an
//! allocator made for all sizes takes its slow way for each of them. A [`Pooled`] value is a box
//! that goes back to its thread when it is dropped, empty, with its room.
//!
//! A value that is dropped on another thread than it was made on goes to that one's. So a thread
//! that only drops has its full share of spare values, and no more ([`SPARE_MAX`]).

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::thread::LocalKey;

/// So many values of one type are kept for a thread, at most.
pub const SPARE_MAX: usize = 128;

/// Buffers with more room than this are not kept, bytes: one large request would stay for ever.
pub const ROOM_MAX_BYTES: usize = 2 * 1024;

/// The spare values of one type that a thread has.
pub type Spare<T> = Cell<Vec<Box<T>>>;

/// What can be used again.
pub trait Reuse: Default + 'static {
    /// The thread's spare values, a `thread_local!` of each type's own.
    fn spare() -> &'static LocalKey<Spare<Self>>;

    /// Makes it as [`Default`] makes it, but for the room that its buffers have. Returns false if
    /// that is too much to be kept.
    fn reset(&mut self) -> bool;
}

/// A value in a box that is used again.
pub struct Pooled<T: Reuse>(ManuallyDrop<Box<T>>);

impl<T: Reuse> Pooled<T> {
    /// An empty value: a spare one, or a new one.
    pub fn take() -> Pooled<T> {
        let spare = T::spare().try_with(|spare| {
            let mut values = spare.take();
            let value = values.pop();
            spare.set(values);
            value
        });
        // The error says that the thread is about to end.
        let value = spare.ok().flatten().unwrap_or_default();
        Pooled(ManuallyDrop::new(value))
    }
}

impl<T: Reuse> Drop for Pooled<T> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the box is not used again: this is the only place that takes it, and after it
        // nobody has `self`.
        let mut value = unsafe { ManuallyDrop::take(&mut self.0) };
        if !value.reset() {
            return;
        }
        // Where the thread is about to end, the value ends with the closure.
        let _ = T::spare().try_with(|spare| {
            let mut values = spare.take();
            if values.len() < SPARE_MAX {
                values.push(value);
            }
            spare.set(values);
        });
    }
}

impl<T: Reuse> Default for Pooled<T> {
    fn default() -> Self {
        Pooled::take()
    }
}

impl<T: Reuse> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Reuse> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Reuse + Debug> Debug for Pooled<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Text {
        bytes: Vec<u8>,
    }

    thread_local! {
        static TEXTS: Spare<Text> = const { Cell::new(Vec::new()) };
    }

    impl Reuse for Text {
        fn spare() -> &'static LocalKey<Spare<Self>> {
            &TEXTS
        }

        fn reset(&mut self) -> bool {
            self.bytes.clear();
            self.bytes.capacity() <= ROOM_MAX_BYTES
        }
    }

    fn spare() -> usize {
        TEXTS.with(|spare| {
            let values = spare.take();
            let len = values.len();
            spare.set(values);
            len
        })
    }

    #[test]
    fn a_dropped_value_is_used_again_and_empty() {
        let mut text = Pooled::<Text>::take();
        text.bytes.extend_from_slice(b"of somebody else");
        let at = text.bytes.as_ptr();
        drop(text);
        let again = Pooled::<Text>::take();
        assert_eq!(
            (again.bytes.as_slice(), again.bytes.as_ptr()),
            (&b""[..], at)
        );
        assert_eq!(Pooled::<Text>::take().bytes.capacity(), 0);
    }

    #[test]
    fn large_ones_are_not_kept() {
        let mut text = Pooled::<Text>::take();
        text.bytes.reserve(ROOM_MAX_BYTES + 1);
        drop(text);
        assert_eq!(spare(), 0);
    }

    #[test]
    fn only_so_many_are_kept() {
        let texts: Vec<_> = (0..SPARE_MAX + 7).map(|_| Pooled::<Text>::take()).collect();
        drop(texts);
        assert_eq!(spare(), SPARE_MAX);
    }

    #[test]
    fn a_value_goes_to_the_thread_that_drops_it() {
        let text = Pooled::<Text>::take();
        let there = std::thread::spawn(move || {
            drop(text);
            spare()
        });
        assert_eq!((there.join().ok(), spare()), (Some(1), 0));
    }
}
