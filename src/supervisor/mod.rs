//! Several processes for one server: a parent that binds the sockets and never runs Python, and
//! workers that serve on them.
//!
//! ```text
//!   parent.rs     the parent's loop, and what it decides
//!   member.rs       what it remembers of a worker
//!   backoff.rs      when the next may be started after failures
//!   signals.rs      the signals that steer it
//!   log.rs          its lines
//!   child.rs      a worker, seen from its parent: start, listen to, stop
//!   worker.rs     the worker's own side
//!   link.rs       what both sides say to each other
//! ```
//!
//! Nothing here knows Python, HTTP or the actors. Unix only.

mod backoff;
pub mod child;
pub mod link;
pub mod log;
pub mod member;
mod parent;
pub mod signals;
pub mod worker;

use child::WorkerProgram;
use log::Log;
use parent::Parent;

use crate::config::Config;
use crate::net;

/// Exit code when there is nothing to listen on.
const EXIT_STARTUP: i32 = 3;

/// Binds what `config` names, serves on it with `count` processes of `program` until told to
/// stop, and returns the exit code.
pub fn run(config: &Config, count: u32, program: &WorkerProgram) -> i32 {
    let log = Log::new(config);
    let spec = net::BindSpec::of(config, |name| std::env::var(name).ok());
    let sockets = match net::bind(&spec) {
        Ok(sockets) => sockets,
        Err(error) => {
            log.error(&error.to_string());
            return EXIT_STARTUP;
        }
    };
    let mut descriptions: Vec<&str> = sockets.iter().map(|s| s.description.as_str()).collect();
    descriptions.dedup();
    for description in descriptions {
        log.banner(description);
    }
    let pid = std::process::id();
    log.process("Started parent process", pid);
    let code = match Parent::new(config, program, sockets, count, log) {
        Ok(parent) => parent.run(),
        Err(error) => {
            log.error(&format!("The supervisor cannot start: {error}"));
            1
        }
    };
    log.process("Stopping parent process", pid);
    code
}
