//! Accepts connections with as few system calls as the system allows, and gives each socket its
//! options.

use std::io;
use std::task::{Context, Poll, ready};

use socket2::{SockAddr, Socket};

use crate::messages::{End, Ends};
use crate::socket::ReadySocket;

/// A listening socket.
pub(crate) struct Acceptor {
    socket: ReadySocket,
    /// Our end of every connection, where it is the same for all.
    local: Option<End>,
}

impl Acceptor {
    /// An acceptor on a socket and what [`prepare`] said of it.
    pub fn new(socket: ReadySocket, local: Option<End>) -> Acceptor {
        Acceptor { socket, local }
    }

    /// Accepts one connection: a nonblocking socket. `before` is called before the system is asked.
    pub fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
        before: impl Fn(),
    ) -> Poll<io::Result<(Socket, Ends)>> {
        let (socket, peer) = ready!(self.socket.poll_with_readable(context, |listener| {
            before();
            accept(listener)
        }))?;
        Poll::Ready(self.ends(&socket, peer).map(|ends| (socket, ends)))
    }

    /// Lets the next call ask the system, whatever its reactor has told.
    pub fn assume_readable(&mut self) {
        self.socket.assume_readable();
    }

    fn ends(&self, socket: &Socket, peer: End) -> io::Result<Ends> {
        let local = match &self.local {
            Some(local) => local.clone(),
            // It fails when the peer has already gone; nobody is there to be served.
            None => socket
                .local_addr()
                .map(|address| end_of(&address))
                .map_err(|_| io::ErrorKind::ConnectionAborted)?,
        };
        Ok(Ends { local, peer })
    }
}

/// Makes a bound and listening socket ready to be accepted from, and gives our end of its
/// connections where it is the same for all. Errors: it is not a socket that has an address.
pub(crate) fn prepare(socket: &Socket) -> io::Result<Option<End>> {
    socket.set_nonblocking(true)?;
    let local = end_of(&socket.local_addr()?);
    let mut is_wildcard = false;
    if let End::Inet(address) = &local {
        // Linux hands it down to the accepted sockets.
        socket.set_tcp_nodelay(true)?;
        is_wildcard = address.ip().is_unspecified();
    }
    Ok((!is_wildcard).then_some(local))
}

/// One system call.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn accept(listener: &Socket) -> io::Result<(Socket, End)> {
    use std::ffi::OsStr;
    use std::net::SocketAddr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    use rustix::net::{SocketAddrUnix, SocketFlags, acceptfrom_with};

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, peer) = acceptfrom_with(listener, flags)?;
    let inet = peer
        .clone()
        .and_then(|address| SocketAddr::try_from(address).ok());
    let end = match inet {
        Some(address) => End::Inet(address),
        None => {
            let unix = peer.and_then(|address| SocketAddrUnix::try_from(address).ok());
            let path = unix.as_ref().and_then(SocketAddrUnix::path_bytes);
            End::Unix(path.map(|bytes| PathBuf::from(OsStr::from_bytes(bytes))))
        }
    };
    Ok((Socket::from(socket), end))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn accept(listener: &Socket) -> io::Result<(Socket, End)> {
    let (socket, peer) = listener.accept()?;
    let end = end_of(&peer);
    let prepared = socket.set_nonblocking(true).and_then(|()| {
        #[cfg(target_vendor = "apple")]
        socket.set_nosigpipe(true)?;
        match end {
            End::Inet(_) => socket.set_tcp_nodelay(true),
            End::Unix(_) => Ok(()),
        }
    });
    // It fails when the peer has already gone.
    prepared.map_err(|_| io::ErrorKind::ConnectionAborted)?;
    Ok((socket, end))
}

fn end_of(address: &SockAddr) -> End {
    match address.as_socket() {
        Some(address) => End::Inet(address),
        #[cfg(unix)]
        None => End::Unix(address.as_pathname().map(ToOwned::to_owned)),
        #[cfg(not(unix))]
        None => End::Unix(None),
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{SocketAddr, TcpStream};
    use std::rc::Rc;
    use std::task::Waker;

    use socket2::{Domain, Type};

    use super::*;
    use crate::reactor::edge::Reactor;

    fn accept_one(bind: &str, connect: &str) -> (Socket, Ends, TcpStream) {
        let bind: SocketAddr = bind.parse().unwrap();
        let socket = Socket::new(Domain::for_address(bind), Type::STREAM, None).unwrap();
        socket.bind(&bind.into()).unwrap();
        socket.listen(8).unwrap();
        let local = prepare(&socket).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let client = TcpStream::connect((connect, port)).unwrap();

        let reactor: Rc<Reactor> = Reactor::new().unwrap();
        let socket = ReadySocket::edge(reactor.register(socket).unwrap());
        let mut acceptor = Acceptor::new(socket, local);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            reactor.poll().unwrap();
            if let Poll::Ready(accepted) = acceptor.poll_accept(&mut context, || {}) {
                let (socket, ends) = accepted.unwrap();
                return (socket, ends, client);
            }
        }
    }

    #[test]
    fn an_accepted_socket_does_not_block_nor_delay() {
        let (socket, ends, client) = accept_one("127.0.0.1:0", "127.0.0.1");
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.nonblocking().unwrap());
        assert_eq!(ends.local, End::Inet(client.peer_addr().unwrap()));
        assert_eq!(ends.peer, End::Inet(client.local_addr().unwrap()));
    }

    #[test]
    fn behind_a_wildcard_each_connection_has_its_own_local_end() {
        let (_socket, ends, client) = accept_one("0.0.0.0:0", "127.0.0.2");
        let local = client.peer_addr().unwrap();
        assert_eq!(local.ip().to_string(), "127.0.0.2");
        assert_eq!(ends.local, End::Inet(local));
    }
}
