//! A nonblocking socket, and the reactor that says when it is ready.
//!
//! This is the only place where the placements differ: the fused one has the edge-triggered
//! reactor of its own thread, the other one has async-io's. Nothing here reads or writes.

use std::io;
use std::task::{Context, Poll, ready};

use async_io::Async;
use socket2::Socket;

#[cfg(unix)]
use crate::reactor::{REPORTS_GONE, edge::Registered};

/// A nonblocking socket in a reactor.
pub struct ReadySocket(Inner);

enum Inner {
    #[cfg(unix)]
    Edge(Registered),
    Async {
        socket: Async<Socket>,
        /// False after a read that found the end of what was there: wait before the next one.
        readable: bool,
        /// False after a write that found no room.
        writable: bool,
    },
}

impl ReadySocket {
    /// A nonblocking `socket` in the edge-triggered reactor.
    #[cfg(unix)]
    pub fn edge(socket: Registered) -> ReadySocket {
        ReadySocket(Inner::Edge(socket))
    }

    /// A nonblocking `socket` in async-io's reactor.
    pub fn portable(socket: Async<Socket>) -> ReadySocket {
        ReadySocket(Inner::Async {
            socket,
            readable: true,
            writable: true,
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Socket {
        match &self.0 {
            #[cfg(unix)]
            Inner::Edge(registered) => registered.socket(),
            Inner::Async { socket, .. } => socket.get_ref(),
        }
    }

    /// Calls `read` when there may be something to read, until it does not say `WouldBlock`.
    pub fn poll_with_readable<T>(
        &mut self,
        context: &mut Context<'_>,
        mut read: impl FnMut(&Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match &mut self.0 {
                #[cfg(unix)]
                Inner::Edge(registered) => ready!(registered.poll_readable(context)),
                Inner::Async {
                    socket, readable, ..
                } => {
                    if !*readable {
                        ready!(socket.poll_readable(context))?;
                        *readable = true;
                    }
                }
            }
            match read(self.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match &mut self.0 {
                    #[cfg(unix)]
                    Inner::Edge(registered) => registered.note_read_blocked(),
                    Inner::Async { readable, .. } => *readable = false,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Lets the next read ask the system: something may have come that the reactor has not told
    /// yet, and there is no later.
    pub fn assume_readable(&mut self) {
        match &mut self.0 {
            #[cfg(unix)]
            Inner::Edge(registered) => registered.assume_readable(),
            Inner::Async { readable, .. } => *readable = true,
        }
    }

    /// Takes note that a read got `taken` bytes where `wanted` would have fitted: a short read
    /// of a stream is the end of what was there, and no second one is made to learn it.
    pub fn note_read(&mut self, taken: usize, wanted: usize) {
        match &mut self.0 {
            #[cfg(unix)]
            Inner::Edge(registered) => registered.note_read(taken, wanted),
            Inner::Async { readable, .. } => *readable = taken == wanted || taken == 0,
        }
    }

    /// Calls `write` when there may be room to write, until it does not say `WouldBlock`.
    pub fn poll_with_writable<T>(
        &mut self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.poll_writable(context))?;
            match write(self.socket()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match &mut self.0 {
                    #[cfg(unix)]
                    Inner::Edge(registered) => registered.note_write_blocked(),
                    Inner::Async { writable, .. } => *writable = false,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Waits until there may be room to write.
    pub fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            #[cfg(unix)]
            Inner::Edge(registered) => registered.poll_writable(context),
            Inner::Async {
                socket, writable, ..
            } => {
                if !*writable {
                    ready!(socket.poll_writable(context))?;
                    *writable = true;
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Waits, without reading, until the peer has gone: reset, or closed both ways. Where
    /// [`must_probe`](Self::must_probe) says so this never wakes by itself and asks the system
    /// at each call.
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            #[cfg(unix)]
            Inner::Edge(registered) => {
                registered.pause_reading();
                if REPORTS_GONE {
                    return registered.poll_gone(context);
                }
            }
            Inner::Async { .. } => {}
        }
        #[cfg(not(unix))]
        let _ = context;
        if is_gone(self.socket()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// True when nobody tells that the peer has gone while nothing is read or written:
    /// [`poll_gone`](Self::poll_gone) has to be called from time to time.
    pub fn must_probe(&self) -> bool {
        match &self.0 {
            #[cfg(unix)]
            Inner::Edge(_) => !REPORTS_GONE,
            Inner::Async { .. } => true,
        }
    }
}

/// Asks the system whether `socket` was reset or is closed both ways.
#[cfg(unix)]
fn is_gone(socket: &Socket) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut asked = [PollFd::new(socket, PollFlags::empty())];
    let at_once = Timespec::default();
    matches!(poll(&mut asked, Some(&at_once)), Ok(count) if count > 0)
}

/// Asks the system whether `socket` was reset.
#[cfg(not(unix))]
fn is_gone(socket: &Socket) -> bool {
    !matches!(socket.take_error(), Ok(None))
}
