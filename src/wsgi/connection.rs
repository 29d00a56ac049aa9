//! What is remembered of a connection: where to answer, and who is at its ends. No Python.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use smolcorn_actors::actor::ConnectionId;
use smolcorn_actors::mailbox::Address;
use smolcorn_actors::messages::{End, Ends, ToConnection};

use crate::http::HttpCommand;

/// PEP 3333 wants a name and a port even where the server's socket has neither.
const NAME_OF_NO_HOST: &str = "localhost";

/// A connection, as the WSGI side knows it. Shared by its requests.
pub struct Connection {
    /// Its number.
    pub id: ConnectionId,
    /// Where commands for it go.
    reply: Address<ToConnection<HttpCommand>>,
    /// The peer's address; `None` for a Unix socket.
    pub peer: Option<IpAddr>,
    /// The peer's port; `None` for a Unix socket.
    pub peer_port: Option<u16>,
    /// The client as the access log shows it: `ip:port`, or empty for a Unix socket.
    pub client_text: String,
    /// Our own host.
    pub server_name: String,
    /// Our own port; `None` for a Unix socket.
    pub server_port: Option<u16>,
    secured: AtomicBool,
}

impl Connection {
    /// Takes down a new connection.
    pub fn new(
        id: ConnectionId,
        ends: &Ends,
        reply: Address<ToConnection<HttpCommand>>,
    ) -> Connection {
        let peer = address(&ends.peer);
        let server = address(&ends.local);
        Connection {
            id,
            reply,
            peer: peer.map(|(ip, _)| ip),
            peer_port: peer.map(|(_, port)| port),
            client_text: peer.map_or_else(String::new, |(ip, port)| format!("{ip}:{port}")),
            server_name: server
                .map_or_else(|| NAME_OF_NO_HOST.to_owned(), |(ip, _)| ip.to_string()),
            server_port: server.map(|(_, port)| port),
            secured: AtomicBool::new(false),
        }
    }

    /// Takes note that it is encrypted.
    pub fn secure(&self) {
        self.secured.store(true, Ordering::Relaxed);
    }

    /// True under TLS.
    pub fn is_secure(&self) -> bool {
        self.secured.load(Ordering::Relaxed)
    }

    /// Sends a command to the connection; one that has ended needs none. In traces it is the
    /// dispatch actor who sends it, whichever thread that is: so only with the GIL, or bars of its
    /// line would overlap.
    pub fn command(&self, command: HttpCommand) {
        let _ = self.reply.tell(ToConnection::Command(command));
    }
}

fn address(end: &End) -> Option<(IpAddr, u16)> {
    match end {
        End::Inet(address) => Some((address.ip(), address.port())),
        End::Unix(_) => None,
    }
}
