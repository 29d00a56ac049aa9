//! The file that tells others the number of this process: `--pid-file`.
//!
//! It is written beside its place and renamed, so that nobody reads half of it. It is removed at
//! the end unless another process, a successor say, has written its own number meanwhile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file with the number of this process.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: u32,
}

impl PidFile {
    /// Writes it, in place of what is there.
    ///
    /// # Errors
    /// One line for the operator.
    pub fn write(path: &Path) -> Result<PidFile, String> {
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
        let file = PidFile::write(&path).unwrap();
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
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn an_error_names_the_file() {
        let error = PidFile::write(Path::new("/no/such/app.pid")).unwrap_err();
        assert!(error.starts_with("Cannot write the file of --pid-file, '/no/such/app.pid': "));
    }
}
