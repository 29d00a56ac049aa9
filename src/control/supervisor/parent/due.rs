//! What the parent does when it is time: kill who is late, ask who is alive, replace who is too
//! large or too old.

use std::time::Instant;

use super::super::member::{Member, State};
use super::Parent;

impl Parent<'_> {
    pub(super) fn enforce(&mut self) {
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
    pub(super) fn enforce_limits(&mut self) {
        let memory_max = self.config.worker_memory_max_mib;
        let age_max = self.config.worker_age_max;
        let over = |member: &Member| {
            if member.is_used_up {
                return Some("Request limit exceeded".to_owned());
            }
            let memory = memory_max.and_then(|max| Some((member.memory_mib()?, max)));
            if let Some((_, max)) = memory.filter(|(memory, max)| memory > max) {
                return Some(format!("Memory limit of {max} MiB exceeded"));
            }
            let age = age_max.and_then(|max| Some((member.ready_since()?.elapsed(), max)));
            let (_, max) = age.filter(|(age, max)| age > max)?;
            Some(format!("Age limit of {} s exceeded", max.as_secs()))
        };
        let ready = self.members.iter().filter(|member| member.is_ready());
        let found: Vec<(u32, String)> = ready
            .filter_map(|member| Some((member.pid(), over(member)?)))
            .collect();
        for (pid, why) in found {
            if self.recycle(pid) {
                let pid = self.log.number(pid);
                self.log.info(&format!("{why} by child process [{pid}]."));
            }
        }
    }

    /// Asks all workers whether they are alive. A thread without Python answers, so that one that
    /// does not is frozen, however busy its Python code may be.
    pub(super) fn ping(&mut self) {
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
