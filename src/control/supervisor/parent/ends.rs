//! How workers begin and end.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::super::member::{Member, describe, exit_code};
use super::{EXIT_ERROR, Ending, Parent};

impl Parent<'_> {
    /// Starts a worker.
    pub(super) fn start(&mut self, replaces: Option<u32>) {
        match self.launch() {
            Ok(worker) => self.members.push(Member::new(worker, replaces)),
            Err(error) => {
                self.log
                    .error(&format!("A worker process cannot be started: {error}"));
                self.could_not_start(None, EXIT_ERROR);
            }
        }
    }

    /// Brings the number of workers to what is wanted.
    pub(super) fn fill(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let now = Instant::now();
        let count = |members: &[Member]| members.iter().filter(|member| member.counts()).count();
        while count(&self.members) < self.target
            && self.has_loaded()
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
    pub(super) fn replace(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let known = |pid: &u32| {
            let mut members = self.members.iter();
            members.any(|member| member.pid() == *pid && member.counts())
        };
        self.to_replace.retain(known);
        let is_too_soon = self.backoff.until(Instant::now()).is_some() || !self.has_loaded();
        if self.replacing.is_some() || is_too_soon {
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
    pub(super) fn retire(&mut self, pid: u32) {
        let patience = self.config.graceful_shutdown_timeout;
        if let Some(member) = self.members.iter_mut().find(|member| member.pid() == pid) {
            member.worker.retire();
            member.leaves(Instant::now(), patience);
            self.log.process("Terminated child process", pid);
            self.log.process("Waiting for child process", pid);
        }
    }

    /// Ends everything; asked once more, with force; a third time, at once.
    pub(super) fn end(&mut self, exit_code: i32) {
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
            self.stop_listening();
            for member in &self.members {
                self.log.process("Waiting for child process", member.pid());
            }
        }
    }

    /// Lets go of the sockets: from now on only workers hold them, for as long as they accept.
    fn stop_listening(&mut self) {
        let sockets = std::mem::take(&mut self.sockets);
        self.socket_files
            .extend(sockets.into_iter().filter_map(|socket| socket.file));
        self.templates.retire();
    }

    /// Takes workers that have ended off the list.
    pub(super) fn bury(&mut self) {
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

    pub(super) fn has_ended(&mut self, member: &Member, status: Option<ExitStatus>) {
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

    pub(super) fn failed_to_start(&mut self, member: &Member, words: &str, code: i32) {
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
    pub(super) fn could_not_start(&mut self, who: Option<(&str, &str)>, code: i32) {
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
}

fn next_attempt(pause: Duration) -> String {
    if pause.is_zero() {
        String::new()
    } else {
        format!(" The next one is started in {} s.", pause.as_secs())
    }
}
