//! Glob patterns on paths: `*`, `?` and `[...]` within one name, `**` for any number of names.
//!
//! A pattern is a list of names, and so is a path; names are compared one by one, so that `*`
//! never passes a separator. `.gitignore` files and the options `--reload-include` and
//! `--reload-exclude` use the same patterns. Nothing here looks at the file system.

use std::path::{Component, Path};

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    parts: Vec<Part>,
}

/// What stands between two separators of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`: any number of names; at the end of a pattern at least one.
    Names,
    /// A pattern for one name.
    Name(Vec<Token>),
}

/// A piece of a pattern for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Character(char),
    /// `?`
    Any,
    /// `*`
    Many,
    /// `[...]`, or with `negated` what is not in it.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// A pattern that names a path from its beginning on. A backslash takes its meaning from the
    /// next character; what cannot be a class stands for itself.
    pub fn anchored(pattern: &str) -> Glob {
        let names = pattern.split('/').filter(|name| !name.is_empty());
        let parts = names.map(|name| match name {
            "**" => Part::Names,
            _ => Part::Name(tokens(name)),
        });
        Glob {
            parts: parts.collect(),
        }
    }

    /// A pattern that names the end of a path: the names before it do not matter.
    pub fn floating(pattern: &str) -> Glob {
        let mut glob = Glob::anchored(pattern);
        glob.parts.insert(0, Part::Names);
        glob
    }

    /// Whether it names `path`. Roots and prefixes of a path are not compared.
    pub fn matches(&self, path: &Path) -> bool {
        let names: Vec<String> = path
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            })
            .collect();
        parts_match(&self.parts, &names)
    }
}

/// Whether `pattern` has a character that stands for more than itself.
pub fn is_pattern(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

fn parts_match(parts: &[Part], names: &[String]) -> bool {
    match parts {
        [] => names.is_empty(),
        [Part::Names] => !names.is_empty(),
        [Part::Names, rest @ ..] => {
            (0..=names.len()).any(|skipped| parts_match(rest, names.get(skipped..).unwrap_or(&[])))
        }
        [Part::Name(tokens), rest @ ..] => match names {
            [name, others @ ..] => name_matches(tokens, name) && parts_match(rest, others),
            [] => false,
        },
    }
}

/// Whether `tokens` name `name`. Goes back to the last `*` only, which is enough: an earlier one
/// could take no more than a later one can.
fn name_matches(tokens: &[Token], name: &str) -> bool {
    let (mut tokens, mut name) = (tokens, name);
    let mut last_many: Option<(&[Token], &str)> = None;
    loop {
        match tokens.split_first() {
            Some((Token::Many, rest)) => {
                last_many = Some((rest, name));
                tokens = rest;
                continue;
            }
            Some((token, rest)) => {
                let mut characters = name.chars();
                if characters.next().is_some_and(|first| token.takes(first)) {
                    (tokens, name) = (rest, characters.as_str());
                    continue;
                }
            }
            None if name.is_empty() => return true,
            None => {}
        }
        // No way on from here: the last `*` takes one character more.
        let Some((rest, from)) = last_many else {
            return false;
        };
        let mut characters = from.chars();
        if characters.next().is_none() {
            return false;
        }
        last_many = Some((rest, characters.as_str()));
        (tokens, name) = (rest, characters.as_str());
    }
}

impl Token {
    fn takes(&self, character: char) -> bool {
        match self {
            Token::Character(own) => *own == character,
            Token::Any | Token::Many => true,
            Token::Class { negated, ranges } => {
                let inside = ranges
                    .iter()
                    .any(|(from, to)| (*from..=*to).contains(&character));
                inside != *negated
            }
        }
    }
}

fn tokens(name: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
        let token = match first {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::Any,
            '\\' => match rest.chars().next() {
                Some(next) => {
                    rest = rest.get(next.len_utf8()..).unwrap_or_default();
                    Token::Character(next)
                }
                None => Token::Character('\\'),
            },
            '[' => match class(rest) {
                Some((class, after)) => {
                    rest = after;
                    class
                }
                None => Token::Character('['),
            },
            other => Token::Character(other),
        };
        tokens.push(token);
    }
    tokens
}

/// The class whose `[` has just been read, and what is behind its `]`.
fn class(text: &str) -> Option<(Token, &str)> {
    let (negated, body) = match text.strip_prefix(['!', '^']) {
        Some(body) => (true, body),
        None => (false, text),
    };
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut characters = body.chars();
    let mut from_dash = false;
    loop {
        let mut character = characters.next()?;
        match character {
            // A `]` in the first place is one of the class.
            ']' if !ranges.is_empty() => break,
            '-' if !ranges.is_empty() && !from_dash && !characters.as_str().starts_with(']') => {
                from_dash = true;
                continue;
            }
            '\\' => character = characters.next()?,
            _ => {}
        }
        match ranges.last_mut() {
            Some(range) if from_dash => range.1 = character,
            _ => ranges.push((character, character)),
        }
        from_dash = false;
    }
    Some((Token::Class { negated, ranges }, characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchored(pattern: &str, path: &str) -> bool {
        Glob::anchored(pattern).matches(Path::new(path))
    }

    fn floating(pattern: &str, path: &str) -> bool {
        Glob::floating(pattern).matches(Path::new(path))
    }

    #[test]
    fn a_star_stays_within_one_name() {
        assert!(anchored("*.py", "main.py"));
        assert!(anchored("*.py", ".py"));
        assert!(!anchored("*.py", "main.pyc"));
        assert!(!anchored("*.py", "package/main.py"));
        assert!(anchored("a*b*c", "aXbXbXc"));
        assert!(!anchored("a*b*c", "aXbXbX"));
        assert!(anchored("*", "x"));
        assert!(anchored("**x", "abcx"));
        assert!(!anchored("a*", "b"));
    }

    #[test]
    fn two_stars_pass_names() {
        assert!(anchored("src/**/x.py", "src/x.py"));
        assert!(anchored("src/**/x.py", "src/a/b/x.py"));
        assert!(!anchored("src/**/x.py", "lib/a/x.py"));
        assert!(anchored("src/**", "src/a/b"));
        assert!(!anchored("src/**", "src"));
        assert!(anchored("**/x", "x"));
        assert!(anchored("**/x", "a/b/x"));
        assert!(!anchored("**/x", "a/x/b"));
    }

    #[test]
    fn a_floating_pattern_names_the_end() {
        assert!(floating("*.py", "/srv/app/main.py"));
        assert!(floating("templates/*.html", "/srv/app/templates/a.html"));
        assert!(!floating("templates/*.html", "/srv/app/templates/a/b.html"));
        assert!(floating("templates/**/*.html", "/srv/templates/a/b/c.html"));
        assert!(!floating("main.py", "/srv/app/not_main.py"));
        assert!(floating(".*", "/srv/.hidden"));
        assert!(!floating(".*", "/srv/.hidden/main.py"));
    }

    #[test]
    fn classes() {
        for name in ["x.pyc", "x.pyo", "x.pyd"] {
            assert!(anchored("*.py[cod]", name));
        }
        assert!(!anchored("*.py[cod]", "x.py"));
        assert!(!anchored("*.py[cod]", "x.pyx"));
        assert!(anchored("[a-c]x", "bx"));
        assert!(!anchored("[a-c]x", "dx"));
        assert!(anchored("[!a-c]x", "dx"));
        assert!(!anchored("[^a-c]x", "ax"));
        assert!(anchored("[]x]", "]"));
        assert!(anchored("[x-]", "-"));
        assert!(anchored("[a\\]]", "]"));
        assert!(anchored("[ab", "[ab"));
    }

    #[test]
    fn question_marks_and_escapes() {
        assert!(anchored("?.py", "a.py"));
        assert!(anchored("?.py", "ä.py"));
        assert!(!anchored("?.py", ".py"));
        assert!(anchored("\\*.py", "*.py"));
        assert!(!anchored("\\*.py", "a.py"));
        assert!(anchored("a\\", "a\\"));
    }

    #[test]
    fn a_long_row_of_stars_takes_no_long_time() {
        let pattern = "*a".repeat(40);
        assert!(!anchored(&pattern, &"a".repeat(39)));
        assert!(anchored(&pattern, &"ba".repeat(40)));
    }

    #[test]
    fn what_is_a_pattern() {
        assert!(is_pattern("*.py") && is_pattern("a?") && is_pattern("[a]"));
        assert!(!is_pattern("src/main.py"));
    }
}
