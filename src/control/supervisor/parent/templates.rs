//! What the parent does with `--preload`: keeps a template from which workers are forked, and
//! replaces it when new code is wanted.
//!
//! ```text
//!   next --loaded--> current --replaced--> old --its last worker has ended--> gone
//! ```
//!
//! Workers do not need their template. One that dies is started again, for the workers to come.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use super::super::child::Worker;
use super::super::member::{describe, exit_code};
use super::super::template::Template;
use super::{EXIT_ERROR, Member, Parent};
use crate::supervisor::link::TemplateReport;

/// The templates of a supervisor.
#[derive(Debug, Default)]
pub(super) struct Templates {
    /// Workers are forked from it, once it has loaded the application.
    current: Option<Template>,
    /// It takes over when it has loaded.
    next: Option<Template>,
    /// They have workers left.
    old: Vec<Template>,
}

impl Templates {
    fn all(&mut self) -> impl Iterator<Item = &mut Template> {
        let first = [&mut self.current, &mut self.next];
        first.into_iter().flatten().chain(&mut self.old)
    }

    /// What to poll for reading.
    pub(super) fn controls(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let first = [&self.current, &self.next];
        let all = first.into_iter().flatten().chain(&self.old);
        all.filter_map(Template::control)
    }

    /// Whether workers can be forked.
    pub(super) fn is_loaded(&self) -> bool {
        let loaded = self.current.as_ref().and_then(Template::loaded);
        loaded.is_some()
    }

    /// Their processes.
    pub(super) fn pids(&mut self) -> impl Iterator<Item = u32> {
        self.all().map(|template| template.pid())
    }

    /// Has none of them fork any more: they hold sockets for workers to come.
    pub(super) fn retire(&mut self) {
        if let Some(next) = self.next.take() {
            next.end_now();
        }
        if let Some(current) = self.current.take() {
            current.retire();
            self.old.push(current);
        }
    }

    /// Ends them all.
    pub(super) fn end_now(&mut self) {
        let Templates { current, next, old } = std::mem::take(self);
        let all = current.into_iter().chain(next).chain(old);
        all.for_each(Template::end_now);
    }
}

impl Parent<'_> {
    /// Whether workers can be started now, as far as that depends on a template.
    pub(super) fn has_loaded(&self) -> bool {
        !self.config.preload || self.templates.is_loaded()
    }

    /// Starts a worker's process.
    pub(super) fn launch(&mut self) -> io::Result<Worker> {
        let is_first = self.is_unserved() && self.members.is_empty();
        match &mut self.templates.current {
            Some(template) => template.fork(&self.shared, is_first),
            None if is_first => Worker::start_first(self.program, &self.sockets, &self.shared),
            None => Worker::start(self.program, &self.sockets, &self.shared),
        }
    }

    /// Whether nobody has served on the sockets yet.
    fn is_unserved(&self) -> bool {
        !self.was_ready && self.predecessor.is_none()
    }

    /// Has the application imported anew; the workers are replaced when that is done.
    pub(super) fn renew_template(&mut self) {
        // One that has not come so far knows the code of a moment ago.
        if let Some(late) = self.templates.next.take() {
            late.end_now();
        }
        self.shared.allow_complaint();
        match self.start_template() {
            Ok(template) => self.templates.next = Some(template),
            Err(error) => self
                .log
                .error(&format!("The application cannot be preloaded: {error}")),
        }
    }

    /// Takes what templates report, and sees that there is one.
    pub(super) fn tend_templates(&mut self) {
        if !self.config.preload {
            return;
        }
        let reports: Vec<TemplateReport> =
            self.templates.all().flat_map(Template::reports).collect();
        for report in reports {
            if let TemplateReport::Ended(pid, status) = report {
                let mut members = self.members.iter_mut();
                if let Some(member) = members.find(|member| member.pid() == pid) {
                    member.worker.note_end(ExitStatus::from_raw(status));
                }
            }
        }
        self.bury_templates();
        self.promote_next();
        let is_wanted = self.templates.current.is_none()
            && self.templates.next.is_none()
            && self.ending.is_none()
            && self.backoff.until(Instant::now()).is_none();
        if is_wanted {
            match self.start_template() {
                Ok(template) => self.templates.current = Some(template),
                Err(error) => {
                    self.log
                        .error(&format!("The application cannot be preloaded: {error}"));
                    self.could_not_start(None, EXIT_ERROR);
                }
            }
        }
    }

    fn start_template(&self) -> io::Result<Template> {
        let template = Template::start(self.program, &self.sockets, &self.shared)?;
        self.log
            .process("Preloading the application in process", template.pid());
        Ok(template)
    }

    /// The next template becomes the one from which workers are forked, and all workers are
    /// replaced.
    fn promote_next(&mut self) {
        let next = &mut self.templates.next;
        let Some(next) = next.take_if(|next| next.loaded().is_some()) else {
            return;
        };
        if let Some(old) = self.templates.current.replace(next) {
            old.retire();
            self.templates.old.push(old);
        }
        let all = self.members.iter().filter(|member| member.counts());
        self.to_replace = all.map(Member::pid).collect();
    }

    fn bury_templates(&mut self) {
        let mut gone = Vec::new();
        self.templates.old.retain(|template| {
            if template.ended().is_some() {
                gone.push(template.pid());
            }
            template.ended().is_none()
        });
        let next = &mut self.templates.next;
        if let Some(next) = next.take_if(|next| next.ended().is_some()) {
            self.log.error(&format!(
                "The application could not be preloaded by process [{}] ({}); keeping the workers \
                 and aborting the restart.",
                self.log.number(next.pid()),
                words(next.ended().flatten())
            ));
            gone.push(next.pid());
        }
        let current = &mut self.templates.current;
        if let Some(current) = current.take_if(|current| current.ended().is_some()) {
            gone.push(current.pid());
            self.current_has_ended(&current, current.ended().flatten());
        }
        for pid in gone {
            for member in &mut self.members {
                member.worker.note_end_of_template(pid);
            }
        }
    }

    fn current_has_ended(&mut self, template: &Template, status: Option<ExitStatus>) {
        let pid = self.log.number(template.pid());
        let words = words(status);
        match template.loaded() {
            Some(since) => {
                self.backoff.failed(Instant::now(), Some(since.elapsed()));
                self.log.error(&format!(
                    "The process [{pid}] that has preloaded the application died ({words})."
                ));
            }
            None if self.was_ready => self.could_not_start(Some((&pid, &words)), EXIT_ERROR),
            None => {
                self.log.error(&format!(
                    "Child process [{pid}] failed to start, stopping the parent process."
                ));
                self.end(status.map_or(EXIT_ERROR, exit_code));
            }
        }
    }
}

fn words(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "for no known reason".to_owned(), describe)
}
