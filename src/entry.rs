//! The way in, the same for the binary and the wheel: arguments, configuration, the life cycle.

use pyo3::prelude::*;

use crate::cli::error::UsageError;
use crate::cli::{self, Parsed, Program};
use crate::config::Config;
use crate::python::settings;
#[cfg(unix)]
use crate::supervisor::child::WorkerProgram;
#[cfg(unix)]
use crate::supervisor::{self, Plan, worker};

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
    match cli::parse(argv, |name| std::env::var(name).ok(), program) {
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

/// Prints; whoever closed the other end does not want to read it.
fn print_quietly(stream: &mut impl std::io::Write, text: &str) {
    let _ = writeln!(stream, "{}", text.trim_end());
    let _ = stream.flush();
}

/// How many processes are to serve, if this process is to be their parent: the option, or
/// `WEB_CONCURRENCY` in the environment or in the environment file. What is wrong with these, the
/// life cycle says.
#[cfg(unix)]
pub fn supervised(config: &Config) -> Option<u32> {
    if worker::is_wanted() {
        return None;
    }
    let of_file = || {
        let text = std::fs::read_to_string(config.env_file.as_ref()?).ok()?;
        variable_in(&text, "WEB_CONCURRENCY")
    };
    let config = config.clone().with_late_environment(&|name| {
        let of_process = std::env::var(name).ok();
        of_process.or_else(|| (name == "WEB_CONCURRENCY").then(of_file)?)
    });
    config.ok()?.workers.filter(|workers| *workers > 1)
}

/// The value of a variable in an environment file; the last line that sets it counts.
#[cfg(unix)]
fn variable_in(text: &str, name: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
        let value = value.split(" #").next().unwrap_or_default().trim();
        Some(value.trim_matches(['"', '\'']).to_owned())
    })
}

/// Serves until told to stop. Returns the exit code.
pub fn serve(py: Python<'_>, config: &Config) -> PyResult<i32> {
    #[cfg(unix)]
    crate::python::worker::join(py, config.graceful_shutdown_timeout)?;
    let settings = settings::to_python(py, config)?;
    py.import("smolcorn.server")?
        .call_method1("run", (settings,))?
        .extract()
}

/// The console script's way in.
pub fn command_line(py: Python<'_>, argv: &[String]) -> PyResult<i32> {
    let platform = py.import("platform")?;
    let interpreter = format!(
        "{} {}",
        platform.call_method0("python_implementation")?,
        platform.call_method0("python_version")?
    );
    let program = Program {
        name: "smolcorn",
        interpreter: &interpreter,
        embeds_python: false,
    };
    match read_command_line(argv, &program) {
        #[cfg(unix)]
        Request::Serve(config) => match supervised(&config) {
            Some(workers) => supervise(py, &config, workers, argv),
            None => serve(py, &config),
        },
        #[cfg(not(unix))]
        Request::Serve(config) => serve(py, &config),
        Request::Exit(code) => Ok(code),
    }
}

/// Is the parent of `workers` processes, each of which is this interpreter with the same command
/// line. Python stays as it is meanwhile: no thread of it is stopped, and none is needed.
#[cfg(unix)]
fn supervise(py: Python<'_>, config: &Config, workers: u32, argv: &[String]) -> PyResult<i32> {
    let helper = py.import("smolcorn.worker")?;
    let mut arguments: Vec<String> = helper.call_method0("interpreter_arguments")?.extract()?;
    arguments.extend(["-m".to_owned(), "smolcorn".to_owned()]);
    arguments.extend_from_slice(argv);
    let program = WorkerProgram {
        path: py.import("sys")?.getattr("executable")?.extract()?,
        name: None,
        arguments: arguments.into_iter().map(Into::into).collect(),
    };
    let signals = helper.call_method0("signals_left_alone")?;
    signals.call_method0("__enter__")?;
    let plan = Plan {
        config,
        count: workers,
        program: &program,
        successor: &program,
        log: supervisor::log(config),
    };
    let code = py.detach(|| supervisor::run(&plan));
    signals.call_method1("__exit__", (py.None(), py.None(), py.None()))?;
    Ok(code)
}
