//! Whether files have changed, by what the system says of them.

use std::path::PathBuf;
use std::time::SystemTime;

/// What tells one state of a file from another; `None`: it is not there.
type Stamp = Option<(Option<SystemTime>, u64, u64)>;

/// Some files, and how they were.
pub struct Watch {
    paths: Vec<PathBuf>,
    /// When they were read.
    read: Vec<Stamp>,
    /// At the last look, if they were not as read then.
    changed: Option<Vec<Stamp>>,
}

impl Watch {
    /// Takes note of the files as they are now.
    pub fn new(paths: Vec<PathBuf>) -> Watch {
        let read = stamps(&paths);
        Watch {
            paths,
            read,
            changed: None,
        }
    }

    /// Takes note of the files again.
    pub fn settle(&mut self) {
        self.read = stamps(&self.paths);
        self.changed = None;
    }

    /// True when they are not as they were noted, and are as at the last look.
    pub fn look(&mut self) -> bool {
        let now = stamps(&self.paths);
        if now == self.read {
            self.changed = None;
            return false;
        }
        let is_settled = self.changed.as_ref() == Some(&now);
        self.changed = Some(now);
        is_settled
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        // Of what a link leads to: tools replace certificates by turning a link.
        let metadata = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let number = 0;
        Some((metadata.modified().ok(), metadata.len(), number))
    };
    paths.iter().map(stamp).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_counts_once_it_has_settled() {
        let directory = std::env::temp_dir().join(format!("smolcorn-watch-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("file");
        fs::write(&path, "a").unwrap();
        let mut watch = Watch::new(vec![path.clone()]);
        assert!(!watch.look());
        fs::write(&path, "bb").unwrap();
        assert!(!watch.look());
        fs::write(&path, "ccc").unwrap();
        assert!(!watch.look());
        assert!(watch.look());
        watch.settle();
        assert!(!watch.look());

        fs::rename(&path, directory.join("gone")).unwrap();
        assert!(!watch.look());
        assert!(watch.look());
        fs::rename(directory.join("gone"), &path).unwrap();
        assert!(!watch.look());
        fs::remove_dir_all(&directory).unwrap();
    }
}
