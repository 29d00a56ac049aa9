//! What the options of `--reload` come to: folders to watch, and patterns.
//!
//! A pattern that is the name of a folder, or names some below the working directory, means those
//! folders: one of `--reload-include` is watched, one of `--reload-exclude` is not.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::glob::{Glob, is_pattern};

/// Files that matter unless they are excluded.
const INCLUDES_DEFAULT: &[&str] = &["*.py"];
/// Files that do not matter unless they are included: hidden ones, and editors' own.
const EXCLUDES_DEFAULT: &[&str] = &[".*", ".py[cod]", ".sw.*", "~*"];
/// A pattern of folders is looked up at most so many names deep.
const FOLDER_DEPTH_MAX: usize = 32;

/// What was given on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--reload-dir`
    pub folders: Vec<PathBuf>,
    /// `--reload-include`
    pub includes: Vec<String>,
    /// `--reload-exclude`
    pub excludes: Vec<String>,
}

/// What to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Folders to watch with all that is below them: absolute, sorted, none below another.
    pub folders: Vec<PathBuf>,
    /// Folders not to look into.
    pub excluded_folders: Vec<PathBuf>,
    /// Patterns of files that matter, and whether the user gave them.
    pub includes: Vec<(String, bool)>,
    /// Patterns of files that do not, and whether the user gave them.
    pub excludes: Vec<(String, bool)>,
    /// Folders were given, and none of them can be watched.
    pub nothing_valid: bool,
}

impl Plan {
    /// The plan for what was given, in the working directory `here`. Looks at the file system.
    pub fn new(asked: &Asked, here: &Path) -> Plan {
        let mut folders: Vec<PathBuf> = asked
            .folders
            .iter()
            .filter_map(|folder| folder_at(&here.join(folder)))
            .collect();
        folders.extend(folders_named(&asked.includes, here));
        let excluded_folders = topmost(folders_named(&asked.excludes, here));
        let mut folders = topmost(folders);
        folders.retain(|folder| {
            !excluded_folders
                .iter()
                .any(|excluded| folder.starts_with(excluded))
        });
        let nothing_valid = folders.is_empty() && !asked.folders.is_empty();
        if folders.is_empty() {
            folders.push(folder_at(here).unwrap_or_else(|| here.to_owned()));
        }
        Plan {
            folders,
            excluded_folders,
            includes: patterns(INCLUDES_DEFAULT, &asked.includes, &asked.excludes),
            excludes: patterns(EXCLUDES_DEFAULT, &asked.excludes, &asked.includes),
            nothing_valid,
        }
    }
}

/// The defaults that nobody has taken back, and what was given.
fn patterns(defaults: &[&str], given: &[String], opposite: &[String]) -> Vec<(String, bool)> {
    let defaults = defaults
        .iter()
        .map(|default| ((*default).to_owned(), false));
    let kept = defaults.filter(|(default, _)| !opposite.contains(default));
    let given = given.iter().map(|pattern| (pattern.clone(), true));
    kept.chain(given).collect()
}

/// The folder at `path` by its real name; `None` when there is none.
fn folder_at(path: &Path) -> Option<PathBuf> {
    let path = fs::canonicalize(path).ok()?;
    path.is_dir().then_some(path)
}

/// Sorted, without what is below another one.
fn topmost(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    folders.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for folder in folders {
        // What is above it has been sorted before it.
        if !kept.iter().any(|above| folder.starts_with(above)) {
            kept.push(folder);
        }
    }
    kept
}

/// The folders that patterns mean.
fn folders_named(patterns: &[String], here: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for pattern in patterns {
        // It names every hidden folder, and what is meant are files.
        if pattern == ".*" {
            continue;
        }
        match folder_at(&here.join(pattern)) {
            Some(folder) => found.push(folder),
            None if is_pattern(pattern) && !Path::new(pattern).has_root() => {
                find_folders(pattern, here, &mut found);
            }
            None => {}
        }
    }
    found
}

/// Finds the folders below `here` that `pattern` names from there on.
fn find_folders(pattern: &str, here: &Path, found: &mut Vec<PathBuf>) {
    let pattern = pattern.trim_start_matches("./");
    let parts: Vec<Component<'_>> = Path::new(pattern).components().collect();
    let any_depth = parts.iter().any(|part| part.as_os_str() == "**");
    let depth = if any_depth {
        FOLDER_DEPTH_MAX
    } else {
        parts.len()
    };
    let glob = Glob::anchored(pattern);
    let mut waiting = vec![(PathBuf::new(), 0)];
    while let Some((relative, level)) = waiting.pop() {
        let Ok(entries) = fs::read_dir(here.join(&relative)) else {
            continue;
        };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let below = relative.join(entry.file_name());
            if glob.matches(&below) {
                found.extend(folder_at(&here.join(&below)));
            }
            if level + 1 < depth {
                waiting.push((below, level + 1));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reload::testing::Folder;

    fn asked(folders: &[&str], includes: &[&str], excludes: &[&str]) -> Asked {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Asked {
            folders: folders.iter().map(PathBuf::from).collect(),
            includes: owned(includes),
            excludes: owned(excludes),
        }
    }

    fn tree() -> Folder {
        let folder = Folder::new();
        for name in ["src/a", "src/b", "static/css", "docs"] {
            fs::create_dir_all(folder.path(name)).unwrap();
        }
        fs::write(folder.path("main.py"), "").unwrap();
        folder
    }

    fn folders(tree: &Folder, asked: &Asked) -> Vec<String> {
        let plan = Plan::new(asked, tree.root());
        names(tree, &plan.folders)
    }

    fn names(tree: &Folder, folders: &[PathBuf]) -> Vec<String> {
        let relative = folders
            .iter()
            .map(|folder| folder.strip_prefix(tree.root()).unwrap());
        relative
            .map(|folder| folder.display().to_string())
            .collect()
    }

    #[test]
    fn the_working_directory_is_watched_by_default() {
        let tree = tree();
        assert_eq!(folders(&tree, &asked(&[], &[], &[])), [""]);
    }

    #[test]
    fn given_folders_are_watched_and_those_below_them_only_once() {
        let tree = tree();
        assert_eq!(
            folders(&tree, &asked(&["static", "src/a", "src", "src"], &[], &[])),
            ["src", "static"]
        );
    }

    #[test]
    fn a_file_is_no_folder() {
        let tree = tree();
        let plan = Plan::new(&asked(&["main.py"], &[], &[]), tree.root());
        assert!(plan.nothing_valid);
        assert_eq!(names(&tree, &plan.folders), [""]);
        assert!(!Plan::new(&asked(&["src"], &[], &[]), tree.root()).nothing_valid);
    }

    #[test]
    fn includes_that_name_folders_are_watched() {
        let tree = tree();
        assert_eq!(folders(&tree, &asked(&[], &["docs"], &[])), ["docs"]);
        assert_eq!(
            folders(&tree, &asked(&["docs"], &["src/*"], &[])),
            ["docs", "src/a", "src/b"]
        );
        assert_eq!(
            folders(&tree, &asked(&[], &["**/css"], &[])),
            ["static/css"]
        );
        assert_eq!(folders(&tree, &asked(&[], &["*.html", ".*"], &[])), [""]);
    }

    #[test]
    fn excludes_that_name_folders_take_them_away() {
        let tree = tree();
        let plan = Plan::new(
            &asked(&["src", "docs"], &[], &["src", "static/*"]),
            tree.root(),
        );
        assert_eq!(names(&tree, &plan.folders), ["docs"]);
        assert_eq!(names(&tree, &plan.excluded_folders), ["src", "static/css"]);
        let plan = Plan::new(&asked(&["src/a"], &[], &["src"]), tree.root());
        assert!(plan.nothing_valid);
    }

    #[test]
    fn defaults_are_there_unless_they_are_taken_back() {
        let tree = tree();
        let plan = Plan::new(&asked(&[], &[".*", "*.html"], &["*.py"]), tree.root());
        assert_eq!(
            plan.includes,
            [(".*".to_owned(), true), ("*.html".to_owned(), true)]
        );
        let excludes: Vec<_> = plan
            .excludes
            .iter()
            .map(|(text, _)| text.as_str())
            .collect();
        assert_eq!(excludes, [".py[cod]", ".sw.*", "~*", "*.py"]);
    }
}
