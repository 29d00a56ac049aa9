//! The table `[tool.smolcorn]` of a pyproject.toml: options by their long names, or by their
//! names in Python, and `app`.
//!
//! A value is written as TOML has it (numbers, booleans, lists for repeatable options), or as the
//! text that the option takes on the command line. Nothing here opens the file.

use toml::de::{DeTable, DeValue};

use super::error::{UsageError, quoted};
use super::normalise::{Given, Source};
use super::options::{self, Kind, OptionSpec};
use super::suggest::close_matches;

/// Where the settings stand.
pub const FILE_NAME: &str = "pyproject.toml";

/// What the table says.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// APP.
    pub app: Option<String>,
    /// The options, in the order of their names.
    pub given: Vec<Given>,
}

impl Project {
    /// Reads the text of a pyproject.toml. One without the table says nothing.
    ///
    /// # Errors
    ///
    /// The text is no TOML, or the table names or sets an option in a way that nothing means.
    pub fn read(text: &str) -> Result<Project, UsageError> {
        let mut project = Project::default();
        if !text.contains("smolcorn") {
            // Most files: what else is wrong with them is not ours to tell.
            return Ok(project);
        }
        let document = DeTable::parse(text).map_err(|error| {
            let place = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            UsageError::new(format!(
                "{FILE_NAME}, line {place}: {}",
                error.message().replace('\n', ": ")
            ))
        })?;
        let Some(table) = own_table(document.get_ref()) else {
            return Ok(project);
        };
        for (key, value) in table {
            let (key, value) = (key.get_ref(), value.get_ref());
            if key == "app" {
                project.app = Some(text_of_app(value)?);
                continue;
            }
            let spec = find(key)?;
            let values = texts(spec, value)?;
            project.given.extend(values.into_iter().map(|value| Given {
                spec,
                value,
                source: Source::Project,
            }));
        }
        Ok(project)
    }
}

/// The complaint about a value from the table; `what` begins with the value.
pub fn invalid_value(spec: &OptionSpec, what: &str) -> UsageError {
    error(&format!("Invalid value for {}: {what}", quoted(spec.name)))
}

fn error(what: &str) -> UsageError {
    UsageError::new(format!("[tool.smolcorn] of {FILE_NAME}: {what}"))
}

fn own_table<'a>(document: &'a DeTable<'a>) -> Option<&'a DeTable<'a>> {
    let tools = document.get("tool")?.get_ref().as_table()?;
    tools.get("smolcorn")?.get_ref().as_table()
}

/// The option of that key, written with `-` or with `_`.
fn find(key: &str) -> Result<&'static OptionSpec, UsageError> {
    let parameter = key.replace('-', "_");
    let found = options::settable()
        .find(|spec| spec.name.replace('-', "_") == parameter || spec.parameter() == parameter);
    found.ok_or_else(|| {
        let known = options::settable().map(|spec| spec.name.to_owned());
        let hint = match close_matches(&key.replace('_', "-"), known.collect()).as_slice() {
            [] => String::new(),
            [first, ..] => format!(" Did you mean {}?", quoted(first)),
        };
        error(&format!("No such option {}.{hint}", quoted(key)))
    })
}

fn text_of_app(value: &DeValue<'_>) -> Result<String, UsageError> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(error("'app' is a text.")),
    }
}

/// The texts that the command line would have for it.
fn texts(spec: &OptionSpec, value: &DeValue<'_>) -> Result<Vec<String>, UsageError> {
    match value {
        DeValue::Array(values) if spec.repeatable => values
            .iter()
            .map(|value| text(spec, value.get_ref()))
            .collect(),
        _ => Ok(vec![text(spec, value)?]),
    }
}

fn text(spec: &OptionSpec, value: &DeValue<'_>) -> Result<String, UsageError> {
    let is_switch = matches!(spec.kind, Kind::Boolean | Kind::Flag | Kind::Pair(_));
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(yes) if is_switch => Ok(yes.to_string()),
        DeValue::Integer(number) if !is_switch => {
            let plain = i128::from_str_radix(number.as_str(), number.radix());
            Ok(plain.map_or_else(|_| number.to_string(), |plain| plain.to_string()))
        }
        DeValue::Float(number) if !is_switch => Ok(number.to_string()),
        other => {
            let what = format!("a value of type {} means nothing there.", other.type_str());
            Err(invalid_value(spec, &what))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn plain(text: &str) -> String {
        let project = Project::read(text).unwrap();
        let given = project
            .given
            .iter()
            .map(|given| format!("{}={}", given.spec.name, given.value));
        project
            .app
            .into_iter()
            .chain(given)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn complaint(text: &str) -> String {
        Project::read(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn values_are_written_as_toml_has_them_or_as_texts() {
        assert_eq!(
            plain(
                "[tool.smolcorn]\napp = 'main:app'\nport = 9000\nhost = '::'\nfactory = true\n\
                 access-log = false\nlimit_head_size = 0x1_00\ntimeout-head = 2.5\n\
                 backlog = '10'\nheader = ['a:1', 'b:2']\n"
            ),
            "main:app access-log=false backlog=10 factory=true header=a:1 header=b:2 host=:: \
             limit-head-size=256 port=9000 timeout-head=2.5"
        );
    }

    #[test]
    fn names_are_those_of_the_command_line_or_of_python() {
        for key in ["header", "headers"] {
            assert_eq!(
                plain(&format!("[tool.smolcorn]\n{key} = 'a:1'")),
                "header=a:1"
            );
        }
        for key in ["reload-dir", "reload_dirs", "reload-dirs"] {
            let text = format!("[tool.smolcorn]\n{key} = ['a', 'b']");
            assert_eq!(plain(&text), "reload-dir=a reload-dir=b");
        }
    }

    #[test]
    fn other_files_say_nothing() {
        for text in [
            "",
            "[tool.other]\nport = 1\n",
            "[tool]\nsmolcorn = 1\n",
            "this is no toml",
        ] {
            assert_eq!(plain(text), "");
        }
    }

    #[test]
    fn what_nothing_means_is_refused() {
        let head = "[tool.smolcorn] of pyproject.toml: ";
        for (line, expected) in [
            ("prot = 1", "No such option 'prot'. Did you mean 'port'?"),
            ("help = true", "No such option 'help'."),
            (
                "no-access-log = true",
                "No such option 'no-access-log'. Did you mean 'access-log'?",
            ),
            ("app = 1", "'app' is a text."),
            (
                "port = true",
                "Invalid value for 'port': a value of type boolean means nothing there.",
            ),
            (
                "factory = 1",
                "Invalid value for 'factory': a value of type integer means nothing there.",
            ),
            (
                "port = [1]",
                "Invalid value for 'port': a value of type array means nothing there.",
            ),
            (
                "port = {a=1}",
                "Invalid value for 'port': a value of type table means nothing there.",
            ),
        ] {
            let text = format!("[tool.smolcorn]\n{line}\n");
            assert_eq!(complaint(&text), format!("{head}{expected}"));
        }
        let text = complaint("[tool.smolcorn]\nport = 1\nport =\n");
        assert!(text.starts_with("pyproject.toml, line 3: "), "{text}");
    }
}
