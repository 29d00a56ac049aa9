//! Descriptors that are known by their number only: from the command line, from systemd, or from
//! a Python file object.
//!
//! This is the one place of this kind: it turns a number into a descriptor of our own, so that no
//! code outside has to trust a number, and never closes what was opened by others.

#[cfg(unix)]
mod imp {
    use std::io;
    use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

    /// A descriptor of our own for what `raw` stands for, closed on exec. `raw` stays open.
    ///
    /// # Errors
    ///
    /// The system's; `EBADF` when nothing is open under this number.
    pub fn duplicate(raw: RawFd) -> io::Result<OwnedFd> {
        with_borrowed(raw, |fd| fd.try_clone_to_owned())
    }

    /// Keeps `raw` itself from programs that the process starts.
    ///
    /// # Errors
    ///
    /// The system's; `EBADF` when nothing is open under this number.
    pub fn set_close_on_exec(raw: RawFd) -> io::Result<()> {
        with_borrowed(raw, |fd| {
            Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?)
        })
    }

    /// The descriptor `raw` itself, closed on exec: it was opened for this process and for nobody
    /// else in it, as what a supervisor hands down is. Each number may be taken once.
    ///
    /// # Errors
    ///
    /// The system's; `EBADF` when nothing is open under this number, and for the standard streams,
    /// which belong to everybody.
    pub fn take(raw: RawFd) -> io::Result<OwnedFd> {
        if (0..=2).contains(&raw) {
            return Err(rustix::io::Errno::BADF.into());
        }
        set_close_on_exec(raw)?;
        // SAFETY: it is open, as the call above has shown, and no standard stream. That nobody else
        // in this process owns it is what the caller says: it comes from the process that started
        // this one, before anything was opened here.
        Ok(unsafe { OwnedFd::from_raw_fd(raw) })
    }

    /// Lets programs that the process starts have `fd`, or keeps it from them.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_inherited(fd: BorrowedFd<'_>, inherited: bool) -> io::Result<()> {
        let flags = if inherited {
            rustix::io::FdFlags::empty()
        } else {
            rustix::io::FdFlags::CLOEXEC
        };
        Ok(rustix::io::fcntl_setfd(fd, flags)?)
    }

    /// `one_call` makes one system call with the descriptor and keeps nothing of it.
    fn with_borrowed<T>(
        raw: RawFd,
        one_call: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        if raw < 0 {
            return Err(rustix::io::Errno::BADF.into());
        }
        // SAFETY: `raw` is not -1, and the borrow lasts for one system call, which closes
        // nothing. When the number is not open, the kernel answers EBADF and does nothing.
        one_call(unsafe { BorrowedFd::borrow_raw(raw) })
    }
}

#[cfg(unix)]
pub use imp::{duplicate, set_close_on_exec, set_inherited, take};

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    /// Above any limit on open files, so never open.
    const NOT_OPEN: i32 = i32::MAX;

    #[test]
    fn a_duplicate_is_the_same_thing_under_another_number() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let copy = duplicate(writer.as_raw_fd()).unwrap();
        assert_ne!(copy.as_raw_fd(), writer.as_raw_fd());
        let flags = rustix::io::fcntl_getfd(&copy).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        std::fs::File::from(copy).write_all(b"a").unwrap();
        (&writer).write_all(b"b").unwrap();
        drop(writer);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"ab");
    }

    #[test]
    fn close_on_exec_is_set_on_the_number_itself() {
        let (_reader, writer) = std::io::pipe().unwrap();
        rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::empty()).unwrap();
        set_close_on_exec(writer.as_raw_fd()).unwrap();
        let flags = rustix::io::fcntl_getfd(&writer).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn standard_streams_are_nobodys_own() {
        let bad = rustix::io::Errno::BADF.raw_os_error();
        for raw in 0..=2 {
            assert_eq!(take(raw).unwrap_err().raw_os_error(), Some(bad));
        }
    }

    #[test]
    fn numbers_that_are_not_open_are_errors() {
        let bad = rustix::io::Errno::BADF.raw_os_error();
        for raw in [-1, i32::MIN, NOT_OPEN] {
            assert_eq!(duplicate(raw).unwrap_err().raw_os_error(), Some(bad));
            assert_eq!(
                set_close_on_exec(raw).unwrap_err().raw_os_error(),
                Some(bad)
            );
        }
    }
}
