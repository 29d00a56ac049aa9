//! Files of environment variables, in the format of python-dotenv: `NAME=value` lines, `export`,
//! comments, quotes with escapes, values over several lines, `${NAME}` and `${NAME:-default}`.
//!
//! Reading changes nothing: the caller sets the variables.

use std::fmt;
use std::path::{Path, PathBuf};

/// What files of variables set, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    set: Vec<(String, String)>,
    /// Numbers of the lines at which something begins that is no assignment.
    pub bad_lines: Vec<usize>,
}

impl Variables {
    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        let found = self.set.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }

    /// Names and values, each name once.
    pub fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.set.iter()
    }

    fn put(&mut self, name: String, value: String) {
        self.set.retain(|(key, _)| *key != name);
        self.set.push((name, value));
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        let mut variables = Variables::default();
        for (name, value) in pairs {
            variables.put(name, value);
        }
        variables
    }
}

/// A file that cannot be read.
#[derive(Debug)]
pub struct EnvFileError {
    path: PathBuf,
    why: String,
}

impl fmt::Display for EnvFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "Error reading env file '{path}': {}", self.why)
    }
}

impl std::error::Error for EnvFileError {}

/// Reads several files; the later one wins. `env` is the environment, which wins over all in
/// what `${NAME}` means.
///
/// # Errors
///
/// A file cannot be read, or is not UTF-8.
pub fn read_all(
    paths: &[PathBuf],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Variables, EnvFileError> {
    let mut variables = Variables::default();
    for path in paths {
        variables = read(path, variables, env)?;
    }
    Ok(variables)
}

/// Reads one file; what it sets is added to `earlier`.
///
/// # Errors
///
/// The file cannot be read, or is not UTF-8.
pub fn read(
    path: &Path,
    earlier: Variables,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Variables, EnvFileError> {
    let error = |why: String| EnvFileError {
        path: path.to_owned(),
        why,
    };
    let bytes = std::fs::read(path).map_err(|io| error(io.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|utf8| error(utf8.to_string()))?;
    Ok(parse(&text, earlier, env))
}

/// Reads a file's text; what it sets is added to `earlier`.
pub fn parse(text: &str, earlier: Variables, env: &dyn Fn(&str) -> Option<String>) -> Variables {
    let mut variables = Variables {
        bad_lines: Vec::new(),
        ..earlier
    };
    let mut reader = Reader { rest: text };
    loop {
        reader.skip(char::is_whitespace);
        if reader.rest.is_empty() {
            return variables;
        }
        let start = reader.rest;
        match reader.binding() {
            Some(Binding {
                name: Some(name),
                value: Some(value),
            }) => {
                let value = expanded(&value, &|name| env(name).or_else(|| variables.get(name)));
                variables.put(name, value);
            }
            Some(_) => {}
            None => {
                let before = text.len() - start.len();
                let line = text
                    .get(..before)
                    .map_or(0, |before| before.matches('\n').count());
                variables.bad_lines.push(line + 1);
                // The line where it went wrong, not where it began.
                reader.take(|c| !is_newline(c));
            }
        }
    }
}

struct Binding {
    /// None: a comment.
    name: Option<String>,
    /// None: a name alone.
    value: Option<String>,
}

/// What is left of the text.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// One assignment, name or comment with the end of its line; `None` if it is none of them.
    fn binding(&mut self) -> Option<Binding> {
        self.export();
        let name = self.name()?;
        self.skip(is_blank);
        let mut value = None;
        if self.next_if('=') {
            value = Some(self.value()?);
        }
        self.skip(is_blank);
        if self.rest.starts_with('#') {
            self.skip(|c| !is_newline(c));
        }
        let at_end = self.rest.is_empty() || self.rest.starts_with(is_newline);
        at_end.then_some(Binding { name, value })
    }

    /// `export` counts only with a blank behind it.
    fn export(&mut self) {
        if let Some(rest) = self.rest.strip_prefix("export")
            && rest.starts_with(is_blank)
        {
            self.rest = rest;
            self.skip(is_blank);
        }
    }

    fn name(&mut self) -> Option<Option<String>> {
        if self.rest.starts_with('#') {
            return Some(None);
        }
        if self.next_if('\'') {
            let name = self.take(|c| c != '\'');
            let closed = self.next_if('\'');
            return (closed && !name.is_empty()).then(|| Some(name.to_owned()));
        }
        let name = self.take(|c| c != '=' && c != '#' && !c.is_whitespace());
        (!name.is_empty()).then(|| Some(name.to_owned()))
    }

    fn value(&mut self) -> Option<String> {
        let has_blank = self.rest.starts_with(is_blank);
        self.skip(is_blank);
        for quote in ['\'', '"'] {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                let end = closing(rest, quote)?;
                let (raw, behind) = rest.split_at_checked(end)?;
                self.rest = behind.strip_prefix(quote)?;
                return Some(unescaped(raw, quote));
            }
        }
        let line = self.take(|c| !is_newline(c));
        if has_blank && line.starts_with('#') {
            return Some(String::new());
        }
        Some(without_comment(line).trim_end().to_owned())
    }

    fn next_if(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let after = self.rest.trim_start_matches(&belongs);
        let taken = self.rest.strip_suffix(after).unwrap_or_default();
        self.rest = after;
        taken
    }

    fn skip(&mut self, belongs: impl Fn(char) -> bool) {
        self.take(belongs);
    }
}

/// Where the closing quote is: the first that no backslash escapes.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (index, c) in text.char_indices() {
        if c == quote && !is_escaped {
            return Some(index);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    None
}

/// What stands between such quotes, with its escapes replaced.
fn unescaped(raw: &str, quote: char) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        let mut ahead = chars.clone();
        match ahead.next().and_then(|escaped| meant(escaped, quote)) {
            Some(meant) => {
                value.push(meant);
                chars = ahead;
            }
            None => value.push(c),
        }
    }
    value
}

/// What a backslash and this character mean between such quotes.
fn meant(c: char, quote: char) -> Option<char> {
    match (quote, c) {
        (_, '\\' | '\'') => Some(c),
        ('\'', _) => None,
        (_, '"') => Some('"'),
        (_, 'a') => Some('\x07'),
        (_, 'b') => Some('\x08'),
        (_, 'f') => Some('\x0c'),
        (_, 'n') => Some('\n'),
        (_, 'r') => Some('\r'),
        (_, 't') => Some('\t'),
        (_, 'v') => Some('\x0b'),
        _ => None,
    }
}

/// What stands before the first `#` that follows a blank.
fn without_comment(line: &str) -> &str {
    let mut before = None;
    for (index, c) in line.char_indices() {
        if c == '#' && before.is_some_and(char::is_whitespace) {
            return line.get(..index).unwrap_or(line);
        }
        before = Some(c);
    }
    line
}

fn is_newline(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() && !is_newline(c)
}

/// Replaces `${NAME}` and `${NAME:-default}`.
fn expanded(value: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut done = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        done.push_str(before);
        let reference = after.split_once('}').and_then(|(inside, behind)| {
            let (name, default) = match inside.split_once(':') {
                Some((name, default)) => (name, default.strip_prefix('-')?),
                None => (inside, ""),
            };
            Some((lookup(name).unwrap_or_else(|| default.to_owned()), behind))
        });
        match reference {
            Some((meant, behind)) => {
                done.push_str(&meant);
                rest = behind;
            }
            None => {
                done.push_str("${");
                rest = after;
            }
        }
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(text: &str) -> Variables {
        let env = |name: &str| (name == "HOME").then(|| "/pat".to_owned());
        parse(text, Variables::default(), &env)
    }

    fn value(text: &str) -> Option<String> {
        variables(text).get("A")
    }

    #[test]
    fn values_are_plain_or_quoted() {
        for (text, expected) in [
            ("A=b", "b"),
            ("A=b\r\n", "b"),
            (" A = b c \n", "b c"),
            ("export A=b", "b"),
            ("export\tA=b", "b"),
            ("'A'=b", "b"),
            ("A=", ""),
            ("A= \nB=c", ""),
            ("A=b#c", "b#c"),
            ("A=b #c", "b"),
            ("A=#c", "#c"),
            ("A='b # c' # d", "b # c"),
            ("A='b\\'c\\\\d\\n'", "b'c\\d\\n"),
            ("A=\"b\\\"c\\n\\x\"", "b\"c\n\\x"),
            ("A=\"b\nc\"", "b\nc"),
            ("A=b\nA=c", "c"),
            ("A=\"\"", ""),
            ("A=b'c'", "b'c'"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn names_alone_and_comments_set_nothing() {
        assert_eq!(variables("# c\n\nA\nexport B\n  # d"), Variables::default());
    }

    #[test]
    fn what_is_no_assignment_is_told_and_skipped() {
        let read = variables("=x\nB=1\nA='b\nC='d'e\nD=2\n");
        assert_eq!(read.get("B").as_deref(), Some("1"));
        assert_eq!(read.get("D").as_deref(), Some("2"));
        assert_eq!((read.get("A"), read.get("C")), (None, None));
        assert_eq!(read.bad_lines, [1, 3]);
    }

    #[test]
    fn references_are_replaced() {
        for (text, expected) in [
            ("A=${HOME}/x", "/pat/x"),
            ("A='${HOME}'", "/pat"),
            ("B=1\nA=${B}${B}", "11"),
            ("HOME=/other\nA=${HOME}", "/pat"),
            ("A=${NO}", ""),
            ("A=${NO:-d:e}", "d:e"),
            ("A=${HOME:-d}", "/pat"),
            ("A=${NO:d}", "${NO:d}"),
            ("A=${NO", "${NO"),
            ("A=$HOME", "$HOME"),
        ] {
            assert_eq!(value(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn the_later_file_wins() {
        let first = parse("A=1\nB=2", Variables::default(), &|_| None);
        let both = parse("A=3\nC=${B}", first, &|_| None);
        let found: Vec<_> = ["A", "B", "C"].map(|name| both.get(name)).into();
        assert_eq!(
            found,
            [Some("3".into()), Some("2".into()), Some("2".into())]
        );
    }
}
