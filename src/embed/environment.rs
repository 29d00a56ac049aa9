//! Finds the Python environment that the user means, and refuses one that this binary cannot run.
//!
//! In this order: `--python`, an activated virtual environment, an activated conda environment,
//! `./.venv`, and `python3` on the search path. What is named and does not work is an error; it
//! is never passed over for the next place, whose packages would be other ones.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BUILT_FOR;

/// The interpreter inside an environment's folder.
const INTERPRETER: &str = if cfg!(windows) {
    "Scripts\\python.exe"
} else {
    "bin/python"
};

/// Conda environments have it elsewhere on Windows.
const CONDA_INTERPRETER: &str = if cfg!(windows) {
    "python.exe"
} else {
    "bin/python"
};

/// Its name on the search path.
const ON_PATH: &str = if cfg!(windows) {
    "python.exe"
} else {
    "python3"
};

/// What the interpreter is asked when no file tells: one answer per line.
const QUESTION: &str = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2] + \
    ('t' if 't' in getattr(sys, 'abiflags', '') else ''), sys.implementation.name, sep='\\n')";

/// What the process finds around itself when it looks for Python.
pub struct Surroundings<'a> {
    /// An environment variable; `None` when unset or empty.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The working directory.
    pub directory: &'a Path,
    /// Runs an interpreter and asks it who it is.
    pub ask: &'a dyn Fn(&Path) -> Result<Answer, String>,
}

/// What an interpreter says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `sys.executable`: the interpreter behind a shim or a wrapper script.
    pub executable: PathBuf,
    /// As `BUILT_FOR`.
    pub version: String,
    /// `sys.implementation.name`, lower case.
    pub implementation: String,
}

/// An interpreter that was named, not yet looked at.
struct Candidate {
    python: PathBuf,
    /// Who named it, for messages.
    named_by: &'static str,
}

impl Surroundings<'_> {
    /// Finds the interpreter of the environment that is meant; `python` is what `--python` says:
    /// an interpreter, a command on the search path, or an environment's folder.
    ///
    /// The path is absolute and no link in it is resolved: a virtual environment is known by the
    /// place of the link to its interpreter.
    ///
    /// # Errors
    /// One line, when there is no environment, when the one that is named does not work, and
    /// when its Python is not the one that this binary was built for.
    pub fn find(&self, python: Option<&Path>) -> Result<PathBuf, String> {
        let candidate = match python {
            Some(python) => self.named(python)?,
            None => self.guessed()?,
        };
        self.examine(&candidate)
    }

    /// The candidate that `--python` names, or its variable.
    fn named(&self, python: &Path) -> Result<Candidate, String> {
        let path = self.directory.join(python);
        let found = if path.is_dir() {
            let places = [INTERPRETER, CONDA_INTERPRETER].map(|place| path.join(place));
            places.into_iter().find(|place| place.is_file())
        } else if path.is_file() {
            Some(path.clone())
        } else if python.components().count() == 1 {
            self.on_path(python.as_os_str())
        } else {
            None
        };
        let is_variables = |value: OsString| value == python.as_os_str();
        let named_by = if (self.variable)("SMOLCORN_PYTHON").is_some_and(is_variables) {
            "SMOLCORN_PYTHON"
        } else {
            "--python"
        };
        match found {
            Some(python) => Ok(Candidate { python, named_by }),
            None => Err(format!(
                "No Python interpreter or environment is at {}",
                path.display()
            )),
        }
    }

    /// The candidate that the surroundings name, in the order of this module's head.
    fn guessed(&self) -> Result<Candidate, String> {
        if let Some(folder) = (self.variable)("VIRTUAL_ENV") {
            let python = self.directory.join(folder).join(INTERPRETER);
            return Ok(Candidate {
                python,
                named_by: "VIRTUAL_ENV",
            });
        }
        if let Some(folder) = (self.variable)("CONDA_PREFIX") {
            let python = self.directory.join(folder).join(CONDA_INTERPRETER);
            // Conda environments need not have Python in them.
            if python.is_file() {
                return Ok(Candidate {
                    python,
                    named_by: "CONDA_PREFIX",
                });
            }
        }
        let folder = self.directory.join(".venv");
        if folder.join("pyvenv.cfg").is_file() {
            let python = folder.join(INTERPRETER);
            return Ok(Candidate {
                python,
                named_by: "./.venv",
            });
        }
        match self.on_path(OsStr::new(ON_PATH)) {
            Some(python) => Ok(Candidate {
                python,
                named_by: "PATH",
            }),
            None => Err(format!(
                "No Python {BUILT_FOR} was found: activate an environment, put {ON_PATH} on PATH, \
                 or name one with --python"
            )),
        }
    }

    /// The first file called `name` on the search path.
    fn on_path(&self, name: &OsStr) -> Option<PathBuf> {
        let path = (self.variable)("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| self.directory.join(folder).join(name))
            .find(|file| file.is_file())
    }

    /// Holds the candidate against this binary.
    fn examine(&self, candidate: &Candidate) -> Result<PathBuf, String> {
        let Candidate { python, named_by } = candidate;
        let place = python.display();
        if !python.is_file() {
            return Err(format!(
                "{named_by} names an environment, but {place} is missing"
            ));
        }
        let answer = match read_pyvenv(python) {
            Some(version) => Answer {
                executable: python.clone(),
                version,
                implementation: "cpython".to_owned(),
            },
            None => (self.ask)(python)
                .map_err(|why| format!("{place} (from {named_by}) does not work: {why}"))?,
        };
        if answer.implementation != "cpython" {
            return Err(format!(
                "This binary runs CPython {BUILT_FOR}, but {place} (from {named_by}) is {}: name \
                 another with --python",
                answer.implementation
            ));
        }
        if answer.version != BUILT_FOR {
            return Err(format!(
                "This binary was built for Python {BUILT_FOR}, but {place} (from {named_by}) is \
                 Python {}: name a Python {BUILT_FOR} with --python, or install smolcorn there \
                 ({place} -m pip install smolcorn)",
                answer.version
            ));
        }
        Ok(answer.executable)
    }
}

/// The version that a virtual environment's own file tells, in the form of `BUILT_FOR`.
///
/// Spares the start of a second interpreter. `None` when `python` is not in a virtual
/// environment or the file does not say.
fn read_pyvenv(python: &Path) -> Option<String> {
    let folder = python.parent()?.parent()?;
    let text = std::fs::read_to_string(folder.join("pyvenv.cfg")).ok()?;
    let version = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        // venv writes `version`, virtualenv and uv write `version_info`.
        matches!(key.trim(), "version" | "version_info").then(|| value.trim())
    })?;
    let mut numbers = version.split('.');
    let minor = format!("{}.{}", numbers.next()?, numbers.next()?);
    let free_threaded = folder.join(format!("lib/python{minor}t")).is_dir();
    Some(if free_threaded { minor + "t" } else { minor })
}

/// Runs `python` and reads what it says of itself.
pub fn ask(python: &Path) -> Result<Answer, String> {
    let output = Command::new(python)
        .args(["-I", "-S", "-c", QUESTION])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().map(str::trim).find(|line| !line.is_empty());
        return Err(first.map_or_else(|| output.status.to_string(), str::to_owned));
    }
    read_answer(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| "it does not answer as Python does".to_owned())
}

/// Takes the answer to `QUESTION` apart.
fn read_answer(text: &str) -> Option<Answer> {
    let mut lines = text.lines();
    let executable = lines.next().filter(|line| !line.is_empty())?;
    let version = lines.next()?;
    let implementation = lines.next()?;
    Some(Answer {
        executable: PathBuf::from(executable),
        version: version.to_owned(),
        implementation: implementation.to_owned(),
    })
}

#[cfg(test)]
mod tests;
