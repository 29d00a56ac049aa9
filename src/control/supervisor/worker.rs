//! The worker's side of the control socket: takes what the process inherited, and keeps a native
//! thread that answers the supervisor.
//!
//! The thread never waits for Python's global lock. So a worker whose Python code is busy is
//! alive, and one whose event loop does not run is told from both. When the supervisor is gone
//! the worker stops by itself, and dies if that takes too long. Nothing here knows Python: what a
//! blocked loop is at, a callback finds out.

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use smolcorn_actors::thread;
use socket2::Socket;

use super::link::{
    BEGIN, FAILED, FAILURE_BYTES_MAX, Inheritance, InheritedSocket, PING, RELOAD, RETIRE, Report,
    STOP, WORKER_VARIABLE,
};
use super::preload;
use crate::net::{BoundSocket, LocalAddress, descriptor};
use crate::tls::tickets::TicketSecret;

/// The one membership of this process.
static MEMBERSHIP: OnceLock<Membership> = OnceLock::new();

/// Called on a thread of its own when the loop has been blocked for so long.
type OnBlocked = Arc<dyn Fn(Duration) + Send + Sync>;

/// What makes this process a worker.
pub struct Membership {
    control: UnixStream,
    complaint: Option<OwnedFd>,
    secret: TicketSecret,
    /// Nobody served when it was started.
    first: bool,
    sockets: Mutex<Vec<BoundSocket>>,
    /// SIGTERM was raised once: what comes later changes the kind of the end, and forces nothing.
    leaving: AtomicBool,
    /// Whether it may load the application, and whoever waits for that.
    turn: (Mutex<bool>, Condvar),
    /// The whole server stops; otherwise only this worker leaves.
    stopping: AtomicBool,
    /// Nobody serves until this worker has ended.
    hurried: AtomicBool,
    watch: Watch,
}

/// What is known of the event loop.
struct Watch {
    began: Instant,
    /// When the loop ran last, milliseconds since `began`; 0: it is not watched.
    seen_ms: AtomicU64,
    blocked: AtomicBool,
    /// How long it may be silent, and whom to tell.
    alarm: Mutex<Option<(Duration, OnBlocked)>>,
}

/// True if this process was started as a worker and has not become one yet.
pub fn is_wanted() -> bool {
    env::var_os(WORKER_VARIABLE).is_some()
}

/// The membership, if this process is a worker.
pub fn current() -> Option<&'static Membership> {
    MEMBERSHIP.get()
}

/// What a worker gets from its supervisor.
pub(super) struct Belongings {
    pub control: UnixStream,
    pub complaint: Option<OwnedFd>,
    pub sockets: Vec<BoundSocket>,
    /// It waits for its turn.
    pub early: bool,
    /// It may accept before it has started.
    pub first: bool,
}

impl Belongings {
    /// Takes what `inheritance` names.
    fn take(inheritance: &Inheritance) -> io::Result<Belongings> {
        let sockets: io::Result<Vec<BoundSocket>> = inheritance.sockets.iter().map(take).collect();
        Ok(Belongings {
            control: descriptor::take(inheritance.control)?.into(),
            complaint: inheritance.complaint.map(descriptor::take).transpose()?,
            sockets: sockets?,
            early: inheritance.early,
            first: inheritance.first,
        })
    }
}

/// Makes this process a worker, or a template of workers: `text` is the value of
/// [`WORKER_VARIABLE`], which the caller takes out of the environment. When the supervisor is
/// gone, a worker has `patience` to end.
///
/// # Errors
/// The variable was not made by a supervisor that started this very process.
pub fn join(text: &str, patience: Duration) -> io::Result<()> {
    let inheritance = Inheritance::decode(text).ok_or_else(foreign)?;
    let belongings = Belongings::take(&inheritance)?;
    if inheritance.template {
        preload::begin(belongings, patience)
    } else {
        begin(belongings, patience)
    }
}

/// The variable, or this process, is none of ours.
pub(super) fn foreign() -> io::Error {
    io::Error::other(format!("{WORKER_VARIABLE} is not for this process"))
}

/// Makes this process a worker with these belongings.
pub(super) fn begin(belongings: Belongings, patience: Duration) -> io::Result<()> {
    let mut control = belongings.control;
    let mut secret = [0; TicketSecret::INHERITED_BYTES];
    control.read_exact(&mut secret)?;
    let membership = Membership {
        control,
        complaint: belongings.complaint,
        first: belongings.first,
        secret: TicketSecret::from_bytes(&secret),
        sockets: Mutex::new(belongings.sockets),
        leaving: AtomicBool::new(false),
        turn: (Mutex::new(!belongings.early), Condvar::new()),
        stopping: AtomicBool::new(false),
        hurried: AtomicBool::new(false),
        watch: Watch {
            began: Instant::now(),
            seen_ms: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            alarm: Mutex::new(None),
        },
    };
    if MEMBERSHIP.set(membership).is_err() {
        return Err(foreign());
    }
    let membership = current().ok_or_else(foreign)?;
    membership.report(Report::Hello);
    thread::spawn("smolcorn-worker", move || membership.obey(patience))?;
    Ok(())
}

/// Takes the permission out of the pipe; true if it was there, or if nobody needs one.
pub(super) fn takes_permission(complaint: Option<&OwnedFd>) -> bool {
    let mut byte = [0];
    match complaint {
        Some(pipe) => matches!(rustix::io::read(pipe, &mut byte), Ok(1)),
        None => true,
    }
}

/// A socket that this process inherited.
pub(super) fn take(inherited: &InheritedSocket) -> io::Result<BoundSocket> {
    let socket = Socket::from(descriptor::take(inherited.fd)?);
    let address = socket.local_addr()?;
    let path = || address.as_pathname().map(ToOwned::to_owned);
    let local = match (address.as_socket(), &inherited.path) {
        (Some(address), _) => LocalAddress::Tcp(address),
        (None, Some(path)) => LocalAddress::Unix(path.clone()),
        (None, None) => LocalAddress::Unix(path().unwrap_or_default()),
    };
    Ok(BoundSocket {
        file: None,
        socket,
        local,
        description: inherited.description.clone(),
    })
}

impl Membership {
    /// The sockets to accept from; empty from the second call on.
    pub fn take_sockets(&self) -> Vec<BoundSocket> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *sockets)
    }

    /// Tells the supervisor.
    pub fn report(&self, report: Report) {
        // A supervisor that is gone needs no telling: the thread sees that.
        let _ = (&self.control).write_all(&[report.byte()]);
    }

    /// Returns when it is this worker's turn: at once, unless it was started early.
    pub fn await_turn(&self) {
        let (turn, came) = &self.turn;
        let turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        drop(came.wait_while(turn, |has_come| !*has_come));
    }

    /// Whether it is not this worker's turn yet.
    pub fn is_early(&self) -> bool {
        !*self.turn.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody served when this worker was started: it may accept before it has started.
    pub fn is_first(&self) -> bool {
        self.first
    }

    fn begin(&self) {
        let (turn, came) = &self.turn;
        *turn.lock().unwrap_or_else(PoisonError::into_inner) = true;
        came.notify_all();
    }

    /// Tells the supervisor why this worker cannot start. Nothing can be told after it.
    pub fn report_failure(&self, text: &str) {
        let bytes = text.as_bytes();
        let skipped = bytes.len().saturating_sub(FAILURE_BYTES_MAX);
        let mut message = vec![FAILED];
        message.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
        let _ = (&self.control).write_all(&message);
    }

    /// True when this worker is to end soon, because nobody serves until it has.
    pub fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::Acquire)
    }

    /// This worker has begun to end, whoever told it to.
    pub fn leave(&self) {
        if !self.leaving.swap(true, Ordering::AcqRel) {
            self.report(Report::Leaving);
        }
    }

    /// True when the whole server stops; false when others take over from this worker.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// What all workers of one supervisor make the keys of TLS session tickets of.
    pub fn ticket_secret(&self) -> TicketSecret {
        self.secret.clone()
    }

    /// True if this worker, of all that cannot start, is the one to say why.
    pub fn may_complain(&self) -> bool {
        takes_permission(self.complaint.as_ref())
    }

    /// From now on [`tick`](Self::tick) must come more often than every `timeout`; when it does
    /// not, `on_blocked` is called, once for each time.
    pub fn watch_loop(
        &self,
        timeout: Duration,
        on_blocked: impl Fn(Duration) + Send + Sync + 'static,
    ) {
        *self.alarm() = Some((timeout, Arc::new(on_blocked)));
        self.tick();
    }

    /// The loop is no longer watched.
    pub fn unwatch_loop(&self) {
        *self.alarm() = None;
    }

    /// The loop runs.
    pub fn tick(&self) {
        let watch = &self.watch;
        let now = u64::try_from(watch.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        watch.seen_ms.store(now.max(1), Ordering::Release);
        if watch.blocked.swap(false, Ordering::AcqRel) {
            self.report(Report::Free);
        }
    }

    fn alarm(&self) -> std::sync::MutexGuard<'_, Option<(Duration, OnBlocked)>> {
        let alarm = &self.watch.alarm;
        alarm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: does what the supervisor says until it is gone.
    fn obey(&self, patience: Duration) {
        let mut buffer = [0; 64];
        loop {
            let len = match (&self.control).read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            for byte in buffer.get(..len).unwrap_or_default() {
                match *byte {
                    PING => {
                        self.report(Report::Alive);
                        self.look_at_loop();
                    }
                    BEGIN => self.begin(),
                    RETIRE => self.ask_to_end(),
                    RELOAD => {
                        self.hurried.store(true, Ordering::Release);
                        self.ask_to_end();
                    }
                    STOP => self.stop(),
                    _ => {}
                }
            }
        }
        self.stop();
        sleep(patience);
        raise(Signal::KILL);
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.ask_to_end();
    }

    fn ask_to_end(&self) {
        if !self.leaving.swap(true, Ordering::AcqRel) {
            raise(Signal::TERM);
        }
    }

    fn look_at_loop(&self) {
        let Some((timeout, on_blocked)) = self.alarm().clone() else {
            return;
        };
        let watch = &self.watch;
        let seen = Duration::from_millis(watch.seen_ms.load(Ordering::Acquire));
        let silent = watch.began.elapsed().saturating_sub(seen);
        if silent < timeout || watch.blocked.swap(true, Ordering::AcqRel) {
            return;
        }
        self.report(Report::Blocked);
        // It has to wait for Python, and this thread never does. If no thread is to be had, the
        // supervisor knows at least.
        let _ = thread::spawn("smolcorn-blocked", move || on_blocked(silent));
    }
}

/// Sends this process a signal.
fn raise(signal: Signal) {
    let _ = kill_process(getpid(), signal);
}
