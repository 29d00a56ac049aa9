//! The signals that steer a supervisor, as orders that a loop can poll for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{
    SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// SIGINT, SIGTERM: end, by the name of the signal.
    Stop(&'static str),
    /// SIGHUP: replace the workers, one by one.
    Restart,
    /// SIGTTIN: one worker more.
    More,
    /// SIGTTOU: one worker fewer.
    Fewer,
    /// SIGUSR2: start the program anew, and leave when that serves.
    Upgrade,
    /// SIGUSR1: let the workers show what they do.
    Inspect,
    /// SIGCHLD: a process that was started has ended.
    ChildEnded,
    /// Nothing; the signal would end the process if nobody caught it.
    Ignored,
}

const ORDERS: [(i32, Order); 10] = [
    (SIGINT, Order::Stop("SIGINT")),
    (SIGTERM, Order::Stop("SIGTERM")),
    (SIGHUP, Order::Restart),
    (SIGTTIN, Order::More),
    (SIGTTOU, Order::Fewer),
    (SIGUSR2, Order::Upgrade),
    (SIGCHLD, Order::ChildEnded),
    (SIGQUIT, Order::Ignored),
    (SIGUSR1, Order::Inspect),
    (SIGWINCH, Order::Ignored),
];

/// The signals of this process, caught for as long as this lives.
pub struct Signals {
    /// Readable when a signal has come.
    bell: UnixStream,
    caught: Vec<(Arc<AtomicBool>, Order)>,
    hooks: Vec<SigId>,
}

impl Signals {
    /// Catches them.
    ///
    /// # Errors
    /// The system's: no descriptors.
    pub fn catch() -> io::Result<Signals> {
        let (bell, ringer) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ringer.set_nonblocking(true)?;
        let mut signals = Signals {
            bell,
            caught: Vec::new(),
            hooks: Vec::new(),
        };
        for (number, order) in ORDERS {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag is set before the bell rings: actions run in the order of their
            // registration.
            let hook = signal_hook::flag::register(number, Arc::clone(&flag))?;
            signals.hooks.push(hook);
            let hook = signal_hook::low_level::pipe::register(number, ringer.try_clone()?)?;
            signals.hooks.push(hook);
            signals.caught.push((flag, order));
        }
        Ok(signals)
    }

    /// What has been ordered since the last call.
    pub fn take(&mut self) -> Vec<Order> {
        let mut buffer = [0; 64];
        while matches!(self.bell.read(&mut buffer), Ok(1..)) {}
        self.caught
            .iter()
            .filter(|(flag, _)| flag.swap(false, Ordering::AcqRel))
            .map(|(_, order)| *order)
            .collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for hook in self.hooks.drain(..) {
            signal_hook::low_level::unregister(hook);
        }
    }
}
