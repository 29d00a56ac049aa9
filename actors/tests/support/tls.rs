//! TLS for tests: one certificate, and a client of the same library on a blocking socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::server::ClientHello;
use futures_rustls::rustls::version::{TLS12, TLS13};
use futures_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
    SupportedProtocolVersion,
};
use smolcorn_actors::limits::Limits;
use smolcorn_actors::tls::{TlsAcceptance, TlsChoice, TlsChooser};

use super::{Answer, Kind, PATIENCE, Peer, Server, tcp_listener};

pub const PLAINTEXT_ANSWER: &[u8] = b"speak TLS\n";

pub fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(include_bytes!("../../../tests/tls/localhost.pem")).unwrap()
}

struct One(TlsChoice);

impl TlsChooser for One {
    fn choose(&self, _: &ClientHello<'_>) -> TlsChoice {
        self.0.clone()
    }
}

fn acceptance() -> TlsAcceptance {
    let key =
        PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/tls/localhost.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .unwrap();
    TlsAcceptance {
        chooser: Arc::new(One(TlsChoice {
            config: Arc::new(config),
            certificate: certificate(),
        })),
        plaintext_answer: PLAINTEXT_ANSWER.into(),
    }
}

/// A server of lines under TLS.
pub fn server(kind: Kind, limits: Limits, answer: Answer) -> Server {
    let (socket, address) = tcp_listener();
    let tls = Some(acceptance());
    Server::secured(kind, vec![socket], address, limits, answer, tls)
}

pub type Client = StreamOwned<ClientConnection, TcpStream>;

pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A client, whose handshake is done, and the server's side of it.
pub fn connect(server: &Server, version: &'static SupportedProtocolVersion) -> (Client, Peer) {
    let (socket, peer) = server.connect();
    let mut client = client(socket, version);
    client.conn.complete_io(&mut client.sock).unwrap();
    (client, peer)
}

/// A client that has said nothing.
pub fn client(socket: TcpStream, version: &'static SupportedProtocolVersion) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(
        ClientConnection::new(Arc::new(config), name).unwrap(),
        socket,
    )
}

/// Reads exactly as many bytes as `expected` has, and compares.
pub fn expect(client: &mut Client, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        String::from_utf8_lossy(expected)
    );
}

/// Reads up to the server's `close_notify`; an end without one is an error.
pub fn read_to_end(client: &mut Client) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn say(client: &mut Client, line: &[u8]) {
    client.write_all(line).unwrap();
    client.flush().unwrap();
}
