//! The command line as a whole: what comes out of a line and an environment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod parity;
mod settings;
mod usage_errors;

use super::error::UsageError;
use super::project::Project;
use super::{Parsed, Program, parse};
use crate::config::Config;

const BINARY: Program<'static> = Program {
    name: "smolcorn",
    interpreter: "CPython 3.13.0",
    embeds_python: true,
};

fn parse_with(argv: &[&str], env: &[(&str, &str)], program: &Program<'_>) -> Parsed {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    let project = || Ok(Project::default());
    parse(&argv, |name| variable(env, name), project, program)
}

fn variable(env: &[(&str, &str)], name: &str) -> Option<String> {
    env.iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| (*value).to_owned())
}

fn config_with(argv: &[&str], env: &[(&str, &str)]) -> Config {
    match parse_with(argv, env, &BINARY) {
        Parsed::Run(config) => *config,
        other => panic!("{argv:?} {env:?} gave {other:?}"),
    }
}

fn config(argv: &[&str]) -> Config {
    config_with(argv, &[])
}

fn error_with(argv: &[&str], env: &[(&str, &str)]) -> UsageError {
    match parse_with(argv, env, &BINARY) {
        Parsed::Usage(error) => error,
        other => panic!("{argv:?} {env:?} gave {other:?}"),
    }
}

fn error(argv: &[&str]) -> UsageError {
    error_with(argv, &[])
}
