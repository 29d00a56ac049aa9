use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use super::testing::{Folder, is_close_on_exec, is_nonblocking, spec};
use super::*;

fn only(mut sockets: Vec<BoundSocket>) -> BoundSocket {
    assert_eq!(sockets.len(), 1);
    sockets.remove(0)
}

fn address(socket: &BoundSocket) -> SocketAddr {
    match socket.local {
        LocalAddress::Tcp(address) => address,
        LocalAddress::Unix(_) => panic!("{socket:?}"),
    }
}

fn at_host(host: &str) -> BindSpec {
    BindSpec {
        host: host.to_owned(),
        ..spec()
    }
}

/// True when the machine has an IPv6 loopback.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn port_zero_becomes_the_real_port() {
    let bound = only(bind(&spec()).unwrap());
    let address = address(&bound);
    assert_ne!(address.port(), 0);
    assert_eq!(
        bound.description,
        format!("http://127.0.0.1:{}", address.port())
    );
    assert!(is_nonblocking(&bound.socket));
    assert!(is_close_on_exec(&bound.socket));
    let client = TcpStream::connect(address).unwrap();
    let (_, peer) = bound.socket.accept().unwrap();
    assert_eq!(peer.as_socket().unwrap(), client.local_addr().unwrap());
}

#[test]
fn with_tls_the_description_says_so() {
    let bound = only(
        bind(&BindSpec {
            tls: true,
            ..spec()
        })
        .unwrap(),
    );
    assert!(bound.description.starts_with("https://127.0.0.1:"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_port_in_use_is_said_as_asyncio_says_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = bind(&BindSpec { port, ..spec() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "[Errno 98] error while attempting to bind on address ('127.0.0.1', {port}): \
             address already in use"
        )
    );
}

/// Or a restarted server would have to wait until the kernel forgets its last connections.
#[test]
fn addresses_can_be_bound_again_at_once() {
    let bound = only(bind(&spec()).unwrap());
    assert!(bound.socket.reuse_address().unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn an_address_of_others_cannot_be_bound() {
    let error = bind(&BindSpec {
        port: 8999,
        ..at_host("203.0.113.7")
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "[Errno 99] error while attempting to bind on address ('203.0.113.7', 8999): cannot \
         assign requested address"
    );
}

#[test]
fn a_name_that_cannot_be_one_does_not_resolve() {
    // A label has at most 63 bytes, so no server is asked.
    let error = bind(&at_host(&"x".repeat(64))).unwrap_err();
    assert!(matches!(error, BindError::Resolve { .. }), "{error:?}");
    let error = bind(&at_host("a\0b")).unwrap_err();
    assert!(matches!(error, BindError::Resolve { .. }), "{error:?}");
}

#[test]
fn ipv6_is_bracketed() {
    let result = bind(&at_host("::1"));
    if has_ipv6() {
        let bound = only(result.unwrap());
        let port = address(&bound).port();
        assert_eq!(bound.description, format!("http://[::1]:{port}"));
    } else {
        assert!(matches!(result, Err(BindError::Address { .. })));
    }
}

#[test]
fn an_empty_host_is_all_interfaces_on_one_port() {
    let bound = bind(&at_host("")).unwrap();
    assert_eq!(bound.len(), if has_ipv6() { 2 } else { 1 });
    let port = address(&bound[0]).port();
    for socket in &bound {
        assert!(address(socket).ip().is_unspecified());
        assert_eq!(address(socket).port(), port);
        assert_eq!(socket.description, format!("http://:{port}"));
    }
    TcpStream::connect(("127.0.0.1", port)).unwrap();
}

#[test]
fn ipv6_leaves_ipv4_to_others() {
    if !has_ipv6() {
        assert!(bind(&at_host("::")).is_err());
        return;
    }
    let bound = only(bind(&at_host("::")).unwrap());
    assert!(bound.socket.only_v6().unwrap());
}

#[test]
fn a_name_binds_each_of_its_addresses_once() {
    let bound = bind(&at_host("localhost")).unwrap();
    let mut ips: Vec<_> = bound.iter().map(|socket| address(socket).ip()).collect();
    assert!(ips.iter().all(|ip| ip.is_loopback()));
    ips.sort();
    ips.dedup();
    assert_eq!(ips.len(), bound.len());
    let port = address(&bound[0]).port();
    for socket in &bound {
        assert_eq!(socket.description, format!("http://localhost:{port}"));
    }
}

#[test]
fn fd_comes_before_all_others() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bound = only(
        bind(&BindSpec {
            fd: Some(listener.as_raw_fd()),
            uds: Some(folder.path("app.sock")),
            ..spec()
        })
        .unwrap(),
    );
    assert_eq!(address(&bound), listener.local_addr().unwrap());
    assert!(folder.names().is_empty());
}

#[test]
fn uds_comes_before_host_and_port() {
    let folder = Folder::new();
    let path = folder.path("app.sock");
    let bound = only(
        bind(&BindSpec {
            uds: Some(path.clone()),
            ..spec()
        })
        .unwrap(),
    );
    assert_eq!(bound.local, LocalAddress::Unix(path));
}

#[test]
fn systemd_comes_before_uds() {
    let folder = Folder::new();
    let uds = Some(folder.path("app.sock"));
    let systemd = SystemdVars {
        listen_pid: Some(std::process::id().to_string()),
        listen_fds: Some("many".to_owned()),
        listen_fdnames: None,
    };
    let error = bind(&BindSpec {
        systemd,
        uds,
        ..spec()
    })
    .unwrap_err();
    assert!(matches!(error, BindError::ListenFds { .. }), "{error:?}");
    assert!(folder.names().is_empty());
}

/// The walk over a folder that holds a live socket sees one name and no leftovers.
#[test]
fn nothing_but_the_socket_is_left_in_its_folder() {
    let folder = Folder::new();
    let path = folder.path("app.sock");
    let uds = Some(path.clone());
    drop(UnixListener::bind(&path).unwrap());
    let bound = bind(&BindSpec {
        uds: uds.clone(),
        ..spec()
    })
    .unwrap();
    assert_eq!(folder.names(), ["app.sock"]);
    let refused = bind(&BindSpec { uds, ..spec() });
    assert!(refused.is_err());
    assert_eq!(folder.names(), ["app.sock"]);
    drop(bound);
    assert!(folder.names().is_empty());
}
