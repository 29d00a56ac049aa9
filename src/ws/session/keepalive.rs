//! Pings of ours: when one is due, and what it means when nothing comes back.
//!
//! ```text
//!            interval over              with the kernel
//!   Resting ---------------> Sending ------------------> Awaiting --timeout over--> dead
//!      ^                                                    |
//!      '---------- pong, or the timeout is over and --------'
//!                  something else has come meanwhile
//! ```
//!
//! Any byte of the peer's is a sign of life: a pong cannot overtake the long frame that the peer
//! may be in the middle of. The peer's time begins when the ping is with the kernel, not behind
//! what else waits to be written. While the machine itself reads nothing, because the application
//! lags behind, no ping is sent and no time is counted: the answer could not be seen.

use std::time::Duration;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing; call again after so long, or not at all.
    Wait(Option<Duration>),
    /// Send a ping, and tell where in the stream it ends ([`Keepalive::pinged`]).
    Ping,
    /// The peer is dead.
    Dead,
}

/// The pings of one connection.
#[derive(Debug)]
pub(super) struct Keepalive {
    /// Zero: none.
    interval: Duration,
    /// Zero: none.
    timeout: Duration,
    state: State,
    /// Something has come since the state began.
    heard: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting,
    Sending { end: u64 },
    Awaiting,
}

impl Keepalive {
    /// Before the first ping.
    pub(super) fn new(interval: Duration, timeout: Duration) -> Keepalive {
        Keepalive {
            interval,
            timeout,
            state: State::Resting,
            heard: false,
        }
    }

    /// The time until the next ping; `None` when none is ever sent.
    pub(super) fn interval(&self) -> Option<Duration> {
        (!self.interval.is_zero()).then_some(self.interval)
    }

    /// Something has come from the peer.
    pub(super) fn hear(&mut self) {
        self.heard = true;
    }

    /// A pong has come. The time until the next ping, when one was awaited.
    pub(super) fn pong(&mut self) -> Option<Duration> {
        if self.state == State::Resting {
            return None;
        }
        self.state = State::Resting;
        self.interval()
    }

    /// A ping was sent, that ends at `end`. When it is with the kernel, the timeout begins.
    pub(super) fn pinged(&mut self, end: u64) -> Option<Duration> {
        if self.timeout.is_zero() {
            return self.interval();
        }
        self.state = State::Sending { end };
        None
    }

    /// The kernel has what `has_sent` says: the time for the pong, when it begins now.
    pub(super) fn sent(&mut self, has_sent: impl FnOnce(u64) -> bool) -> Option<Duration> {
        match self.state {
            State::Sending { end } if has_sent(end) => {
                self.state = State::Awaiting;
                self.heard = false;
                Some(self.timeout)
            }
            _ => None,
        }
    }

    /// The machine reads again: the peer's time begins anew.
    pub(super) fn resume(&mut self) -> Option<Duration> {
        (self.state == State::Awaiting).then_some(self.timeout)
    }

    /// The time is over. `reads` tells whether the machine reads.
    pub(super) fn due(&mut self, reads: bool) -> Due {
        match self.state {
            State::Resting if reads => Due::Ping,
            State::Resting => Due::Wait(self.interval()),
            State::Sending { .. } => Due::Wait(None),
            State::Awaiting if !reads => Due::Wait(None),
            State::Awaiting if self.heard => {
                self.state = State::Resting;
                Due::Wait(self.interval())
            }
            State::Awaiting => Due::Dead,
        }
    }
}
