//! Who polls the connections: the loop's own thread (fused), or threads of their own.

#[cfg(unix)]
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::asgi::gil_cell::GilCell;
use crate::asgi::lent::LentObject;
use pyo3::prelude::*;
use smolcorn_actors::mailbox::Mailbox;
use smolcorn_actors::messages::ToDispatch;
use smolcorn_actors::placement::Local;
#[cfg(unix)]
use smolcorn_actors::placement::fused::Fused;
use smolcorn_actors::placement::threads::IoThreads;

use super::wake::LoopWaker;
use crate::asgi::border::Border;
use crate::http::machine::HttpMachine;

/// How the connections of an engine are polled.
pub enum Drive {
    /// Inside the loop's turns.
    #[cfg(unix)]
    Fused(FusedDrive),
    /// By threads, which wake the loop.
    Threads(ThreadsDrive),
}

/// The threads placement.
pub struct ThreadsDrive {
    /// The threads; taken when the engine closes.
    pub threads: Mutex<Option<IoThreads>>,
    /// How they wake the loop.
    pub waker: LoopWaker,
}

impl Drive {
    /// The name of the placement.
    pub fn name(&self) -> &'static str {
        match self {
            #[cfg(unix)]
            Drive::Fused(_) => "fused",
            Drive::Threads(_) => "threads",
        }
    }

    /// Does something once where connections are polled; with several threads on the first.
    pub fn spawn(&self, job: impl FnOnce(&Rc<Local>) + Send + 'static) -> std::io::Result<()> {
        let ended = || std::io::Error::other("what polls the connections has ended");
        match self {
            #[cfg(unix)]
            Drive::Fused(fused) => {
                let executor = fused.executor().ok_or_else(ended)?;
                job(executor.local());
                Ok(())
            }
            Drive::Threads(drive) => {
                let threads = drive.threads.lock().unwrap_or_else(PoisonError::into_inner);
                let threads = threads.as_ref().ok_or_else(ended)?;
                threads.spawn_on(0, Box::new(job)).map_err(|_| ended())
            }
        }
    }

    /// The first part of a turn: learn what has come. Returns when the turn began.
    pub fn begin(
        &self,
        py: Python<'_>,
        mailbox: &Mailbox<ToDispatch<HttpMachine>>,
        released: &GilCell<Mailbox<LentObject>>,
    ) -> PyResult<Instant> {
        match self {
            #[cfg(unix)]
            Drive::Fused(fused) => fused.poll_and_run(py),
            Drive::Threads(threads) => {
                threads.waker.awake();
                mailbox.wake_with(threads.waker.waker());
                released.borrow(py).wake_with(threads.waker.waker());
                Ok(Instant::now())
            }
        }
    }

    /// The last part of a turn: write what was answered. True when work is left.
    pub fn finish(&self, py: Python<'_>) -> bool {
        match self {
            #[cfg(unix)]
            Drive::Fused(fused) => fused.run_ready(py),
            Drive::Threads(_) => {
                let _ = py;
                false
            }
        }
    }

    /// When a turn is due at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self {
            #[cfg(unix)]
            Drive::Fused(fused) => fused.next_deadline(),
            Drive::Threads(_) => None,
        }
    }

    /// Stops for good.
    pub fn close(&self, py: Python<'_>, border: &Border) -> PyResult<()> {
        match self {
            #[cfg(unix)]
            Drive::Fused(fused) => fused.close(py, &border.event_loop),
            Drive::Threads(drive) => {
                let threads = drive
                    .threads
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                if let Some(threads) = threads {
                    for panicked in py.detach(|| threads.stop()) {
                        let text = format!(
                            "The thread {} ended by a panic: {}",
                            panicked.thread, panicked.message
                        );
                        border.log.error(py, &text);
                    }
                }
                drive.waker.close(py, &border.event_loop)
            }
        }
    }
}

#[cfg(unix)]
pub use fused::FusedDrive;

#[cfg(unix)]
mod fused {
    use std::collections::HashMap;
    use std::os::fd::{AsRawFd, RawFd};
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use pyo3::intern;

    use super::*;

    thread_local! {
        /// The fused executors of this thread, one for each engine. They stay with their thread,
        /// and their drives name them by number: so a drive can be shared, and used without the
        /// GIL, and yet only this thread can reach an executor.
        static DRIVEN: RefCell<HashMap<u64, Driven>> = RefCell::new(HashMap::new());
    }

    struct Driven {
        fused: Rc<Fused>,
        next_deadline: Option<Instant>,
    }

    static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

    /// The fused placement.
    pub struct FusedDrive {
        number: u64,
        descriptor: RawFd,
        /// The loop watches the descriptor.
        watched: AtomicBool,
        /// What the system said when it would not be polled any more.
        broken: Mutex<Option<std::io::Error>>,
    }

    impl FusedDrive {
        /// An executor on this thread.
        pub fn new() -> std::io::Result<FusedDrive> {
            let fused = Rc::new(Fused::new()?);
            let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
            let descriptor = fused.descriptor().as_raw_fd();
            DRIVEN.with_borrow_mut(|driven| {
                driven.insert(
                    number,
                    Driven {
                        fused,
                        next_deadline: None,
                    },
                )
            });
            Ok(FusedDrive {
                number,
                descriptor,
                watched: AtomicBool::new(false),
                broken: Mutex::new(None),
            })
        }

        /// Lets `event_loop` call `turn` when a socket is ready. Fails where the loop cannot.
        pub fn watch(
            &self,
            py: Python<'_>,
            event_loop: &Py<PyAny>,
            turn: &Py<PyAny>,
        ) -> PyResult<()> {
            event_loop.call_method1(py, intern!(py, "add_reader"), (self.descriptor, turn))?;
            self.watched.store(true, Ordering::Relaxed);
            Ok(())
        }

        /// The executor, on its own thread.
        pub fn executor(&self) -> Option<Rc<Fused>> {
            DRIVEN.with_borrow(|driven| driven.get(&self.number).map(|one| Rc::clone(&one.fused)))
        }

        pub(super) fn poll_and_run(&self, py: Python<'_>) -> PyResult<Instant> {
            let begun = py.detach(|| {
                let Some(fused) = self.executor() else {
                    return Instant::now();
                };
                if let Err(error) = fused.poll_and_run() {
                    *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
                fused.local().clock().now()
            });
            match self
                .broken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
            {
                Some(error) => Err(error.into()),
                None => Ok(begun),
            }
        }

        pub(super) fn run_ready(&self, py: Python<'_>) -> bool {
            py.detach(|| {
                let Some(fused) = self.executor() else {
                    return false;
                };
                let left = fused.run_ready();
                DRIVEN.with_borrow_mut(|driven| {
                    if let Some(one) = driven.get_mut(&self.number) {
                        one.next_deadline = left.next_deadline;
                    }
                });
                left.more_work
            })
        }

        pub(super) fn next_deadline(&self) -> Option<Instant> {
            DRIVEN.with_borrow(|driven| driven.get(&self.number).and_then(|one| one.next_deadline))
        }

        /// Stops watching, and drops the executor with all its actors.
        pub fn close(&self, py: Python<'_>, event_loop: &Py<PyAny>) -> PyResult<()> {
            // A loop that is closed already refuses; the sockets are closed all the same.
            let unwatched = if self.watched.swap(false, Ordering::Relaxed) {
                event_loop
                    .call_method1(py, intern!(py, "remove_reader"), (self.descriptor,))
                    .map(drop)
            } else {
                Ok(())
            };
            let driven = DRIVEN.with_borrow_mut(|driven| driven.remove(&self.number));
            drop(driven);
            unwatched
        }
    }
}
