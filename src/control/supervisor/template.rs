//! The template of `--preload`, seen from the parent: a process that has imported the application
//! and forks workers from itself.
//!
//! ```text
//!   Template::start --> Loaded --> fork()* --> retire() --> ends with its last worker
//! ```
//!
//! It is this program again, started like a worker. The parent never loads Python; so the workers
//! are children of the template, which tells how they end ([`TemplateReport::Ended`]). A template
//! whose parent is gone ends at once, and its workers end as all do: by their control sockets.
//! Nothing here decides when a template starts or ends.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::child::{Shared, Worker, WorkerProgram};
use super::link::{
    FORK, FORK_FIRST, Inheritance, InheritedSocket, RETIRE, TemplateReport, WORKER_VARIABLE,
};
use crate::net::BoundSocket;

/// How long a fork may take. The parent waits for it: a template does nothing else.
const FORK_PATIENCE: Duration = Duration::from_secs(10);

/// A template.
#[derive(Debug)]
pub struct Template {
    child: Child,
    control: UnixStream,
    /// The beginning of a report.
    unread: Vec<u8>,
    reports: VecDeque<TemplateReport>,
    /// Nothing more comes from it.
    silent: bool,
    /// Since when workers can be forked.
    loaded: Option<Instant>,
    /// How it ended, once it has; `None` inside: nobody knows.
    ended: Option<Option<ExitStatus>>,
}

impl Template {
    /// Starts `program` as a template of workers that serve on `sockets`.
    ///
    /// # Errors
    /// The system's: the program is not there, or there is no room for another process.
    pub fn start(
        program: &WorkerProgram,
        sockets: &[BoundSocket],
        shared: &Shared,
    ) -> io::Result<Template> {
        let (control, theirs) = UnixStream::pair()?;
        control.set_nonblocking(true)?;
        let inheritance = Inheritance {
            control: theirs.as_raw_fd(),
            complaint: Some(shared.complaint().as_raw_fd()),
            template: true,
            sockets: sockets.iter().map(InheritedSocket::of).collect(),
            ..Inheritance::default()
        };
        let mut fds = vec![theirs.as_fd(), shared.complaint()];
        fds.extend(sockets.iter().map(|socket| socket.socket.as_fd()));
        Ok(Template {
            child: program.spawn(WORKER_VARIABLE, &inheritance, &fds)?,
            control,
            unread: Vec::new(),
            reports: VecDeque::new(),
            silent: false,
            loaded: None,
            ended: None,
        })
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Readable when it has something to report, or has ended; `None` when nothing more comes.
    pub fn control(&self) -> Option<BorrowedFd<'_>> {
        (!self.silent).then(|| self.control.as_fd())
    }

    /// Since when workers can be forked; `None` while the application is imported.
    pub fn loaded(&self) -> Option<Instant> {
        self.loaded
    }

    /// How it ended, as [`reports`](Self::reports) has found; `None` while it runs, and `None`
    /// inside if nobody knows.
    pub fn ended(&self) -> Option<Option<ExitStatus>> {
        self.ended
    }

    /// Everything that it has reported since the last call. What it says before its end is among
    /// that once it has ended.
    pub fn reports(&mut self) -> Vec<TemplateReport> {
        if self.ended.is_none() {
            self.ended = self
                .child
                .try_wait()
                .map_or(Some(None), |end| end.map(Some));
        }
        self.read();
        let reports: Vec<TemplateReport> = self.reports.drain(..).collect();
        if reports.contains(&TemplateReport::Loaded) {
            self.loaded = Some(Instant::now());
        }
        reports
    }

    /// Has it fork a worker, the `first` one of all or another one.
    ///
    /// # Errors
    /// The system's: no room for another process. The template does not answer.
    pub fn fork(&mut self, shared: &Shared, first: bool) -> io::Result<Worker> {
        let (control, theirs) = shared.control_pair()?;
        self.send(if first { FORK_FIRST } else { FORK }, theirs.as_fd())?;
        drop(theirs);
        match self.answer(Instant::now() + FORK_PATIENCE)? {
            Ok(pid) => Ok(Worker::forked(pid, self.pid(), control)),
            Err(error) => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Asks it to fork no more, and to end with the last of its workers.
    pub fn retire(&self) {
        let _ = (&self.control).write(&[RETIRE]);
    }

    /// Ends it now. Its workers go on.
    pub fn end_now(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn send(&self, byte: u8, fd: BorrowedFd<'_>) -> io::Result<()> {
        let fds = [fd];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        let bytes = [byte];
        let slices = [IoSlice::new(&bytes)];
        sendmsg(&self.control, &slices, &mut ancillary, SendFlags::empty())?;
        Ok(())
    }

    /// The answer to a fork: the worker's number, or the system's error.
    fn answer(&mut self, deadline: Instant) -> io::Result<Result<u32, i32>> {
        loop {
            self.read();
            let answer = |report: &TemplateReport| match *report {
                TemplateReport::Forked(pid) => Some(Ok(pid)),
                TemplateReport::NotForked(error) => Some(Err(error)),
                TemplateReport::Loaded | TemplateReport::Ended(..) => None,
            };
            if let Some(index) = self.reports.iter().position(|r| answer(r).is_some()) {
                let report = self.reports.remove(index);
                if let Some(answer) = report.as_ref().and_then(answer) {
                    return Ok(answer);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.silent || left.is_zero() {
                // An answer that came later would be taken for that to another question.
                let _ = self.child.kill();
                let words = "the process that has imported the application does not answer";
                return Err(io::Error::other(words));
            }
            self.wait(left)?;
        }
    }

    fn wait(&self, left: Duration) -> io::Result<()> {
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.control, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 256];
        while !self.silent {
            match self.control.read(&mut buffer) {
                Ok(0) => self.silent = true,
                Ok(len) => {
                    let bytes = buffer.get(..len).unwrap_or_default();
                    self.unread.extend_from_slice(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.silent = true,
            }
        }
        let (whole, rest) = self.unread.as_chunks::<{ TemplateReport::BYTES }>();
        let found = whole
            .iter()
            .filter_map(|bytes| TemplateReport::from_bytes(*bytes));
        self.reports.extend(found);
        self.unread = rest.to_vec();
    }
}
