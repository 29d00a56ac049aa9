//! `.gitignore` files, as gitignore(5) says: which paths below a folder nobody wants to see.
//!
//! Deeper files win over higher ones, and in one file the last rule that names a path wins. What
//! is below an ignored folder cannot be un-ignored; who asks walks down from the top and stops
//! there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::glob::Glob;

/// The name of these files.
pub const FILE_NAME: &str = ".gitignore";

/// At most so many bytes of a file are read: more was not written by hand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    glob: Glob,
    /// `!`: what it names is not ignored after all.
    negated: bool,
    /// It ends with `/`: it names folders only.
    folders_only: bool,
}

/// The rules of all `.gitignore` files that have been read, by their folders.
#[derive(Clone, Debug, Default)]
pub struct GitIgnore {
    files: BTreeMap<PathBuf, Vec<Rule>>,
}

impl GitIgnore {
    /// Reads the file in `folder`, if it is there, in place of what was known of it.
    pub fn read(&mut self, folder: &Path) {
        let path = folder.join(FILE_NAME);
        let short = fs::metadata(&path).is_ok_and(|about| about.len() <= FILE_BYTES_MAX);
        let rules = match short.then(|| fs::read(&path)) {
            Some(Ok(bytes)) => parse(&String::from_utf8_lossy(&bytes)),
            _ => Vec::new(),
        };
        if rules.is_empty() {
            self.files.remove(folder);
        } else {
            self.files.insert(folder.to_owned(), rules);
        }
    }

    /// Reads the files in the folders above `folder`, up to the one where its repository begins.
    /// Outside of a repository nothing above counts.
    pub fn read_above(&mut self, folder: &Path) {
        let is_top = |above: &&Path| above.join(".git").exists();
        if is_top(&folder) {
            return;
        }
        let Some(top) = folder.ancestors().skip(1).find(is_top) else {
            return;
        };
        let above = folder.ancestors().skip(1);
        for above in above.take_while(|above| above.starts_with(top)) {
            self.read(above);
        }
    }

    /// Whether a rule ignores `path` itself. The folders above it are not asked for.
    pub fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        for above in path.ancestors().skip(1) {
            let Some(rules) = self.files.get(above) else {
                continue;
            };
            let Ok(relative) = path.strip_prefix(above) else {
                continue;
            };
            let naming = rules
                .iter()
                .rev()
                .find(|rule| (is_folder || !rule.folders_only) && rule.glob.matches(relative));
            if let Some(rule) = naming {
                return !rule.negated;
            }
        }
        false
    }
}

fn parse(text: &str) -> Vec<Rule> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .filter_map(rule)
        .collect()
}

fn rule(line: &str) -> Option<Rule> {
    let line = without_trailing_spaces(line);
    if line.starts_with('#') {
        return None;
    }
    let (negated, line) = match line.strip_prefix('!') {
        Some(line) => (true, line),
        None => (false, line),
    };
    let (folders_only, line) = match line.strip_suffix('/') {
        Some(line) => (true, line),
        None => (false, line),
    };
    if line.is_empty() {
        return None;
    }
    // A separator that is not the last character ties the rule to its file's folder.
    let glob = if line.contains('/') {
        Glob::anchored(line)
    } else {
        Glob::floating(line)
    };
    Some(Rule {
        glob,
        negated,
        folders_only,
    })
}

/// Spaces at the end do not count, unless a backslash is before them.
fn without_trailing_spaces(line: &str) -> &str {
    let trimmed = line.trim_end_matches([' ', '\t']);
    let escaped = trimmed.len() < line.len()
        && trimmed.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
    if escaped {
        line.get(..trimmed.len() + 1).unwrap_or(line)
    } else {
        trimmed
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Rules by folder, without files.
    fn rules(files: &[(&str, &str)]) -> GitIgnore {
        let files = files
            .iter()
            .map(|(folder, text)| (PathBuf::from(folder), parse(text)));
        GitIgnore {
            files: files.collect(),
        }
    }

    fn file(ignore: &GitIgnore, path: &str) -> bool {
        ignore.ignores(Path::new(path), false)
    }

    fn folder(ignore: &GitIgnore, path: &str) -> bool {
        ignore.ignores(Path::new(path), true)
    }

    #[test]
    fn a_name_is_ignored_at_any_depth() {
        let ignore = rules(&[("/r", "build\n*.log\n")]);
        assert!(folder(&ignore, "/r/build") && folder(&ignore, "/r/a/b/build"));
        assert!(file(&ignore, "/r/a/x.log"));
        assert!(!file(&ignore, "/r/a/x.py") && !folder(&ignore, "/r/builds"));
        assert!(!file(&ignore, "/elsewhere/x.log"));
    }

    #[test]
    fn a_separator_ties_a_rule_to_its_folder() {
        let ignore = rules(&[("/r", "/top\ndocs/out\n")]);
        assert!(folder(&ignore, "/r/top") && !folder(&ignore, "/r/a/top"));
        assert!(folder(&ignore, "/r/docs/out") && !folder(&ignore, "/r/a/docs/out"));
    }

    #[test]
    fn a_separator_at_the_end_means_folders() {
        let ignore = rules(&[("/r", "data/\n")]);
        assert!(folder(&ignore, "/r/data") && folder(&ignore, "/r/a/data"));
        assert!(!file(&ignore, "/r/data"));
    }

    #[test]
    fn the_last_rule_wins_and_may_take_back() {
        let ignore = rules(&[("/r", "*.py\n!main.py\n")]);
        assert!(file(&ignore, "/r/a.py") && !file(&ignore, "/r/main.py"));
        let ignore = rules(&[("/r", "!main.py\n*.py\n")]);
        assert!(file(&ignore, "/r/main.py"));
    }

    #[test]
    fn a_deeper_file_wins() {
        let ignore = rules(&[
            ("/r", "*.py\nkeep\n"),
            ("/r/a", "!x.py\n"),
            ("/r/b", "*.txt\n"),
        ]);
        assert!(!file(&ignore, "/r/a/x.py") && !file(&ignore, "/r/a/b/x.py"));
        assert!(file(&ignore, "/r/x.py") && file(&ignore, "/r/a/y.py"));
        assert!(file(&ignore, "/r/b/x.txt") && !file(&ignore, "/r/x.txt"));
    }

    #[test]
    fn two_stars() {
        let ignore = rules(&[("/r", "**/logs\na/**/z\nout/**\n")]);
        assert!(folder(&ignore, "/r/logs") && folder(&ignore, "/r/x/y/logs"));
        assert!(folder(&ignore, "/r/a/z") && folder(&ignore, "/r/a/b/c/z"));
        assert!(file(&ignore, "/r/out/x") && !folder(&ignore, "/r/out"));
    }

    #[test]
    fn comments_blanks_and_escapes() {
        let text = "\u{feff}# comment\n\n   \n\\#x\n\\!y\nspace\\ \nname   \r\n/\n";
        let ignore = rules(&[("/r", text)]);
        assert_eq!(ignore.files.values().next().unwrap().len(), 4);
        for name in ["#x", "!y", "space ", "name"] {
            assert!(file(&ignore, &format!("/r/{name}")), "{name}");
        }
        assert!(!file(&ignore, "/r/# comment"));
    }
}
