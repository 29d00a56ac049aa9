//! A connected socket, tcp or unix, as a stream of bytes.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::Shutdown;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::Socket;

use crate::socket::ReadySocket;

/// At most so many bytes of a file go out per call, so that one connection does not hold up the
/// others.
const FILE_STEP_BYTES: u64 = 256 * 1024;

/// A connected socket.
pub struct PlainStream {
    socket: ReadySocket,
    /// False once the system has said that it cannot copy a file to this socket by itself.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    kernel_copies_files: bool,
}

impl PlainStream {
    /// The stream over a connected `socket`.
    pub fn new(socket: ReadySocket) -> PlainStream {
        PlainStream {
            socket,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            kernel_copies_files: true,
        }
    }

    /// Reads into `buffer`; 0 is the end of what the peer sends.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = self
            .socket
            .poll_with_readable(context, |mut socket| socket.read(buffer));
        if let Poll::Ready(Ok(taken)) = read {
            self.socket.note_read(taken, buffer.len());
        }
        read
    }

    /// Reads into `front`, and what does not fit there into `rest`; 0 is the end of what the peer
    /// sends.
    pub fn poll_read_two(
        &mut self,
        context: &mut Context<'_>,
        front: &mut [u8],
        rest: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = front.len() + rest.len();
        let read = self.socket.poll_with_readable(context, |mut socket| {
            socket.read_vectored(&mut [IoSliceMut::new(front), IoSliceMut::new(rest)])
        });
        if let Poll::Ready(Ok(taken)) = read {
            self.socket.note_read(taken, room);
        }
        read
    }

    /// Lets the next read ask the system, whatever its reactor has told.
    pub fn assume_readable(&mut self) {
        self.socket.assume_readable();
    }

    /// Writes what fits of `slices` and says how many bytes that was.
    pub fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket
            .poll_with_writable(context, |socket| send(socket, slices))
    }

    /// Writes what fits of the `len_bytes` bytes of a regular file from `offset` on, and says how
    /// many bytes that was: at least one. A file that is shorter is an `UnexpectedEof`.
    pub fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        len_bytes: u64,
    ) -> Poll<io::Result<u64>> {
        let wanted = len_bytes.min(FILE_STEP_BYTES) as usize;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.kernel_copies_files {
            let copied = self.socket.poll_with_writable(context, |socket| {
                let mut position = offset;
                Ok(rustix::fs::sendfile(
                    socket,
                    file,
                    Some(&mut position),
                    wanted,
                )?)
            });
            match copied {
                Poll::Ready(Err(error))
                    if matches!(
                        error.kind(),
                        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                    ) =>
                {
                    self.kernel_copies_files = false;
                }
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                other => return other.map_ok(|count| count as u64),
            }
        }
        self.poll_copy_file(context, file, offset, wanted)
    }

    /// Writes a range of a file through a buffer.
    fn poll_copy_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        wanted: usize,
    ) -> Poll<io::Result<u64>> {
        let written = self.socket.poll_with_writable(context, |socket| {
            let mut buffer = vec![0; wanted.min(64 * 1024)];
            let count = read_at(file, &mut buffer, offset)?;
            match buffer.get(..count) {
                Some(bytes) if count > 0 => send(socket, &[IoSlice::new(bytes)]),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        });
        written.map_ok(|count| count as u64)
    }

    /// Tells the peer that nothing more comes.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.socket.socket().shutdown(Shutdown::Write)
    }

    /// Makes the coming close a reset: what is unsent is thrown away, and the peer sees an error
    /// in place of an ordinary end.
    pub fn reset_on_close(&self) {
        // Not possible on every kind of socket; then it is an ordinary close.
        let _ = self.socket.socket().set_linger(Some(Duration::ZERO));
    }

    /// Waits, without reading, until the peer has gone: reset, or closed both ways.
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_gone(context)
    }

    /// True when [`poll_gone`](Self::poll_gone) never wakes and has to be called from time to
    /// time.
    pub fn must_probe(&self) -> bool {
        self.socket.must_probe()
    }
}

/// Writes `slices` in one call, without a SIGPIPE.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn send(socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
    let flags = SendFlags::NOSIGNAL;
    Ok(match slices {
        [only] => rustix::net::send(socket, only, flags)?,
        _ => sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)?,
    })
}

/// Writes `slices` in one call. SIGPIPE is off on the socket where it can come at all.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [only] => socket.send(only),
        _ => socket.send_vectored(slices),
    }
}

#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}
