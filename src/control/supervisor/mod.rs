//! Several processes for one server: a parent that binds the sockets and never runs Python, and
//! workers that serve on them.
//!
//! ```text
//!   parent.rs     the parent's loop, and what it decides
//!     ends.rs         how workers begin and end
//!     due.rs          what it does when it is time
//!     templates.rs    what it does with `--preload`
//!   member.rs       what it remembers of a worker
//!   backoff.rs      when the next may be started after failures
//!   upgrade.rs      from an old program to a new one
//!   signals.rs      the signals that steer it
//!   log.rs          its lines
//!   child.rs      a worker, seen from its parent: start, listen to, stop
//!   worker.rs     the worker's own side
//!   template.rs   what workers are forked from (`--preload`), seen from the parent
//!   preload.rs    the template's own side
//!   secrets.rs    what must stand in no command line
//!   link.rs       what both sides say to each other
//! ```
//!
//! Nothing here knows Python, HTTP or the actors. Unix only.

mod backoff;
pub mod child;
pub mod link;
pub mod log;
pub mod member;
mod orphans;
mod parent;
pub mod preload;
pub mod secrets;
pub mod signals;
pub mod template;
mod upgrade;
pub mod worker;

use log::Log;
use parent::Parent;
pub use parent::Plan;

use crate::config::Config;
use crate::net::{self, BindError, BoundSocket};
use crate::pid_file::PidFile;

/// Exit code when the supervisor itself cannot work.
const EXIT_ERROR: i32 = 1;
/// Exit code when there is nothing to listen on.
const EXIT_STARTUP: i32 = 3;

/// Binds what the settings name, serves on it with several processes until told to stop, and
/// returns the exit code.
pub fn run(plan: &Plan<'_>) -> i32 {
    let log = plan.log;
    let (predecessor, sockets) = match upgrade::inherited() {
        Ok(Some((predecessor, sockets))) => (Some(predecessor), Ok(sockets)),
        Ok(None) => (None, bind(plan.config)),
        Err(error) => {
            log.error(&error.to_string());
            return EXIT_ERROR;
        }
    };
    let sockets = match sockets {
        Ok(sockets) => sockets,
        Err(error) => {
            log.error(&error.to_string());
            return EXIT_STARTUP;
        }
    };
    // A new program takes it over from the old one, when it serves in its place.
    let claimed = plan.config.pid_file.as_deref();
    let claimed = claimed.filter(|_| predecessor.is_none());
    let pid_file = match claimed.map(PidFile::claim).transpose() {
        Ok(pid_file) => pid_file,
        Err(error) => {
            log.error(&error);
            return EXIT_STARTUP;
        }
    };
    let described = sockets.iter().map(|socket| socket.description.clone());
    let mut descriptions: Vec<String> = described.collect();
    descriptions.dedup();
    // Whoever reads the lines may send a signal, which must be caught by then.
    let parent = match Parent::new(plan, sockets, predecessor, pid_file) {
        Ok(parent) => parent,
        Err(error) => {
            log.error(&error.to_string());
            return EXIT_ERROR;
        }
    };
    for description in descriptions {
        log.banner(&description);
    }
    let pid = std::process::id();
    log.process("Started parent process", pid);
    let code = parent.run();
    log.process("Stopping parent process", pid);
    code
}

fn bind(config: &Config) -> Result<Vec<BoundSocket>, BindError> {
    net::bind(&net::BindSpec::of(config, |name| std::env::var(name).ok()))
}

/// The log of a supervisor with these settings.
pub fn log(config: &Config) -> Log {
    Log::new(config)
}
