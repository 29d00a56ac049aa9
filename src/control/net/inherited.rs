//! Sockets that somebody else made: `--fd`, and systemd's socket activation (sd_listen_fds(3)).
//!
//! Each is served through a duplicate: the number stays open and stays its owner's, who may be a
//! Python socket object or a service manager that hands it to the next process as well.

use std::io;
use std::path::PathBuf;

use socket2::{SockAddr, Socket, Type};

use super::error::python_address;
use super::{BindError, BoundSocket, LocalAddress, SystemdVars, descriptor};

/// The first descriptor that systemd hands over (`SD_LISTEN_FDS_START`).
const LISTEN_FDS_START: i32 = 3;

/// Adopts the socket of `--fd`.
pub(super) fn adopt_fd(fd: i32, backlog: i32) -> Result<BoundSocket, BindError> {
    adopt(fd, "--fd", backlog)
}

/// Adopts a socket that a Python program hands over.
pub(super) fn adopt_given(fd: i32, backlog: i32) -> Result<BoundSocket, BindError> {
    adopt(fd, "sockets", backlog)
}

/// Adopts what systemd hands to this very process; nothing when there is nothing for it.
pub(super) fn adopt_systemd(
    vars: &SystemdVars,
    backlog: i32,
) -> Result<Vec<BoundSocket>, BindError> {
    adopt_from(LISTEN_FDS_START, vars, backlog)
}

fn adopt_from(
    first_fd: i32,
    vars: &SystemdVars,
    backlog: i32,
) -> Result<Vec<BoundSocket>, BindError> {
    let own_pid = std::process::id().to_string();
    let (Some(pid), Some(count)) = (&vars.listen_pid, &vars.listen_fds) else {
        return Ok(Vec::new());
    };
    if *pid != own_pid {
        // Meant for the process that started us.
        return Ok(Vec::new());
    }
    let value = count.clone();
    let count: u16 = count.parse().map_err(|_| BindError::ListenFds { value })?;
    let mut names = vars
        .listen_fdnames
        .as_deref()
        .unwrap_or_default()
        .split(':');
    (0..i32::from(count))
        .map(|index| {
            let origin = match names.next() {
                None | Some("") => "LISTEN_FDS".to_owned(),
                Some(name) => format!("LISTEN_FDS, '{name}'"),
            };
            adopt(first_fd + index, &origin, backlog)
        })
        .collect()
}

fn adopt(fd: i32, origin: &str, backlog: i32) -> Result<BoundSocket, BindError> {
    try_adopt(fd, backlog).map_err(|source| BindError::Descriptor {
        fd,
        origin: origin.to_owned(),
        source,
    })
}

fn try_adopt(fd: i32, backlog: i32) -> io::Result<BoundSocket> {
    let socket = Socket::from(descriptor::duplicate(fd)?);
    if socket.r#type()? != Type::STREAM {
        return Err(io::Error::other("it is no stream socket"));
    }
    let name = socket.local_addr()?;
    let unix = name.is_unix();
    if !unix && name.as_socket().is_none() {
        return Err(io::Error::other("it is neither a TCP nor a unix socket"));
    }
    socket.set_nonblocking(true)?;
    socket.listen(backlog)?;
    descriptor::set_close_on_exec(fd)?;
    // Asked again: listening gives a port to a TCP socket that was not bound.
    let (local, shown) = locate(&socket.local_addr()?);
    Ok(BoundSocket {
        file: None,
        socket,
        local,
        description: format!("socket {shown}"),
    })
}

/// Where a socket with this name is, and how the banner shows it.
fn locate(name: &SockAddr) -> (LocalAddress, String) {
    if let Some(address) = name.as_socket() {
        return (LocalAddress::Tcp(address), python_address(&address));
    }
    let path = name.as_pathname().map_or_else(PathBuf::new, PathBuf::from);
    let shown = path.display().to_string();
    (LocalAddress::Unix(path), shown)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    use std::os::unix::net::UnixListener;

    use crate::net::testing::{Folder, is_close_on_exec, is_nonblocking};

    #[test]
    fn a_tcp_socket_is_adopted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let adopted = adopt_fd(listener.as_raw_fd(), 5).unwrap();
        assert_eq!(adopted.local, LocalAddress::Tcp(address));
        assert_eq!(
            adopted.description,
            format!("socket ('127.0.0.1', {})", address.port())
        );
        assert!(adopted.file.is_none());
        assert!(is_nonblocking(&adopted.socket));
        assert!(is_close_on_exec(&adopted.socket));
        assert!(is_close_on_exec(&listener));
        let client = TcpStream::connect(address).unwrap();
        let (_, peer) = adopted.socket.accept().unwrap();
        assert_eq!(peer.as_socket().unwrap(), client.local_addr().unwrap());
    }

    #[test]
    fn a_socket_that_does_not_listen_yet_begins_to() {
        let socket = Socket::new(socket2::Domain::IPV4, Type::STREAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        let adopted = adopt_fd(socket.as_raw_fd(), 5).unwrap();
        let LocalAddress::Tcp(address) = adopted.local else {
            panic!("{:?}", adopted.local)
        };
        TcpStream::connect(address).unwrap();
    }

    #[test]
    fn the_owner_keeps_its_descriptor() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        drop(adopt_fd(listener.as_raw_fd(), 5).unwrap());
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    }

    #[test]
    fn a_unix_socket_is_adopted_and_its_file_left_alone() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let adopted = adopt_fd(listener.as_raw_fd(), 5).unwrap();
        assert_eq!(adopted.local, LocalAddress::Unix(path.clone()));
        assert_eq!(adopted.description, format!("socket {}", path.display()));
        drop(adopted);
        assert!(path.exists());
    }

    #[test]
    fn an_ipv6_socket_shows_four_numbers() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else {
            assert!(adopt_fd(-1, 5).is_err(), "this machine has no IPv6");
            return;
        };
        let port = listener.local_addr().unwrap().port();
        let adopted = adopt_fd(listener.as_raw_fd(), 5).unwrap();
        assert_eq!(adopted.description, format!("socket ('::1', {port}, 0, 0)"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_cannot_be_served_is_refused_in_words() {
        let said = |fd: i32| adopt_fd(fd, 5).unwrap_err().to_string();
        assert_eq!(
            said(-1),
            "[Errno 9] Cannot listen on descriptor -1 (--fd): bad file descriptor"
        );
        let (reader, _writer) = std::io::pipe().unwrap();
        let fd = reader.as_raw_fd();
        assert_eq!(
            said(fd),
            format!(
                "[Errno 88] Cannot listen on descriptor {fd} (--fd): socket operation on non-socket"
            )
        );
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let fd = udp.as_raw_fd();
        assert_eq!(
            said(fd),
            format!("Cannot listen on descriptor {fd} (--fd): it is no stream socket")
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let fd = client.as_raw_fd();
        assert_eq!(
            said(fd),
            format!("[Errno 22] Cannot listen on descriptor {fd} (--fd): invalid argument")
        );
    }

    fn vars(count: &str, names: Option<&str>) -> SystemdVars {
        SystemdVars {
            listen_pid: Some(std::process::id().to_string()),
            listen_fds: Some(count.to_owned()),
            listen_fdnames: names.map(str::to_owned),
        }
    }

    /// `fd` under the number `at`, which nothing else in the tests uses.
    fn place(fd: impl AsFd, at: i32) -> OwnedFd {
        let placed = rustix::io::fcntl_dupfd_cloexec(fd, at).unwrap();
        assert_eq!(placed.as_raw_fd(), at);
        placed
    }

    #[test]
    fn systemd_hands_over_several_in_order() {
        let folder = Folder::new();
        let path = folder.path("app.sock");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(&path).unwrap();
        let _first = place(&tcp, 230);
        let _second = place(&unix, 231);
        let adopted = adopt_from(230, &vars("2", Some("web:local")), 5).unwrap();
        let places: Vec<_> = adopted.iter().map(|socket| &socket.local).collect();
        assert_eq!(
            places,
            [
                &LocalAddress::Tcp(tcp.local_addr().unwrap()),
                &LocalAddress::Unix(path)
            ]
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn errors_name_systemds_socket() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let _first = place(&tcp, 240);
        let said = |names| {
            let error = adopt_from(240, &vars("2", names), 5).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            said(Some("web:local")),
            "[Errno 9] Cannot listen on descriptor 241 (LISTEN_FDS, 'local'): bad file descriptor"
        );
        assert_eq!(
            said(None),
            "[Errno 9] Cannot listen on descriptor 241 (LISTEN_FDS): bad file descriptor"
        );
    }

    #[test]
    fn what_is_meant_for_others_is_ignored() {
        let mut other = vars("2", None);
        other.listen_pid = Some("1".to_owned());
        assert!(adopt_systemd(&other, 5).unwrap().is_empty());
        other.listen_pid = None;
        assert!(adopt_systemd(&other, 5).unwrap().is_empty());
        assert!(adopt_systemd(&vars("0", None), 5).unwrap().is_empty());
        let nothing = SystemdVars::default();
        assert!(adopt_systemd(&nothing, 5).unwrap().is_empty());
    }

    #[test]
    fn a_bad_count_is_an_error() {
        for count in ["two", "-1", "", "99999999999"] {
            let error = adopt_systemd(&vars(count, None), 5).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("LISTEN_FDS is '{count}', which is not a number")
            );
        }
    }
}
