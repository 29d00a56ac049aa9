//! The binary: reads the command line, starts Python in the user's environment, serves.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use smolcorn::cli::Program;
#[cfg(unix)]
use smolcorn::config::Config;
#[cfg(unix)]
use smolcorn::entry::Supervision;
use smolcorn::entry::{self, Request};
use smolcorn::python;
#[cfg(unix)]
use smolcorn::responder;
#[cfg(unix)]
use smolcorn::supervisor::{child::WorkerProgram, secrets};

mod embed;

/// Exit code when there is no Python to serve with.
const EXIT_NO_PYTHON: i32 = 1;

fn main() {
    let argv: Vec<OsString> = env::args_os().collect();
    std::process::exit(run(&argv));
}

/// Does what the command line says; returns the exit code.
fn run(argv: &[OsString]) -> i32 {
    let (name, arguments) = split(argv);
    let program = Program {
        name: &name,
        interpreter: &embed::interpreter_name(),
        embeds_python: true,
    };
    let mut config = match entry::read_command_line(&arguments, &program) {
        Request::Serve(config) => config,
        Request::Exit(code) => return code,
    };
    #[cfg(unix)]
    if let Err(code) = entry::complete(&mut config) {
        return code;
    }
    #[cfg(unix)]
    if let Some(supervision) = entry::supervised(&config) {
        return supervise(&config, supervision, argv);
    }
    #[cfg(unix)]
    entry::warn(&config);
    match embed::start(config.python.as_deref(), argv) {
        Ok(interpreter) => {
            let code = interpreter.run(|py| python::entry::serve(py, &config));
            interpreter.finish(code)
        }
        Err(why) => {
            embed::complain(&format!("Error: {why}"));
            EXIT_NO_PYTHON
        }
    }
}

/// Is the parent of other processes, each of which is this program with the same command line.
/// Python is never started.
#[cfg(unix)]
fn supervise(config: &Config, supervision: Supervision, argv: &[OsString]) -> i32 {
    let words = argv.get(1..).unwrap_or_default();
    let program = |path| WorkerProgram {
        path,
        name: argv.first().cloned(),
        arguments: entry::without_secrets(words).cloned().collect(),
        key_password: secrets::of(config),
    };
    let own = env::current_exe().unwrap_or_else(|_| "smolcorn".into());
    // Workers are the very program that runs, even when its file has been replaced meanwhile:
    // parent and workers must understand each other. A successor is what is in that file then.
    let same = Path::new("/proc/self/exe");
    let running = if same.exists() { same } else { own.as_path() };
    let (worker, successor) = (program(running.to_owned()), program(own.clone()));
    supervision.run(config, &worker, &successor, responder::start)
}

/// What the user called this program, and the arguments. Bytes that are no text, which no option
/// means, become replacement characters.
fn split(argv: &[OsString]) -> (String, Vec<String>) {
    let path = argv.first().map(Path::new);
    let name = path
        .and_then(Path::file_name)
        .unwrap_or("smolcorn".as_ref());
    let arguments = argv
        .iter()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned());
    (name.to_string_lossy().into_owned(), arguments.collect())
}
