//! The queue in front of the pool: which request goes to which thread, and how many threads run.
//!
//! Only one thread runs Python at a time, and handing the GIL from one to another costs more than
//! many requests do. So a request goes to a thread of its own only where that helps: where those
//! that run do not get on, because they wait for something. How many may run (`allowed`) begins
//! with one, doubles when a request has waited for [`STALL`] and nothing was taken meanwhile, and
//! halves after a row of requests that took less.
//!
//! An idle thread watches for that, while there is something to watch. Threads are given their
//! jobs by name, the one that went idle last first, so none is woken for nothing.
//!
//! No Python: a thread waits here without the GIL.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// After so long without progress another thread is let in.
pub const STALL: Duration = Duration::from_millis(1);

/// So many jobs in a row, each shorter than [`STALL`], show that fewer threads are enough.
const SHORT_JOBS: u32 = 32;

/// Jobs for a fixed number of threads.
pub struct Queue<J> {
    state: Mutex<State<J>>,
}

struct State<J> {
    jobs: VecDeque<J>,
    seats: Vec<Seat<J>>,
    /// Seats whose threads wait, in the order in which they began to.
    idle: Vec<usize>,
    /// Threads that have a job.
    running: usize,
    /// Threads that may have one.
    allowed: usize,
    /// The idle seat that watches for a stall.
    watcher: Option<usize>,
    /// Jobs taken since the beginning.
    taken: u64,
    /// Short jobs in a row.
    short: u32,
    closed: bool,
}

/// The place of one thread.
struct Seat<J> {
    thread: Thread,
    /// What it has been given and has not seen.
    job: Option<J>,
    /// When its job began.
    since: Option<Instant>,
}

/// What a wait ended with.
pub enum Woken<J> {
    /// There is something to do.
    Job(J),
    /// The time that was asked for has come.
    Due,
    /// The queue is closed.
    Closed,
}

impl<J> Default for Queue<J> {
    fn default() -> Self {
        Queue {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                seats: Vec::new(),
                idle: Vec::new(),
                running: 0,
                allowed: 1,
                watcher: None,
                taken: 0,
                short: 0,
                closed: false,
            }),
        }
    }
}

impl<J> Queue<J> {
    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the calling thread a seat, and says which.
    pub fn join(&self) -> usize {
        let mut state = self.state();
        state.seats.push(Seat {
            thread: thread::current(),
            job: None,
            since: None,
        });
        state.seats.len() - 1
    }

    /// Adds jobs, and wakes threads for them. A closed queue drops them.
    pub fn push(&self, jobs: impl IntoIterator<Item = J>) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.jobs.extend(jobs);
        let mut woken = state.assign();
        if !state.jobs.is_empty()
            && state.watcher.is_none()
            && let Some(seat) = state.idle.first().copied()
        {
            state.watcher = Some(seat);
            woken.extend(state.thread(seat));
        }
        drop(state);
        woken.iter().for_each(Thread::unpark);
    }

    /// The job of this seat is done: the next one, if there is one and it may run.
    pub fn next(&self, seat: usize, now: Instant) -> Option<J> {
        let mut state = self.state();
        state.leave(seat, now);
        if state.running >= state.allowed || state.closed {
            return None;
        }
        let job = state.jobs.pop_front()?;
        state.enter(seat, now);
        let woken = state.assign();
        drop(state);
        woken.iter().for_each(Thread::unpark);
        Some(job)
    }

    /// Waits for a job, at most until `due`. Only for a seat without one.
    pub fn wait(&self, seat: usize, due: Option<Instant>) -> Woken<J> {
        let mut seen = None;
        let mut state = self.state();
        if !state.idle.contains(&seat) {
            state.idle.push(seat);
        }
        loop {
            // What came between the look for a job and this.
            let woken = state.assign();
            if let Some(job) = state.seats.get_mut(seat).and_then(|seat| seat.job.take()) {
                drop(state);
                woken.iter().for_each(Thread::unpark);
                return Woken::Job(job);
            }
            if state.closed {
                return Woken::Closed;
            }
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                state.give_up(seat);
                return Woken::Due;
            }
            let mut pause = due.map(|due| due - now);
            if state.watcher == Some(seat) {
                if state.jobs.is_empty() {
                    state.watcher = None;
                } else {
                    if state.is_stalled(&mut seen, now) {
                        state.allowed = (state.allowed * 2).min(state.seats.len().max(1));
                        continue;
                    }
                    pause = Some(pause.map_or(STALL, |pause| pause.min(STALL)));
                }
            }
            drop(state);
            woken.iter().for_each(Thread::unpark);
            match pause {
                Some(pause) => thread::park_timeout(pause),
                None => thread::park(),
            }
            state = self.state();
        }
    }

    /// Lets all threads end when their jobs are done. Says what nobody will do any more.
    pub fn close(&self) -> Vec<J> {
        let mut state = self.state();
        state.closed = true;
        let left = state.jobs.drain(..).collect();
        let threads: Vec<Thread> = state.seats.iter().map(|seat| seat.thread.clone()).collect();
        drop(state);
        threads.iter().for_each(Thread::unpark);
        left
    }
}

impl<J> State<J> {
    fn thread(&self, seat: usize) -> Option<Thread> {
        self.seats.get(seat).map(|seat| seat.thread.clone())
    }

    /// Gives jobs to idle threads as far as they may run; says whom to wake.
    fn assign(&mut self) -> Vec<Thread> {
        let mut woken = Vec::new();
        while self.running < self.allowed && !self.jobs.is_empty() {
            let Some(index) = self.idle.pop() else { break };
            if self.watcher == Some(index) {
                self.watcher = None;
            }
            self.enter(index, Instant::now());
            let job = self.jobs.pop_front();
            if let Some(seat) = self.seats.get_mut(index) {
                seat.job = job;
                woken.push(seat.thread.clone());
            }
        }
        if self.watcher.is_none() && !self.jobs.is_empty() && !self.idle.is_empty() {
            self.watcher = self.idle.first().copied();
            woken.extend(self.watcher.and_then(|seat| self.thread(seat)));
        }
        woken
    }

    fn enter(&mut self, seat: usize, now: Instant) {
        self.running += 1;
        self.taken += 1;
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.since = Some(now);
        }
    }

    fn leave(&mut self, seat: usize, now: Instant) {
        let Some(since) = self.seats.get_mut(seat).and_then(|seat| seat.since.take()) else {
            return;
        };
        self.running -= 1;
        if now.saturating_duration_since(since) >= STALL {
            self.short = 0;
            return;
        }
        self.short += 1;
        if self.short >= SHORT_JOBS {
            self.short = 0;
            let long = |seat: &&Seat<J>| {
                let begun = seat.since;
                begun.is_some_and(|since| now.saturating_duration_since(since) >= STALL)
            };
            let waiting = self.seats.iter().filter(long).count();
            self.allowed = (self.allowed / 2).max(waiting + 1);
        }
    }

    /// The thread of this seat does something else than wait.
    fn give_up(&mut self, seat: usize) {
        self.idle.retain(|idle| *idle != seat);
        if self.watcher == Some(seat) {
            self.watcher = None;
        }
    }

    /// True when jobs wait and none was taken for [`STALL`]. `seen` is what the watcher knew at its
    /// last look.
    fn is_stalled(&self, seen: &mut Option<(u64, Instant)>, now: Instant) -> bool {
        if self.jobs.is_empty() || self.allowed >= self.seats.len() {
            *seen = None;
            return false;
        }
        match *seen {
            Some((taken, since)) if taken == self.taken => {
                now.saturating_duration_since(since) >= STALL
            }
            _ => {
                *seen = Some((self.taken, now));
                false
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread::JoinHandle;

    use super::*;

    type Work = Box<dyn FnOnce() + Send>;

    fn threads(queue: &Arc<Queue<Work>>, count: usize) -> Vec<JoinHandle<()>> {
        (0..count)
            .map(|_| {
                let queue = Arc::clone(queue);
                thread::spawn(move || {
                    let seat = queue.join();
                    loop {
                        let job = match queue.next(seat, Instant::now()) {
                            Some(job) => job,
                            None => match queue.wait(seat, None) {
                                Woken::Job(job) => job,
                                Woken::Due => continue,
                                Woken::Closed => return,
                            },
                        };
                        job();
                    }
                })
            })
            .collect()
    }

    fn end(queue: &Queue<Work>, threads: Vec<JoinHandle<()>>) {
        queue.close();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn every_job_is_done_once() {
        let queue = Arc::new(Queue::default());
        let workers = threads(&queue, 4);
        let (done, results) = mpsc::channel();
        for batch in 0..50 {
            let jobs: Vec<Work> = (0..batch)
                .map(|number| {
                    let done = done.clone();
                    Box::new(move || done.send((batch, number)).unwrap()) as Work
                })
                .collect();
            queue.push(jobs);
        }
        let mut got: Vec<(i32, i32)> = results.iter().take(50 * 49 / 2).collect();
        got.sort_unstable();
        got.dedup();
        assert_eq!(got.len(), 50 * 49 / 2);
        end(&queue, workers);
    }

    #[test]
    fn jobs_that_wait_for_each_other_all_run() {
        let queue = Arc::new(Queue::default());
        let workers = threads(&queue, 8);
        let barrier = Arc::new(std::sync::Barrier::new(9));
        for _ in 0..8 {
            let barrier = Arc::clone(&barrier);
            queue.push([Box::new(move || {
                barrier.wait();
            }) as Work]);
        }
        barrier.wait();
        end(&queue, workers);
    }

    #[test]
    fn a_job_behind_one_that_never_ends_runs() {
        let queue = Arc::new(Queue::default());
        let workers = threads(&queue, 2);
        let (release, held) = mpsc::channel::<()>();
        queue.push([Box::new(move || {
            let _ = held.recv();
        }) as Work]);
        for _ in 0..100 {
            let (done, result) = mpsc::channel();
            queue.push([Box::new(move || done.send(()).unwrap()) as Work]);
            result.recv().unwrap();
        }
        release.send(()).unwrap();
        end(&queue, workers);
    }

    #[test]
    fn a_closed_queue_gives_back_what_is_left() {
        let queue: Queue<i32> = Queue::default();
        let seat = queue.join();
        queue.push([1, 2, 3]);
        assert_eq!(queue.next(seat, Instant::now()), Some(1));
        assert_eq!(queue.close(), [2, 3]);
        queue.push([4]);
        assert_eq!(queue.next(seat, Instant::now()), None);
        assert!(matches!(queue.wait(seat, None), Woken::Closed));
    }

    #[test]
    fn a_wait_ends_when_its_time_has_come() {
        let queue: Queue<i32> = Queue::default();
        let seat = queue.join();
        assert!(matches!(queue.wait(seat, Some(Instant::now())), Woken::Due));
        queue.push([1]);
        assert_eq!(queue.next(seat, Instant::now()), Some(1));
    }
}
