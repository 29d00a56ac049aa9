//! `--reload`: one worker that is replaced whenever a file changes.
//!
//! ```text
//!   parent.rs     the parent's loop, and what it decides
//!   plan.rs       what to watch: folders and patterns from the options
//!   filter.rs     which files matter, which folders nobody looks into
//!   gitignore.rs  what .gitignore files say         glob.rs  patterns
//!   tree.rs       the watched folders               poll.rs  looking, where there are no events
//!   burst.rs      when a burst of changes is over   watch.rs the thread that watches
//!   bytecode.rs   compiled files of changed modules
//!   page.rs       the answer while the application is broken
//! ```
//!
//! Who gives that answer the caller brings along ([`Answer`]). Nothing here runs Python, and what
//! watches knows nothing of processes or sockets. The parent is Unix only.

pub mod burst;
pub mod bytecode;
pub mod filter;
pub mod gitignore;
pub mod glob;
pub mod page;
#[cfg(unix)]
mod parent;
pub mod plan;
pub mod poll;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod watch;

use std::io;

#[cfg(unix)]
use burst::Quiet;
use page::Failure;
#[cfg(unix)]
use parent::Parent;
#[cfg(unix)]
use plan::Plan;
use socket2::Socket;
#[cfg(unix)]
use watch::Watching;

use crate::config::Config;
#[cfg(unix)]
use crate::config::RELOAD_DELAY_DEFAULT;
#[cfg(unix)]
use crate::net;
#[cfg(unix)]
use crate::pid_file::PidFile;
#[cfg(unix)]
use crate::supervisor::child::WorkerProgram;
#[cfg(unix)]
use crate::supervisor::log::Log;
#[cfg(unix)]
use crate::supervisor::signals::Signals;

/// Something that answers clients while the application does not run.
pub trait Answering {
    /// Accepts nothing more, and lets the connections end without waiting for that.
    fn stop(self: Box<Self>);
}

/// Begins to accept from sockets, and answers with the page of a failure.
///
/// Errors are the system's (no thread, no descriptor), or certificates that cannot be used.
pub type Answer = fn(Vec<Socket>, &Config, Failure) -> io::Result<Box<dyn Answering>>;

/// Exit code when the reloader itself cannot work.
#[cfg(unix)]
const EXIT_ERROR: i32 = 1;
/// Exit code when there is nothing to listen on, or to watch.
#[cfg(unix)]
const EXIT_STARTUP: i32 = 3;

/// Binds what `config` names, serves on it with one process of `program`, which is replaced when
/// files change, until told to stop; clients of one that does not run get an `answer`. Returns the
/// exit code.
#[cfg(unix)]
pub fn run(config: &Config, program: &WorkerProgram, answer: Answer) -> i32 {
    let log = Log::new(config);
    if config.workers.is_some_and(|workers| workers > 1) {
        log.warning("\"workers\" flag is ignored when reloading is enabled.");
    }
    let watching = match std::env::current_dir() {
        Ok(here) => watching(config, &here),
        Err(error) => {
            log.error(&format!("The working directory is not to be had: {error}"));
            return EXIT_STARTUP;
        }
    };
    announce(config, &watching.plan, &log);
    let spec = net::BindSpec::of(config, |name| std::env::var(name).ok());
    let sockets = match net::bind(&spec) {
        Ok(sockets) => sockets,
        Err(error) => {
            log.error(&error.to_string());
            return EXIT_STARTUP;
        }
    };
    let pid_file = config.pid_file.as_deref().map(PidFile::claim).transpose();
    if let Err(error) = &pid_file {
        log.error(error);
        return EXIT_STARTUP;
    }
    // Whoever reads the lines may send a signal, which must be caught by then.
    let signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            log.error(&format!("The reloader cannot start: {error}"));
            return EXIT_ERROR;
        }
    };
    let mut descriptions: Vec<&str> = sockets.iter().map(|s| s.description.as_str()).collect();
    descriptions.dedup();
    for description in descriptions {
        log.banner(description);
    }
    let pid = std::process::id();
    let parent = match Parent::new(config, program, sockets, signals, watching, answer, log) {
        Ok(parent) => parent,
        Err(error) => {
            log.error(&format!("The reloader cannot start: {error}"));
            return EXIT_ERROR;
        }
    };
    let number = log.number(pid);
    let means = parent.means().as_str();
    log.info(&format!(
        "Started reloader process [{number}] using {means}"
    ));
    let code = parent.run();
    log.process("Stopping reloader process", pid);
    code
}

/// What `config` asks to have watched, from the working directory `here` on.
#[cfg(unix)]
fn watching(config: &Config, here: &std::path::Path) -> Watching {
    let reload = &config.reload;
    Watching {
        plan: Plan::new(&reload.asked, here),
        quiet: match reload.delay {
            RELOAD_DELAY_DEFAULT => Quiet::UpTo(RELOAD_DELAY_DEFAULT),
            delay => Quiet::Exactly(delay),
        },
        poll_interval: reload.delay,
        always_poll: reload.polling,
    }
}

#[cfg(unix)]
fn announce(config: &Config, plan: &Plan, log: &Log) {
    let list = |paths: &[std::path::PathBuf]| {
        let quoted: Vec<String> = paths
            .iter()
            .map(|path| format!("'{}'", path.display()))
            .collect();
        format!("[{}]", quoted.join(", "))
    };
    if plan.nothing_valid {
        log.warning(&format!(
            "Provided reload directories {} did not contain valid directories, watching current \
             working directory.",
            list(&config.reload.asked.folders)
        ));
    }
    log.info(&format!(
        "Will watch for changes in these directories: {}",
        list(&plan.folders)
    ));
}
