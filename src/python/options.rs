//! Options on their way from Python to a configuration: `smolcorn.Config` asks here what is set
//! around it, and has its own values checked by the same types as those of the command line.

use std::path::PathBuf;

use argh::FromArgValue;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::settings;
use crate::cli::UsageError;
use crate::cli::addresses;
use crate::cli::arguments::Arguments;
use crate::cli::normalise::{Given, Normalised, Source, Surroundings};
use crate::cli::options::{self, Kind, OptionSpec};
use crate::cli::values::{Truth, integer};
use crate::config::Config;
use crate::entry;
use crate::env_file;

/// Options by their names in Python, each with the texts that the command line would have.
type Texts = Vec<(String, Vec<String>)>;

/// The default of every option, by its name in Python.
pub fn defaults(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let values = PyDict::new(py);
    for spec in options::settable() {
        let value = match (spec.default, spec.kind) {
            (Some(text), _) => typed(py, spec, text)?,
            (None, Kind::Flag) => false.into_pyobject(py)?.to_owned().into_any(),
            (None, _) if spec.repeatable => PyList::empty(py).into_any(),
            (None, _) => py.None().into_bound(py),
        };
        values.set_item(spec.parameter(), value)?;
    }
    Ok(values)
}

/// What the environment and pyproject.toml set, by its name in Python, where the program leaves it
/// open: it has `given` options of these names.
pub fn surroundings(py: Python<'_>, given: Vec<String>) -> PyResult<Bound<'_, PyDict>> {
    let around = Surroundings {
        env: &entry::variable,
        project: &entry::read_project,
    };
    // Whether they are given is all that matters here, and not what they say.
    let given = given.iter().filter_map(|name| {
        Some(Given {
            spec: options::find_parameter(name)?,
            value: "given".to_owned(),
            source: Source::Argument,
        })
    });
    let normalised = Normalised::from_surroundings(&around, given.collect()).map_err(refused)?;
    addresses::refuse_mixed(&normalised.given).map_err(refused)?;
    // Every value is checked here, with the texts of the command line.
    Arguments::parse(&normalised).map_err(refused)?;
    let values = PyDict::new(py);
    for Given { spec, value, .. } in &normalised.given {
        let name = spec.parameter();
        let value = typed(py, spec, value)?;
        match values.get_item(&name)? {
            Some(list) if spec.repeatable => list.cast::<PyList>()?.append(value)?,
            _ if spec.repeatable => values.set_item(name, PyList::new(py, [value])?)?,
            _ => values.set_item(name, value)?,
        }
    }
    Ok(values)
}

/// Makes a `smolcorn.config.Settings` of values.
pub fn settings<'py>(py: Python<'py>, app: &str, texts: Texts) -> PyResult<Bound<'py, PyAny>> {
    let mut normalised = Normalised {
        given: given(texts)?,
        positionals: vec![app.to_owned()],
        ..Normalised::default()
    };
    // Who names a default asks for nothing that may be missing.
    normalised.given.retain(|given| !is_default(given));
    normalised.refuse_planned().map_err(refused)?;
    addresses::refuse_mixed(&normalised.given).map_err(refused)?;
    let arguments = Arguments::parse(&normalised).map_err(refused)?;
    let config = Config::try_from(arguments).map_err(refused)?;
    settings::to_python(py, &config)
}

/// The command line that says the same as these values.
pub fn command_line(app: String, texts: Texts) -> PyResult<Vec<String>> {
    let mut words = Vec::new();
    for Given { spec, value, .. } in given(texts)? {
        let name = spec.name;
        match (spec.kind, Truth::from_arg_value(&value)) {
            (Kind::Flag | Kind::Pair(_), Ok(Truth(true))) => words.push(format!("--{name}")),
            (Kind::Pair(negated), _) => words.push(format!("--{negated}")),
            (Kind::Flag, _) => {}
            _ => words.push(format!("--{name}={value}")),
        }
    }
    words.extend(["--".to_owned(), app]);
    Ok(words)
}

/// Names, values, and the numbers of lines that could not be read, of files of variables.
pub type FileVariables = (Vec<(String, String)>, Vec<usize>);

/// Reads a file of variables. `earlier` are those of the files before.
pub fn read_env_file(path: PathBuf, earlier: Vec<(String, String)>) -> PyResult<FileVariables> {
    let known = earlier.into_iter().collect();
    let variables = env_file::read(&path, known, &entry::variable)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let set = variables.iter().cloned().collect();
    Ok((set, variables.bad_lines))
}

fn refused(error: UsageError) -> PyErr {
    PyValueError::new_err(error.message().to_owned())
}

fn given(texts: Texts) -> PyResult<Vec<Given>> {
    let mut given = Vec::new();
    for (name, values) in texts {
        let spec = options::find_parameter(&name)
            .ok_or_else(|| PyValueError::new_err(format!("There is no option '{name}'.")))?;
        given.extend(values.into_iter().map(|value| Given {
            spec,
            value,
            source: Source::Argument,
        }));
    }
    Ok(given)
}

fn is_default(given: &Given) -> bool {
    let Some(default) = given.spec.default else {
        return false;
    };
    if given.value == default {
        return true;
    }
    match given.spec.kind {
        Kind::Integer | Kind::Float => {
            let numbers = (given.value.parse::<f64>(), default.parse::<f64>());
            matches!(numbers, (Ok(value), Ok(default)) if value == default)
        }
        Kind::Boolean | Kind::Pair(_) => {
            Truth::from_arg_value(&given.value) == Truth::from_arg_value(default)
        }
        _ => false,
    }
}

/// A value as Python has it. Its text has been checked.
fn typed<'py>(py: Python<'py>, spec: &OptionSpec, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let value = match spec.kind {
        Kind::Integer => integer(text).map(|n| Ok(n.into_pyobject(py)?.into_any())),
        Kind::Float => text
            .trim()
            .replace('_', "")
            .parse::<f64>()
            .ok()
            .map(|n| Ok(n.into_pyobject(py)?.into_any())),
        Kind::Boolean | Kind::Flag | Kind::Pair(_) => Truth::from_arg_value(text)
            .ok()
            .map(|Truth(yes)| Ok(yes.into_pyobject(py)?.to_owned().into_any())),
        _ => None,
    };
    match value {
        Some(value) => value,
        None => Ok(text.into_pyobject(py)?.into_any()),
    }
}
