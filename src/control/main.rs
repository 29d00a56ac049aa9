//! The parent of the wheel's workers, as a program without Python: `--workers` of the command that
//! pip installs.
//!
//! ```text
//!   smolcorn PYTHON [FLAG]... -m smolcorn [ARGUMENT]...
//! ```
//!
//! The arguments are the command line of a worker. The console script has read its own ones, seen
//! that there is to be a parent, and has become this program, in the same process
//! (`become_supervisor` in `python/smolcorn/worker.py`). With `--reload` it stays what it is: whoever
//! answers while the application is broken needs HTTP and TLS, which would make this program three
//! times as large, and nobody develops where memory is scarce.

use std::ffi::OsString;

#[cfg(unix)]
use smolcorn_control::cli::Program;
#[cfg(unix)]
use smolcorn_control::entry::{self, Request, Supervision};

/// Exit code when the arguments are not what the console script gives.
const EXIT_USAGE: i32 = 2;

fn main() {
    let command: Vec<OsString> = std::env::args_os().skip(1).collect();
    let code = supervise(&command).unwrap_or_else(|| {
        eprintln!("This program is what the command 'smolcorn' becomes with --workers.");
        EXIT_USAGE
    });
    std::process::exit(code);
}

/// Is the parent that `command` asks for, and returns the exit code; `None` if it asks for none.
#[cfg(unix)]
fn supervise(command: &[OsString]) -> Option<i32> {
    let module = command
        .windows(2)
        .position(|pair| pair == ["-m", "smolcorn"])?;
    let (interpreter, arguments) = command.split_at_checked(module + 2)?;
    let argv: Vec<String> = arguments
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let program = Program {
        name: "smolcorn",
        interpreter: "Python",
        embeds_python: false,
    };
    let mut config = match entry::read_command_line(&argv, &program) {
        Request::Serve(config) => config,
        Request::Exit(code) => return Some(code),
    };
    let Some(Supervision::Workers(count)) = entry::supervised(&config) else {
        return None;
    };
    if let Err(code) = entry::complete(&mut config) {
        return Some(code);
    }
    let worker = entry::worker_of(interpreter, arguments, &config)?;
    Some(entry::run_workers(count, &config, &worker, &worker))
}

/// Other systems have no such parent.
#[cfg(not(unix))]
fn supervise(_command: &[OsString]) -> Option<i32> {
    None
}
