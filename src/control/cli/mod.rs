//! The command line: from argv and the environment to a [`Config`].
//!
//! ```text
//!   argv, env, pyproject.toml -> normalise.rs -> arguments.rs (argh) -> resolve.rs -> Config
//!    (project.rs, addresses.rs)      ^               ^
//!              table.rs (one record per option)  values.rs (one type per kind of value)
//!                                    v
//!                help.rs, show.rs (--print-config), docs/options.md
//! ```
//!
//! Nothing here prints, ends the process or knows Python. A [`UsageError`] is the user's fault
//! and says what to write to stderr.

pub mod addresses;
pub mod arguments;
#[cfg(test)]
mod docs;
pub mod error;
pub mod help;
pub mod normalise;
pub mod options;
pub mod project;
mod resolve;
mod show;
pub mod suggest;
pub mod table;
#[cfg(test)]
mod tests;
mod tls;
pub mod values;
pub mod variables;

pub use error::UsageError;

use crate::config::Config;
use arguments::Arguments;
use normalise::{Surroundings, normalise};
use options::Action;
use project::Project;

/// Which of its forms the program has.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// What the user called: `smolcorn`, or `python -m smolcorn`.
    pub name: &'a str,
    /// Name and version of the interpreter, `CPython 3.13.0`.
    pub interpreter: &'a str,
    /// True for the binary, which looks for a Python environment; false for the wheel, which
    /// runs in one.
    pub embeds_python: bool,
}

/// What the user wants.
#[derive(Debug)]
pub enum Parsed {
    /// Serve.
    Run(Box<Config>),
    /// Print to stdout and end with this status.
    Print {
        /// Lines with their ends.
        text: String,
        /// Always 0 so far.
        exit_code: i32,
    },
    /// Print [`UsageError::text`] to stderr and end with [`UsageError::EXIT_CODE`].
    Usage(UsageError),
}

/// Reads the command line (`argv` without the program's name), the environment, and what `project`
/// reads of pyproject.toml.
///
/// Paths that must exist are looked up; of files only pyproject.toml is read, and for
/// `--print-config` the files of variables. Who runs the result calls
/// [`Config::with_late_environment`] after these are loaded.
pub fn parse(
    argv: &[String],
    env: impl Fn(&str) -> Option<String>,
    project: impl Fn() -> Result<Project, UsageError>,
    program: &Program<'_>,
) -> Parsed {
    let surroundings = Surroundings {
        env: &env,
        project: &project,
    };
    try_parse(argv, &surroundings, program).unwrap_or_else(Parsed::Usage)
}

/// The places in `argv` of all words that give a value to the option `name`.
pub fn words_of(argv: &[String], name: &str) -> Vec<usize> {
    normalise::words_of(argv, name)
}

fn try_parse(
    argv: &[String],
    surroundings: &Surroundings<'_>,
    program: &Program<'_>,
) -> Result<Parsed, UsageError> {
    let normalised = normalise(argv, surroundings)?;
    let print = |text| Ok(Parsed::Print { text, exit_code: 0 });
    match normalised.action {
        Some(Action::Help) => return print(help::help(program)),
        Some(Action::Version) => return print(help::version(program)),
        Some(Action::PrintConfig) | None => {}
    }
    let arguments = Arguments::parse(&normalised)?;
    match arguments.words.as_slice() {
        [] if normalised.action.is_none() => return Err(UsageError::missing_app()),
        [] | [_] => {}
        [_, extra @ ..] => return Err(UsageError::extra_arguments(extra)),
    }
    normalised.refuse_planned()?;
    addresses::refuse_mixed(&normalised.given)?;
    if arguments.python.is_some() && !program.embeds_python {
        return Err(UsageError::new(
            "Option '--python' is for the smolcorn binary; here the interpreter that runs \
             smolcorn is the one that serves.",
        ));
    }
    let config = Config::try_from(arguments)?;
    if normalised.action.is_some() {
        return print(show::settings(&normalised, &config, surroundings.env)?);
    }
    Ok(Parsed::Run(Box::new(config)))
}
