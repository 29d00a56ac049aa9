//! A connection's stream of bytes: the socket itself, or TLS on it.
//!
//! The task that owns it polls it; nothing here blocks. A broken stream is an error here and
//! never a signal to the process.

mod plain;
mod tls;

use std::fs::File;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

pub use plain::PlainStream;
pub use tls::{Handshake, SharedBuffer, TlsStream};

/// What a connection reads from and writes to.
pub enum Stream {
    /// The socket.
    Plain(PlainStream),
    /// TLS on the socket.
    Tls(Box<TlsStream>),
}

/// Calls the stream, whichever it is.
macro_rules! on_stream {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Stream::Plain($stream) => $call,
            Stream::Tls($stream) => $call,
        }
    };
}

impl Stream {
    /// Reads into `buffer`; 0 is the end of what the peer sends.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => stream.poll_read(context, buffer))
    }

    /// Lets the next read ask the system, whatever its reactor has told.
    pub fn assume_readable(&mut self) {
        on_stream!(self, stream => stream.assume_readable());
    }

    /// Takes what fits of `slices` and says how many bytes that was. Under TLS they may still be
    /// on their way to the kernel; see [`has_unsent`](Self::has_unsent).
    pub fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => stream.poll_write_vectored(context, slices))
    }

    /// Takes what fits of the `len_bytes` bytes of a regular file from `offset` on, and says how
    /// many bytes that was: at least one. A file that is shorter is an `UnexpectedEof`.
    pub fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        len_bytes: u64,
    ) -> Poll<io::Result<u64>> {
        on_stream!(self, stream => stream.poll_send_file(context, file, offset, len_bytes))
    }

    /// True while bytes that were taken are not with the kernel.
    pub fn has_unsent(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.has_unsent(),
        }
    }

    /// Hands everything that was taken to the kernel.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => stream.poll_flush(context),
        }
    }

    /// True when the kernel took bytes since this was last asked, of those that a stream may hold
    /// back.
    pub fn take_progress(&mut self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.take_progress(),
        }
    }

    /// Tells the peer in the stream's own way that this was all: under TLS, by a `close_notify`.
    pub fn poll_goodbye(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => stream.poll_goodbye(context),
        }
    }

    /// Tells the peer's kernel that nothing more comes.
    pub fn shutdown_write(&self) -> io::Result<()> {
        match self.plain() {
            Some(stream) => stream.shutdown_write(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Makes the coming close a reset: what is unsent is thrown away, and the peer sees an error
    /// in place of an ordinary end.
    pub fn reset_on_close(&self) {
        if let Some(stream) = self.plain() {
            stream.reset_on_close();
        }
    }

    /// Waits, without reading, until the peer has gone: reset, or closed both ways.
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        self.plain()
            .map_or(Poll::Ready(()), |stream| stream.poll_gone(context))
    }

    /// True when [`poll_gone`](Self::poll_gone) never wakes and has to be called from time to
    /// time.
    pub fn must_probe(&self) -> bool {
        self.plain().is_some_and(PlainStream::must_probe)
    }

    /// The socket, where it is not in the hands of a handshake.
    fn plain(&self) -> Option<&PlainStream> {
        match self {
            Stream::Plain(stream) => Some(stream),
            Stream::Tls(stream) => stream.plain(),
        }
    }
}
