//! The threads placement: the actors run on threads of their own, on any system.
//!
//! Each thread has an executor, a wheel and a clock; all share async-io's reactor. A thread ends
//! when its [`IoThreads`] stops; the actors on it end with it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;

use async_executor::LocalExecutor;
use async_io::Timer;

use super::Local;
use crate::mailbox::{Address, Mailbox, mailbox};
use crate::thread;

/// Something to do on an I/O thread.
pub type Job = Box<dyn FnOnce(&Rc<Local>) + Send>;

/// To an I/O thread. Sender: [`IoThreads`].
enum ToThread {
    Run(Job),
    Stop,
}

/// Threads that run actors.
pub struct IoThreads {
    threads: Vec<IoThread>,
}

struct IoThread {
    address: Address<ToThread>,
    handle: JoinHandle<()>,
}

/// An I/O thread ended by a panic: a defect of this server. All its connections are lost.
#[derive(Debug, PartialEq, Eq)]
pub struct ThreadPanicked {
    /// The thread's name.
    pub thread: String,
    /// The panic's message.
    pub message: String,
}

impl IoThreads {
    /// Starts `count` threads, at least one, named `smolcorn-io-1` and so on. Errors: the system
    /// gives no thread.
    pub fn start(count: usize) -> io::Result<IoThreads> {
        let mut threads = IoThreads {
            threads: Vec::new(),
        };
        for number in 1..=count.max(1) {
            let (address, jobs) = mailbox();
            let handle = thread::spawn(&format!("smolcorn-io-{number}"), move || run(&jobs))?;
            threads.threads.push(IoThread { address, handle });
        }
        Ok(threads)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// Runs `job` on thread `index`, counted round. Gives it back when that thread has ended.
    pub fn spawn_on(&self, index: usize, job: Job) -> Result<(), Job> {
        let count = self.threads.len().max(1);
        let Some(thread) = self.threads.get(index % count) else {
            return Err(job);
        };
        match thread.address.send(ToThread::Run(job)) {
            Err(ToThread::Run(job)) => Err(job),
            _ => Ok(()),
        }
    }

    /// Ends all threads and waits for them; the actors that still run are dropped. Says which
    /// threads had ended by a panic.
    pub fn stop(mut self) -> Vec<ThreadPanicked> {
        self.join()
    }

    fn join(&mut self) -> Vec<ThreadPanicked> {
        for thread in &self.threads {
            // Refused only by a thread that has ended.
            let _ = thread.address.send(ToThread::Stop);
        }
        let mut panicked = Vec::new();
        for thread in self.threads.drain(..) {
            let name = thread.handle.thread().name().unwrap_or_default().to_owned();
            if let Err(payload) = thread.handle.join() {
                panicked.push(ThreadPanicked {
                    thread: name,
                    message: crate::actor::panic_message(&*payload),
                });
            }
        }
        panicked
    }
}

impl Drop for IoThreads {
    fn drop(&mut self) {
        self.join();
    }
}

/// The body of an I/O thread.
fn run(jobs: &Mailbox<ToThread>) {
    let executor = Rc::new(LocalExecutor::new());
    let local = Local::portable(&executor);
    let stopped = poll_fn(|context| {
        jobs.wake_with(context.waker());
        for message in jobs.drain() {
            match message {
                ToThread::Run(job) => job(&local),
                ToThread::Stop => return Poll::Ready(()),
            }
        }
        Poll::Pending
    });
    let mut work = pin!(executor.run(stopped));
    let mut alarm = Alarm {
        timer: Timer::never(),
        at: None,
    };
    async_io::block_on(poll_fn(|context| {
        // One turn of this thread.
        local.begin_turn();
        local.fire_timers();
        let done = work.as_mut().poll(context);
        if local.has_deferred() {
            context.waker().wake_by_ref();
        }
        alarm.arm(local.wheel.next_deadline(&local.clock), context);
        done
    }));
}

/// The one system timer of a thread. It stands at the wheel's next deadline or earlier.
struct Alarm {
    timer: Timer,
    at: Option<Instant>,
}

impl Alarm {
    /// Sees to it that the thread is woken at `next`. A timer that stands too early stays: it
    /// costs a turn, and moving it costs more.
    fn arm(&mut self, next: Option<Instant>, context: &mut Context<'_>) {
        let Some(next) = next else { return };
        if self.at.is_none_or(|at| next < at) {
            self.timer.set_at(next);
            self.at = Some(next);
        }
        if Pin::new(&mut self.timer).poll(context).is_ready() {
            self.at = None;
            context.waker().wake_by_ref();
        }
    }
}
