//! What the tests of this folder share.
#![allow(clippy::unwrap_used)]

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{BindSpec, SystemdVars};

/// Port 0 on the IPv4 loopback.
pub(super) fn spec() -> BindSpec {
    BindSpec {
        targets: Vec::new(),
        host: "127.0.0.1".to_owned(),
        port: 0,
        uds: None,
        uds_mode: None,
        fd: None,
        backlog: 16,
        systemd: SystemdVars::default(),
        tls: false,
    }
}

/// A folder of one test's own, removed with everything in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("smolcorn-net-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of what is in it, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn is_close_on_exec(fd: impl AsFd) -> bool {
    let flags = rustix::io::fcntl_getfd(fd).unwrap();
    flags.contains(rustix::io::FdFlags::CLOEXEC)
}

pub(super) fn is_nonblocking(socket: &socket2::Socket) -> bool {
    socket.nonblocking().unwrap()
}
