//! The supervisor's own log lines, as Python's formatter would write them: there is no Python to
//! do it, and none to read a logging configuration. Nothing is buffered.

use std::io::{IsTerminal, Write};

use crate::config::{Config, LogLevel};

/// Whether lines are coloured when nobody has said. Stdout is asked, as for every other line of the
/// server: `shows_colours` in logging.py says the same.
fn shows_colours() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && (is_set("FORCE_COLOR") || std::io::stdout().is_terminal())
}

/// Writes lines to stderr.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    level: LogLevel,
    colours: bool,
}

impl Log {
    /// With the level and the colours that `config` asks for. Where the logging of the workers is
    /// configured, lines are plain unless colours are asked for.
    pub fn new(config: &Config) -> Log {
        let by_default = || config.log_config.is_none() && shows_colours();
        Log {
            level: config.log_level.unwrap_or(LogLevel::Info),
            colours: config.use_colors.unwrap_or_else(by_default),
        }
    }

    /// What an operator wants to read.
    pub fn info(&self, text: &str) {
        self.line(LogLevel::Info, text);
    }

    /// Something is odd.
    pub fn warning(&self, text: &str) {
        self.line(LogLevel::Warning, text);
    }

    /// Something failed.
    pub fn error(&self, text: &str) {
        self.line(LogLevel::Error, text);
    }

    /// That the server listens at `description`.
    pub fn banner(&self, description: &str) {
        let is_url = description.starts_with("http");
        let shown = if self.colours && is_url {
            format!("\x1b[1m{description}\x1b[0m")
        } else {
            description.to_owned()
        };
        self.info(&format!(
            "Smolcorn running on {shown} (Press CTRL+C to quit)"
        ));
    }

    /// `text` with the number of a process behind it.
    pub fn process(&self, text: &str, pid: u32) {
        self.info(&format!("{text} [{}]", self.number(pid)));
    }

    /// A process number, in its colour.
    pub fn number(&self, pid: u32) -> String {
        if self.colours {
            format!("\x1b[36m{pid}\x1b[0m")
        } else {
            pid.to_string()
        }
    }

    fn line(&self, level: LogLevel, text: &str) {
        if level.number() < self.level.number() {
            return;
        }
        let line = format!("{} {text}\n", prefix(level, self.colours));
        // Whoever closed stderr does not want to read it.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// The level's name with its colon, in a column of nine.
fn prefix(level: LogLevel, colours: bool) -> String {
    let name = level.as_str().to_uppercase();
    let blanks = " ".repeat(8_usize.saturating_sub(name.len()));
    if !colours {
        return format!("{name}:{blanks}");
    }
    let colour = match level {
        LogLevel::Critical => 91,
        LogLevel::Error => 31,
        LogLevel::Warning => 33,
        LogLevel::Info => 32,
        LogLevel::Debug => 36,
        LogLevel::Trace => 34,
    };
    format!("\x1b[{colour}m{name}\x1b[0m:{blanks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stand_in_a_column() {
        assert_eq!(prefix(LogLevel::Info, false), "INFO:    ");
        assert_eq!(prefix(LogLevel::Critical, false), "CRITICAL:");
        assert_eq!(prefix(LogLevel::Error, true), "\x1b[31mERROR\x1b[0m:   ");
    }
}
