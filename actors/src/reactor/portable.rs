//! Any Unix: the crate `polling` in edge mode.
//!
//! It cannot tell bytes from the end of the stream, so that a reader here always reads until it
//! is told that there is nothing left.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};

use super::Change;

/// Bytes and the end that came behind them are one edge: only `WouldBlock` proves that there
/// is nothing more to read.
pub const SHORT_READ_DRAINS: bool = false;

/// Only where `polling` stands on `epoll` can a reset be told from bytes.
pub const REPORTS_GONE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Asks the system about many sockets at a time.
pub struct Poll {
    poller: Arc<Poller>,
    events: RefCell<Events>,
}

/// Makes the poll's descriptor readable from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Poller>);

impl Notifier {
    /// Makes the descriptor readable, if it is not already on the way to be.
    pub fn notify(&self) {
        let _ = self.0.notify();
    }
}

impl Poll {
    pub fn new() -> io::Result<Poll> {
        let poller = Poller::new()?;
        if !poller.supports_edge() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Poll {
            poller: Arc::new(poller),
            events: RefCell::new(Events::new()),
        })
    }

    /// Begins to report what can be read from `socket` and whether it is gone.
    #[allow(unsafe_code)]
    pub fn add(&self, socket: BorrowedFd<'_>, key: usize) -> io::Result<()> {
        let interest = Event::readable(key).with_interrupt();
        // SAFETY: the socket must be deleted from the poller before it is closed. The only
        // caller is `Reactor::register`, which owns the socket and deletes it when dropped.
        unsafe { self.poller.add_with_mode(&socket, interest, PollMode::Edge) }
    }

    /// Begins to report room to write too.
    pub fn watch_writes(&self, socket: BorrowedFd<'_>, key: usize) -> io::Result<()> {
        let interest = Event::all(key).with_interrupt();
        self.poller
            .modify_with_mode(socket, interest, PollMode::Edge)
    }

    /// Ends the reports.
    pub fn delete(&self, socket: BorrowedFd<'_>) {
        let _ = self.poller.delete(socket);
    }

    /// Reports what has changed, without waiting.
    pub fn poll(&self, mut report: impl FnMut(Change)) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        events.clear();
        self.poller.wait(&mut events, Some(Duration::ZERO))?;
        for event in events.iter() {
            let gone = event.is_interrupt() || event.is_err().unwrap_or(false);
            report(Change {
                key: event.key,
                readable: gone || event.readable,
                writable: gone || event.writable,
                read_closed: false,
                gone,
            });
        }
        Ok(())
    }

    pub fn notifier(&self) -> Notifier {
        Notifier(Arc::clone(&self.poller))
    }

    /// Readable while there is something to report.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}
