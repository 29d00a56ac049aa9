//! The way in, the same for the binary, the wheel and the wheel's supervisor: arguments,
//! configuration, and whether this process is to serve or to be the parent of others.

#[cfg(unix)]
use std::ffi::{OsStr, OsString};

use crate::cli::error::UsageError;
use crate::cli::project::{self, Project};
use crate::cli::{self, Parsed, Program};
use crate::config::Config;
#[cfg(unix)]
use crate::env_file;
use crate::inspect::client as inspect;
#[cfg(unix)]
use crate::reload::plan::Asked;
#[cfg(unix)]
use crate::reload::{self, Answer};
#[cfg(unix)]
use crate::supervisor::child::WorkerProgram;
#[cfg(unix)]
use crate::supervisor::log::Log;
#[cfg(unix)]
use crate::supervisor::{self, Plan, secrets, worker};

/// Exit code of a process whose environment says what only a supervisor may say.
#[cfg(unix)]
const EXIT_NOT_FOR_US: i32 = 1;

/// What a command line came to before anything is served.
pub enum Request {
    /// Serve.
    Serve(Box<Config>),
    /// Nothing more to do: exit with this code.
    Exit(i32),
}

/// Reads the command line (`argv` without the program's name) and the environment. Help, version
/// and usage errors are printed here.
pub fn read_command_line(argv: &[String], program: &Program<'_>) -> Request {
    if let [first, rest @ ..] = argv
        && first == inspect::COMMAND
    {
        return Request::Exit(inspect::run(rest));
    }
    match cli::parse(argv, variable, read_project, program) {
        Parsed::Run(config) => Request::Serve(config),
        Parsed::Print { text, exit_code } => {
            print_quietly(&mut std::io::stdout(), &text);
            Request::Exit(exit_code)
        }
        Parsed::Usage(error) => {
            print_quietly(&mut std::io::stderr(), &error.text(program.name));
            Request::Exit(UsageError::EXIT_CODE)
        }
    }
}

/// Completes a configuration by what a supervisor tells the processes that it starts, which can be
/// read once.
///
/// # Errors
/// The exit code, when the environment says what only a supervisor may say; why, is printed.
#[cfg(unix)]
pub fn complete(config: &mut Config) -> Result<(), i32> {
    secrets::complete(config).map_err(|error| {
        print_quietly(&mut std::io::stderr(), &error.to_string());
        EXIT_NOT_FOR_US
    })
}

/// A variable of the process's environment.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads the pyproject.toml of the working directory, if there is one.
pub fn read_project() -> Result<Project, UsageError> {
    // Whoever cannot read the file has no settings in it; nor has one that is no text.
    let text = std::fs::read_to_string(project::FILE_NAME).unwrap_or_default();
    Project::read(&text)
}

/// Prints; whoever closed the other end does not want to read it.
fn print_quietly(stream: &mut impl std::io::Write, text: &str) {
    let _ = writeln!(stream, "{}", text.trim_end());
    let _ = stream.flush();
}

/// What the parent of other processes has to do.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// So many processes serve.
    Workers(u32),
    /// One serves, and is replaced when files change.
    Reload,
}

#[cfg(unix)]
impl Supervision {
    /// Is the parent of processes of `program`, until told to stop or replaced by a process of
    /// `successor`; `answer` is for clients of an application that does not run. Returns the exit
    /// code.
    pub fn run(
        self,
        config: &Config,
        program: &WorkerProgram,
        successor: &WorkerProgram,
        answer: Answer,
    ) -> i32 {
        match self {
            Supervision::Workers(count) => run_workers(count, config, program, successor),
            Supervision::Reload => {
                warn(config);
                reload::run(config, program, answer)
            }
        }
    }
}

/// Is the parent of `count` processes of `program`; otherwise like [`Supervision::run`].
#[cfg(unix)]
pub fn run_workers(
    count: u32,
    config: &Config,
    program: &WorkerProgram,
    successor: &WorkerProgram,
) -> i32 {
    warn(config);
    supervisor::run(&Plan {
        config,
        count,
        program,
        successor,
        log: supervisor::log(config),
    })
}

/// What this process has to do if it is to be the parent of others: as the options say, or
/// `WEB_CONCURRENCY` in the environment or in the environment file. What is wrong with these, the
/// life cycle says.
#[cfg(unix)]
pub fn supervised(config: &Config) -> Option<Supervision> {
    if worker::is_wanted() {
        return None;
    }
    if config.reload.enabled {
        return Some(Supervision::Reload);
    }
    let files = env_file::read_all(&config.env_files, &variable).unwrap_or_default();
    let config = config.clone().with_late_environment(&|name| {
        let of_process = variable(name);
        of_process.or_else(|| (name == "WEB_CONCURRENCY").then(|| files.get(name))?)
    });
    let several = config.ok()?.workers.filter(|workers| *workers > 1);
    several.map(Supervision::Workers)
}

/// Tells of options and variables that do nothing, in a process that is no worker.
#[cfg(unix)]
pub fn warn(config: &Config) {
    if worker::is_wanted() {
        return;
    }
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    if let Some(text) = cli::variables::unknown(names) {
        Log::new(config).warning(&text);
    }
    if !config.reload.enabled && config.reload.asked != Asked::default() {
        Log::new(config).warning(
            "Nothing will reload: --reload-dir, --reload-include and --reload-exclude mean nothing \
             without --reload.",
        );
    }
}

/// Of `words`, which are the arguments of this process in whatever form, those that may stand in
/// the command line of another process.
#[cfg(unix)]
pub fn without_secrets<T: AsRef<OsStr>>(words: &[T]) -> impl Iterator<Item = &T> {
    let text = |word: &T| word.as_ref().to_string_lossy().into_owned();
    let argv: Vec<String> = words.iter().map(text).collect();
    let secret = cli::words_of(&argv, secrets::OPTION);
    let numbered = words.iter().enumerate();
    numbered.filter_map(move |(index, word)| (!secret.contains(&index)).then_some(word))
}

/// The worker that `interpreter` is, a program and its first arguments, with those of this process
/// behind them; `None` if that names no program.
#[cfg(unix)]
pub fn worker_of(
    interpreter: &[OsString],
    arguments: &[OsString],
    config: &Config,
) -> Option<WorkerProgram> {
    let (path, flags) = interpreter.split_first()?;
    let arguments = without_secrets(arguments);
    Some(WorkerProgram {
        path: path.into(),
        name: None,
        arguments: flags.iter().chain(arguments).cloned().collect(),
        key_password: secrets::of(config),
    })
}
