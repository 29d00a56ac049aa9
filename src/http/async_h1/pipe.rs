//! Bytes on their way into the crate.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_lite::io::{AsyncRead, AsyncWrite};

/// How much is read out of the crate at a time, bytes; longer pieces of a chunked response become
/// several chunks.
const READ_BYTES: usize = 16 * 1024;

/// A pipe in memory; its clones are the same one. The crate asks for one that could be shared
/// between threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipe(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// How many of them were read.
    read: usize,
    ended: bool,
}

impl Pipe {
    /// Puts `bytes` in.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut content = self.content();
        if content.read == content.bytes.len() {
            content.bytes.clear();
            content.read = 0;
        }
        content.bytes.extend_from_slice(bytes);
    }

    /// Puts the end behind the last byte.
    pub(super) fn end(&self) {
        self.content().ended = true;
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut content = self.content();
        let mut rest = content.bytes.get(content.read..).unwrap_or_default();
        if rest.is_empty() && !content.ended {
            return Poll::Pending;
        }
        let len = rest.read(buffer)?;
        content.read += len;
        Poll::Ready(Ok(len))
    }
}

/// The crate would write nothing but `100 Continue`, which the machine does.
impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls once. Nobody is woken: whoever puts more in polls again.
pub(super) fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Reads all that `reader` has to give for now into `sink`.
///
/// # Errors
/// What the reader says.
pub(super) fn read_available(
    reader: &mut (impl AsyncRead + Unpin),
    sink: &mut impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut context = Context::from_waker(Waker::noop());
    let mut buffer = [0; READ_BYTES];
    loop {
        match Pin::new(&mut *reader).poll_read(&mut context, &mut buffer) {
            Poll::Pending | Poll::Ready(Ok(0)) => return Ok(()),
            Poll::Ready(Ok(len)) => sink(buffer.get(..len).unwrap_or_default()),
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
}
