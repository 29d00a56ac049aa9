//! The parent of the one worker: one loop that polls for signals, changes, reports and deadlines.
//!
//! ```text
//!   Serving --change--> Leaving --ended--> Serving (a new worker)
//!      '--did not start--> Broken --change--> Serving
//! ```
//!
//! The sockets stay open all the time. While a worker leaves or starts, clients wait in the
//! backlog; while the application is broken, they are answered with the reason.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::bytecode;
use super::page::Failure;
use super::watch::{self, Means, Seen, Watching};
use super::{Answer, Answering};
use crate::config::Config;
use crate::net::BoundSocket;
use crate::supervisor::child::{Shared, Worker, WorkerProgram};
use crate::supervisor::link::Report;
use crate::supervisor::log::Log;
use crate::supervisor::member::describe;
use crate::supervisor::signals::{Order, Signals};

/// Exit code when the parent itself cannot go on.
const EXIT_ERROR: i32 = 1;
/// How long a worker may take to make room before it is forced. What is open in it has had two
/// seconds then; the rest is the application's own shutdown.
const MAKE_ROOM_TIMEOUT: Duration = Duration::from_secs(4);
/// How long beyond its time a worker may take to end when everything ends.
const STOP_MARGIN: Duration = Duration::from_secs(5);
/// How long a worker that was forced may take before it is killed.
const FORCED_TIMEOUT: Duration = Duration::from_secs(1);
/// A worker that served for less than this and then died is not started again by itself.
const SERVED_MIN: Duration = Duration::from_secs(1);
/// So long after a worker began to serve the next one is started early: what it does then shall not
/// hold up the first requests.
const EARLY_START_DELAY: Duration = Duration::from_millis(300);
/// At most so many names of changed files stand in the log.
const NAMES_SHOWN_MAX: usize = 10;

/// A reloader at work.
pub struct Parent<'a> {
    config: &'a Config,
    program: &'a WorkerProgram,
    /// Who answers clients while there is no worker.
    respond: Answer,
    log: Log,
    signals: Signals,
    sockets: Vec<BoundSocket>,
    shared: Shared,
    means: Means,
    changes: Changes,
    stage: Stage,
    /// The next worker, which waits for its turn.
    next: Option<Worker>,
    /// When it is to be started.
    next_at: Option<Instant>,
    /// What has changed since the last worker was started.
    changed: BTreeSet<PathBuf>,
    /// How often the end was asked for.
    asked_to_end: u32,
}

enum Stage {
    /// A worker serves, or is about to.
    Serving {
        worker: Worker,
        /// Nothing more comes from it.
        silent: bool,
        /// Since when it serves.
        ready: Option<Instant>,
    },
    /// A worker has been asked to end.
    Leaving {
        worker: Worker,
        /// When it is asked a second time.
        force_at: Option<Instant>,
        /// When it is killed.
        kill_at: Option<Instant>,
    },
    /// The application does not run. Nobody answers if even that could not be started.
    Broken(Option<Box<dyn Answering>>),
    /// There is nothing left to do.
    Over,
}

/// The watching thread's end of the channel, and something to poll.
struct Changes {
    seen: Receiver<Seen>,
    bell: UnixStream,
}

impl<'a> Parent<'a> {
    /// Begins to watch; no worker is started yet.
    ///
    /// # Errors
    /// The system's: no descriptors, no thread.
    pub fn new(
        config: &'a Config,
        program: &'a WorkerProgram,
        sockets: Vec<BoundSocket>,
        signals: Signals,
        watching: Watching,
        respond: Answer,
        log: Log,
    ) -> io::Result<Parent<'a>> {
        let (bell, ringer) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ringer.set_nonblocking(true)?;
        let (sender, seen) = mpsc::channel();
        let (means, why) = watch::start(watching, move |what| {
            let heard = sender.send(what).is_ok();
            // A full pipe has rung already.
            let _ = (&ringer).write(b"!");
            heard
        })?;
        if let Some(why) = why {
            log_polling(&log, &why);
        }
        Ok(Parent {
            config,
            program,
            respond,
            log,
            signals,
            sockets,
            shared: Shared::new()?,
            means,
            changes: Changes { seen, bell },
            stage: Stage::Over,
            next: None,
            next_at: None,
            changed: BTreeSet::new(),
            asked_to_end: 0,
        })
    }

    /// How changes are noticed.
    pub fn means(&self) -> Means {
        self.means
    }

    /// Serves until told to stop, and returns the exit code.
    pub fn run(mut self) -> i32 {
        self.start();
        loop {
            self.bury();
            if self.asked_to_end > 0 && matches!(self.stage, Stage::Over) {
                if let Some(next) = self.next.take() {
                    next.end_now();
                }
                return 0;
            }
            if let Err(error) = self.wait() {
                self.log
                    .error(&format!("The reloader cannot go on: {error}"));
                return EXIT_ERROR;
            }
            for order in self.signals.take() {
                self.obey(order);
            }
            self.listen();
            for seen in self.changes.take() {
                self.has_seen(seen);
            }
            self.enforce();
        }
    }

    /// Sleeps until something has come or is due.
    fn wait(&self) -> io::Result<()> {
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.changes.bell.as_fd(), PollFlags::IN),
        ];
        let mut due = self.next_at;
        match &self.stage {
            Stage::Serving { worker, silent, .. } => {
                if !silent {
                    fds.push(PollFd::from_borrowed_fd(worker.control(), PollFlags::IN));
                }
            }
            Stage::Leaving {
                force_at, kill_at, ..
            } => due = due.into_iter().chain(*force_at).chain(*kill_at).min(),
            Stage::Broken(_) | Stage::Over => {}
        }
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    // --- What comes from outside -----------------------------------------------------------------

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop(_) => self.end(),
            Order::Restart => self.restart(),
            Order::Inspect => {
                // One that does not serve yet would die of the signal.
                if let Stage::Serving {
                    worker,
                    ready: Some(_),
                    ..
                } = &self.stage
                {
                    worker.show();
                }
            }
            Order::More | Order::Fewer | Order::Upgrade | Order::ChildEnded | Order::Ignored => {}
        }
    }

    fn has_seen(&mut self, seen: Seen) {
        match seen {
            Seen::PollingInstead(why) => {
                self.means = Means::Polling;
                log_polling(&self.log, &why);
            }
            Seen::Changes(paths) => {
                self.changed.extend(paths.iter().cloned());
                // A worker that has not started yet reads what is there then.
                if self.asked_to_end == 0 && !matches!(self.stage, Stage::Leaving { .. }) {
                    self.log.warning(&format!(
                        "{} detected changes in {}. Reloading...",
                        self.means.as_str(),
                        names(&paths)
                    ));
                    self.restart();
                }
            }
        }
    }

    /// Takes what the worker reports.
    fn listen(&mut self) {
        let Stage::Serving {
            worker,
            silent,
            ready,
        } = &mut self.stage
        else {
            return;
        };
        if *silent {
            return;
        }
        let (reports, is_end) = worker.reports();
        *silent = is_end;
        let mut recycle = false;
        for report in reports {
            match report {
                Report::Ready => {
                    *ready = Some(Instant::now());
                    self.next_at = Some(Instant::now() + EARLY_START_DELAY);
                }
                Report::Recycle => recycle = true,
                _ => {}
            }
        }
        if recycle {
            self.restart();
        }
    }

    // --- Beginnings and ends of workers ----------------------------------------------------------

    fn start(&mut self) {
        bytecode::remove(&std::mem::take(&mut self.changed));
        self.shared.allow_complaint();
        self.prepare();
        match self.take_next() {
            Ok(worker) => {
                worker.begin();
                self.stage = Stage::Serving {
                    worker,
                    silent: false,
                    ready: None,
                }
            }
            Err(error) => {
                let summary = format!("A worker process cannot be started: {error}");
                self.log.error(&summary);
                self.answer(Failure {
                    summary,
                    details: String::new(),
                });
            }
        }
    }

    /// Starts the next worker early, unless one waits already.
    fn prepare(&mut self) {
        self.next_at = None;
        if matches!(self.next.as_mut().map(Worker::try_wait), Some(Ok(None))) {
            return;
        }
        // If it cannot be, it is said when it is needed.
        self.next = Worker::start_early(self.program, &self.sockets, &self.shared).ok();
    }

    /// The worker that waits, or a new one.
    fn take_next(&mut self) -> io::Result<Worker> {
        match self.next.take() {
            Some(worker) => Ok(worker),
            None => Worker::start(self.program, &self.sockets, &self.shared),
        }
    }

    /// Has a new worker started, once there is room for it.
    fn restart(&mut self) {
        if self.asked_to_end > 0 {
            return;
        }
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Serving { worker, .. } => {
                worker.make_room();
                // It gets ready while the other one leaves.
                self.prepare();
                let force_at = Instant::now() + MAKE_ROOM_TIMEOUT;
                self.stage = leaving(worker, force_at);
            }
            Stage::Broken(responder) => {
                if let Some(responder) = responder {
                    responder.stop();
                }
                self.start();
            }
            other => self.stage = other,
        }
    }

    /// Ends everything; asked once more, with force; a third time, at once.
    fn end(&mut self) {
        self.asked_to_end += 1;
        self.next_at = None;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Serving { worker, .. } => {
                worker.stop();
                let patience = self.config.graceful_shutdown_timeout + STOP_MARGIN;
                self.stage = leaving(worker, Instant::now() + patience);
            }
            Stage::Leaving {
                worker,
                force_at,
                kill_at,
            } => {
                match self.asked_to_end {
                    // It is leaving already, to make room; that is soon enough.
                    1 => {}
                    2 => worker.force(),
                    _ => worker.kill(),
                }
                self.stage = Stage::Leaving {
                    worker,
                    force_at,
                    kill_at,
                };
            }
            Stage::Broken(Some(responder)) => responder.stop(),
            Stage::Broken(None) | Stage::Over => {}
        }
    }

    /// Takes note of a worker that has ended.
    fn bury(&mut self) {
        let (Stage::Serving { worker, .. } | Stage::Leaving { worker, .. }) = &mut self.stage
        else {
            return;
        };
        let status = match worker.try_wait() {
            Ok(None) => return,
            Ok(Some(status)) => Some(status),
            // Somebody else has waited for it: it is gone, nobody knows how.
            Err(_) => None,
        };
        // What it has said last may not have been read yet.
        self.listen();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Serving { worker, ready, .. } => self.has_died(&worker, status, ready),
            _ if self.asked_to_end == 0 => self.start(),
            _ => {}
        }
    }

    /// The worker has ended though nobody asked it to.
    fn has_died(&mut self, worker: &Worker, status: Option<ExitStatus>, ready: Option<Instant>) {
        let how = status.map_or_else(|| "for no known reason".to_owned(), describe);
        let pid = self.log.number(worker.pid());
        let details = worker.failure().unwrap_or_default();
        let summary = match ready {
            Some(since) if since.elapsed() >= SERVED_MIN => {
                self.log.error(&format!(
                    "Child process [{pid}] died ({how}). Starting it again."
                ));
                return self.start();
            }
            Some(_) => format!("The application died ({how})."),
            None => format!("The application did not start ({how})."),
        };
        self.log
            .error(&format!("{summary} Waiting for a file to change."));
        self.answer(Failure { summary, details });
    }

    /// Answers clients while there is no worker.
    fn answer(&mut self, failure: Failure) {
        let sockets = self.sockets.iter().map(|socket| socket.socket.try_clone());
        let responder = sockets
            .collect::<io::Result<Vec<_>>>()
            .and_then(|sockets| (self.respond)(sockets, self.config, failure));
        if let Err(error) = &responder {
            self.log
                .error(&format!("Clients are not answered: {error}"));
        }
        self.stage = Stage::Broken(responder.ok());
        self.prepare();
    }

    // --- What is due -----------------------------------------------------------------------------

    fn enforce(&mut self) {
        if self.next_at.is_some_and(|at| at <= Instant::now()) {
            self.prepare();
        }
        let Stage::Leaving {
            worker,
            force_at,
            kill_at,
        } = &mut self.stage
        else {
            return;
        };
        let now = Instant::now();
        if force_at.is_some_and(|at| at <= now) {
            *force_at = None;
            worker.force();
        }
        if kill_at.is_some_and(|at| at <= now) {
            *kill_at = None;
            worker.kill();
            self.log.error(&format!(
                "Child process [{}] did not end in time and was killed.",
                self.log.number(worker.pid())
            ));
        }
    }
}

impl Changes {
    fn take(&mut self) -> Vec<Seen> {
        let mut buffer = [0; 64];
        while matches!((&self.bell).read(&mut buffer), Ok(1..)) {}
        self.seen.try_iter().collect()
    }
}

/// A worker that was asked to end, and is forced at `force_at`.
fn leaving(worker: Worker, force_at: Instant) -> Stage {
    Stage::Leaving {
        worker,
        force_at: Some(force_at),
        kill_at: Some(force_at + FORCED_TIMEOUT),
    }
}

fn log_polling(log: &Log, why: &str) {
    log.warning(&format!(
        "Looking at the files again and again, because {why}."
    ));
}

/// The paths as the log shows them: relative to the working directory where they are below it.
fn names(paths: &[PathBuf]) -> String {
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    names_from(paths, here.as_deref().unwrap_or(Path::new("")))
}

fn names_from(paths: &[PathBuf], here: &Path) -> String {
    let shown = paths.iter().take(NAMES_SHOWN_MAX).map(|path| {
        let relative = path.strip_prefix(here).unwrap_or(path);
        format!("'{}'", relative.display())
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_where_that_is_shorter() {
        let paths = ["/app/a/x.py", "/other/y.py"].map(PathBuf::from);
        assert_eq!(
            names_from(&paths, Path::new("/app")),
            "'a/x.py', '/other/y.py'"
        );
    }

    #[test]
    fn not_all_of_many_names_are_shown() {
        let paths: Vec<PathBuf> = (0..12).map(|n| format!("/w/{n}.py").into()).collect();
        let said = names_from(&paths, Path::new("/w"));
        assert!(said.ends_with("'9.py' and 2 more"), "{said}");
    }
}
