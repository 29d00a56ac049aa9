//! Which files matter, and which folders nobody looks into.
//!
//! A folder that is pruned is never watched, so that nothing in it costs anything: version
//! control, virtual environments, caches, `node_modules`, what `.gitignore` names, and what
//! `--reload-exclude` names. What the user asks for by name wins: a folder of `--reload-dir` is
//! watched whatever is said about it, and a pattern of `--reload-include` wins over `.gitignore`.

use std::path::{Path, PathBuf};

use super::gitignore::GitIgnore;
use super::glob::{Glob, is_pattern};
use super::plan::Plan;

/// Folders that hold no code of the application, by name.
const PRUNED_NAMES: &[&str] = &[
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".hypothesis",
    ".idea",
    ".ipynb_checkpoints",
    ".jj",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__pycache__",
    "node_modules",
    "site-packages",
];

/// Files that show that their folder is an environment: of venv and its kind, of conda.
pub const ENVIRONMENT_MARKS: &[&str] = &["pyvenv.cfg", "conda-meta"];

/// What the user and the `.gitignore` files say, put together.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Watched whatever is said about them; what is above them does not count.
    roots: Vec<PathBuf>,
    includes: Vec<Pattern>,
    excludes: Vec<Pattern>,
    excluded_folders: Vec<PathBuf>,
    /// The `.gitignore` files that have been read so far.
    pub git: GitIgnore,
}

/// A pattern of an option, or a default.
#[derive(Clone, Debug)]
struct Pattern {
    glob: Glob,
    /// The user gave it.
    given: bool,
    /// It names one path, and not many.
    literal: bool,
}

impl Pattern {
    fn new(text: &str, given: bool) -> Pattern {
        let absolute = Path::new(text).has_root();
        // A leading `./` says where to look from, and no name.
        let bare = text.trim_start_matches("./");
        Pattern {
            glob: if absolute {
                Glob::anchored(bare)
            } else {
                Glob::floating(bare)
            },
            given,
            literal: !is_pattern(text),
        }
    }
}

impl Filter {
    /// The filter for what the options say.
    pub fn new(plan: &Plan) -> Filter {
        let patterns = |list: &[(String, bool)]| {
            let patterns = list.iter().map(|(text, given)| Pattern::new(text, *given));
            patterns.collect::<Vec<_>>()
        };
        Filter {
            roots: plan.folders.clone(),
            includes: patterns(&plan.includes),
            excludes: patterns(&plan.excludes),
            excluded_folders: plan.excluded_folders.clone(),
            git: GitIgnore::default(),
        }
    }

    /// Forgets every `.gitignore` file, and reads those above the watched folders again.
    pub fn reset_git(&mut self) {
        self.git = GitIgnore::default();
        for root in &self.roots {
            self.git.read_above(root);
        }
    }

    /// Whether `folder` is one that the user named.
    pub fn is_root(&self, folder: &Path) -> bool {
        self.roots.iter().any(|root| root == folder)
    }

    /// Whether nobody looks into `folder`. The folders above it are not asked for: the walk has
    /// come through them. Looks for the marks of an environment.
    pub fn prunes(&self, folder: &Path) -> bool {
        if self.is_root(folder) {
            return false;
        }
        let name = folder.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| PRUNED_NAMES.contains(&name.as_ref()))
            || self
                .excluded_folders
                .iter()
                .any(|excluded| excluded == folder)
            || self.git.ignores(folder, true)
            || ENVIRONMENT_MARKS
                .iter()
                .any(|mark| folder.join(mark).exists())
    }

    /// Whether a change of the file `path` matters. Only asked for files in watched folders.
    pub fn counts(&self, path: &Path) -> bool {
        let mut named = false;
        let mut asked_for = false;
        for include in &self.includes {
            if include.glob.matches(path) {
                if include.literal {
                    return true;
                }
                named = true;
                asked_for |= include.given;
            }
        }
        named
            && !self
                .excludes
                .iter()
                .any(|exclude| exclude.glob.matches(path))
            && (asked_for || !self.git.ignores(path, false))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reload::plan::Asked;

    /// The filter of these options, with the working directory `/work`, where nothing exists.
    fn filter(includes: &[&str], excludes: &[&str]) -> Filter {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let asked = Asked {
            folders: Vec::new(),
            includes: owned(includes),
            excludes: owned(excludes),
        };
        Filter::new(&Plan::new(&asked, Path::new("/work-that-is-not-there")))
    }

    fn counts(filter: &Filter, name: &str) -> bool {
        filter.counts(&Path::new("/work-that-is-not-there").join(name))
    }

    #[test]
    fn python_files_count_by_default() {
        let filter = filter(&[], &[]);
        assert!(counts(&filter, "main.py") && counts(&filter, "a/b/c.py"));
        for name in [
            "data.txt",
            "main.pyc",
            ".hidden.py",
            "x.sw.py.swp",
            "~x.py",
            "py",
        ] {
            assert!(!counts(&filter, name), "{name}");
        }
    }

    #[test]
    fn includes_are_added() {
        let filter = filter(&["*.html", "conf/**/*.toml"], &[]);
        assert!(counts(&filter, "t/a.html") && counts(&filter, "main.py"));
        assert!(counts(&filter, "conf/a/b/c.toml") && !counts(&filter, "other/c.toml"));
    }

    #[test]
    fn excludes_win_over_includes() {
        let filter = filter(&["*.html"], &["*_test.py", "drafts/*"]);
        assert!(!counts(&filter, "a_test.py") && counts(&filter, "a.py"));
        assert!(!counts(&filter, "drafts/a.html"));
    }

    #[test]
    fn an_include_that_names_one_file_wins_over_excludes() {
        let filter = filter(&[".env", "drafts/a.html"], &["drafts/*"]);
        assert!(counts(&filter, ".env") && counts(&filter, "drafts/a.html"));
        assert!(!counts(&filter, "drafts/b.py") && !counts(&filter, "x.env"));
    }

    #[test]
    fn a_default_given_as_the_opposite_is_dropped() {
        let without_python = filter(&["*.html"], &["*.py"]);
        assert!(!counts(&without_python, "main.py") && counts(&without_python, "a.html"));
        let with_hidden = filter(&[".*"], &[]);
        assert!(counts(&with_hidden, ".hidden.py") && counts(&with_hidden, ".env"));
    }

    #[test]
    fn folders_without_code_are_pruned_by_name() {
        let filter = filter(&[], &[]);
        for name in [".git", "node_modules", "__pycache__", ".venv"] {
            assert!(
                filter.prunes(&Path::new("/work-that-is-not-there/a").join(name)),
                "{name}"
            );
        }
        assert!(!filter.prunes(Path::new("/work-that-is-not-there/a/git")));
    }
}
