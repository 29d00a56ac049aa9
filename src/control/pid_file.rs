//! The file that tells others the number of this process: `--pid-file`.
//!
//! It is written beside its place and renamed, so that nobody reads half of it. A file with the
//! number of another process that runs is not replaced: whoever looks after that one would lose
//! sight of it. It is removed at the end unless another process, a successor say, has written its
//! own number meanwhile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use rustix::process::{Pid, test_kill_process};

/// A file with the number of this process.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: u32,
}

impl PidFile {
    /// Writes it, in place of one whose process is gone.
    ///
    /// # Errors
    /// One line for the operator: another process has it, or it cannot be written.
    pub fn claim(path: &Path) -> Result<PidFile, String> {
        match owner(path).filter(|pid| *pid != std::process::id() && is_running(*pid)) {
            None => PidFile::take_over(path),
            Some(pid) => Err(format!(
                "--pid-file: '{}' is of process {pid}, which runs.",
                path.display()
            )),
        }
    }

    /// Writes it, in place of that of a process that makes way for this one.
    ///
    /// # Errors
    /// One line for the operator: it cannot be written.
    pub fn take_over(path: &Path) -> Result<PidFile, String> {
        write(path).map_err(|error| {
            format!(
                "Cannot write the file of --pid-file, '{}': {error}",
                path.display()
            )
        })
    }

    fn is_ours(&self) -> bool {
        self.pid == std::process::id()
            && fs::read_to_string(&self.path).is_ok_and(|text| text == line(self.pid))
    }
}

/// The number in the file, if there is one.
fn owner(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(unix)]
fn is_running(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    // Those of other users may not be sent signals, but are there.
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_running(_pid: u32) -> bool {
    false
}

fn write(path: &Path) -> io::Result<PidFile> {
    let pid = std::process::id();
    // The application may change the working directory.
    let path = std::path::absolute(path)?;
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{pid}"));
    let beside = PathBuf::from(beside);
    fs::write(&beside, line(pid))?;
    fs::rename(&beside, &path).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })?;
    Ok(PidFile { path, pid })
}

fn line(pid: u32) -> String {
    format!("{pid}\n")
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // Nobody is left to tell.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            fs::create_dir(&folder).unwrap();
            Folder(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn it_lives_as_long_as_its_owner() {
        let folder = Folder::new("pid-file-lives");
        let path = folder.0.join("app.pid");
        fs::write(&path, "of somebody who died\n").unwrap();
        let file = PidFile::claim(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{}\n", std::process::id())
        );
        drop(file);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    }

    #[test]
    fn a_successors_file_stays() {
        let folder = Folder::new("pid-file-stays");
        let path = folder.0.join("app.pid");
        let file = PidFile::claim(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[cfg(unix)]
    #[test]
    fn that_of_a_process_which_runs_is_left_alone() {
        let folder = Folder::new("pid-file-runs");
        let path = folder.0.join("app.pid");
        // The first process of the system, which is always there.
        fs::write(&path, "1\n").unwrap();
        let error = PidFile::claim(&path).unwrap_err();
        let expected = format!(
            "--pid-file: '{}' is of process 1, which runs.",
            path.display()
        );
        assert_eq!(error, expected);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        drop(PidFile::take_over(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn one_without_a_process_is_replaced() {
        let folder = Folder::new("pid-file-stale");
        let path = folder.0.join("app.pid");
        let mine = format!("{}\n", std::process::id());
        for stale in [
            "",
            "0",
            "-1",
            "4294967295",
            "2147483647",
            "99999999999",
            mine.as_str(),
        ] {
            fs::write(&path, stale).unwrap();
            let file = PidFile::claim(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), mine, "{stale:?}");
            drop(file);
        }
    }

    #[test]
    fn an_error_names_the_file() {
        let error = PidFile::claim(Path::new("/no/such/app.pid")).unwrap_err();
        assert!(error.starts_with("Cannot write the file of --pid-file, '/no/such/app.pid': "));
    }
}
