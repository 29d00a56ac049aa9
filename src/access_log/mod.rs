//! The access log, written natively: one line for each response, in batches, off the hot path.
//!
//! ```text
//!   dispatch: push -> batch in memory --full, or flush_due--> bounded channel -> thread: write
//! ```
//!
//! Used while nobody has configured the access logger otherwise; with filters or formatters of
//! the user's, real LogRecords take its place, and of this only [`Entry::full_path`] is used.
//! Reads no clock: the caller says what time it is.

mod line;
mod output;

use std::fs::File;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flume::{RecvTimeoutError, SendTimeoutError};
use smolcorn_actors::thread;

pub use line::Entry;
use output::Output;

/// A batch of this size is handed to the writer at once, bytes.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// The longest time that a line waits in memory while the caller keeps to
/// [`AccessLog::flush_due`]; lines go out at most this often unless batches are full.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How many batches may wait for the writer. When as many do and another one is full, the caller
/// waits: a reader that stops reading stops the server in the end (after about 2 MiB), and no
/// line is lost. Python's logging would stop it at the first line.
pub const BATCHES_WAITING_MAX: usize = 32;

/// The access log of a process. Owned by one actor.
pub struct AccessLog {
    output: Arc<Output>,
    colours: bool,
    /// Whole lines, not yet handed over.
    batch: Vec<u8>,
    /// When the last batch was handed over because of the time.
    flushed_at: Option<Instant>,
    writer: Writer,
}

/// The thread that writes, from the first line on.
enum Writer {
    Idle,
    Running {
        batches: flume::Sender<Vec<u8>>,
        thread: JoinHandle<()>,
        /// Cut off when the thread has ended.
        end: flume::Receiver<()>,
    },
    /// No thread could be started: the caller's writes.
    Caller,
}

/// A full batch, for which the writer has no room: its reader has stopped.
#[must_use = "its lines are lost otherwise"]
pub struct Stuck {
    batches: flume::Sender<Vec<u8>>,
    batch: Vec<u8>,
}

impl Stuck {
    /// Waits for room, at most so long. Gives itself back when there was none.
    pub fn wait(self, patience: Duration) -> Result<(), Stuck> {
        let batches = self.batches;
        match batches.send_timeout(self.batch, patience) {
            // The thread is gone only where nobody can be told of it.
            Ok(()) | Err(SendTimeoutError::Disconnected(_)) => Ok(()),
            Err(SendTimeoutError::Timeout(batch)) => Err(Stuck { batches, batch }),
        }
    }
}

/// A log that has been closed, until its last lines are written.
#[must_use = "its last lines may be lost otherwise"]
pub struct Closing {
    stuck: Option<Stuck>,
    thread: JoinHandle<()>,
    end: flume::Receiver<()>,
}

impl Closing {
    /// Waits for the end, at most so long at a time. Gives itself back when it has not come.
    pub fn wait(mut self, patience: Duration) -> Result<(), Closing> {
        if let Some(stuck) = self.stuck.take()
            && let Err(stuck) = stuck.wait(patience)
        {
            self.stuck = Some(stuck);
            return Err(self);
        }
        match self.end.recv_timeout(patience) {
            Err(RecvTimeoutError::Timeout) => Err(self),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                // It has no way to panic; if it did, there is nothing to do about it here.
                let _ = self.thread.join();
                Ok(())
            }
        }
    }
}

impl AccessLog {
    /// Logs to `file`, with or without colours. Nothing is started yet.
    pub fn new(file: File, colours: bool) -> AccessLog {
        AccessLog {
            output: Arc::new(Output::new(file)),
            colours,
            batch: Vec::new(),
            flushed_at: None,
            writer: Writer::Idle,
        }
    }

    /// Logs to a duplicate of the descriptor `fd`, which stays open and usable.
    ///
    /// # Errors
    ///
    /// When `fd` is not open.
    #[cfg(unix)]
    pub fn to_descriptor(fd: std::os::fd::RawFd, colours: bool) -> std::io::Result<AccessLog> {
        let file = File::from(crate::net::descriptor::duplicate(fd)?);
        Ok(AccessLog::new(file, colours))
    }

    /// Adds a line. Never waits: when the writer is stuck ([`BATCHES_WAITING_MAX`]), the caller
    /// has to, with what is returned.
    #[must_use = "the caller has to wait"]
    pub fn push(&mut self, entry: &Entry<'_>) -> Option<Stuck> {
        entry.write_line(self.colours, &mut self.batch);
        if self.batch.len() < BATCH_BYTES_MAX {
            return None;
        }
        self.hand_over_all()
    }

    /// Hands the lines over if it is time: at once when the last time is a
    /// [`FLUSH_INTERVAL`] ago, so that a lone request is logged at once. Never waits.
    ///
    /// Returns when to call again; `None`: not before the next [`push`](Self::push). To be called
    /// after each round of pushes and at the time it returned.
    pub fn flush_due(&mut self, now: Instant) -> Option<Instant> {
        if self.batch.is_empty() {
            return None;
        }
        if let Some(due) = self.flushed_at.map(|at| at + FLUSH_INTERVAL)
            && now < due
        {
            return Some(due);
        }
        self.flushed_at = Some(now);
        self.start();
        let batch = self.take_batch();
        if let Writer::Running { batches, .. } = &self.writer {
            if let Err(error) = batches.try_send(batch) {
                self.batch = error.into_inner();
                return Some(now + FLUSH_INTERVAL);
            }
        } else {
            self.output.write(&batch);
        }
        None
    }

    /// Has everything that is left written, and the thread end; `None`: it is done. A later
    /// [`push`](Self::push) begins anew.
    pub fn close(&mut self) -> Option<Closing> {
        let stuck = match self.batch.is_empty() {
            true => None,
            false => self.hand_over_all(),
        };
        match std::mem::replace(&mut self.writer, Writer::Idle) {
            Writer::Running { thread, end, .. } => Some(Closing { stuck, thread, end }),
            Writer::Idle | Writer::Caller => None,
        }
    }

    /// The lines so far. The next batch gets as much room as these took.
    fn take_batch(&mut self) -> Vec<u8> {
        let room = Vec::with_capacity(self.batch.len());
        std::mem::replace(&mut self.batch, room)
    }

    fn hand_over_all(&mut self) -> Option<Stuck> {
        self.start();
        let batch = self.take_batch();
        let Writer::Running { batches, .. } = &self.writer else {
            self.output.write(&batch);
            return None;
        };
        let batches = batches.clone();
        Stuck { batches, batch }.wait(Duration::ZERO).err()
    }

    fn start(&mut self) {
        if !matches!(self.writer, Writer::Idle) {
            return;
        }
        let (batches, waiting) = flume::bounded::<Vec<u8>>(BATCHES_WAITING_MAX);
        let (ended, end) = flume::bounded(0);
        let output = Arc::clone(&self.output);
        let thread = thread::spawn("smolcorn-access-log", move || {
            let _ended: flume::Sender<()> = ended;
            waiting.iter().for_each(|batch| output.write(&batch));
        });
        self.writer = match thread {
            Ok(thread) => Writer::Running {
                batches,
                thread,
                end,
            },
            Err(_) => Writer::Caller,
        };
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let mut closing = self.close();
        while let Some(left) = closing {
            closing = left.wait(FLUSH_INTERVAL).err();
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
