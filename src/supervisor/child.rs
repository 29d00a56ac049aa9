//! One worker process, seen from its parent: start it on sockets that are bound already, learn
//! when it is ready, tell it to end.
//!
//! ```text
//!   Worker::start --> Hello --> Ready --> retire() or stop() --> try_wait() says how it ended
//! ```
//!
//! A worker is this program again, with its descriptors in an environment variable (`link.rs`).
//! Whoever starts one polls [`Worker::control`] for reading, calls [`Worker::reports`] when it is
//! readable, and [`Worker::try_wait`] after SIGCHLD. A worker whose parent's end of the control
//! socket closes ends by itself: dropping a `Worker` is a way to stop it, and so is the parent's
//! death. Nothing here decides when a worker starts or ends.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use super::link::{
    BEGIN, FAILED, Inheritance, InheritedSocket, PING, RELOAD, RETIRE, Report, STOP,
    UPGRADE_VARIABLE, WORKER_VARIABLE,
};
use crate::net::{BoundSocket, descriptor};
use crate::tls::tickets::TicketSecret;

/// How a worker's program is started. The environment is the parent's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerProgram {
    /// The executable.
    pub path: PathBuf,
    /// What it is told of its own name (`argv[0]`); `None`: its path.
    pub name: Option<OsString>,
    /// The arguments behind the name.
    pub arguments: Vec<OsString>,
}

impl WorkerProgram {
    /// The command, for processes that inherit `fds` beside the standard streams.
    fn command(&self, variable: &str, inheritance: &Inheritance) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(name) = &self.name {
            command.arg0(name);
        }
        command.args(&self.arguments);
        command.env_remove(WORKER_VARIABLE);
        command.env_remove(UPGRADE_VARIABLE);
        command.env(variable, inheritance.encode());
        command
    }

    /// Starts the program with `variable` telling it of `inheritance`, whose descriptors it gets
    /// under the numbers that they have here. `fds` are the same descriptors.
    ///
    /// # Errors
    /// The system's: the program is not there, or there is no room for another process.
    pub(super) fn spawn(
        &self,
        variable: &str,
        inheritance: &Inheritance,
        fds: &[BorrowedFd<'_>],
    ) -> io::Result<Child> {
        let mut command = self.command(variable, inheritance);
        let lent = Lent::new(fds)?;
        let child = command.spawn();
        drop(lent);
        child
    }
}

/// Descriptors that programs inherit for as long as this lives.
struct Lent<'a>(&'a [BorrowedFd<'a>]);

impl<'a> Lent<'a> {
    fn new(fds: &'a [BorrowedFd<'a>]) -> io::Result<Lent<'a>> {
        let lent = Lent(fds);
        for fd in fds {
            descriptor::set_inherited(*fd, true)?;
        }
        Ok(lent)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        for fd in self.0 {
            // It cannot fail for a descriptor that is open.
            let _ = descriptor::set_inherited(*fd, false);
        }
    }
}

/// What all workers of one supervisor share.
#[derive(Debug)]
pub struct Shared {
    /// So that each worker can read the TLS session tickets of all others.
    secret: TicketSecret,
    /// The byte in this pipe is the permission to show why a worker cannot start.
    complaint: (OwnedFd, OwnedFd),
}

impl Shared {
    /// A fresh secret, and the permission to complain.
    ///
    /// # Errors
    /// The system's: no random numbers, no descriptors.
    pub fn new() -> io::Result<Shared> {
        let secret = TicketSecret::generate()
            .ok_or_else(|| io::Error::other("the system has no random bytes"))?;
        let (reader, writer) = std::io::pipe()?;
        let shared = Shared {
            secret,
            complaint: (reader.into(), writer.into()),
        };
        for fd in [&shared.complaint.0, &shared.complaint.1] {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        shared.allow_complaint();
        Ok(shared)
    }

    /// Lets one worker show again why it cannot start.
    pub fn allow_complaint(&self) {
        let mut byte = [0];
        // Taken out first, so that there is never more than one.
        let _ = rustix::io::read(&self.complaint.0, &mut byte);
        let _ = rustix::io::write(&self.complaint.1, b"c");
    }
}

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    control: UnixStream,
    /// Why it could not start, as far as it has said so.
    failure: Option<Vec<u8>>,
    /// It has ended, and has been waited for: its number may be another process's by now.
    ended: Option<ExitStatus>,
}

impl Worker {
    /// Starts `program` as a worker that serves on `sockets`.
    ///
    /// # Errors
    /// The system's: the program is not there, or there is no room for another process.
    pub fn start(
        program: &WorkerProgram,
        sockets: &[BoundSocket],
        shared: &Shared,
    ) -> io::Result<Worker> {
        Worker::launch(program, sockets, shared, false)
    }

    /// Starts `program` as a worker that does what takes time and depends on no file of the
    /// application, and then waits for [`begin`](Self::begin).
    ///
    /// # Errors
    /// As with [`start`](Self::start).
    pub fn start_early(
        program: &WorkerProgram,
        sockets: &[BoundSocket],
        shared: &Shared,
    ) -> io::Result<Worker> {
        Worker::launch(program, sockets, shared, true)
    }

    fn launch(
        program: &WorkerProgram,
        sockets: &[BoundSocket],
        shared: &Shared,
        early: bool,
    ) -> io::Result<Worker> {
        let (control, theirs) = UnixStream::pair()?;
        control.set_nonblocking(true)?;
        (&control).write_all(&shared.secret.to_inherit())?;
        let inheritance = Inheritance {
            control: theirs.as_raw_fd(),
            complaint: Some(shared.complaint.0.as_raw_fd()),
            early,
            sockets: sockets.iter().map(InheritedSocket::of).collect(),
        };
        let mut fds = vec![theirs.as_fd(), shared.complaint.0.as_fd()];
        fds.extend(sockets.iter().map(|socket| socket.socket.as_fd()));
        let child = program.spawn(WORKER_VARIABLE, &inheritance, &fds)?;
        Ok(Worker {
            child,
            control,
            failure: None,
            ended: None,
        })
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Readable when the worker has something to report, or has ended.
    pub fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Everything that the worker has reported since the last call. The second value is true when
    /// nothing more will come, because the worker is ending.
    pub fn reports(&mut self) -> (Vec<Report>, bool) {
        let mut reports = Vec::new();
        let mut buffer = [0; 256];
        loop {
            match self.control.read(&mut buffer) {
                Ok(0) => return (reports, true),
                Ok(len) => {
                    self.take(buffer.get(..len).unwrap_or_default(), &mut reports);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (reports, false);
                }
                Err(_) => return (reports, true),
            }
        }
    }

    fn take(&mut self, bytes: &[u8], reports: &mut Vec<Report>) {
        for byte in bytes {
            match &mut self.failure {
                Some(text) => text.push(*byte),
                None if *byte == FAILED => self.failure = Some(Vec::new()),
                None => reports.extend(Report::from_byte(*byte)),
            }
        }
    }

    /// Why it could not start, if it has said so.
    pub fn failure(&self) -> Option<String> {
        let text = self.failure.as_deref()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// Tells a worker that was started early that it is its turn.
    pub fn begin(&self) {
        self.tell(BEGIN);
    }

    /// Asks whether it is alive. The answer is [`Report::Alive`], given by a thread that no
    /// Python code can hold up.
    pub fn ping(&self) {
        self.tell(PING);
    }

    /// Asks it to leave: to accept nothing more, and to end when its connections have ended. A
    /// connection that is idle may send one more request, and is told with the answer to close.
    pub fn retire(&self) {
        self.tell(RETIRE);
    }

    /// Asks it to leave at once: what is open gets little time, for the next worker starts when
    /// this one has ended.
    pub fn make_room(&self) {
        self.tell(RELOAD);
    }

    /// Asks it to stop, as SIGTERM asks a server that is alone.
    pub fn stop(&self) {
        self.tell(STOP);
    }

    /// Asks once more: requests under way are cancelled.
    pub fn force(&self) {
        self.signal(Signal::TERM);
    }

    /// Lets it show its actors. Only for one that is ready.
    pub fn show(&self) {
        self.signal(Signal::USR1);
    }

    /// Ends it now.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends it now, and waits for that.
    pub fn end_now(mut self) {
        self.kill();
        // Nothing is left to do when somebody else has waited for it.
        let _ = self.child.wait();
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// The system's: somebody else has waited for the process.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    fn tell(&self, byte: u8) {
        // A full buffer belongs to a worker that reads nothing, a broken pipe to one that ends.
        let _ = (&self.control).write(&[byte]);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (None, Some(pid)) = (self.ended, pid) {
            // It is our child and has not been waited for, so the number is still its own.
            let _ = kill_process(pid, signal);
        }
    }
}
