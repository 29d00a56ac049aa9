//! The fused placement: the actors run inside a foreign event loop, on its thread.
//!
//! The driver watches [`Fused::descriptor`] for readability. It calls [`Fused::poll_and_run`] when
//! that is readable, when [`Turn::next_deadline`] has come, when a turn said
//! [`Turn::more_work`], and when [`Fused::take_armed`] says that something was left behind for
//! the actors outside a turn; and [`Fused::run_ready`] when it has answered what a turn brought.
//! Nothing here ever waits.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::io;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Instant;

use async_executor::LocalExecutor;

use super::Local;
use crate::reactor::Notifier;
use crate::reactor::edge::Reactor;

/// What a turn leaves to its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Tasks are ready to run: another turn is due as soon as others had theirs.
    pub more_work: bool,
    /// When a turn is due at the latest, if nothing else causes one.
    pub next_deadline: Option<Instant>,
}

/// The actors of one thread, driven by a foreign event loop on the same thread.
pub struct Fused {
    local: Rc<Local>,
    reactor: Rc<Reactor>,
    /// The executor's own loop. One poll of it runs what is ready, at most its own batch of 200
    /// tasks, and leaves `signal` behind as the one to wake.
    run: RefCell<Pin<Box<dyn Future<Output = ()>>>>,
    signal: Arc<Signal>,
    waker: Waker,
}

/// Learns of tasks that become ready while nobody runs them.
struct Signal {
    driver: ThreadId,
    woken: AtomicBool,
    notifier: Notifier,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        if thread::current().id() != self.driver {
            self.notifier.notify();
        }
    }
}

impl Fused {
    /// The placement for the current thread. Errors: the system gives no poll descriptor.
    pub fn new() -> io::Result<Fused> {
        let reactor = Reactor::new()?;
        let executor = Rc::new(LocalExecutor::new());
        let local = Local::edge(&executor, Rc::clone(&reactor));
        let signal = Arc::new(Signal {
            driver: thread::current().id(),
            woken: AtomicBool::new(false),
            notifier: reactor.notifier(),
        });
        Ok(Fused {
            local,
            reactor,
            run: RefCell::new(Box::pin(async move { executor.run(pending()).await })),
            waker: Waker::from(Arc::clone(&signal)),
            signal,
        })
    }

    /// Readable while a turn is due. It belongs to this object: it must not be closed, nor be
    /// watched after this object is dropped.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.reactor.descriptor()
    }

    /// What makes [`descriptor`](Self::descriptor) readable from any thread.
    pub fn notifier(&self) -> Notifier {
        self.signal.notifier.clone()
    }

    /// What this thread offers to actors.
    pub fn local(&self) -> &Rc<Local> {
        &self.local
    }

    /// Learns which sockets are ready and whose time has come, and runs what is ready. Errors:
    /// the system refuses to be polled; nothing will work any more.
    pub fn poll_and_run(&self) -> io::Result<Turn> {
        self.local.begin_turn();
        self.local.fire_timers();
        self.reactor.poll()?;
        Ok(self.run())
    }

    /// Runs what has become ready since, and does not look at sockets.
    pub fn run_ready(&self) -> Turn {
        self.local.begin_turn();
        self.run()
    }

    /// True, once, when a task became ready outside a turn: a turn must be scheduled.
    pub fn take_armed(&self) -> bool {
        self.signal.woken.swap(false, Ordering::AcqRel)
    }

    fn run(&self) -> Turn {
        self.signal.woken.store(false, Ordering::Release);
        let mut context = Context::from_waker(&self.waker);
        // It never ends, as it waits for `pending`.
        let _ = self.run.borrow_mut().as_mut().poll(&mut context);
        Turn {
            more_work: self.take_armed() | self.local.has_deferred(),
            next_deadline: self.local.wheel.next_deadline(&self.local.clock),
        }
    }
}
