//! Unix sockets that the server makes itself: `--uds`.
//!
//! The socket is made under a temporary name beside its place, gets its mode, listens, and only
//! then is renamed into its place. So nobody meets it half ready or with a wrong mode, and a
//! socket that a dead server left behind is replaced in one step. What is not a socket is never
//! replaced or removed, and neither is a socket that is not ours.

use std::fs::{self, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{BindError, BoundSocket, LocalAddress};

/// Mode of a unix socket unless the operator chose one: everybody may connect.
const DEFAULT_MODE: u32 = 0o666;

/// The permission bits of a mode.
const MODE_BITS: u32 = 0o777;

/// How many temporary names are tried.
const NAME_ATTEMPTS_MAX: usize = 8;

/// The file of a unix socket that this process made; removes it when dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// A forked child has a copy of this and must leave the file to its parent.
    pid: u32,
}

impl SocketFile {
    /// Takes the file that was just made at `path`. The path becomes absolute, because the
    /// application may change the working directory.
    ///
    /// # Errors
    /// Nothing is there.
    pub fn claim(path: &Path) -> io::Result<SocketFile> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(SocketFile {
            path: std::path::absolute(path)?,
            device: metadata.dev(),
            inode: metadata.ino(),
            pid: std::process::id(),
        })
    }

    /// Leaves the file to another process, which has taken the socket over.
    pub fn leave(mut self) {
        self.pid = 0;
    }

    fn rename(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.path = std::path::absolute(to)?;
        Ok(())
    }

    /// True while the very file that was made is at its place.
    fn is_ours(&self) -> bool {
        self.pid == std::process::id()
            && fs::symlink_metadata(&self.path).is_ok_and(|metadata| {
                metadata.file_type().is_socket()
                    && metadata.dev() == self.device
                    && metadata.ino() == self.inode
            })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // Nobody is left to tell; the next server replaces what stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`.
pub(super) fn bind(path: &Path, mode: Option<u32>, backlog: i32) -> Result<BoundSocket, BindError> {
    let failed = |error| BindError::path(path, error);
    let place = socket_address(path)?;
    let stale_mode = survey(path)?;
    let mode = mode.or(stale_mode).unwrap_or(DEFAULT_MODE) & MODE_BITS;

    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    let beside = bind_beside(&socket, path).map_err(failed)?;
    let (mut file, renames) = match beside {
        Some(file) => (file, true),
        None => {
            if stale_mode.is_some() {
                fs::remove_file(path).map_err(failed)?;
            }
            socket.bind(&place).map_err(failed)?;
            (SocketFile::claim(path).map_err(failed)?, false)
        }
    };
    fs::set_permissions(&file.path, Permissions::from_mode(mode)).map_err(failed)?;
    socket.listen(backlog).map_err(failed)?;
    if renames {
        // Somebody may have come meanwhile.
        survey(path)?;
        file.rename(path).map_err(failed)?;
    }
    Ok(BoundSocket {
        file: Some(file),
        socket,
        local: LocalAddress::Unix(path.to_owned()),
        description: format!("unix socket {}", path.display()),
    })
}

/// The path as a socket's address, if it can be one.
fn socket_address(path: &Path) -> Result<SockAddr, BindError> {
    let bad = |problem| BindError::Path {
        path: path.to_owned(),
        problem,
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return Err(bad("it is empty"));
    }
    if bytes.contains(&0) {
        return Err(bad("it has a NUL byte"));
    }
    SockAddr::unix(path).map_err(|_| bad("it is longer than the system allows"))
}

/// Looks at what is at `path`: nothing, or the socket of a dead server, whose mode is returned.
/// Everything else is an error, and so is a socket that somebody listens on.
fn survey(path: &Path) -> Result<Option<u32>, BindError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| BindError::path(path, error))?,
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket {
            path: path.to_owned(),
            found: kind(&metadata.file_type()),
        });
    }
    match knock(path) {
        Knock::Dead => Ok(Some(metadata.permissions().mode() & MODE_BITS)),
        Knock::Gone => Ok(None),
        Knock::Alive => {
            let in_use = rustix::io::Errno::ADDRINUSE.into();
            Err(BindError::path(path, in_use))
        }
        Knock::Unknown(source) => Err(BindError::Undecided {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Whether somebody listens on a unix socket.
enum Knock {
    Alive,
    Dead,
    Gone,
    Unknown(io::Error),
}

/// Tries to connect, without waiting: a server whose backlog is full is alive.
fn knock(path: &Path) -> Knock {
    let answer = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    });
    let error = match answer {
        Ok(()) => return Knock::Alive,
        Err(error) => error,
    };
    let errno = error.raw_os_error();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Knock::Dead,
        io::ErrorKind::NotFound => Knock::Gone,
        io::ErrorKind::WouldBlock => Knock::Alive,
        // A socket of another type, and somebody holds it.
        _ if errno == Some(rustix::io::Errno::PROTOTYPE.raw_os_error()) => Knock::Alive,
        _ if errno == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Knock::Alive,
        _ => Knock::Unknown(error),
    }
}

/// Binds `socket` to a fresh name beside `path`; `None` when such a name is too long for an
/// address.
fn bind_beside(socket: &Socket, path: &Path) -> io::Result<Option<SocketFile>> {
    let mut taken = None;
    for _ in 0..NAME_ATTEMPTS_MAX {
        let mut name = path.as_os_str().to_owned();
        // A fresh hasher has fresh keys: this is a random number.
        name.push(format!(
            ".{:06x}",
            RandomState::new().hash_one(()) & 0xff_ffff
        ));
        let name = PathBuf::from(name);
        let Ok(address) = SockAddr::unix(&name) else {
            return Ok(None);
        };
        match socket.bind(&address) {
            Ok(()) => return SocketFile::claim(&name).map(Some),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken = Some(error),
            Err(error) => return Err(error),
        }
    }
    taken.map_or(Ok(None), Err)
}

/// What a file is, for the operator.
fn kind(file_type: &fs::FileType) -> &'static str {
    if file_type.is_file() {
        "a regular file"
    } else if file_type.is_dir() {
        "a directory"
    } else if file_type.is_symlink() {
        "a symbolic link"
    } else if file_type.is_fifo() {
        "a FIFO"
    } else {
        "a device"
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    use crate::net::testing::{Folder, is_close_on_exec, is_nonblocking};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// A socket file that nobody listens on.
    fn leave_stale(path: &Path, mode: u32) {
        drop(UnixListener::bind(path).unwrap());
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_socket_is_made_for_everybody() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        let bound = bind(&path, None, 5).unwrap();
        assert_eq!(mode(&path), 0o666);
        assert_eq!(bound.local, LocalAddress::Unix(path.clone()));
        assert_eq!(bound.description, format!("unix socket {}", path.display()));
        assert!(is_nonblocking(&bound.socket));
        assert!(is_close_on_exec(&bound.socket));
        let _client = UnixStream::connect(&path).unwrap();
        bound.socket.accept().unwrap();
        drop(bound);
        assert!(folder.names().is_empty());
    }

    #[test]
    fn the_mode_is_the_given_one_or_that_of_the_socket_before() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        let bound = bind(&path, Some(0o100_600), 5).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(bound);
        leave_stale(&path, 0o660);
        let bound = bind(&path, None, 5).unwrap();
        assert_eq!(mode(&path), 0o660);
        drop(bound);
        leave_stale(&path, 0o660);
        let _bound = bind(&path, Some(0o620), 5).unwrap();
        assert_eq!(mode(&path), 0o620);
    }

    #[test]
    fn a_stale_socket_is_replaced() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        leave_stale(&path, 0o666);
        let _bound = bind(&path, None, 5).unwrap();
        UnixStream::connect(&path).unwrap();
        assert_eq!(folder.names(), ["app.sock"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_live_socket_is_not_replaced() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        let in_use = format!(
            "[Errno 98] error while attempting to bind on address '{}': address already in use",
            path.display()
        );
        let live = UnixListener::bind(&path).unwrap();
        let error = bind(&path, None, 5).unwrap_err();
        assert_eq!(error.to_string(), in_use);
        live.set_nonblocking(true).unwrap();
        live.accept().unwrap();
        UnixStream::connect(&path).unwrap();
        drop(live);
        fs::remove_file(&path).unwrap();

        let _datagrams = UnixDatagram::bind(&path).unwrap();
        let error = bind(&path, None, 5).unwrap_err();
        assert_eq!(error.to_string(), in_use);
        assert_eq!(folder.names(), ["app.sock"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_server_with_a_full_backlog_is_alive() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        let server = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        server.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        server.listen(0).unwrap();
        let clients: Vec<Socket> = (0..4)
            .map(|_| {
                let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
                client.set_nonblocking(true).unwrap();
                client
            })
            .collect();
        let refused = clients
            .iter()
            .find_map(|client| client.connect(&SockAddr::unix(&path).unwrap()).err());
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::WouldBlock);
        assert!(matches!(knock(&path), Knock::Alive));
    }

    #[test]
    fn what_is_no_socket_stays() {
        let folder = Folder::new();
        let place = |name: &str| folder.path(name);
        fs::write(place("file"), "precious").unwrap();
        fs::create_dir(place("folder")).unwrap();
        leave_stale(&place("stale"), 0o666);
        std::os::unix::fs::symlink(place("stale"), place("link")).unwrap();
        for (name, what) in [
            ("file", "a regular file"),
            ("folder", "a directory"),
            ("link", "a symbolic link"),
        ] {
            match bind(&place(name), None, 5) {
                Err(BindError::NotASocket { path, found }) => {
                    assert_eq!((path, found), (place(name), what));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(fs::read_to_string(place("file")).unwrap(), "precious");
        assert!(fs::symlink_metadata(place("link")).unwrap().is_symlink());
        assert_eq!(folder.names(), ["file", "folder", "link", "stale"]);
    }

    #[test]
    fn only_the_very_file_is_removed() {
        let folder = Folder::new();
        let path = folder.path("app.sock");

        let bound = bind(&path, None, 5).unwrap();
        fs::remove_file(&path).unwrap();
        let _successor = UnixListener::bind(&path).unwrap();
        drop(bound);
        UnixStream::connect(&path).unwrap();
        fs::remove_file(&path).unwrap();

        let bound = bind(&path, None, 5).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        drop(bound);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();

        let bound = bind(&path, None, 5).unwrap();
        fs::remove_file(&path).unwrap();
        drop(bound);
    }

    #[test]
    fn a_forked_childs_copy_removes_nothing() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        let mut bound = bind(&path, None, 5).unwrap();
        let file = bound.file.as_mut().unwrap();
        file.pid += 1;
        drop(bound);
        assert!(path.exists());
    }

    #[test]
    fn a_path_that_just_fits_needs_no_temporary_name() {
        let folder = Folder::new();
        let room = 107 - folder.path("").as_os_str().len();
        let path = folder.path(&"s".repeat(room));
        leave_stale(&path, 0o640);
        let bound = bind(&path, None, 5).unwrap();
        assert_eq!(mode(&path), 0o640);
        UnixStream::connect(&path).unwrap();
        drop(bound);
        assert!(folder.names().is_empty());
        assert!(matches!(
            bind(&folder.path(&"s".repeat(room + 1)), None, 5),
            Err(BindError::Path { .. })
        ));
    }

    #[test]
    fn paths_that_cannot_be_are_refused() {
        let said = |path: &str| bind(Path::new(path), None, 5).unwrap_err().to_string();
        assert_eq!(said(""), "'' cannot be a unix socket: it is empty");
        assert_eq!(
            said("\0abstract"),
            "'\0abstract' cannot be a unix socket: it has a NUL byte"
        );
        let folder = Folder::new();
        let path = folder.path("missing/app.sock");
        let error = bind(&path, None, 5).unwrap_err();
        assert!(matches!(error, BindError::Address { .. }), "{error:?}");
    }
}
