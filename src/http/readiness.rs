//! What the machines of all connections must know of the server's state, and the answer to a
//! question after it: `--health-path`.
//!
//! The life cycle writes it, on whatever thread; machines only read it. A health answer never
//! reaches the application, its limits or the access log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::response::{ConnectionLine, ResponseHead};
use super::shared::Shared;

/// The server's state; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The path that is answered here; `None`: none is.
    health_path: Option<Vec<u8>>,
    /// The application has not started: the health path says so.
    starting: AtomicBool,
    /// Every response ends its connection.
    retiring: AtomicBool,
    /// The health path says so.
    draining: AtomicBool,
}

impl Readiness {
    /// That of a server that serves, and answers `health_path` by itself.
    pub fn new(health_path: Option<&str>) -> Readiness {
        Readiness(Arc::new(Inner {
            health_path: health_path.map(|path| path.as_bytes().to_vec()),
            ..Inner::default()
        }))
    }

    /// Until [`begin`](Self::begin) the health path says 503.
    pub fn wait(&self) {
        self.0.starting.store(true, Ordering::Release);
    }

    /// The application has started.
    pub fn begin(&self) {
        self.0.starting.store(false, Ordering::Release);
    }

    /// From now on every response ends its connection. Others serve on: the server stays healthy.
    pub fn retire(&self) {
        self.0.retiring.store(true, Ordering::Release);
    }

    /// From now on every response ends its connection, and the health path says 503.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
        self.retire();
    }

    /// True when every response ends its connection.
    pub fn is_retiring(&self) -> bool {
        self.0.retiring.load(Ordering::Acquire)
    }

    /// True if a request is for the health path.
    pub(super) fn is_asked(&self, method: &str, path: &[u8]) -> bool {
        let ours = self.0.health_path.as_deref();
        ours == Some(path) && matches!(method, "GET" | "HEAD")
    }

    /// Appends the answer to `out`; without its body when `HEAD` was asked.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        shared: &Shared,
        unix_seconds: u64,
        connection: ConnectionLine,
        to_head_request: bool,
    ) {
        let (status, body) = if self.0.draining.load(Ordering::Acquire) {
            (503, "draining\n")
        } else if self.0.starting.load(Ordering::Acquire) {
            (503, "starting\n")
        } else {
            (200, "ok\n")
        };
        let head = ResponseHead::of_text(status, body.len());
        head.write(out, shared, unix_seconds, false, connection);
        if !to_head_request {
            out.extend_from_slice(body.as_bytes());
        }
    }
}
