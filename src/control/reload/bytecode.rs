//! Compiled files of changed modules, which are removed before the application is imported again.
//!
//! Python knows a compiled file by the time of its source in whole seconds, and by its size. A
//! second save in the same second, of the same size, would not be seen, and who saves often and is
//! served fast does that.

use std::fs;
use std::path::{Path, PathBuf};

/// Where Python keeps them, beside the sources.
const FOLDER: &str = "__pycache__";

/// Removes the compiled files of `sources`, of every Python version.
pub fn remove<'a>(sources: impl IntoIterator<Item = &'a PathBuf>) {
    for source in sources {
        for compiled in compiled_files(source) {
            // Gone already, or not ours to remove: then it stays as it is.
            let _ = fs::remove_file(compiled);
        }
    }
}

fn compiled_files(source: &Path) -> Vec<PathBuf> {
    let is_python = source.extension().is_some_and(|kind| kind == "py");
    let (true, Some(stem), Some(folder)) = (is_python, source.file_stem(), source.parent()) else {
        return Vec::new();
    };
    let prefix = format!("{}.", stem.to_string_lossy());
    let entries = fs::read_dir(folder.join(FOLDER)).into_iter().flatten();
    entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&prefix) && name.ends_with(".pyc")
        })
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::testing::Folder;

    #[test]
    fn compiled_files_of_changed_modules_are_removed() {
        let folder = Folder::new();
        let gone = ["main.cpython-313.pyc", "main.cpython-310.opt-1.pyc"];
        let kept = ["main2.cpython-313.pyc", "main.txt", "data.cpython-313.pyc"];
        for name in gone.iter().chain(&kept) {
            folder.write(&format!("a/__pycache__/{name}"), "");
        }
        remove(&[
            folder.path("a/main.py"),
            folder.path("a/data.txt"),
            folder.path("b/none.py"),
        ]);
        let there = |name: &&str| folder.path(&format!("a/__pycache__/{name}")).exists();
        assert!(!gone.iter().any(&there));
        assert!(kept.iter().all(there));
    }
}
