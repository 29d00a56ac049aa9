//! TLS on a socket.
//!
//! The session is rustls's, driven by futures-rustls over [`Wire`], which is the socket with what
//! was read ahead. Records that the kernel has no room for stay in the session, at most some
//! 64 KiB of them.

use std::cell::{RefCell, RefMut};
use std::fs::File;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_lite::io::{AsyncRead, AsyncWrite};
use futures_rustls::pki_types::CertificateDer;
use futures_rustls::rustls::server::Acceptor;
use futures_rustls::{FallibleAccept, LazyConfigAcceptor, server};

use super::plain::{PlainStream, read_at};
use crate::tls::{TlsChooser, TlsSession};

/// Size of a thread's buffer, bytes. So much is read from the socket in one call beyond what the
/// session asks for, which is 4 KiB at a time; and so much from a file, for the session takes no
/// more.
const BUFFER_BYTES: usize = 64 * 1024;
/// The first byte of a TLS handshake record (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// A buffer that all TLS streams of a thread use, one after the other.
pub type SharedBuffer = Rc<RefCell<Vec<u8>>>;

/// TLS on a connected socket.
pub struct TlsStream {
    state: State,
}

enum State {
    /// Nothing has come.
    New(Wire),
    /// The client's first message is incomplete.
    Hello(LazyConfigAcceptor<Wire>),
    /// The configuration is chosen.
    Handshake {
        accept: FallibleAccept<Wire>,
        certificate: CertificateDer<'static>,
    },
    /// Both sides have agreed.
    Open(server::TlsStream<Wire>),
    /// The handshake has ended without a session. Nothing can be read or written.
    Over,
}

/// How a handshake has ended.
pub enum Handshake {
    /// There is a session.
    Done(TlsSession),
    /// The peer does not speak TLS; what it sent was text. The socket goes on in the clear.
    Plaintext(PlainStream),
    /// There is none. The socket, if it is left, has sent the peer an alert.
    Failed(io::Error, Option<PlainStream>),
}

impl TlsStream {
    /// TLS on `socket`. `buffer` is the thread's.
    pub fn new(socket: PlainStream, buffer: SharedBuffer) -> TlsStream {
        let wire = Wire {
            socket,
            ahead: Vec::new(),
            taken: 0,
            buffer,
            progress: false,
        };
        TlsStream {
            state: State::New(wire),
        }
    }

    /// Goes on with the handshake, and says once how it has ended.
    pub fn poll_handshake(
        &mut self,
        context: &mut Context<'_>,
        chooser: &dyn TlsChooser,
    ) -> Poll<Handshake> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::New(mut wire) => match wire.poll_first_byte(context) {
                    Poll::Pending => {
                        self.state = State::New(wire);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(HANDSHAKE_RECORD)) => {
                        let acceptor = Acceptor::default();
                        self.state = State::Hello(LazyConfigAcceptor::new(acceptor, wire));
                    }
                    Poll::Ready(Ok(byte)) if byte.is_ascii_alphabetic() => {
                        return Poll::Ready(Handshake::Plaintext(wire.socket));
                    }
                    Poll::Ready(Ok(_)) => {
                        let error = io::Error::new(io::ErrorKind::InvalidData, "not TLS");
                        return Poll::Ready(Handshake::Failed(error, None));
                    }
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Handshake::Failed(error, None));
                    }
                },
                State::Hello(mut acceptor) => match Pin::new(&mut acceptor).poll(context) {
                    Poll::Pending => {
                        self.state = State::Hello(acceptor);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(start)) => {
                        let choice = chooser.choose(&start.client_hello());
                        self.state = State::Handshake {
                            accept: start.into_stream(choice.config).into_fallible(),
                            certificate: choice.certificate,
                        };
                    }
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Handshake::Failed(error, None));
                    }
                },
                State::Handshake {
                    mut accept,
                    certificate,
                } => match Pin::new(&mut accept).poll(context) {
                    Poll::Pending => {
                        self.state = State::Handshake {
                            accept,
                            certificate,
                        };
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(stream)) => {
                        let session = TlsSession::new(stream.get_ref().1, certificate);
                        self.state = State::Open(stream);
                        return Poll::Ready(Handshake::Done(session));
                    }
                    Poll::Ready(Err((error, wire))) => {
                        return Poll::Ready(Handshake::Failed(error, Some(wire.socket)));
                    }
                },
                State::Open(stream) => {
                    self.state = State::Open(stream);
                    return Poll::Pending;
                }
                State::Over => return Poll::Pending,
            }
        }
    }

    /// Reads into `buffer`; 0 is the end of what the peer sends, by a `close_notify` or without
    /// one: what the peer had to say is complete or not by the protocol's own framing.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let stream = ready_session(&mut self.state)?;
        match Pin::new(stream).poll_read(context, buffer) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(0))
            }
            read => read,
        }
    }

    /// False until the peer's first byte has come.
    pub fn has_begun(&self) -> bool {
        !matches!(self.state, State::New(_))
    }

    /// Lets the next read ask the system. In the middle of a handshake it does nothing.
    pub fn assume_readable(&mut self) {
        match &mut self.state {
            State::New(wire) => wire.socket.assume_readable(),
            State::Open(stream) => stream.get_mut().0.socket.assume_readable(),
            State::Hello(_) | State::Handshake { .. } | State::Over => {}
        }
    }

    /// Takes what fits of `slices` into the session, and sends as much as the kernel has room for.
    pub fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = ready_session(&mut self.state)?;
        Pin::new(stream).poll_write_vectored(context, slices)
    }

    /// Takes a piece of a file into the session, once everything before it is with the kernel.
    pub fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        len_bytes: u64,
    ) -> Poll<io::Result<u64>> {
        let stream = ready_session(&mut self.state)?;
        ready!(Pin::new(&mut *stream).poll_flush(context))?;
        let shared = Rc::clone(&stream.get_ref().0.buffer);
        let mut buffer = sized(&shared);
        let wanted = usize::try_from(len_bytes).unwrap_or(BUFFER_BYTES);
        let piece = buffer
            .get_mut(..wanted.min(BUFFER_BYTES))
            .unwrap_or_default();
        let count = read_at(file, piece, offset)?;
        match piece.get(..count) {
            Some(bytes) if count > 0 => Pin::new(stream)
                .poll_write(context, bytes)
                .map_ok(|taken| taken as u64),
            _ => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// True while the session holds records that are not with the kernel.
    pub fn has_unsent(&self) -> bool {
        match &self.state {
            State::Open(stream) => stream.get_ref().1.wants_write(),
            _ => false,
        }
    }

    /// Hands everything that the session holds to the kernel.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = ready_session(&mut self.state)?;
        Pin::new(stream).poll_flush(context)
    }

    /// True when the kernel took bytes since this was last asked.
    pub fn take_progress(&mut self) -> bool {
        match &mut self.state {
            State::Open(stream) => std::mem::take(&mut stream.get_mut().0.progress),
            _ => false,
        }
    }

    /// Sends a `close_notify` behind everything else.
    pub fn poll_goodbye(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(stream) => Pin::new(stream).poll_close(context),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// The socket, unless the handshake has it or has lost it.
    pub fn plain(&self) -> Option<&PlainStream> {
        match &self.state {
            State::New(wire) => Some(&wire.socket),
            State::Open(stream) => Some(&stream.get_ref().0.socket),
            State::Hello(_) | State::Handshake { .. } | State::Over => None,
        }
    }
}

/// The session of a handshake that is done; before that nobody may read or write.
fn ready_session(state: &mut State) -> io::Result<&mut server::TlsStream<Wire>> {
    match state {
        State::Open(stream) => Ok(stream),
        _ => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// The thread's buffer. It is made at the first use, for a server may never see TLS.
fn sized(buffer: &SharedBuffer) -> RefMut<'_, Vec<u8>> {
    let mut buffer = buffer.borrow_mut();
    if buffer.is_empty() {
        buffer.resize(BUFFER_BYTES, 0);
    }
    buffer
}

/// The socket under a session. It reads more than it is asked for, and keeps it: the session asks
/// for a quarter of a record at a time.
struct Wire {
    socket: PlainStream,
    /// Bytes that were read ahead. No memory is held when there are none.
    ahead: Vec<u8>,
    /// How many of `ahead` the session has.
    taken: usize,
    buffer: SharedBuffer,
    /// The kernel took bytes.
    progress: bool,
}

impl Wire {
    /// Waits for the peer's first byte, and keeps it for the session.
    fn poll_first_byte(&mut self, context: &mut Context<'_>) -> Poll<io::Result<u8>> {
        if self.ahead.is_empty() {
            let shared = Rc::clone(&self.buffer);
            let mut buffer = sized(&shared);
            let count = ready!(self.socket.poll_read(context, &mut buffer))?;
            self.keep(buffer.get(..count).unwrap_or_default());
        }
        Poll::Ready(match self.ahead.first() {
            Some(byte) => Ok(*byte),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        })
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.ahead = bytes.to_vec();
        self.taken = 0;
    }

    /// Gives what was read ahead, as far as it fits.
    fn give(&mut self, wanted: &mut [u8]) -> usize {
        let waiting = self.ahead.get(self.taken..).unwrap_or_default();
        let count = waiting.len().min(wanted.len());
        if let (Some(to), Some(from)) = (wanted.get_mut(..count), waiting.get(..count)) {
            to.copy_from_slice(from);
        }
        self.taken += count;
        if self.taken >= self.ahead.len() {
            self.ahead = Vec::new();
            self.taken = 0;
        }
        count
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        wanted: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if !wire.ahead.is_empty() {
            return Poll::Ready(Ok(wire.give(wanted)));
        }
        let shared = Rc::clone(&wire.buffer);
        let mut rest = sized(&shared);
        let count = ready!(wire.socket.poll_read_two(context, wanted, &mut rest))?;
        let more = count.saturating_sub(wanted.len());
        if more > 0 {
            wire.keep(rest.get(..more).unwrap_or_default());
        }
        Poll::Ready(Ok(count - more))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let count = ready!(wire.socket.poll_write_vectored(context, slices))?;
        wire.progress |= count > 0;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Nothing: the session's end is not the socket's.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
