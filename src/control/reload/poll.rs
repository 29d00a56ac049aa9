//! Looks at the files again and again, where the file system tells nothing.
//!
//! It walks the folders that would be watched, with the same pruning, and compares time, size and
//! number of each file that matters with what it saw before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::filter::Filter;
use super::tree::Change;

/// What shows that a file is another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len_bytes: u64,
    /// The number of the file where the system has one: a rename puts another one in its place.
    number: u64,
}

/// The files as they were seen last.
pub struct Poller {
    filter: Filter,
    roots: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, Stamp>,
}

impl Poller {
    /// Looks for the first time.
    pub fn new(filter: Filter, roots: Vec<PathBuf>) -> Poller {
        let mut poller = Poller {
            filter,
            roots,
            seen: BTreeMap::new(),
        };
        poller.seen = poller.look();
        poller
    }

    /// Looks again, and says what is otherwise.
    pub fn changes(&mut self) -> Vec<Change> {
        let now = self.look();
        let before = std::mem::replace(&mut self.seen, now);
        let mut changes: Vec<Change> = self
            .seen
            .iter()
            .filter(|(path, stamp)| before.get(*path) != Some(stamp))
            .map(|(path, _)| Change {
                path: path.clone(),
                was_there: before.contains_key(path),
            })
            .collect();
        let gone = before
            .into_keys()
            .filter(|path| !self.seen.contains_key(path));
        changes.extend(gone.map(|path| Change {
            path,
            was_there: true,
        }));
        changes
    }

    fn look(&mut self) -> BTreeMap<PathBuf, Stamp> {
        self.filter.reset_git();
        let mut found = BTreeMap::new();
        let mut waiting = self.roots.clone();
        while let Some(folder) = waiting.pop() {
            if self.filter.prunes(&folder) {
                continue;
            }
            self.filter.git.read(&folder);
            let mut folders = Vec::new();
            let mut files = Vec::new();
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if self.filter.counts(&path)
                    && let Some(stamp) = stamp(&path)
                {
                    files.push((path, stamp));
                }
            }
            // Asked again: an environment may have been made in it meanwhile.
            if !self.filter.prunes(&folder) {
                waiting.extend(folders);
                found.extend(files);
            }
        }
        found
    }
}

/// `None` when the file is gone. Follows links, because what they lead to is what is imported.
fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&about);
    #[cfg(not(unix))]
    let number = 0;
    Some(Stamp {
        modified: about.modified().ok(),
        len_bytes: about.len(),
        number,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reload::plan::{Asked, Plan};
    use crate::reload::testing::Folder;

    fn poller(folder: &Folder) -> Poller {
        let plan = Plan::new(&Asked::default(), folder.root());
        Poller::new(Filter::new(&plan), plan.folders)
    }

    fn changes(folder: &Folder, poller: &mut Poller) -> Vec<(String, bool)> {
        let changes = poller.changes().into_iter().map(|change| {
            let path = change
                .path
                .strip_prefix(folder.root())
                .unwrap()
                .display()
                .to_string();
            (path, change.was_there)
        });
        changes.collect()
    }

    #[test]
    fn changes_are_seen_once() {
        let folder = Folder::new();
        folder.write("a/x.py", "1");
        folder.write("gone.py", "");
        folder.write("data.txt", "");
        let mut poller = poller(&folder);
        assert_eq!(changes(&folder, &mut poller), []);
        folder.write("a/x.py", "22");
        folder.write("b/new.py", "");
        folder.write("data.txt", "changed");
        fs::remove_file(folder.path("gone.py")).unwrap();
        let expected = [("a/x.py", true), ("b/new.py", false), ("gone.py", true)];
        let expected = expected.map(|(path, was_there)| (path.to_owned(), was_there));
        assert_eq!(changes(&folder, &mut poller), expected);
        assert_eq!(changes(&folder, &mut poller), []);
    }

    #[test]
    fn a_file_renamed_over_another_is_a_change_though_nothing_else_differs() {
        let folder = Folder::new();
        let path = folder.write("x.py", "1");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let mut poller = poller(&folder);
        let other = folder.write("x.tmp", "2");
        let file = fs::File::options().write(true).open(&other).unwrap();
        file.set_modified(time).unwrap();
        fs::rename(other, path).unwrap();
        assert_eq!(changes(&folder, &mut poller), [("x.py".to_owned(), true)]);
    }

    #[test]
    fn what_is_pruned_is_not_looked_into() {
        let folder = Folder::new();
        folder.write(".gitignore", "out/\n");
        let mut poller = poller(&folder);
        for name in [
            "out/x.py",
            "env/pyvenv.cfg",
            "env/x.py",
            "node_modules/x.py",
        ] {
            folder.write(name, "");
        }
        assert_eq!(changes(&folder, &mut poller), []);
    }
}
