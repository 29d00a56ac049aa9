//! Edge-triggered readiness: a socket is added once, and what the system says of it is kept in
//! flags until a read or a write has used it up. No system call is made to ask again.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;
use socket2::Socket;

use super::{Change, Notifier, system};

/// The reactor of one thread.
pub struct Reactor {
    poll: system::Poll,
    sources: RefCell<Slab<Rc<Source>>>,
}

/// What is known of one socket, and who wants to know it.
#[derive(Default)]
struct Source {
    readable: Cell<bool>,
    writable: Cell<bool>,
    read_closed: Cell<bool>,
    gone: Cell<bool>,
    wants_read: Cell<bool>,
    wants_write: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Reactor {
    /// A reactor without sockets.
    pub fn new() -> io::Result<Rc<Reactor>> {
        Ok(Rc::new(Reactor {
            poll: system::Poll::new()?,
            sources: RefCell::new(Slab::new()),
        }))
    }

    /// Readable while there is something for [`poll`](Self::poll).
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.poll.descriptor()
    }

    /// What makes the descriptor readable from other threads.
    pub fn notifier(&self) -> Notifier {
        self.poll.notifier()
    }

    /// Asks the system what has changed, without waiting, and wakes the owners.
    pub fn poll(&self) -> io::Result<()> {
        let sources = self.sources.borrow();
        self.poll.poll(|change| {
            if let Some(source) = sources.get(change.key) {
                source.take(change);
            }
        })
    }

    /// Takes a nonblocking `socket` in, for as long as the result lives.
    pub fn register(self: &Rc<Self>, socket: Socket) -> io::Result<Registered> {
        let source = Rc::new(Source::default());
        source.writable.set(true);
        let key = self.sources.borrow_mut().insert(Rc::clone(&source));
        if let Err(error) = self.poll.add(socket.as_fd(), key) {
            self.sources.borrow_mut().remove(key);
            return Err(error);
        }
        Ok(Registered {
            socket,
            source,
            key,
            watches_writes: Cell::new(false),
            reactor: Rc::clone(self),
        })
    }
}

impl Source {
    fn take(&self, change: Change) {
        let mut wake = false;
        if change.readable {
            self.readable.set(true);
            wake |= self.wants_read.get();
        }
        if change.writable {
            self.writable.set(true);
            wake |= self.wants_write.get();
        }
        if change.read_closed {
            self.read_closed.set(true);
        }
        if change.gone {
            self.gone.set(true);
            wake = true;
        }
        if wake && let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn remember(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(known) => known.clone_from(context.waker()),
            None => *waker = Some(context.waker().clone()),
        }
    }
}

/// A socket in the reactor. One task uses it: the last one that was told to wait is woken.
pub struct Registered {
    socket: Socket,
    source: Rc<Source>,
    key: usize,
    watches_writes: Cell<bool>,
    reactor: Rc<Reactor>,
}

impl Registered {
    /// The socket.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Waits until there may be something to read.
    pub fn poll_readable(&self, context: &Context<'_>) -> Poll<()> {
        let ready = self.source.readable.get();
        self.source.wants_read.set(!ready);
        self.wait(ready, context)
    }

    /// Waits until there may be room to write.
    pub fn poll_writable(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let ready = self.source.writable.get();
        self.source.wants_write.set(!ready);
        if !ready && !self.watches_writes.get() {
            let poll = &self.reactor.poll;
            poll.watch_writes(self.socket.as_fd(), self.key)?;
            self.watches_writes.set(true);
        }
        self.wait(ready, context).map(Ok)
    }

    /// Waits until the peer has gone: reset, or closed both ways.
    pub fn poll_gone(&self, context: &Context<'_>) -> Poll<()> {
        self.wait(self.source.gone.get(), context)
    }

    fn wait(&self, ready: bool, context: &Context<'_>) -> Poll<()> {
        if ready {
            return Poll::Ready(());
        }
        self.source.remember(context);
        Poll::Pending
    }

    /// The next read asks the system, whatever is known.
    pub fn assume_readable(&self) {
        self.source.readable.set(true);
    }

    /// Stops waking for bytes to read; what comes meanwhile is remembered.
    pub fn pause_reading(&self) {
        self.source.wants_read.set(false);
    }

    /// A read took `taken` bytes of at most `wanted`.
    pub fn note_read(&self, taken: usize, wanted: usize) {
        let ends = self.source.read_closed.get() || self.source.gone.get();
        if system::SHORT_READ_DRAINS && taken < wanted && !ends {
            self.source.readable.set(false);
        }
    }

    /// A read found nothing.
    pub fn note_read_blocked(&self) {
        self.source.readable.set(false);
    }

    /// A write found no room.
    pub fn note_write_blocked(&self) {
        self.source.writable.set(false);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.reactor.poll.delete(self.socket.as_fd());
        let source = self.reactor.sources.borrow_mut().try_remove(self.key);
        // A waker may hold the last reference to a task: it is dropped after the borrow.
        drop(source);
        drop(self.source.waker.take());
    }
}
