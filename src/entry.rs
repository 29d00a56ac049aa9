//! The way in, the same for the binary and the wheel: arguments, configuration, the life cycle.

use pyo3::prelude::*;

use crate::cli::error::UsageError;
use crate::cli::project::{self, Project};
use crate::cli::{self, Parsed, Program};
use crate::config::Config;
#[cfg(unix)]
use crate::env_file;
use crate::inspect::client as inspect;
use crate::python::settings;
#[cfg(unix)]
use crate::reload;
#[cfg(unix)]
use crate::reload::plan::Asked;
#[cfg(unix)]
use crate::supervisor::child::WorkerProgram;
#[cfg(unix)]
use crate::supervisor::log::Log;
#[cfg(unix)]
use crate::supervisor::{self, Plan, worker};

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
        #[cfg(unix)]
        Parsed::Run(mut config) => match supervisor::secrets::complete(&mut config) {
            Ok(()) => Request::Serve(config),
            Err(error) => {
                print_quietly(&mut std::io::stderr(), &error.to_string());
                Request::Exit(EXIT_NOT_FOR_US)
            }
        },
        #[cfg(not(unix))]
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
    /// `successor`. Returns the exit code.
    pub fn run(self, config: &Config, program: &WorkerProgram, successor: &WorkerProgram) -> i32 {
        match self {
            Supervision::Workers(count) => supervisor::run(&Plan {
                config,
                count,
                program,
                successor,
                log: supervisor::log(config),
            }),
            Supervision::Reload => reload::run(config, program),
        }
    }
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
    if config.reload.asked != Asked::default() {
        Log::new(config).warning(
            "Nothing will reload: --reload-dir, --reload-include and --reload-exclude mean nothing \
             without --reload.",
        );
    }
    let files = env_file::read_all(&config.env_files, &variable).unwrap_or_default();
    let config = config.clone().with_late_environment(&|name| {
        let of_process = variable(name);
        of_process.or_else(|| (name == "WEB_CONCURRENCY").then(|| files.get(name))?)
    });
    let several = config.ok()?.workers.filter(|workers| *workers > 1);
    several.map(Supervision::Workers)
}

/// Of `words`, which are the arguments `argv` in whatever form, those that may stand in the
/// command line of another process.
#[cfg(unix)]
pub fn without_secrets<'a, T>(words: &'a [T], argv: &[String]) -> impl Iterator<Item = &'a T> {
    let secret = cli::words_of(argv, supervisor::secrets::OPTION);
    let numbered = words.iter().enumerate();
    numbered.filter_map(move |(index, word)| (!secret.contains(&index)).then_some(word))
}

/// Serves until told to stop. Returns the exit code.
pub fn serve(py: Python<'_>, config: &Config) -> PyResult<i32> {
    #[cfg(unix)]
    crate::python::worker::join(py, config.graceful_shutdown_timeout)?;
    let process = import_server(py)?;
    let settings = settings::to_python(py, config)?;
    process.call_method1("run", (settings,))?.extract()
}

/// Imports what every server needs, before the application. None of it is ever garbage: Python's
/// collector rests meanwhile, and looks at nothing of it afterwards.
fn import_server(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    let gc = py.import("gc")?;
    if !gc.call_method0("isenabled")?.is_truthy()? {
        return py.import("smolcorn.process");
    }
    gc.call_method0("disable")?;
    let process = py.import("smolcorn.process");
    gc.call_method0("freeze")?;
    gc.call_method0("enable")?;
    process
}

/// The console script's way in.
pub fn command_line(py: Python<'_>, argv: &[String]) -> PyResult<i32> {
    let number = Python::version_str().split(' ').next().unwrap_or_default();
    let interpreter = format!("CPython {number}");
    let program = Program {
        name: "smolcorn",
        interpreter: &interpreter,
        embeds_python: false,
    };
    match read_command_line(argv, &program) {
        #[cfg(unix)]
        Request::Serve(config) => match supervised(&config) {
            Some(supervision) => supervise(py, &config, supervision, argv),
            None => serve(py, &config),
        },
        #[cfg(not(unix))]
        Request::Serve(config) => serve(py, &config),
        Request::Exit(code) => Ok(code),
    }
}

/// Is the parent of other processes, each of which is this interpreter with the same command
/// line. Python stays as it is meanwhile: no thread of it is stopped, and none is needed.
#[cfg(unix)]
fn supervise(
    py: Python<'_>,
    config: &Config,
    supervision: Supervision,
    argv: &[String],
) -> PyResult<i32> {
    let helper = py.import("smolcorn.worker")?;
    let mut arguments: Vec<String> = helper.call_method0("interpreter_arguments")?.extract()?;
    arguments.extend(["-m".to_owned(), "smolcorn".to_owned()]);
    arguments.extend(without_secrets(argv, argv).cloned());
    let program = WorkerProgram {
        path: py.import("sys")?.getattr("executable")?.extract()?,
        name: None,
        arguments: arguments.into_iter().map(Into::into).collect(),
        key_password: supervisor::secrets::of(config),
    };
    let signals = helper.call_method0("signals_left_alone")?;
    signals.call_method0("__enter__")?;
    let code = py.detach(|| supervision.run(config, &program, &program));
    signals.call_method1("__exit__", (py.None(), py.None(), py.None()))?;
    Ok(code)
}
