//! From what the user wrote, on the command line, in the environment and in pyproject.toml, to a
//! plain list of options with their values.
//!
//! Its rules are those of uvicorn's command line: `--name value` and `--name=value`, options
//! before and after APP, `--` ends them, the last of several counts, no short options and no
//! abbreviations. It knows which options there are, and not what a value may be.

use std::fmt;

use argh::FromArgValue;

use super::addresses;
use super::error::{UsageError, quoted};
use super::options::{self, Action, Kind, OptionSpec, PREFIXES, Status};
use super::project::Project;
use super::suggest::close_matches;
use super::values::Truth;

/// One option with its value; of flags and pairs the value is `true` or `false`.
#[derive(Clone, Debug)]
pub struct Given {
    /// Which option.
    pub spec: &'static OptionSpec,
    /// The value's text.
    pub value: String,
    /// Who gave it.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line, or the arguments of a Python call.
    Argument,
    /// An environment variable of this name.
    Variable(String),
    /// The table `[tool.smolcorn]` of pyproject.toml.
    Project,
}

impl Source {
    /// Lower is stronger.
    pub fn rank(&self) -> usize {
        match self {
            Source::Argument => 0,
            Source::Variable(name) => {
                let prefix = PREFIXES.iter().position(|prefix| name.starts_with(prefix));
                prefix.map_or(PREFIXES.len(), |index| index + 1)
            }
            Source::Project => PREFIXES.len() + 1,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Argument => f.write_str("command line"),
            Source::Variable(name) => f.write_str(name),
            Source::Project => f.write_str("pyproject.toml"),
        }
    }
}

/// What may set options beside the command line.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads pyproject.toml. Called only when its settings matter.
    pub project: &'a dyn Fn() -> Result<Project, UsageError>,
}

/// What the user wrote, with nothing left to interpret but the values.
#[derive(Debug, Default)]
pub struct Normalised {
    /// The options; only repeatable ones stand here more than once. Those of the command line
    /// come first, in its order.
    pub given: Vec<Given>,
    /// APP, and what should not be there.
    pub positionals: Vec<String>,
    /// Who gave APP, if anybody did.
    pub app_source: Option<Source>,
    /// `--help`, `--version` or `--print-config`, the first of them.
    pub action: Option<Action>,
}

/// Reads a command line (without the program's name), then the environment and pyproject.toml for
/// what it left open.
pub fn normalise(
    argv: &[String],
    surroundings: &Surroundings<'_>,
) -> Result<Normalised, UsageError> {
    let mut normalised = Normalised::default();
    normalised.read_command_line(argv)?;
    match normalised.action {
        Some(Action::Help | Action::Version) => return Ok(normalised),
        Some(Action::PrintConfig) | None => {}
    }
    let project = (surroundings.project)()?;
    normalised.find_app(surroundings.env, project.app);
    // Without APP nothing else matters: a bad variable must not hide that it is missing.
    if !normalised.positionals.is_empty() || normalised.action.is_some() {
        normalised.read_environment(surroundings.env);
        normalised.read_project(project.given);
        addresses::settle(&mut normalised.given);
    }
    Ok(normalised)
}

/// The places in `argv` of all words that give a value to the option `name`.
pub fn words_of(argv: &[String], name: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut words = argv.iter().enumerate();
    while let Some((index, word)) = words.next() {
        let Some(long) = word.strip_prefix("--") else {
            continue;
        };
        if long.is_empty() {
            break;
        }
        let (option, is_attached) = match long.split_once('=') {
            Some((option, _)) => (option, true),
            None => (long, false),
        };
        let takes_value = options::find(option).is_some_and(|(spec, _)| spec.takes_value());
        let value = if takes_value && !is_attached {
            words.next()
        } else {
            None
        };
        if option == name {
            found.push(index);
            found.extend(value.map(|(index, _)| index));
        }
    }
    found
}

/// An environment variable; an empty one counts as unset.
fn non_empty(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    env(name).filter(|text| !text.is_empty())
}

impl Normalised {
    /// As argh wants it: `--name value` each, then `--` and APP.
    pub fn argv(&self) -> Vec<String> {
        let mut argv = Vec::new();
        for Given { spec, value, .. } in &self.given {
            argv.push(format!("--{}", spec.name));
            argv.push(value.clone());
        }
        argv.push("--".to_owned());
        argv.extend(self.positionals.iter().cloned());
        argv
    }

    /// Complains about the first option whose capability does not exist, unless the option
    /// says that the capability is not wanted.
    pub fn refuse_planned(&self) -> Result<(), UsageError> {
        let planned = self.given.iter().find(|given| {
            let is_switch = matches!(given.spec.kind, Kind::Flag | Kind::Pair(_));
            let is_off = is_switch && Truth::from_arg_value(&given.value) == Ok(Truth(false));
            given.spec.status == Status::Planned && !is_off
        });
        match planned {
            Some(given) => Err(UsageError::unavailable(&format!(
                "Option '--{}'",
                given.spec.name
            ))),
            None => Ok(()),
        }
    }

    /// The values that the environment and pyproject.toml set where `given` leaves it open.
    pub fn from_surroundings(
        surroundings: &Surroundings<'_>,
        given: Vec<Given>,
    ) -> Result<Normalised, UsageError> {
        let mut normalised = Normalised {
            given,
            ..Normalised::default()
        };
        let project = (surroundings.project)()?;
        normalised.read_environment(surroundings.env);
        normalised.read_project(project.given);
        addresses::settle(&mut normalised.given);
        let is_around = |given: &Given| given.source != Source::Argument;
        normalised.given.retain(is_around);
        Ok(normalised)
    }

    fn find_app(&mut self, env: &dyn Fn(&str) -> Option<String>, of_project: Option<String>) {
        if !self.positionals.is_empty() {
            self.app_source = Some(Source::Argument);
            return;
        }
        let variable = PREFIXES.iter().find_map(|prefix| {
            let name = format!("{prefix}APP");
            non_empty(env, &name).map(|app| (app, Source::Variable(name)))
        });
        let found = variable.or_else(|| of_project.map(|app| (app, Source::Project)));
        if let Some((app, source)) = found {
            self.positionals.push(app);
            self.app_source = Some(source);
        }
    }

    fn read_command_line(&mut self, argv: &[String]) -> Result<(), UsageError> {
        let mut rest = argv.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                self.positionals.extend(rest.by_ref().cloned());
            } else if let Some(long) = word.strip_prefix("--") {
                self.read_option(long, &mut rest)?;
            } else if let Some(letter) = word.strip_prefix('-').and_then(|s| s.chars().next()) {
                let name = format!("-{letter}");
                return Err(unknown_option(&name, &meant_by(letter)));
            } else {
                self.positionals.push(word.clone());
            }
        }
        Ok(())
    }

    /// `long` is the word without its dashes; the value may be in it or be the next word.
    fn read_option<'a>(
        &mut self,
        long: &str,
        rest: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), UsageError> {
        let (name, attached) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let Some((spec, positive)) = options::find(name) else {
            let name = format!("--{name}");
            return Err(unknown_option(
                &name,
                &close_matches(&name, options::long_names()),
            ));
        };
        if !spec.takes_value() {
            if attached.is_some() {
                let message = format!("Option '--{name}' does not take a value.");
                return Err(UsageError::bare(message));
            }
            match spec.kind {
                Kind::Action(action) => self.action = self.action.or(Some(action)),
                _ => self.give(spec, positive.to_string()),
            }
            return Ok(());
        }
        match attached.or_else(|| rest.next().map(String::as_str)) {
            Some(value) => self.give(spec, value.to_owned()),
            None => {
                let message = format!("Option '--{name}' requires an argument.");
                return Err(UsageError::bare(message));
            }
        }
        Ok(())
    }

    /// The place of the first counts, and the value of the last: complaints come in the order
    /// in which the options were first named.
    fn give(&mut self, spec: &'static OptionSpec, value: String) {
        let earlier = self
            .given
            .iter_mut()
            .find(|given| given.spec.name == spec.name);
        match earlier {
            Some(given) if !spec.repeatable => given.value = value,
            _ => self.given.push(Given {
                spec,
                value,
                source: Source::Argument,
            }),
        }
    }

    fn is_given(&self, spec: &OptionSpec) -> bool {
        self.given.iter().any(|given| given.spec.name == spec.name)
    }

    fn read_environment(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        for spec in options::all().filter(|spec| !matches!(spec.kind, Kind::Action(_))) {
            if self.is_given(spec) {
                continue;
            }
            let found = spec
                .variables()
                .into_iter()
                .find_map(|name| non_empty(env, &name).map(|text| (name, text)));
            if let Some((name, text)) = found {
                let source = Source::Variable(name);
                let values = spec.split_variable(&text).into_iter();
                self.given.extend(values.map(|value| Given {
                    spec,
                    value,
                    source: source.clone(),
                }));
            }
        }
    }

    fn read_project(&mut self, given: Vec<Given>) {
        let open: Vec<Given> = given
            .into_iter()
            .filter(|given| !self.is_given(given.spec))
            .collect();
        self.given.extend(open);
    }
}

/// What other servers and programs call by this letter.
fn meant_by(letter: char) -> Vec<String> {
    let name = match letter {
        'b' => "--bind",
        'h' => "--help",
        'p' => "--port",
        'v' | 'V' => "--version",
        'w' => "--workers",
        _ => return Vec::new(),
    };
    vec![name.to_owned()]
}

/// `meant` are the names that may have been meant.
fn unknown_option(name: &str, meant: &[String]) -> UsageError {
    let matches: Vec<String> = meant.iter().map(|name| quoted(name)).collect();
    let hint = match matches.as_slice() {
        [] => String::new(),
        [only] => format!(" Did you mean {only}?"),
        several => format!(" (Did you mean one of: {}?)", several.join(", ")),
    };
    UsageError::new(format!("No such option {}.{hint}", quoted(name)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(argv: &[&str], env: &[(&str, &str)]) -> Result<Normalised, UsageError> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        let env = |name: &str| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let surroundings = Surroundings {
            env: &env,
            project: &|| Ok(Project::default()),
        };
        normalise(&argv, &surroundings)
    }

    /// The command line that argh gets, as one text.
    fn plain(argv: &[&str], env: &[(&str, &str)]) -> String {
        read(argv, env).unwrap().argv().join(" ")
    }

    fn complaint(argv: &[&str]) -> UsageError {
        read(argv, &[]).unwrap_err()
    }

    #[test]
    fn values_are_attached_or_follow() {
        assert_eq!(plain(&["--port=1", "m:a"], &[]), "--port 1 -- m:a");
        assert_eq!(plain(&["--port", "1", "m:a"], &[]), "--port 1 -- m:a");
        assert_eq!(
            plain(&["--header=a:b=c", "m:a"], &[]),
            "--header a:b=c -- m:a"
        );
        assert_eq!(plain(&["--host=", "m:a"], &[]), "--host  -- m:a");
    }

    #[test]
    fn the_next_word_is_the_value_whatever_it_looks_like() {
        assert_eq!(
            plain(&["--port", "--help", "m:a"], &[]),
            "--port --help -- m:a"
        );
        assert_eq!(plain(&["--host", "--", "m:a"], &[]), "--host -- -- m:a");
    }

    #[test]
    fn the_words_of_an_option_are_found() {
        let places = |argv: &[&str]| {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            words_of(&argv, "port")
        };
        assert_eq!(places(&["m:a", "--port", "1", "--host", "h"]), [1, 2]);
        assert_eq!(places(&["--port=1", "m:a", "--port", "--port"]), [0, 2, 3]);
        assert_eq!(
            places(&["--host", "--port", "1", "--reload", "--port"]),
            [4]
        );
        assert_eq!(places(&["--", "--port", "1"]), [0; 0]);
        assert_eq!(places(&["--http=native", "--ports=1", "port"]), [0; 0]);
    }

    #[test]
    fn options_stand_before_and_after_app() {
        assert_eq!(
            plain(&["--port", "1", "m:a", "--fd=3"], &[]),
            "--port 1 --fd 3 -- m:a"
        );
    }

    #[test]
    fn two_dashes_end_the_options() {
        assert_eq!(plain(&["--fd=3", "--", "--port"], &[]), "--fd 3 -- --port");
        assert_eq!(plain(&["-"], &[]), "-- -");
    }

    #[test]
    fn the_last_of_several_counts() {
        assert_eq!(
            plain(&["--port=1", "--fd=3", "--port=2", "m:a"], &[]),
            "--port 2 --fd 3 -- m:a"
        );
    }

    #[test]
    fn of_a_pair_the_last_counts_too() {
        assert_eq!(
            plain(&["--access-log", "--no-access-log", "m:a"], &[]),
            "--access-log false -- m:a"
        );
        assert_eq!(
            plain(&["--no-access-log", "--access-log", "m:a"], &[]),
            "--access-log true -- m:a"
        );
    }

    #[test]
    fn repeatable_options_keep_every_value() {
        assert_eq!(
            plain(&["--header=a:1", "--header", "b:2", "m:a"], &[]),
            "--header a:1 --header b:2 -- m:a"
        );
    }

    #[test]
    fn the_environment_sets_what_the_command_line_left_open() {
        let env = [
            ("UVICORN_PORT", "1"),
            ("UVICORN_HOST", "::"),
            ("UVICORN_RELOAD", "off"),
        ];
        assert_eq!(
            plain(&["--port=2", "m:a"], &env),
            "--port 2 --host :: --reload off -- m:a"
        );
    }

    #[test]
    fn our_own_variables_win_over_uvicorns() {
        let env = [("UVICORN_PORT", "1"), ("SMOLCORN_PORT", "2")];
        assert_eq!(plain(&["m:a"], &env), "--port 2 -- m:a");
        let env = [("UVICORN_PORT", "1"), ("SMOLCORN_PORT", "")];
        assert_eq!(plain(&["m:a"], &env), "--port 1 -- m:a");
    }

    #[test]
    fn an_empty_variable_is_unset() {
        assert_eq!(
            plain(&["m:a"], &[("UVICORN_HOST", ""), ("UVICORN_HEADERS", " ")]),
            "-- m:a"
        );
    }

    #[test]
    fn our_own_options_are_not_read_from_uvicorns_variables() {
        assert_eq!(plain(&["m:a"], &[("UVICORN_IO_THREADS", "1")]), "-- m:a");
        assert_eq!(
            plain(&["m:a"], &[("SMOLCORN_IO_THREADS", "1")]),
            "--io-threads 1 -- m:a"
        );
    }

    #[test]
    fn variables_are_named_after_the_parameter() {
        assert_eq!(
            plain(
                &["m:a"],
                &[("UVICORN_HEADERS", "a:1  b:2"), ("UVICORN_HEADER", "c:3")]
            ),
            "--header a:1 --header b:2 -- m:a"
        );
        assert_eq!(plain(&["m:a"], &[("UVICORN_NO_ACCESS_LOG", "1")]), "-- m:a");
        assert_eq!(plain(&["m:a"], &[("UVICORN_VERSION", "0.54.0")]), "-- m:a");
    }

    #[cfg(unix)]
    #[test]
    fn lists_of_paths_are_split_like_path_and_others_at_blanks() {
        assert_eq!(
            plain(&["m:a"], &[("UVICORN_RELOAD_DIRS", "/a b:/c")]),
            "--reload-dir /a b --reload-dir /c -- m:a"
        );
        assert_eq!(
            plain(&["m:a"], &[("UVICORN_RELOAD_INCLUDES", "*.a\n*.b")]),
            "--reload-include *.a --reload-include *.b -- m:a"
        );
    }

    #[test]
    fn repeatable_options_of_the_command_line_replace_those_of_the_environment() {
        assert_eq!(
            plain(&["--header=a:1", "m:a"], &[("UVICORN_HEADERS", "b:2")]),
            "--header a:1 -- m:a"
        );
    }

    #[test]
    fn app_may_come_from_the_environment() {
        assert_eq!(
            plain(&[], &[("UVICORN_APP", "u:a"), ("SMOLCORN_APP", "s:a")]),
            "-- s:a"
        );
        assert_eq!(
            plain(&[], &[("UVICORN_APP", "u:a"), ("SMOLCORN_APP", "")]),
            "-- u:a"
        );
        assert_eq!(plain(&["m:a"], &[("UVICORN_APP", "u:a")]), "-- m:a");
    }

    #[test]
    fn without_app_the_environment_is_not_looked_at() {
        assert_eq!(plain(&["--fd=3"], &[("UVICORN_PORT", "x")]), "--fd 3 --");
    }

    #[test]
    fn the_first_of_help_and_version_counts() {
        assert_eq!(
            read(&["--version", "--help"], &[]).unwrap().action,
            Some(Action::Version)
        );
        assert_eq!(
            read(&["--help", "--version"], &[]).unwrap().action,
            Some(Action::Help)
        );
        assert_eq!(read(&["m:a"], &[]).unwrap().action, None);
    }

    #[test]
    fn unknown_options_are_refused_with_a_suggestion() {
        for (word, message) in [
            ("--nope", "No such option '--nope'. Did you mean '--loop'?"),
            (
                "--nope=3",
                "No such option '--nope'. Did you mean '--loop'?",
            ),
            (
                "--backlgo",
                "No such option '--backlgo'. Did you mean '--backlog'?",
            ),
            (
                "--access-lo",
                "No such option '--access-lo'. (Did you mean one of: '--access-log', \
                 '--no-access-log', '--trace-file'?)",
            ),
            ("--zzzzqq", "No such option '--zzzzqq'."),
            ("-h", "No such option '-h'. Did you mean '--help'?"),
            ("-port", "No such option '-p'. Did you mean '--port'?"),
            ("-x", "No such option '-x'."),
        ] {
            assert_eq!(
                complaint(&[word, "m:a"]),
                UsageError::new(message),
                "{word}"
            );
        }
    }

    #[test]
    fn an_option_without_its_value_is_refused() {
        assert_eq!(
            complaint(&["m:a", "--port"]),
            UsageError::bare("Option '--port' requires an argument.")
        );
    }

    #[test]
    fn a_flag_with_a_value_is_refused() {
        for (word, name) in [
            ("--reload=1", "--reload"),
            ("--no-access-log=", "--no-access-log"),
            ("--help=x", "--help"),
        ] {
            assert_eq!(
                complaint(&[word, "m:a"]),
                UsageError::bare(format!("Option '{name}' does not take a value."))
            );
        }
    }

    #[test]
    fn planned_options_are_refused_unless_they_say_no() {
        let refusal = |argv: &[&str], env: &[(&str, &str)]| {
            read(argv, env)
                .unwrap()
                .refuse_planned()
                .map_err(|error| error.message().to_owned())
        };
        assert_eq!(
            refusal(&["--http2", "m:a"], &[]),
            Err("Option '--http2' is not available in smolcorn 0.1 yet.".to_owned())
        );
        assert_eq!(
            refusal(&["m:a"], &[("UVICORN_HTTP2", "1")]),
            Err("Option '--http2' is not available in smolcorn 0.1 yet.".to_owned())
        );
        assert_eq!(refusal(&["m:a"], &[("UVICORN_HTTP2", "0")]), Ok(()));
        assert_eq!(refusal(&["--port=1", "m:a"], &[]), Ok(()));
    }
}
