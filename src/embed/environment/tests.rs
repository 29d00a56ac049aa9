#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A place with environments in it, and the variables that point to them.
struct Place {
    directory: PathBuf,
    variables: HashMap<&'static str, OsString>,
    /// What each interpreter says of itself when it is run.
    answers: HashMap<PathBuf, Result<Answer, String>>,
}

impl Place {
    fn new() -> Place {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        let number = PLACES.fetch_add(1, Ordering::Relaxed);
        let name = format!("smolcorn-environment-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        Place {
            directory,
            variables: HashMap::new(),
            answers: HashMap::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A virtual environment whose file has this line; returns its interpreter.
    fn venv(&self, name: &str, line: &str) -> PathBuf {
        self.file(
            &format!("{name}/pyvenv.cfg"),
            &format!("home = /usr/bin\n{line}\n"),
        );
        self.file(&format!("{name}/{INTERPRETER}"), "")
    }

    /// One that this binary can run.
    fn good_venv(&self, name: &str) -> PathBuf {
        self.venv(name, &format!("version = {BUILT_FOR}.1"))
    }

    /// An interpreter that has to be asked, and that is `version` of `implementation`.
    fn interpreter(&mut self, name: &str, version: &str, implementation: &str) -> PathBuf {
        let path = self.file(name, "");
        let answer = Answer {
            executable: path.clone(),
            version: version.to_owned(),
            implementation: implementation.to_owned(),
        };
        self.answers.insert(path.clone(), Ok(answer));
        path
    }

    fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.variables.insert(name, value.into());
    }

    fn find(&self, python: Option<&str>) -> Result<PathBuf, String> {
        Surroundings {
            variable: &|name| self.variables.get(name).cloned(),
            directory: &self.directory,
            ask: &|python| self.answers.get(python).expect("must not be asked").clone(),
        }
        .find(python.map(Path::new))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn places_are_looked_at_in_order() {
    let mut place = Place::new();
    assert!(place.find(None).unwrap_err().contains("No Python"));

    place.set("PATH", place.path("usr"));
    let on_path = place.interpreter(&format!("usr/{ON_PATH}"), BUILT_FOR, "cpython");
    assert_eq!(place.find(None), Ok(on_path));

    let dot_venv = place.good_venv(".venv");
    assert_eq!(place.find(None), Ok(dot_venv));

    let conda = place.interpreter(&format!("conda/{CONDA_INTERPRETER}"), BUILT_FOR, "cpython");
    place.set("CONDA_PREFIX", place.path("conda"));
    assert_eq!(place.find(None), Ok(conda));

    let active = place.good_venv("active");
    place.set("VIRTUAL_ENV", place.path("active"));
    assert_eq!(place.find(None), Ok(active));

    let option = place.good_venv("option");
    assert_eq!(place.find(Some("option")), Ok(option));
}

#[test]
fn the_option_names_an_interpreter_a_folder_or_a_command() {
    let mut place = Place::new();
    let venv = place.good_venv("venv");
    place.set("PATH", place.path("usr"));
    let command = place.interpreter("usr/python-special", BUILT_FOR, "cpython");
    assert_eq!(place.find(Some(venv.to_str().unwrap())), Ok(venv.clone()));
    assert_eq!(
        place.find(Some(&format!("venv/{INTERPRETER}"))),
        Ok(venv.clone())
    );
    assert_eq!(place.find(Some("venv")), Ok(venv));
    assert_eq!(place.find(Some("python-special")), Ok(command));
    let missing = format!(
        "No Python interpreter or environment is at {}",
        place.path("no").display()
    );
    assert_eq!(place.find(Some("no")), Err(missing));
}

#[test]
fn a_shim_is_replaced_by_what_it_runs() {
    let mut place = Place::new();
    place.set("PATH", place.path("shims"));
    let real = place.path("versions/bin/python");
    let shim = place.interpreter(&format!("shims/{ON_PATH}"), BUILT_FOR, "cpython");
    if let Some(Ok(answer)) = place.answers.get_mut(&shim) {
        answer.executable = real.clone();
    }
    assert_eq!(place.find(None), Ok(real));
}

#[test]
fn another_version_is_refused_in_one_line() {
    let place = Place::new();
    let python = place.venv("old", "version = 3.9.18").display().to_string();
    let message = format!(
        "This binary was built for Python {BUILT_FOR}, but {python} (from --python) is Python \
         3.9: name a Python {BUILT_FOR} with --python, or install smolcorn there ({python} -m \
         pip install smolcorn)"
    );
    assert_eq!(place.find(Some("old")), Err(message));
}

#[test]
fn the_variable_is_named_if_it_was_the_variable() {
    let mut place = Place::new();
    place.venv("old", "version = 3.9.18");
    place.venv("older", "version = 3.8.1");
    place.set("SMOLCORN_PYTHON", "old");
    let complaint = |name| place.find(Some(name)).unwrap_err();
    assert!(complaint("old").contains("(from SMOLCORN_PYTHON) is Python 3.9"));
    assert!(complaint("older").contains("(from --python) is Python 3.8"));
}

#[test]
fn another_version_is_not_passed_over() {
    let mut place = Place::new();
    place.venv("active", "version = 3.9.18");
    place.set("VIRTUAL_ENV", place.path("active"));
    place.good_venv(".venv");
    assert!(
        place
            .find(None)
            .unwrap_err()
            .contains("(from VIRTUAL_ENV) is Python 3.9")
    );
}

#[test]
fn versions_are_read_as_each_tool_writes_them() {
    let place = Place::new();
    for line in [
        format!("version = {BUILT_FOR}.7"),
        format!("version_info = {BUILT_FOR}.7.final.0"),
        format!("version_info={BUILT_FOR}"),
    ] {
        let python = place.venv("venv", &line);
        assert_eq!(place.find(Some("venv")), Ok(python), "{line}");
    }
}

#[test]
fn free_threaded_environments_are_told_apart() {
    let place = Place::new();
    let python = place.venv("venv", "version = 3.13.0");
    fs::create_dir_all(place.path("venv/lib/python3.13t")).unwrap();
    assert_eq!(read_pyvenv(&python), Some("3.13t".to_owned()));
}

#[test]
fn an_environment_file_without_a_version_leaves_the_interpreter_to_tell() {
    let mut place = Place::new();
    place.file("venv/pyvenv.cfg", "home = /usr/bin\n");
    let python = place.interpreter(&format!("venv/{INTERPRETER}"), "3.9", "cpython");
    assert!(
        place
            .find(Some("venv"))
            .unwrap_err()
            .contains("is Python 3.9")
    );
    place
        .answers
        .insert(python, Err("exec format error".to_owned()));
    assert!(
        place
            .find(Some("venv"))
            .unwrap_err()
            .ends_with("does not work: exec format error")
    );
}

#[test]
fn other_implementations_are_refused() {
    let mut place = Place::new();
    place.interpreter("pypy/bin/python", BUILT_FOR, "pypy");
    assert!(
        place
            .find(Some("pypy/bin/python"))
            .unwrap_err()
            .contains("is pypy")
    );
}

#[test]
fn an_environment_that_lost_its_interpreter_is_an_error() {
    let mut place = Place::new();
    place.good_venv(".venv");
    place.set("VIRTUAL_ENV", place.path("gone"));
    assert!(
        place
            .find(None)
            .unwrap_err()
            .starts_with("VIRTUAL_ENV names an environment")
    );
}

#[test]
fn a_conda_environment_without_python_is_passed_over() {
    let mut place = Place::new();
    let dot_venv = place.good_venv(".venv");
    fs::create_dir(place.path("conda")).unwrap();
    place.set("CONDA_PREFIX", place.path("conda"));
    assert_eq!(place.find(None), Ok(dot_venv));
}

#[test]
fn answers_have_three_lines() {
    let answer = Answer {
        executable: PathBuf::from("/opt/my python/bin/python3"),
        version: "3.13t".to_owned(),
        implementation: "cpython".to_owned(),
    };
    assert_eq!(
        read_answer("/opt/my python/bin/python3\n3.13t\ncpython\n"),
        Some(answer)
    );
    assert_eq!(read_answer("\n3.13\ncpython\n"), None);
    assert_eq!(read_answer("Python 2.7\n"), None);
}
