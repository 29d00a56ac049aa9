//! What the router, the threads of the pool and the engine share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::prelude::*;
use smolcorn_actors::pool::Pooled;

use super::exchange::Exchange;
use super::queue::Queue;
use crate::asgi::border::SharedBorder;
use crate::http::head::RequestHead;

/// A request on its way to a thread.
pub struct Job {
    /// The request.
    pub exchange: Arc<Exchange>,
    /// Its head.
    pub head: Pooled<RequestHead>,
}

/// A WSGI application that is served.
pub struct Service {
    /// Logs, settings, and what else is the same for ASGI.
    pub border: SharedBorder,
    /// Requests that no thread has taken.
    pub queue: Queue<Job>,
    /// Requests that wait for a thread or have one.
    in_flight: AtomicUsize,
    /// Open connections.
    pub connections: AtomicUsize,
    /// Somebody waits for connections and requests to end.
    leaving: AtomicBool,
}

impl Service {
    /// A service without requests.
    pub fn new(border: SharedBorder) -> Service {
        Service {
            border,
            queue: Queue::default(),
            in_flight: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            leaving: AtomicBool::new(false),
        }
    }

    /// Requests that wait for a thread or have one.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// A request has come.
    pub fn begins(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    /// So many requests are given up before a thread has taken them.
    pub fn drops(&self, count: usize) {
        self.in_flight.fetch_sub(count, Ordering::SeqCst);
    }

    /// A request is over, and its thread has left the application.
    pub fn ends(&self, py: Python<'_>) {
        let left = self.in_flight.fetch_sub(1, Ordering::SeqCst) - 1;
        if left == 0 && self.is_leaving() {
            let border = &self.border;
            // A loop that is closed waits for nobody.
            let _ = border
                .event_loop
                .call_method1(py, "call_soon_threadsafe", (&border.on_idle,));
        }
    }

    /// From now on whoever waits for the end is told of it. The order of the accesses sees to it
    /// that the last request tells, or is seen to have ended.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// Somebody waits for connections and requests to end.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }
}
