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
//!
//! A worker that a template has forked (`template.rs`) is no child of this process. The template
//! says how it has ended; when the template is gone too, only that it has ended can be learned.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, test_kill_process, waitpid};

use super::link::{
    BEGIN, FAILED, Inheritance, InheritedSocket, PING, RELOAD, RETIRE, Report, STOP,
    UPGRADE_VARIABLE, WORKER_VARIABLE,
};
use crate::config::Secret;
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
    /// What is no argument, because everybody on the machine can see these: the password of
    /// private keys.
    pub key_password: Option<Secret>,
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
        let secrets = self.secrets()?;
        let mut inheritance = inheritance.clone();
        inheritance.secrets = secrets.as_ref().map(AsRawFd::as_raw_fd);
        let mut fds = fds.to_vec();
        fds.extend(secrets.as_ref().map(AsFd::as_fd));
        let mut command = self.command(variable, &inheritance);
        let lent = Lent::new(&fds)?;
        let child = command.spawn();
        drop(lent);
        child
    }

    /// A pipe from which the password can be read.
    fn secrets(&self) -> io::Result<Option<OwnedFd>> {
        let Some(Secret(password)) = &self.key_password else {
            return Ok(None);
        };
        let (reader, writer) = std::io::pipe()?;
        // Nobody reads yet: what does not fit must not wait.
        rustix::io::ioctl_fionbio(&writer, true)?;
        if rustix::io::write(&writer, password.as_bytes())? < password.len() {
            return Err(io::Error::other(
                "the password of the private key is too long",
            ));
        }
        Ok(Some(reader.into()))
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

    /// The permission, for a process that inherits it.
    pub(super) fn complaint(&self) -> BorrowedFd<'_> {
        self.complaint.0.as_fd()
    }

    /// A new worker's control socket: our end, and the worker's, in which the secret waits.
    pub(super) fn control_pair(&self) -> io::Result<(UnixStream, UnixStream)> {
        let (control, theirs) = UnixStream::pair()?;
        control.set_nonblocking(true)?;
        (&control).write_all(&self.secret.to_inherit())?;
        Ok((control, theirs))
    }
}

/// The process of a worker.
#[derive(Debug)]
enum Process {
    /// A child of this one.
    Child(Child),
    /// A child of a template.
    Forked {
        pid: u32,
        /// The template's number.
        of: u32,
        /// The template is gone, and will not say how it ends.
        is_orphan: bool,
    },
}

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    process: Process,
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
        let inheritance = Inheritance::default();
        Worker::launch(program, sockets, shared, inheritance)
    }

    /// Starts `program` as a worker that may accept before it has started: nobody else serves.
    ///
    /// # Errors
    /// As with [`start`](Self::start).
    pub fn start_first(
        program: &WorkerProgram,
        sockets: &[BoundSocket],
        shared: &Shared,
    ) -> io::Result<Worker> {
        let inheritance = Inheritance {
            first: true,
            ..Inheritance::default()
        };
        Worker::launch(program, sockets, shared, inheritance)
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
        let inheritance = Inheritance {
            early: true,
            ..Inheritance::default()
        };
        Worker::launch(program, sockets, shared, inheritance)
    }

    fn launch(
        program: &WorkerProgram,
        sockets: &[BoundSocket],
        shared: &Shared,
        inheritance: Inheritance,
    ) -> io::Result<Worker> {
        let (control, theirs) = shared.control_pair()?;
        let inheritance = Inheritance {
            control: theirs.as_raw_fd(),
            complaint: Some(shared.complaint().as_raw_fd()),
            sockets: sockets.iter().map(InheritedSocket::of).collect(),
            ..inheritance
        };
        let mut fds = vec![theirs.as_fd(), shared.complaint()];
        fds.extend(sockets.iter().map(|socket| socket.socket.as_fd()));
        let child = program.spawn(WORKER_VARIABLE, &inheritance, &fds)?;
        Ok(Worker::new(Process::Child(child), control))
    }

    /// The worker `pid`, which the template `of` has forked.
    pub(super) fn forked(pid: u32, of: u32, control: UnixStream) -> Worker {
        let is_orphan = false;
        Worker::new(Process::Forked { pid, of, is_orphan }, control)
    }

    fn new(process: Process, control: UnixStream) -> Worker {
        Worker {
            process,
            control,
            failure: None,
            ended: None,
        }
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        match &self.process {
            Process::Child(child) => child.id(),
            Process::Forked { pid, .. } => *pid,
        }
    }

    /// Its template says that it has ended.
    pub(super) fn note_end(&mut self, status: ExitStatus) {
        self.ended = Some(status);
    }

    /// The template `pid` is gone.
    pub(super) fn note_end_of_template(&mut self, pid: u32) {
        if let Process::Forked { of, is_orphan, .. } = &mut self.process {
            *is_orphan |= *of == pid;
        }
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
        if let Process::Child(child) = &mut self.process {
            // Nothing is left to do when somebody else has waited for it.
            let _ = child.wait();
        }
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// The system's: somebody else has waited for the process, and nobody will know how it ended.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = match &mut self.process {
                Process::Child(child) => child.try_wait()?,
                Process::Forked { is_orphan, pid, .. } if *is_orphan => wait_for_orphan(*pid)?,
                Process::Forked { .. } => None,
            };
        }
        Ok(self.ended)
    }

    fn tell(&self, byte: u8) {
        // A full buffer belongs to a worker that reads nothing, a broken pipe to one that ends.
        let _ = (&self.control).write(&[byte]);
    }

    fn signal(&self, signal: Signal) {
        if let (None, Some(pid)) = (self.ended, number(self.pid())) {
            // It has not been waited for, or that was told us a moment later, so the number is
            // still its own.
            let _ = kill_process(pid, signal);
        }
    }
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// How a process ended whose own parent is gone: it is ours now if this process is the first one
/// of its container, and otherwise somebody else's.
fn wait_for_orphan(pid: u32) -> io::Result<Option<ExitStatus>> {
    let pid = number(pid).ok_or(rustix::io::Errno::SRCH)?;
    match waitpid(Some(pid), WaitOptions::NOHANG) {
        Ok(ended) => Ok(ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw()))),
        Err(_) => test_kill_process(pid).map(|()| None).map_err(Into::into),
    }
}
