//! What `--help` and `--version` print.

use super::Program;
use super::options::{OptionSpec, Status};
use super::table::SECTIONS;

/// Columns of a line.
const WIDTH: usize = 80;
/// Column at which an option's description begins.
const COLUMN: usize = 32;

/// The text of `--help`.
pub fn help(program: &Program<'_>) -> String {
    let mut text = format!("Usage: {} [OPTIONS] APP\n\n", program.name);
    for paragraph in [INTRODUCTION, ABOVE_OPTIONS] {
        text.push_str(&fill(paragraph, 0));
        text.push('\n');
    }
    text.push_str("Another command: smolcorn inspect PID shows what a server does now.\n");
    for section in SECTIONS {
        text.push_str(&format!("\n{}:\n", section.title));
        for spec in section.options {
            text.push_str(&entry(spec));
        }
    }
    text
}

/// The text of `--version`.
pub fn version(program: &Program<'_>) -> String {
    format!(
        "Running smolcorn {} with {} on {}\n",
        env!("CARGO_PKG_VERSION"),
        program.interpreter,
        system()
    )
}

const INTRODUCTION: &str = "Serves the ASGI or WSGI application APP, written \
    module:attribute: main:app is `app` in main.py.";

const ABOVE_OPTIONS: &str = "Every option may also be set by an environment variable: SMOLCORN_ and the option's name in \
    capitals, with _ for -, in the plural if it is repeatable (SMOLCORN_HEADERS). For uvicorn's \
    options UVICORN_ and the name works as well. The command line wins; last comes the table \
    [tool.smolcorn] of pyproject.toml.";

/// The operating system as Python's `platform.system()` names it.
fn system() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Darwin",
        "windows" => "Windows",
        "freebsd" => "FreeBSD",
        other => other,
    }
}

/// One option: what is written, and beside or below it what it does.
fn entry(spec: &OptionSpec) -> String {
    let usage = format!("  {}", spec.usage());
    let description = fill(&description(spec), COLUMN);
    if usage.len() + 2 > COLUMN {
        return format!("{usage}\n{description}");
    }
    format!("{usage:<COLUMN$}{}", description.trim_start())
}

/// What it does and what is to know, the remarks at the end each on one line.
fn description(spec: &OptionSpec) -> String {
    let mut text = spec.help.to_owned();
    let mut remark = |remark: String| {
        text.push(' ');
        text.push_str(&remark.replace(' ', NO_BREAK));
    };
    if spec.repeatable {
        remark("[repeatable]".to_owned());
    }
    if let Some(default) = spec.shown_default() {
        remark(format!("[default: {default}]"));
    }
    match spec.status {
        Status::Ready => {}
        Status::Partly(missing) => remark(format!("[not available yet: {missing}]")),
        Status::Planned => remark("[not available yet]".to_owned()),
    }
    text
}

/// A blank at which no line is broken.
const NO_BREAK: &str = "\u{a0}";

/// Breaks a text into lines of at most [`WIDTH`] columns, each with so many blanks before it.
fn fill(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut columns = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if columns == 0 {
            lines.push_str(&" ".repeat(indent));
            columns = indent;
        } else if columns + 1 + width > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            columns = indent;
        } else {
            lines.push(' ');
            columns += 1;
        }
        lines.push_str(word);
        columns += width;
    }
    lines.push('\n');
    lines.replace(NO_BREAK, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        help(&Program {
            name: "smolcorn",
            interpreter: "CPython 3.13.0",
            embeds_python: true,
        })
    }

    #[test]
    fn version_names_the_interpreter_and_the_system() {
        let program = Program {
            name: "smolcorn",
            interpreter: "CPython 3.13.0",
            embeds_python: true,
        };
        let text = version(&program);
        let head = format!(
            "Running smolcorn {} with CPython 3.13.0 on ",
            crate_version()
        );
        assert!(text.starts_with(&head), "{text}");
        #[cfg(target_os = "linux")]
        assert_eq!(text, format!("{head}Linux\n"));
    }

    fn crate_version() -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    #[test]
    fn help_fits_eighty_columns() {
        for line in text().lines() {
            assert!(line.len() <= WIDTH, "{line}");
            assert_eq!(line, line.trim_end());
        }
    }

    #[test]
    fn help_has_every_section_and_option() {
        let text = text();
        assert!(text.starts_with("Usage: smolcorn [OPTIONS] APP\n\nServes "));
        for section in SECTIONS {
            assert!(
                text.contains(&format!("\n\n{}:\n", section.title)),
                "{}",
                section.title
            );
            for spec in section.options {
                let usage = format!("\n  {}", spec.usage());
                assert!(text.contains(&usage), "{usage}");
            }
        }
    }

    #[test]
    fn an_entry_stands_beside_its_description_or_above_it() {
        let text = text();
        assert!(text.contains(
            "\n  --port INTEGER                Port to listen on. 0: any free one.\n\
             \x20                               [default: 8000]\n"
        ));
        assert!(text.contains(
            "\n  --access-log / --no-access-log\n\
             \x20                               Write a line for each response. [default: true]\n"
        ));
        assert!(text.contains(
            "\n  --http2                       Speak HTTP/2 as well. [not available yet]\n"
        ));
    }
}
