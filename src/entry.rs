//! The way in, the same for the binary and the wheel: arguments, configuration, the life cycle.

use pyo3::prelude::*;

use crate::cli::error::UsageError;
use crate::cli::project::{self, Project};
use crate::cli::{self, Parsed, Program};
use crate::config::Config;
use crate::python::settings;

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

/// Serves until told to stop. Returns the exit code.
pub fn serve(py: Python<'_>, config: &Config) -> PyResult<i32> {
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
        Request::Serve(config) => serve(py, &config),
        Request::Exit(code) => Ok(code),
    }
}
