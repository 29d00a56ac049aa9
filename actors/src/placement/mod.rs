//! Which thread polls the actors.
//!
//! [`fused::Fused`] lives inside somebody else's event loop, [`threads::IoThreads`] has threads
//! of its own. An actor sees only [`Local`], what its thread offers, and does not know which of
//! the two it is.

#[cfg(unix)]
pub mod fused;
pub mod threads;

use std::cell::{RefCell, RefMut};
use std::future::Future;
use std::io;
use std::rc::{Rc, Weak};
use std::task::Waker;

use async_executor::LocalExecutor;
use async_io::Async;
use socket2::Socket;

#[cfg(unix)]
use crate::reactor::edge::Reactor;
use crate::socket::ReadySocket;
use crate::stream::SharedBuffer;
use crate::timers::{Clock, Timer, Wheel};

/// Size of the buffer that all connections of a thread read into, bytes.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What a thread offers to the actors on it.
pub struct Local {
    /// Weak, because the executor owns the tasks and the tasks own this.
    executor: Weak<LocalExecutor<'static>>,
    /// Absent: async-io's reactor is used.
    #[cfg(unix)]
    reactor: Option<Rc<Reactor>>,
    clock: Clock,
    wheel: Rc<Wheel>,
    scratch: RefCell<Vec<u8>>,
    /// What TLS streams read and copy through.
    tls_buffer: SharedBuffer,
    /// Who has more to do in the next turn.
    deferred: RefCell<Vec<Waker>>,
}

impl Local {
    /// For a thread whose reactor is async-io's.
    fn portable(executor: &Rc<LocalExecutor<'static>>) -> Rc<Local> {
        Rc::new(Local {
            executor: Rc::downgrade(executor),
            #[cfg(unix)]
            reactor: None,
            clock: Clock::new(),
            wheel: Wheel::new(),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
            tls_buffer: SharedBuffer::default(),
            deferred: RefCell::default(),
        })
    }

    /// For a thread that has a reactor of its own.
    #[cfg(unix)]
    fn edge(executor: &Rc<LocalExecutor<'static>>, reactor: Rc<Reactor>) -> Rc<Local> {
        Rc::new(Local {
            executor: Rc::downgrade(executor),
            reactor: Some(reactor),
            clock: Clock::new(),
            wheel: Wheel::new(),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
            tls_buffer: SharedBuffer::default(),
            deferred: RefCell::default(),
        })
    }

    /// Starts a task on this thread. It ends by itself, or when the placement ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        if let Some(executor) = self.executor.upgrade() {
            executor.spawn(task).detach();
        }
    }

    /// Takes a nonblocking socket into this thread's reactor.
    pub fn register(&self, socket: Socket) -> io::Result<ReadySocket> {
        #[cfg(unix)]
        if let Some(reactor) = &self.reactor {
            return Ok(ReadySocket::edge(reactor.register(socket)?));
        }
        Ok(ReadySocket::portable(Async::new_nonblocking(socket)?))
    }

    /// A timer on this thread's wheel.
    pub fn timer(&self, waker: &Waker) -> Timer {
        self.wheel.timer(waker)
    }

    /// This thread's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The buffer that all actors of this thread read into, one after the other.
    pub(crate) fn scratch(&self) -> RefMut<'_, Vec<u8>> {
        self.scratch.borrow_mut()
    }

    /// The buffer that all TLS streams of this thread share.
    pub(crate) fn tls_buffer(&self) -> &SharedBuffer {
        &self.tls_buffer
    }

    /// Wakes a task in the next turn, and not within this one: it has had its share.
    pub(crate) fn wake_next_turn(&self, waker: &Waker) {
        self.deferred.borrow_mut().push(waker.clone());
    }

    /// Reads the clock and wakes those who have waited for this turn.
    fn begin_turn(&self) {
        self.clock.refresh();
        self.deferred.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// Wakes those whose time has come.
    fn fire_timers(&self) {
        self.wheel.advance(&self.clock);
    }

    /// True when another turn is due at once.
    fn has_deferred(&self) -> bool {
        !self.deferred.borrow().is_empty()
    }
}

/// Where the actors of a server run.
#[derive(Clone, Copy)]
pub enum Placement<'a> {
    /// On this thread, inside a foreign event loop.
    #[cfg(unix)]
    Fused(&'a fused::Fused),
    /// On threads of their own.
    Threads(&'a threads::IoThreads),
}
