//! TCP sockets on the addresses of a host.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use super::{BindError, BindSpec, BoundSocket, LocalAddress};

/// How often a common free port is looked for, for a host with several addresses, before each
/// address gets a port of its own.
const PORT_ATTEMPTS_MAX: usize = 16;

/// Binds every address of the host. Addresses of a family that the machine does not have are left
/// out, as long as one is bound.
pub(super) fn bind(spec: &BindSpec) -> Result<Vec<BoundSocket>, BindError> {
    let addresses = resolve(&spec.host, spec.port)?;
    let one_port = (0..PORT_ATTEMPTS_MAX)
        .map(|_| listen_all(&addresses, spec.backlog, Ports::Same))
        .find(|result| spec.port != 0 || !result.as_ref().is_err_and(is_in_use));
    let sockets = match one_port {
        Some(result) => result?,
        None => listen_all(&addresses, spec.backlog, Ports::Any)?,
    };
    Ok(sockets
        .into_iter()
        .map(|(socket, address)| BoundSocket {
            #[cfg(unix)]
            file: None,
            socket,
            local: LocalAddress::Tcp(address),
            description: describe(spec, address.port()),
        })
        .collect())
}

/// The addresses of `host`, each once; without one, all interfaces of both families.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, BindError> {
    if host.is_empty() {
        return Ok(vec![
            (Ipv4Addr::UNSPECIFIED, port).into(),
            (Ipv6Addr::UNSPECIFIED, port).into(),
        ]);
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let resolved = (host, port)
        .to_socket_addrs()
        .map_err(|error| BindError::resolve(host, &error))?;
    for address in resolved {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Which port the addresses get when port 0 was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// All that of the first.
    Same,
    /// Each its own.
    Any,
}

/// Binds all addresses first and listens then, so that nobody is let in before all is well.
fn listen_all(
    addresses: &[SocketAddr],
    backlog: i32,
    ports: Ports,
) -> Result<Vec<(Socket, SocketAddr)>, BindError> {
    let mut bound: Vec<(Socket, SocketAddr)> = Vec::with_capacity(addresses.len());
    let mut left_out = None;
    for address in addresses {
        let mut address = *address;
        if let (0, Ports::Same, Some((_, first))) = (address.port(), ports, bound.first()) {
            address.set_port(first.port());
        }
        match open(address) {
            Ok(socket) => bound.push(socket),
            Err(error) if is_absent(&error) => {
                left_out = left_out.or(Some(BindError::address(&address, error)));
            }
            Err(error) => return Err(BindError::address(&address, error)),
        }
    }
    for (socket, address) in &bound {
        socket
            .listen(backlog)
            .map_err(|error| BindError::address(address, error))?;
    }
    match left_out {
        Some(error) if bound.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

/// A bound socket and its real address.
fn open(address: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // On Windows this option would let a second server take the port over.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    let real = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok((socket, real))
}

/// True when the machine does not have the address, or not its whole family.
fn is_absent(error: &io::Error) -> bool {
    #[cfg(unix)]
    let no_family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    // WSAEAFNOSUPPORT
    #[cfg(not(unix))]
    let no_family = 10047;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(no_family)
}

fn is_in_use(error: &BindError) -> bool {
    matches!(error, BindError::Address { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
}

/// As the banner shows it: the host as it was given, not what it resolved to.
fn describe(spec: &BindSpec, port: u16) -> String {
    let scheme = if spec.tls { "https" } else { "http" };
    let host = &spec.host;
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}
