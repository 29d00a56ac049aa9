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

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::backoff::Backoff;
use super::child::{Shared, Worker, WorkerProgram};
use super::link::Report;
use super::log::Log;
use super::member::{Member, State, describe, exit_code};
use super::signals::{Order, Signals};
use super::upgrade::{Predecessor, Progress, Successor};
use crate::config::Config;
use crate::net::BoundSocket;
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
    sockets: Vec<BoundSocket>,
    shared: Shared,
    members: Vec<Member>,
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
    ) -> io::Result<Parent<'a>> {
        let config = plan.config;
        // A new program writes it when it has taken over.
        let pid_file = match &predecessor {
            None => write_pid_file(config).map_err(io::Error::other)?,
            Some(_) => None,
        };
        let interval = config.worker_healthcheck_timeout / 5;
        Ok(Parent {
            config,
            program: plan.program,
            log: plan.log,
            signals: Signals::catch()?,
            sockets,
            shared: Shared::new()?,
            members: Vec::new(),
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
            // What a worker has said counts, even if it has ended since.
            self.listen();
            self.bury();
            self.replace();
            self.fill();
            if let Some(ending) = &self.ending
                && self.members.is_empty()
            {
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
                let all = self.members.iter().filter(|member| member.counts());
                self.to_replace = all.map(Member::pid).collect();
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
            Order::ChildEnded | Order::Ignored => {}
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
            match write_pid_file(self.config) {
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

    // --- Beginnings and ends of workers ----------------------------------------------------------

    /// Starts a worker.
    fn start(&mut self, replaces: Option<u32>) {
        match Worker::start(self.program, &self.sockets, &self.shared) {
            Ok(worker) => self.members.push(Member::new(worker, replaces)),
            Err(error) => {
                self.log
                    .error(&format!("A worker process cannot be started: {error}"));
                self.could_not_start(None, EXIT_ERROR);
            }
        }
    }

    /// Brings the number of workers to what is wanted.
    fn fill(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let now = Instant::now();
        let count = |members: &[Member]| members.iter().filter(|member| member.counts()).count();
        while count(&self.members) < self.target
            && self.backoff.until(now).is_none()
            && self.ending.is_none()
        {
            self.start(None);
        }
        while count(&self.members) > self.target {
            let last = self.members.iter().rev().find(|member| member.counts());
            match last.map(Member::pid) {
                Some(pid) => self.retire(pid),
                None => return,
            }
        }
    }

    /// Starts the next replacement.
    fn replace(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let known = |pid: &u32| {
            let mut members = self.members.iter();
            members.any(|member| member.pid() == *pid && member.counts())
        };
        self.to_replace.retain(known);
        if self.replacing.is_some() || self.backoff.until(Instant::now()).is_some() {
            return;
        }
        // One that has not started yet is replaced when it has.
        let position = self.to_replace.iter().position(|pid| {
            let mut members = self.members.iter();
            members.any(|member| member.pid() == *pid && member.is_ready())
        });
        if let Some(pid) = position.and_then(|position| self.to_replace.remove(position)) {
            self.replacing = Some(pid);
            self.start(Some(pid));
        }
    }

    /// Asks a worker to leave to others.
    fn retire(&mut self, pid: u32) {
        let patience = self.config.graceful_shutdown_timeout;
        if let Some(member) = self.members.iter_mut().find(|member| member.pid() == pid) {
            member.worker.retire();
            member.leaves(Instant::now(), patience);
            self.log.process("Terminated child process", pid);
            self.log.process("Waiting for child process", pid);
        }
    }

    /// Ends everything; asked once more, with force; a third time, at once.
    fn end(&mut self, exit_code: i32) {
        let asked = match &mut self.ending {
            Some(ending) => {
                ending.asked += 1;
                ending.asked
            }
            None => {
                let asked = 1;
                self.ending = Some(Ending { exit_code, asked });
                asked
            }
        };
        let now = Instant::now();
        let patience = self.config.graceful_shutdown_timeout + self.config.drain_delay;
        for member in &mut self.members {
            match asked {
                1 => {
                    if self.is_succeeded {
                        member.worker.retire();
                    } else {
                        member.worker.stop();
                    }
                    member.leaves(now, patience);
                    self.log.process("Terminated child process", member.pid());
                }
                2 => member.worker.force(),
                _ => member.worker.kill(),
            }
        }
        if asked == 1 {
            for member in &self.members {
                self.log.process("Waiting for child process", member.pid());
            }
        }
    }

    /// Takes workers that have ended off the list.
    fn bury(&mut self) {
        let mut index = 0;
        while let Some(member) = self.members.get_mut(index) {
            match member.worker.try_wait() {
                Ok(None) => index += 1,
                Ok(Some(status)) => {
                    let member = self.members.remove(index);
                    self.has_ended(&member, Some(status));
                }
                // Somebody else has waited for it: it is gone, nobody knows how.
                Err(_) => {
                    let member = self.members.remove(index);
                    self.has_ended(&member, None);
                }
            }
        }
    }

    fn has_ended(&mut self, member: &Member, status: Option<ExitStatus>) {
        let pid = member.pid();
        if self.replacing == Some(pid) {
            // Whoever was to take over from it is now one of those that are wanted anyway.
            self.replacing = None;
            for other in &mut self.members {
                other.replaces = other.replaces.filter(|old| *old != pid);
            }
        }
        if member.is_leaving() {
            return;
        }
        let words = status.map_or_else(|| "for no known reason".to_owned(), describe);
        let code = status.map_or(EXIT_ERROR, exit_code);
        match member.ready_since() {
            None => self.failed_to_start(member, &words, code),
            Some(since) => {
                let served = since.elapsed();
                let pause = self.backoff.failed(Instant::now(), Some(served));
                let again = next_attempt(pause);
                self.log.error(&format!(
                    "Child process [{}] died ({words}).{again}",
                    self.log.number(pid)
                ));
            }
        }
    }

    fn failed_to_start(&mut self, member: &Member, words: &str, code: i32) {
        let new = self.log.number(member.pid());
        if let Some(old) = member.replaces {
            self.log.error(&format!(
                "New child process [{new}] failed to start ({words}); keeping worker [{}] and \
                 aborting the restart.",
                self.log.number(old)
            ));
            self.replacing = None;
            self.to_replace.clear();
            self.backoff.failed(Instant::now(), None);
        } else if self.was_ready {
            self.could_not_start(Some((&new, words)), code);
        } else {
            self.log.error(&format!(
                "Child process [{new}] failed to start, stopping the parent process."
            ));
            self.end(code);
        }
    }

    /// A worker that is wanted could not be started: another one is, later.
    fn could_not_start(&mut self, who: Option<(&str, &str)>, code: i32) {
        if self.was_ready {
            let pause = self.backoff.failed(Instant::now(), None);
            if let Some((pid, words)) = who {
                let again = next_attempt(pause);
                self.log.error(&format!(
                    "Child process [{pid}] failed to start ({words}).{again}"
                ));
            }
            self.replacing = None;
        } else {
            self.end(code);
        }
    }

    // --- What is due -----------------------------------------------------------------------------

    fn enforce(&mut self) {
        let now = Instant::now();
        for member in &mut self.members {
            let State::Leaving { force_at, kill_at } = &mut member.state else {
                continue;
            };
            if force_at.is_some_and(|at| at <= now) {
                *force_at = None;
                member.worker.force();
            }
            if kill_at.is_some_and(|at| at <= now) {
                *kill_at = None;
                member.worker.kill();
                let pid = member.worker.pid();
                self.log.error(&format!(
                    "Child process [{}] did not end in time and was killed.",
                    self.log.number(pid)
                ));
            }
        }
        if self.next_ping <= now {
            self.next_ping = now + self.ping_interval;
            self.ping();
        }
    }

    /// Has workers replaced that are too large or too old.
    fn enforce_limits(&mut self) {
        let memory_max = self.config.worker_memory_max_mib;
        let age_max = self.config.worker_age_max;
        let mut over = Vec::new();
        for member in self.members.iter().filter(|member| member.is_ready()) {
            let age = member.ready_since().map(|since| since.elapsed());
            let memory = memory_max.and_then(|_| member.memory_mib());
            if let (Some(memory), Some(max)) = (memory, memory_max)
                && memory > max
            {
                over.push((member.pid(), format!("Memory limit of {max} MiB exceeded")));
            } else if let (Some(age), Some(max)) = (age, age_max)
                && age > max
            {
                over.push((
                    member.pid(),
                    format!("Age limit of {} s exceeded", max.as_secs()),
                ));
            }
        }
        for (pid, why) in over {
            if self.recycle(pid) {
                self.log.info(&format!(
                    "{why} by child process [{}].",
                    self.log.number(pid)
                ));
            }
        }
    }

    /// Asks all workers whether they are alive. A thread without Python answers, so that one that
    /// does not is frozen, however busy its Python code may be.
    fn ping(&mut self) {
        self.enforce_limits();
        let timeout = self.config.worker_healthcheck_timeout;
        let interval_ms = self.ping_interval.as_millis().max(1);
        let unanswered_max = timeout.as_millis().div_ceil(interval_ms) + 1;
        for member in &mut self.members {
            if member.answers
                && !timeout.is_zero()
                && u128::from(member.unanswered) > unanswered_max
            {
                let pid = member.worker.pid();
                self.log.error(&format!(
                    "Child process [{}] has not answered for {} s and was killed.",
                    self.log.number(pid),
                    timeout.as_secs()
                ));
                member.worker.kill();
            }
            member.unanswered = member.unanswered.saturating_add(1);
            member.worker.ping();
        }
    }
}

fn write_pid_file(config: &Config) -> Result<Option<PidFile>, String> {
    config.pid_file.as_deref().map(PidFile::write).transpose()
}

fn next_attempt(pause: Duration) -> String {
    if pause.is_zero() {
        String::new()
    } else {
        format!(" The next one is started in {} s.", pause.as_secs())
    }
}
