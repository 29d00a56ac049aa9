//! The folders that are watched, and what changes in them.
//!
//! Events of the file system come in, changes of files that matter go out. Who has the events
//! (`watch.rs`) gives a [`Watcher`], which is told of each folder that is to be watched and of
//! none that is pruned. The order is always: watch a folder, then look into it, so that nothing
//! falls between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::filter::{ENVIRONMENT_MARKS, Filter};
use super::gitignore::FILE_NAME as GITIGNORE;

/// Whoever has the events of the file system.
pub trait Watcher {
    /// Watches this folder, and not those below it.
    ///
    /// # Errors
    /// Only for what makes watching useless. A folder that is gone, or closed to us, is none.
    fn watch(&mut self, folder: &Path) -> Result<(), String>;

    /// No longer watches this folder.
    fn unwatch(&mut self, folder: &Path);
}

/// What an event says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It has come, or something in it was written.
    Changed,
    /// It has been removed, or renamed to something else.
    Gone,
}

/// A file that has changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Its path.
    pub path: PathBuf,
    /// It was there before.
    pub was_there: bool,
}

/// The watched folders, and the files in them that matter.
pub struct Tree<W> {
    watcher: W,
    filter: Filter,
    roots: Vec<PathBuf>,
    folders: BTreeMap<PathBuf, BTreeSet<OsString>>,
}

impl<W: Watcher> Tree<W> {
    /// Watches `roots` and what is below them.
    ///
    /// # Errors
    /// The watcher's.
    pub fn new(watcher: W, filter: Filter, roots: Vec<PathBuf>) -> Result<Tree<W>, String> {
        let mut tree = Tree {
            watcher,
            filter,
            roots,
            folders: BTreeMap::new(),
        };
        tree.begin()?;
        Ok(tree)
    }

    /// The folders that are watched now.
    #[cfg(test)]
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.keys().map(PathBuf::as_path)
    }

    /// Whether `folder` is watched now.
    pub fn watches(&self, folder: &Path) -> bool {
        self.folders.contains_key(folder)
    }

    /// Whether changes of `path` still matter: its folder may have turned out to be one that
    /// nobody looks into.
    pub fn holds(&self, path: &Path) -> bool {
        path.parent()
            .is_some_and(|folder| self.folders.contains_key(folder))
            || self.folders.contains_key(path)
            || !path.exists()
    }

    /// Something has happened to `path`. Returns the changes that matter.
    ///
    /// # Errors
    /// The watcher's.
    pub fn apply(&mut self, path: &Path, what: What) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        if what == What::Gone && self.folders.contains_key(path) {
            self.forget(path, &mut changes);
        }
        let Some(folder) = path.parent() else {
            return Ok(changes);
        };
        if !self.folders.contains_key(folder) && !self.filter.is_root(path) {
            return Ok(changes);
        }
        match fs::symlink_metadata(path) {
            Ok(about) if about.is_dir() => {
                if !self.folders.contains_key(path) {
                    self.scan(path, &mut changes)?;
                }
            }
            _ => self.file_changed(folder, path, &mut changes)?,
        }
        // An environment may show by a folder, too.
        if path
            .file_name()
            .is_some_and(|name| ENVIRONMENT_MARKS.iter().any(|mark| name == *mark))
        {
            self.prune(folder, &mut changes);
        }
        Ok(changes)
    }

    /// Events were lost: looks at everything anew. Returns what has come and gone; what was
    /// written meanwhile is not known.
    ///
    /// # Errors
    /// The watcher's.
    pub fn start_over(&mut self) -> Result<Vec<Change>, String> {
        let before = self.files();
        for folder in std::mem::take(&mut self.folders).into_keys() {
            self.watcher.unwatch(&folder);
        }
        self.begin()?;
        let after = self.files();
        let changes = before.symmetric_difference(&after).map(|path| Change {
            path: path.clone(),
            was_there: before.contains(path),
        });
        Ok(changes.collect())
    }

    fn begin(&mut self) -> Result<(), String> {
        self.filter.reset_git();
        for root in self.roots.clone() {
            // What is found now was there before.
            self.scan(&root, &mut Vec::new())?;
        }
        Ok(())
    }

    fn files(&self) -> BTreeSet<PathBuf> {
        let files = self.folders.iter();
        files
            .flat_map(|(folder, names)| names.iter().map(|name| folder.join(name)))
            .collect()
    }

    /// Watches `top` and the folders below it; every file in them that matters is new.
    fn scan(&mut self, top: &Path, changes: &mut Vec<Change>) -> Result<(), String> {
        let mut waiting = vec![top.to_owned()];
        while let Some(folder) = waiting.pop() {
            if self.filter.prunes(&folder) || self.folders.contains_key(&folder) {
                continue;
            }
            self.watcher.watch(&folder)?;
            self.filter.git.read(&folder);
            let mut names = BTreeSet::new();
            let mut folders = Vec::new();
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                } else if self.filter.counts(&entry.path()) {
                    names.insert(entry.file_name());
                }
            }
            // An environment may have been made in it since it was asked for first, and no event
            // tells of a mark that was there before the folder was watched.
            if self.filter.prunes(&folder) {
                self.watcher.unwatch(&folder);
                continue;
            }
            waiting.extend(folders);
            changes.extend(names.iter().map(|name| Change {
                path: folder.join(name),
                was_there: false,
            }));
            self.folders.insert(folder, names);
        }
        Ok(())
    }

    /// Something has happened to a file in a watched folder, or it is gone.
    fn file_changed(
        &mut self,
        folder: &Path,
        path: &Path,
        changes: &mut Vec<Change>,
    ) -> Result<(), String> {
        let Some(name) = path.file_name() else {
            return Ok(());
        };
        if name == GITIGNORE {
            self.rules_changed(folder)?;
        }
        if self.filter.counts(path)
            && let Some(names) = self.folders.get_mut(folder)
        {
            let there = path.symlink_metadata().is_ok();
            let was_there = if there {
                !names.insert(name.to_owned())
            } else {
                names.remove(name)
            };
            changes.push(Change {
                path: path.to_owned(),
                was_there,
            });
        }
        Ok(())
    }

    /// The `.gitignore` in `folder` may name folders that are watched, and no longer name others.
    /// Those that it leaves alone stay watched all the time: events that wait are not lost.
    fn rules_changed(&mut self, folder: &Path) -> Result<(), String> {
        self.filter.git.read(folder);
        let below = self.folders.range(folder.to_owned()..);
        let watched: Vec<PathBuf> = below
            .map(|(watched, _)| watched.clone())
            .take_while(|watched| watched.starts_with(folder))
            .collect();
        for watched in watched {
            if !self.folders.contains_key(&watched) {
                continue;
            }
            if self.filter.prunes(&watched) {
                self.forget(&watched, &mut Vec::new());
                continue;
            }
            for entry in fs::read_dir(&watched).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    // What is found there now was there before.
                    self.scan(&entry.path(), &mut Vec::new())?;
                }
            }
        }
        Ok(())
    }

    /// A watched folder is gone, with everything in it.
    fn forget(&mut self, top: &Path, changes: &mut Vec<Change>) {
        let below = self.folders.range(top.to_owned()..);
        let gone: Vec<PathBuf> = below
            .map(|(folder, _)| folder.clone())
            .take_while(|folder| folder.starts_with(top))
            .collect();
        for folder in gone {
            self.watcher.unwatch(&folder);
            let names = self.folders.remove(&folder).unwrap_or_default();
            changes.extend(names.into_iter().map(|name| Change {
                path: folder.join(name),
                was_there: true,
            }));
        }
    }

    /// A watched folder has turned out to be one that nobody looks into.
    fn prune(&mut self, folder: &Path, changes: &mut Vec<Change>) {
        if self.filter.prunes(folder) {
            self.forget(folder, &mut Vec::new());
            changes.clear();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reload::plan::{Asked, Plan};
    use crate::reload::testing::Folder;

    /// Takes note of what it is told.
    #[derive(Default)]
    struct Noted {
        watched: BTreeSet<PathBuf>,
        full_at: Option<usize>,
        /// A file that somebody writes just before its folder is watched.
        written_before: Option<PathBuf>,
    }

    impl Watcher for Noted {
        fn watch(&mut self, folder: &Path) -> Result<(), String> {
            if self.full_at.is_some_and(|max| self.watched.len() >= max) {
                return Err("no room".to_owned());
            }
            if let Some(file) = &self.written_before
                && file.parent() == Some(folder)
            {
                fs::write(file, "").unwrap();
            }
            self.watched.insert(folder.to_owned());
            Ok(())
        }

        fn unwatch(&mut self, folder: &Path) {
            self.watched.remove(folder);
        }
    }

    fn tree_of(folder: &Folder, asked: &Asked) -> Tree<Noted> {
        let plan = Plan::new(asked, folder.root());
        Tree::new(Noted::default(), Filter::new(&plan), plan.folders).unwrap()
    }

    fn tree(folder: &Folder) -> Tree<Noted> {
        tree_of(folder, &Asked::default())
    }

    /// What is watched, relative to the folder. What the watcher knows must be the same.
    fn watched(folder: &Folder, tree: &Tree<Noted>) -> Vec<String> {
        assert!(tree.folders().eq(tree.watcher.watched.iter()));
        let relative = tree
            .folders()
            .map(|path| path.strip_prefix(folder.root()).unwrap());
        relative.map(|path| path.display().to_string()).collect()
    }

    fn apply(
        folder: &Folder,
        tree: &mut Tree<Noted>,
        name: &str,
        what: What,
    ) -> Vec<(String, bool)> {
        let changes = tree.apply(&folder.path(name), what).unwrap();
        let mut named: Vec<_> = changes
            .into_iter()
            .map(|change| {
                let path = change.path.strip_prefix(folder.root()).unwrap();
                (path.display().to_string(), change.was_there)
            })
            .collect();
        named.sort();
        named
    }

    fn change(name: &str, was_there: bool) -> (String, bool) {
        (name.to_owned(), was_there)
    }

    #[test]
    fn what_is_pruned_is_never_watched() {
        let folder = Folder::new();
        for name in [
            "src/a/x.py",
            ".git/hooks/x.py",
            "env/lib/x.py",
            "env/pyvenv.cfg",
            "web/node_modules/m/x.py",
            "src/__pycache__/x.pyc",
            "conda/conda-meta/history",
            "data/big/x.py",
            "src/out/x.py",
        ] {
            folder.write(name, "");
        }
        folder.write(".gitignore", "data/\n");
        folder.write("src/.gitignore", "/out\n");
        assert_eq!(
            watched(&folder, &tree(&folder)),
            ["", "src", "src/a", "web"]
        );
    }

    #[test]
    fn what_the_user_names_is_watched_all_the_same() {
        let folder = Folder::new();
        folder.write(".gitignore", "build\n");
        folder.write("build/lib/x.py", "");
        folder.write("env/pyvenv.cfg", "");
        let asked = Asked {
            folders: vec!["build".into(), "env".into()],
            ..Asked::default()
        };
        let tree = tree_of(&folder, &asked);
        assert_eq!(watched(&folder, &tree), ["build", "build/lib", "env"]);
    }

    #[test]
    fn rules_above_count_in_a_repository_only() {
        let folder = Folder::new();
        folder.write("app/out/x.py", "");
        folder.write(".gitignore", "out\n");
        let asked = Asked {
            folders: vec!["app".into()],
            ..Asked::default()
        };
        assert_eq!(
            watched(&folder, &tree_of(&folder, &asked)),
            ["app", "app/out"]
        );
        folder.write(".git/HEAD", "");
        assert_eq!(watched(&folder, &tree_of(&folder, &asked)), ["app"]);
    }

    #[test]
    fn files_that_matter_are_changes() {
        let folder = Folder::new();
        folder.write("main.py", "");
        let mut tree = tree(&folder);
        let changed = |tree: &mut _, name| apply(&folder, tree, name, What::Changed);
        assert_eq!(changed(&mut tree, "main.py"), [change("main.py", true)]);
        folder.write("new.py", "");
        folder.write("data.txt", "");
        assert_eq!(changed(&mut tree, "new.py"), [change("new.py", false)]);
        assert_eq!(changed(&mut tree, "data.txt"), []);
        assert_eq!(changed(&mut tree, "elsewhere/x.py"), []);
        fs::remove_file(folder.path("new.py")).unwrap();
        assert_eq!(
            apply(&folder, &mut tree, "new.py", What::Gone),
            [change("new.py", true)]
        );
        assert_eq!(
            apply(&folder, &mut tree, "new.py", What::Gone),
            [change("new.py", false)]
        );
    }

    #[test]
    fn an_environment_that_is_made_while_it_is_looked_at_is_pruned() {
        let folder = Folder::new();
        let mut tree = tree(&folder);
        folder.write("made_now/lib/x.py", "");
        tree.watcher.written_before = Some(folder.path("made_now/pyvenv.cfg"));
        assert_eq!(apply(&folder, &mut tree, "made_now", What::Changed), []);
        assert_eq!(watched(&folder, &tree), [""]);
    }

    #[test]
    fn new_folders_are_watched_and_what_is_in_them_is_new() {
        let folder = Folder::new();
        let mut tree = tree(&folder);
        folder.write("a/b/x.py", "");
        folder.write("a/node_modules/x.py", "");
        let changes = apply(&folder, &mut tree, "a", What::Changed);
        assert_eq!(changes, [change("a/b/x.py", false)]);
        assert_eq!(watched(&folder, &tree), ["", "a", "a/b"]);
        assert_eq!(apply(&folder, &mut tree, "a", What::Changed), []);
        assert_eq!(
            apply(&folder, &mut tree, "a/b/x.py", What::Changed),
            [change("a/b/x.py", true)]
        );
    }

    #[test]
    fn folders_that_go_take_their_files_with_them() {
        let folder = Folder::new();
        folder.write("a/b/x.py", "");
        folder.write("a/c/data.txt", "");
        folder.write("ab/y.py", "");
        let mut tree = tree(&folder);
        fs::rename(folder.path("a"), folder.path("z")).unwrap();
        assert_eq!(
            apply(&folder, &mut tree, "a", What::Gone),
            [change("a/b/x.py", true)]
        );
        assert_eq!(
            apply(&folder, &mut tree, "z", What::Changed),
            [change("z/b/x.py", false)]
        );
        assert_eq!(watched(&folder, &tree), ["", "ab", "z", "z/b", "z/c"]);
        fs::remove_dir_all(folder.path("z/c")).unwrap();
        assert_eq!(apply(&folder, &mut tree, "z/c", What::Gone), []);
    }

    #[test]
    fn what_is_new_beside_a_changed_gitignore_is_still_told() {
        let folder = Folder::new();
        folder.write("generated/x.py", "");
        folder.write("kept/x.py", "");
        let mut tree = tree(&folder);
        folder.write(".gitignore", "generated/\n");
        folder.write("new.py", "");
        assert_eq!(apply(&folder, &mut tree, ".gitignore", What::Changed), []);
        assert_eq!(watched(&folder, &tree), ["", "kept"]);
        let changes = apply(&folder, &mut tree, "new.py", What::Changed);
        assert_eq!(changes, [change("new.py", false)]);
    }

    #[test]
    fn a_folder_that_was_replaced_is_watched_again() {
        let folder = Folder::new();
        folder.write("a/x.py", "");
        let mut tree = tree(&folder);
        // Both have happened before anybody hears of the first.
        fs::remove_dir_all(folder.path("a")).unwrap();
        folder.write("a/y.py", "");
        let changes = apply(&folder, &mut tree, "a", What::Gone);
        assert_eq!(changes, [change("a/x.py", true), change("a/y.py", false)]);
        assert_eq!(watched(&folder, &tree), ["", "a"]);
    }

    #[test]
    fn an_environment_that_is_being_made_is_let_go() {
        let folder = Folder::new();
        folder.write("env/lib/x.py", "");
        let mut tree = tree(&folder);
        assert_eq!(watched(&folder, &tree), ["", "env", "env/lib"]);
        folder.write("env/pyvenv.cfg", "");
        assert_eq!(
            apply(&folder, &mut tree, "env/pyvenv.cfg", What::Changed),
            []
        );
        assert_eq!(watched(&folder, &tree), [""]);
        assert!(!tree.holds(&folder.path("env/lib/x.py")));
        assert!(tree.holds(&folder.path("main.py")));
    }

    #[test]
    fn a_changed_gitignore_counts_from_then_on_and_is_no_change_itself() {
        let folder = Folder::new();
        folder.write("out/x.py", "");
        folder.write("made.py", "");
        let mut tree = tree(&folder);
        folder.write(".gitignore", "out\nmade.py\n");
        assert_eq!(apply(&folder, &mut tree, ".gitignore", What::Changed), []);
        assert_eq!(watched(&folder, &tree), [""]);
        assert_eq!(apply(&folder, &mut tree, "made.py", What::Changed), []);
        fs::remove_file(folder.path(".gitignore")).unwrap();
        assert_eq!(apply(&folder, &mut tree, ".gitignore", What::Gone), []);
        assert_eq!(watched(&folder, &tree), ["", "out"]);
    }

    #[test]
    fn when_events_were_lost_what_has_come_and_gone_is_found() {
        let folder = Folder::new();
        folder.write("gone.py", "");
        folder.write("stays.py", "");
        let mut tree = tree(&folder);
        fs::remove_file(folder.path("gone.py")).unwrap();
        folder.write("a/come.py", "");
        let mut changes = tree.start_over().unwrap();
        changes.sort();
        let expected = [("a/come.py", false), ("gone.py", true)];
        let expected = expected.map(|(name, was_there)| Change {
            path: folder.path(name),
            was_there,
        });
        assert_eq!(changes, expected);
        assert_eq!(watched(&folder, &tree), ["", "a"]);
    }

    #[test]
    fn a_watcher_that_can_no_more_says_so() {
        let folder = Folder::new();
        folder.write("a/b/x.py", "");
        let plan = Plan::new(&Asked::default(), folder.root());
        let noted = Noted {
            full_at: Some(2),
            ..Noted::default()
        };
        let refused = Tree::new(noted, Filter::new(&plan), plan.folders);
        assert_eq!(refused.err().as_deref(), Some("no room"));
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_are_not_followed() {
        let folder = Folder::new();
        folder.write("a/x.py", "");
        std::os::unix::fs::symlink(folder.root(), folder.path("a/loop")).unwrap();
        assert_eq!(watched(&folder, &tree(&folder)), ["", "a"]);
    }
}
