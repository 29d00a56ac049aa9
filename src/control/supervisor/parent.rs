//! The parent of the workers: one loop that polls for signals, reports and deadlines.
//!
//! What it wants is written down as numbers (`target` workers; those in `to_replace` to be
//! replaced), and each round brings what is nearer to what is wanted. So signals, crashes and
//! limits may come at any time and in any order.
//!
//! ```text
//!   Starting --Ready--> Ready --retire, stop--> Leaving --> gone
//!      '--ended: failed to start   '--ended: died         '--too late: forced, then killed
//! ```

mod due;
mod ends;
mod templates;

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::backoff::Backoff;
use super::child::{Shared, WorkerProgram};
use super::link::Report;
use super::log::Log;
use super::member::{Member, State, describe};
use super::orphans;
use super::signals::{Order, Signals};
use templates::Templates;

use super::upgrade::{Predecessor, Progress, Successor};
use crate::config::Config;
use crate::net::{BoundSocket, SocketFile};
use crate::pid_file::PidFile;

/// Exit code when the parent itself cannot go on.
const EXIT_ERROR: i32 = 1;
/// At most so long between two pings.
const PING_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// At least so long.
const PING_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// A supervisor at work.
pub struct Parent<'a> {
    config: &'a Config,
    program: &'a WorkerProgram,
    log: Log,
    signals: Signals,
    /// None once everything is to end: a copy held here would take connections that nobody accepts.
    sockets: Vec<BoundSocket>,
    /// The files of unix sockets, removed at the very end.
    socket_files: Vec<SocketFile>,
    shared: Shared,
    members: Vec<Member>,
    /// With `--preload`: what workers are forked from.
    templates: Templates,
    /// How many workers there are to be.
    target: usize,
    /// Workers that another one is to take over from, by number.
    to_replace: VecDeque<u32>,
    /// The worker that is being replaced; the next one waits until it is gone.
    replacing: Option<u32>,
    backoff: Backoff,
    /// At least one worker has got to serve.
    was_ready: bool,
    /// Set when everything is to end: how often that was asked for, and with which code.
    ending: Option<Ending>,
    next_ping: Instant,
    ping_interval: Duration,
    /// What SIGUSR2 starts.
    successor_program: &'a WorkerProgram,
    /// The new program, until it serves.
    successor: Option<Successor>,
    /// The old program, until this one serves.
    predecessor: Option<Predecessor>,
    pid_file: Option<PidFile>,
    /// The new program serves.
    is_succeeded: bool,
}

/// How a supervisor is made.
pub struct Plan<'a> {
    /// The settings.
    pub config: &'a Config,
    /// How many workers there are to be.
    pub count: u32,
    /// What a worker is.
    pub program: &'a WorkerProgram,
    /// What SIGUSR2 starts.
    pub successor: &'a WorkerProgram,
    /// Where the lines go.
    pub log: Log,
}

struct Ending {
    exit_code: i32,
    asked: u32,
}

impl<'a> Parent<'a> {
    /// A parent whose workers are not started yet. It takes over from `predecessor`, if there is
    /// one.
    ///
    /// # Errors
    /// The system's: no descriptors.
    pub fn new(
        plan: &Plan<'a>,
        sockets: Vec<BoundSocket>,
        predecessor: Option<Predecessor>,
        pid_file: Option<PidFile>,
    ) -> io::Result<Parent<'a>> {
        let config = plan.config;
        let interval = config.worker_healthcheck_timeout / 5;
        Ok(Parent {
            config,
            program: plan.program,
            log: plan.log,
            signals: Signals::catch()?,
            sockets,
            socket_files: Vec::new(),
            shared: Shared::new()?,
            members: Vec::new(),
            templates: Templates::default(),
            target: usize::try_from(plan.count).unwrap_or(usize::MAX),
            to_replace: VecDeque::new(),
            replacing: None,
            backoff: Backoff::default(),
            was_ready: false,
            ending: None,
            next_ping: Instant::now(),
            successor_program: plan.successor,
            successor: None,
            predecessor,
            pid_file,
            is_succeeded: false,
            ping_interval: interval.clamp(PING_INTERVAL_MIN, PING_INTERVAL_MAX),
        })
    }

    /// Serves until told to stop, and returns the exit code.
    pub fn run(mut self) -> i32 {
        loop {
            self.tend_templates();
            // What a worker has said counts, even if it has ended since.
            self.listen();
            self.bury();
            self.replace();
            self.fill();
            if let Some(ending) = &self.ending
                && self.members.is_empty()
            {
                self.templates.end_now();
                return ending.exit_code;
            }
            if let Err(error) = self.wait() {
                self.log
                    .error(&format!("The supervisor cannot go on: {error}"));
                return EXIT_ERROR;
            }
            for order in self.signals.take() {
                self.obey(order);
            }
            self.watch_successor();
            self.enforce();
        }
    }

    /// Sleeps until something has come or is due.
    fn wait(&self) -> io::Result<()> {
        let now = Instant::now();
        let due = self
            .members
            .iter()
            .filter_map(Member::deadline)
            .chain(self.backoff.until(now))
            .chain([self.next_ping])
            .min();
        let left = due.map(|due| due.saturating_duration_since(now));
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut fds = vec![PollFd::from_borrowed_fd(
            self.signals.as_fd(),
            PollFlags::IN,
        )];
        for member in self.members.iter().filter(|member| !member.silent) {
            fds.push(PollFd::from_borrowed_fd(
                member.worker.control(),
                PollFlags::IN,
            ));
        }
        if let Some(successor) = &self.successor {
            fds.push(PollFd::from_borrowed_fd(successor.pipe(), PollFlags::IN));
        }
        for control in self.templates.controls() {
            fds.push(PollFd::from_borrowed_fd(control, PollFlags::IN));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    // --- What comes from outside -----------------------------------------------------------------

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop(signal) => {
                self.log.info(&format!("Received {signal}, exiting."));
                if let Some(successor) = self.successor.take() {
                    successor.stop();
                }
                self.end(0);
            }
            Order::Restart => {
                self.log.info("Received SIGHUP, restarting processes.");
                if self.config.preload {
                    self.renew_template();
                } else {
                    let all = self.members.iter().filter(|member| member.counts());
                    self.to_replace = all.map(Member::pid).collect();
                }
            }
            Order::More => {
                self.log
                    .info("Received SIGTTIN, increasing the number of processes.");
                self.target = self.target.saturating_add(1);
            }
            Order::Fewer => {
                self.log
                    .info("Received SIGTTOU, decreasing number of processes.");
                if self.target > 1 {
                    self.target -= 1;
                } else {
                    self.log.info(
                        "Already reached one process, cannot decrease the number of processes \
                         anymore.",
                    );
                }
            }
            Order::Upgrade => self.upgrade(),
            Order::Inspect => {
                // One that does not serve yet would die of the signal.
                let ready = self.members.iter().filter(|member| member.is_ready());
                ready.for_each(|member| member.worker.show());
            }
            Order::ChildEnded => self.reap_orphans(),
            Order::Ignored => {}
        }
    }

    /// Takes what the workers report.
    fn listen(&mut self) {
        for index in 0..self.members.len() {
            let Some(member) = self.members.get_mut(index).filter(|member| !member.silent) else {
                continue;
            };
            let (reports, is_end) = member.worker.reports();
            member.silent = is_end;
            for report in reports {
                self.heard(index, report);
            }
        }
    }

    fn heard(&mut self, index: usize, report: Report) {
        let Some(member) = self.members.get_mut(index) else {
            return;
        };
        match report {
            Report::Hello => member.answers = true,
            Report::Alive => member.unanswered = 0,
            Report::Ready => self.is_ready(index),
            Report::Recycle => {
                member.is_used_up = true;
                let pid = member.pid();
                self.recycle(pid);
            }
            Report::Leaving if !member.is_leaving() => {
                let patience = self.config.graceful_shutdown_timeout;
                member.leaves(Instant::now(), patience);
            }
            Report::Leaving => {}
            Report::Free => self
                .log
                .process("The event loop runs again in child process", member.pid()),
            Report::Blocked if self.config.restart_blocked_workers => {
                let pid = member.pid();
                self.log.error(&format!(
                    "The event loop of child process [{}] is blocked; the process is replaced.",
                    self.log.number(pid)
                ));
                self.recycle(pid);
            }
            // The worker itself has reported where.
            Report::Blocked => {}
        }
    }

    fn is_ready(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index) else {
            return;
        };
        if member.state != State::Starting {
            return;
        }
        member.state = State::Ready(Instant::now());
        self.was_ready = true;
        self.shared.allow_complaint();
        if let Some(old) = member.replaces.take() {
            self.retire(old);
        }
        if self.ready_count() >= self.target
            && let Some(predecessor) = self.predecessor.take()
        {
            let taken = self.config.pid_file.as_deref().map(PidFile::take_over);
            match taken.transpose() {
                Ok(file) => self.pid_file = file,
                Err(error) => self.log.error(&error),
            }
            predecessor.dismiss();
        }
    }

    fn ready_count(&self) -> usize {
        self.members
            .iter()
            .filter(|member| member.is_ready())
            .count()
    }

    /// Waits for processes that lost their parents, where that is this one's task.
    fn reap_orphans(&mut self) {
        if !orphans::come_here() {
            return;
        }
        let mut ours: Vec<u32> = self.members.iter().map(Member::pid).collect();
        ours.extend(self.templates.pids());
        ours.extend(self.successor.as_ref().map(Successor::pid));
        orphans::reap(|pid| ours.contains(&pid));
    }

    // --- A new program ---------------------------------------------------------------------------

    fn upgrade(&mut self) {
        if self.successor.is_some() || self.ending.is_some() {
            self.log
                .warning("Received SIGUSR2 while processes begin or end already.");
            return;
        }
        self.log.info("Received SIGUSR2, starting the new program.");
        match Successor::start(self.successor_program, &self.sockets) {
            Ok(successor) => self.successor = Some(successor),
            Err(error) => self
                .log
                .error(&format!("The new program cannot be started: {error}")),
        }
    }

    fn watch_successor(&mut self) {
        let Some(mut successor) = self.successor.take() else {
            return;
        };
        let pid = self.log.number(successor.pid());
        match successor.progress() {
            Progress::Starting => self.successor = Some(successor),
            Progress::Failed(status) => {
                let words = status.map_or_else(|| "for no known reason".to_owned(), describe);
                self.log.error(&format!(
                    "The new program [{pid}] failed to start ({words}); this one goes on."
                ));
            }
            Progress::Serves => {
                self.log
                    .info(&format!("The new program [{pid}] serves, exiting."));
                for socket in &mut self.sockets {
                    if let Some(file) = socket.file.take() {
                        file.leave();
                    }
                }
                self.is_succeeded = true;
                self.end(0);
            }
        }
    }

    /// Has a worker replaced, when its turn comes; false if that was to happen anyway.
    fn recycle(&mut self, pid: u32) -> bool {
        let is_news = self.replacing != Some(pid) && !self.to_replace.contains(&pid);
        if is_news {
            self.to_replace.push_back(pid);
        }
        is_news
    }
}
