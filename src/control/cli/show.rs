//! What `--print-config` prints: every setting with its value, and who set it, in the form of the
//! table `[tool.smolcorn]`.

use super::error::UsageError;
use super::normalise::{Given, Normalised, Source};
use super::options::{self, Kind, OptionSpec, Status};
use super::values::{Truth, integer};
use crate::config::Config;
use crate::env_file;
use argh::FromArgValue;

/// Column at which it says who set a value.
const COLUMN: usize = 36;

/// Options whose values nobody else should see.
const SECRETS: &[&str] = &["ssl-keyfile-password"];

/// The settings of a command line. The files of variables are read for what is looked up late.
pub fn settings(
    normalised: &Normalised,
    config: &Config,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, UsageError> {
    let files = env_file::read_all(&config.env_files, env)
        .map_err(|error| UsageError::new(error.to_string()))?;
    let late = |name: &str| env(name).or_else(|| files.get(name));
    // Refuses what would be refused later.
    config.clone().with_late_environment(&late)?;
    let mut text = "[tool.smolcorn]\n".to_owned();
    text.push_str(&line(
        "app",
        normalised.positionals.first().map(|app| quoted(app)),
        normalised.app_source.as_ref().map(Source::to_string),
    ));
    let is_ready = |spec: &&OptionSpec| spec.status != Status::Planned;
    for spec in options::settable().filter(is_ready) {
        let given: Vec<&Given> = normalised
            .given
            .iter()
            .filter(|given| given.spec.name == spec.name)
            .collect();
        let values: Vec<&str> = given.iter().map(|given| given.value.as_str()).collect();
        let (values, source) = match (given.first(), late_variable(spec)) {
            (Some(first), _) => (values_of(spec, &values), Some(first.source.to_string())),
            (None, Some(name)) if late(name).is_some() => {
                let value = late(name).unwrap_or_default();
                (values_of(spec, &[value.as_str()]), Some(name.to_owned()))
            }
            (None, _) if spec.kind == Kind::Flag => (Some("false".to_owned()), None),
            (None, _) => (spec.default.map(|text| value_of(spec, text)), None),
        };
        text.push_str(&line(spec.name, values, source));
    }
    Ok(text)
}

/// The variable that is read after the files of variables.
fn late_variable(spec: &OptionSpec) -> Option<&'static str> {
    match spec.name {
        "workers" => Some("WEB_CONCURRENCY"),
        "forwarded-allow-ips" => Some("FORWARDED_ALLOW_IPS"),
        _ => None,
    }
}

fn line(name: &str, value: Option<String>, source: Option<String>) -> String {
    let Some(value) = value else {
        return format!("# {name} is not set\n");
    };
    let setting = format!("{name} = {value}");
    let source = source.unwrap_or_else(|| "default".to_owned());
    format!("{setting:<COLUMN$}  # {source}\n")
}

fn values_of(spec: &OptionSpec, values: &[&str]) -> Option<String> {
    if !spec.repeatable {
        return values.last().map(|text| value_of(spec, text));
    }
    let values: Vec<String> = values.iter().map(|text| value_of(spec, text)).collect();
    Some(format!("[{}]", values.join(", ")))
}

/// A value as TOML.
fn value_of(spec: &OptionSpec, text: &str) -> String {
    if SECRETS.contains(&spec.name) {
        return quoted("***");
    }
    match spec.kind {
        Kind::Integer => integer(text).map_or_else(|| quoted(text), |number| number.to_string()),
        Kind::Float if text.parse::<f64>().is_ok_and(f64::is_finite) => text.trim().to_owned(),
        Kind::Boolean | Kind::Flag | Kind::Pair(_) => {
            Truth::from_arg_value(text).map_or_else(|_| quoted(text), |Truth(yes)| yes.to_string())
        }
        _ => quoted(text),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut shown = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => shown.extend(['\\', c]),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() => shown.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}
