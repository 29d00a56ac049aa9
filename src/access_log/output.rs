//! Where batches of log lines go: a file, a pipe, a terminal, a socket.
//!
//! Several processes may write to the same place, so a line is never torn where the system lets
//! us have that: files get a batch in one call, everything else whole lines in pieces that a pipe
//! takes as one.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a pipe takes in one piece, bytes (`PIPE_BUF`; POSIX promises 512).
const PIPE_PIECE_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

pub(super) struct Output {
    file: File,
    piece_bytes_max: usize,
    /// The reader has gone: nothing is written any more.
    broken: AtomicBool,
}

impl Output {
    pub(super) fn new(file: File) -> Output {
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Output {
            file,
            piece_bytes_max: if is_file {
                usize::MAX
            } else {
                PIPE_PIECE_BYTES
            },
            broken: AtomicBool::new(false),
        }
    }

    /// Writes whole lines, however long it takes.
    ///
    /// What cannot be written is dropped without a word, because the log is the place where one
    /// would say so: for good when the reader has gone, else (a full disk) for this batch.
    pub(super) fn write(&self, batch: &[u8]) {
        if self.broken.load(Ordering::Relaxed) {
            return;
        }
        let written =
            pieces(batch, self.piece_bytes_max).try_for_each(|piece| self.write_all(piece));
        if written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match (&self.file).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until a descriptor that does not block (whoever shares it made it so) takes more.
    #[cfg(unix)]
    fn wait(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        use rustix::io::Errno;

        match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    fn wait(&self) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// `batch` in pieces that end with a line and are no longer than `bytes_max`, unless a single
/// line is.
fn pieces(mut batch: &[u8], bytes_max: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = if batch.len() <= bytes_max {
            batch.len()
        } else {
            let (fitting, rest) = batch.split_at(bytes_max);
            memchr::memrchr(b'\n', fitting)
                .or_else(|| Some(bytes_max + memchr::memchr(b'\n', rest)?))
                .map_or(batch.len(), |newline| newline + 1)
        };
        let (piece, rest) = batch.split_at(end);
        batch = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(batch: &str, bytes_max: usize) -> Vec<&str> {
        pieces(batch.as_bytes(), bytes_max)
            .map(|piece| std::str::from_utf8(piece).unwrap())
            .collect()
    }

    #[test]
    fn pieces_are_whole_lines() {
        assert_eq!(cut("ab\ncd\nef\n", 6), ["ab\ncd\n", "ef\n"]);
        assert_eq!(cut("ab\ncd\nef\n", 8), ["ab\ncd\n", "ef\n"]);
        assert_eq!(cut("ab\ncd\nef\n", 9), ["ab\ncd\nef\n"]);
        assert_eq!(cut("ab\ncd\nef\n", usize::MAX), ["ab\ncd\nef\n"]);
        assert_eq!(cut("", 3), [""; 0]);
    }

    #[test]
    fn a_line_that_is_too_long_goes_alone() {
        assert_eq!(cut("a\nlonger\nb\n", 3), ["a\n", "longer\n", "b\n"]);
        assert_eq!(cut("longer", 3), ["longer"]);
    }

    proptest! {
        #[test]
        fn pieces_are_the_batch(lines in "([a-c]{0,6}\n){0,12}", bytes_max in 1_usize..20) {
            let cut = cut(&lines, bytes_max);
            prop_assert_eq!(cut.concat(), lines.as_str());
            for piece in cut {
                prop_assert!(piece.ends_with('\n'));
                prop_assert!(piece.len() <= bytes_max || piece.matches('\n').count() == 1);
            }
        }
    }
}
