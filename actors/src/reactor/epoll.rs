//! Linux: `epoll`, edge-triggered.
//!
//! Used in place of the crate `polling` for two reasons. It tells that a peer has finished
//! (`EPOLLRDHUP`), without which a short read cannot be taken as "nothing more to read": bytes
//! and the end that came together are one edge. And it costs one system call per turn, not five.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use super::Change;

/// A short read proves that there is nothing more to read, unless `read_closed` or `gone`.
pub const SHORT_READ_DRAINS: bool = true;

/// A reset is reported by itself, also for a socket that nobody reads from.
pub const REPORTS_GONE: bool = true;

/// The key of the notifier; no socket gets it.
const NOTIFIER_KEY: u64 = u64::MAX;

/// At most so many sockets are reported per call; the others come with the next one.
const EVENTS_MAX: usize = 512;

/// Asks the system about many sockets at a time.
pub struct Poll {
    epoll: OwnedFd,
    notifier: Notifier,
    events: RefCell<Vec<Event>>,
}

/// Makes the poll's descriptor readable from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Arc<Shared>);

struct Shared {
    eventfd: OwnedFd,
    /// Set by the first of several notifications, cleared when it has arrived.
    pending: AtomicBool,
}

impl Notifier {
    /// Makes the descriptor readable, if it is not already on the way to be.
    pub fn notify(&self) {
        if !self.0.pending.swap(true, Ordering::AcqRel) {
            // It cannot fail but by overflow of a counter, and then it is readable anyway.
            let _ = rustix::io::write(&self.0.eventfd, &1u64.to_ne_bytes());
        }
    }
}

impl Poll {
    pub fn new() -> io::Result<Poll> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let key = EventData::new_u64(NOTIFIER_KEY);
        epoll::add(&epoll, &eventfd, key, EventFlags::IN)?;
        Ok(Poll {
            epoll,
            notifier: Notifier(Arc::new(Shared {
                eventfd,
                pending: AtomicBool::new(false),
            })),
            events: RefCell::new(Vec::with_capacity(EVENTS_MAX)),
        })
    }

    /// Begins to report what can be read from `socket` and whether it is gone.
    pub fn add(&self, socket: BorrowedFd<'_>, key: usize) -> io::Result<()> {
        let data = EventData::new_u64(key as u64);
        epoll::add(&self.epoll, socket, data, READING)?;
        Ok(())
    }

    /// Begins to report room to write too.
    pub fn watch_writes(&self, socket: BorrowedFd<'_>, key: usize) -> io::Result<()> {
        let data = EventData::new_u64(key as u64);
        epoll::modify(&self.epoll, socket, data, READING | EventFlags::OUT)?;
        Ok(())
    }

    /// Ends the reports. A copy of the descriptor in a forked process would keep them coming.
    pub fn delete(&self, socket: BorrowedFd<'_>) {
        let _ = epoll::delete(&self.epoll, socket);
    }

    /// Reports what has changed, without waiting.
    pub fn poll(&self, mut report: impl FnMut(Change)) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        events.clear();
        let at_once = Timespec::default();
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&at_once)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in &*events {
            let (flags, data) = (event.flags, event.data);
            if data.u64() == NOTIFIER_KEY {
                self.take_notification();
                continue;
            }
            let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
            let read_closed = flags.contains(EventFlags::RDHUP);
            report(Change {
                key: data.u64() as usize,
                readable: gone || read_closed || flags.contains(EventFlags::IN),
                writable: gone || flags.contains(EventFlags::OUT),
                read_closed,
                gone,
            });
        }
        Ok(())
    }

    fn take_notification(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.notifier.0.eventfd, &mut count);
        self.notifier.0.pending.swap(false, Ordering::AcqRel);
    }

    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// Readable while there is something to report.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// Room to write is not asked for at first: a unix socket reports it again each time its peer
/// reads, which would be a turn of the loop for nothing.
const READING: EventFlags = EventFlags::IN
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);
