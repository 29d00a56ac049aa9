//! A worker with what its parent remembers of it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::child::Worker;

/// How long beyond its time a worker that was asked to end may take before it is forced.
const FORCE_AFTER: Duration = Duration::from_secs(5);
/// How long a worker that was forced may take before it is killed.
const KILL_AFTER: Duration = Duration::from_secs(2);

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its application has not started yet. That may take as long as it likes.
    Starting,
    /// It serves, since then.
    Ready(Instant),
    /// It was asked to end. It is forced at the one time and killed at the other.
    Leaving {
        /// When it is asked a second time.
        force_at: Option<Instant>,
        /// When it is killed.
        kill_at: Option<Instant>,
    },
}

/// A worker of this supervisor.
#[derive(Debug)]
pub struct Member {
    /// The process.
    pub worker: Worker,
    /// How far it has come.
    pub state: State,
    /// The worker that leaves when this one is ready.
    pub replaces: Option<u32>,
    /// It has said hello: its native thread answers pings.
    pub answers: bool,
    /// Pings without an answer.
    pub unanswered: u32,
    /// It has served as many requests as it may.
    pub is_used_up: bool,
    /// Nothing more comes from it.
    pub silent: bool,
}

impl Member {
    /// A worker that has just been started.
    pub fn new(worker: Worker, replaces: Option<u32>) -> Member {
        Member {
            worker,
            state: State::Starting,
            replaces,
            answers: false,
            unanswered: 0,
            is_used_up: false,
            silent: false,
        }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.worker.pid()
    }

    /// True while it serves.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    /// True once it was asked to end.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    /// True if it is one of those that the server is to have.
    pub fn counts(&self) -> bool {
        !self.is_leaving() && self.replaces.is_none()
    }

    /// Since when it serves.
    pub fn ready_since(&self) -> Option<Instant> {
        match self.state {
            State::Ready(since) => Some(since),
            _ => None,
        }
    }

    /// It was asked to end within `patience`.
    pub fn leaves(&mut self, now: Instant, patience: Duration) {
        let force_at = now + patience + FORCE_AFTER;
        self.state = State::Leaving {
            force_at: Some(force_at),
            kill_at: Some(force_at + KILL_AFTER),
        };
    }

    /// When it must be looked at next.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Leaving { force_at, kill_at } => force_at.or(kill_at),
            _ => None,
        }
    }

    /// Its resident memory, MiB, where the system tells.
    pub fn memory_mib(&self) -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).ok()?;
        let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64 / (1024 * 1024))
    }
}

/// How a process ended, in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(number)) => match signal_hook::low_level::signal_name(number) {
            Some(name) => format!("killed by {name}"),
            None => format!("killed by signal {number}"),
        },
        (None, None) => "for no known reason".to_owned(),
    }
}

/// The exit code of a process that ends because another one ended like this.
pub fn exit_code(status: ExitStatus) -> i32 {
    let of_signal = |number: i32| 128 + number;
    status
        .code()
        .or(status.signal().map(of_signal))
        .unwrap_or(1)
}
