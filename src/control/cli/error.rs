//! Errors in the way the program was called: what is said, and with which status it ends.

use std::fmt;

/// This release as users know it, `0.1`.
const RELEASE: &str = concat!(
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
);

/// The user's fault: the program says so on stderr and ends with [`UsageError::EXIT_CODE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError {
    message: String,
    shows_usage: bool,
}

impl UsageError {
    /// The process's exit status after any usage error.
    pub const EXIT_CODE: i32 = 2;

    /// An error after which the user is told how to call the program.
    pub fn new(message: impl Into<String>) -> Self {
        UsageError {
            message: message.into(),
            shows_usage: true,
        }
    }

    /// An error of the bare option syntax. It stands alone, as users of uvicorn know it.
    pub(super) fn bare(message: impl Into<String>) -> Self {
        UsageError {
            message: message.into(),
            shows_usage: false,
        }
    }

    pub(super) fn missing_app() -> Self {
        UsageError::new("Missing argument 'APP'.")
    }

    /// `subject` is what was asked for, as `Option '--http2'`.
    pub(super) fn unavailable(subject: &str) -> Self {
        UsageError::new(unavailable(subject))
    }

    /// `name` is that of an option, with its dashes, or of an environment variable; `what` says
    /// what is wrong with the value, beginning with the value.
    pub(super) fn invalid_value(name: &str, what: &str) -> Self {
        UsageError::new(format!("Invalid value for '{name}': {what}"))
    }

    /// The same of a value that `variable` has given to the option `name`.
    pub(super) fn invalid_variable(name: &str, variable: &str, what: &str) -> Self {
        UsageError::new(format!(
            "Invalid value for '{name}' (env var: '{variable}'): {what}"
        ))
    }

    pub(super) fn extra_arguments(extra: &[String]) -> Self {
        let plural = if extra.len() == 1 { "" } else { "s" };
        UsageError::new(format!(
            "Got unexpected extra argument{plural} ({})",
            extra.join(" ")
        ))
    }

    /// The message alone, without `Error:` and without the usage.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What goes to stderr, all lines with their ends. `program` is the name that the user
    /// called.
    pub fn text(&self, program: &str) -> String {
        if !self.shows_usage {
            return format!("Error: {}\n", self.message);
        }
        format!(
            "Usage: {program} [OPTIONS] APP\nTry '{program} --help' for help.\n\nError: {}\n",
            self.message
        )
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UsageError {}

/// The sentence for what this release does not do yet.
pub(super) fn unavailable(subject: &str) -> String {
    format!("{subject} is not available in smolcorn {RELEASE} yet.")
}

/// A value between quotes, as Python's `repr` writes it: users of uvicorn read it so.
pub(super) fn quoted(value: &str) -> String {
    let quote = if value.contains('\'') && !value.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut text = String::with_capacity(value.len() + 2);
    text.push(quote);
    for c in value.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\\' => text.push_str("\\\\"),
            c if c == quote => text.extend(['\\', c]),
            c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_error_tells_how_to_call_the_program() {
        assert_eq!(
            UsageError::missing_app().text("smolcorn"),
            "Usage: smolcorn [OPTIONS] APP\nTry 'smolcorn --help' for help.\n\n\
             Error: Missing argument 'APP'.\n"
        );
    }

    #[test]
    fn an_error_of_the_option_syntax_stands_alone() {
        assert_eq!(UsageError::bare("No.").text("smolcorn"), "Error: No.\n");
    }

    #[test]
    fn quotes_are_pythons() {
        assert_eq!(quoted("abc"), "'abc'");
        assert_eq!(quoted("a'b"), "\"a'b\"");
        assert_eq!(quoted("a\"\\b'"), "'a\"\\\\b\\''");
        assert_eq!(quoted("a\n\x01é"), "'a\\n\\x01é'");
    }
}
