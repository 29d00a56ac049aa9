//! What a listener must know to accept TLS, and what is known of a TLS connection once it stands.
//!
//! Which certificate is shown, to whom, and how, is decided by whoever starts the server, anew for
//! each connection: certificates may be replaced while it runs.

use std::sync::Arc;

use futures_rustls::pki_types::CertificateDer;
use futures_rustls::rustls::server::ClientHello;
use futures_rustls::rustls::{ServerConfig, ServerConnection};

/// Decides how a client is served, by what it says first.
pub trait TlsChooser: Send + Sync {
    /// Called once for each connection, on the thread that owns it; it must not block.
    fn choose(&self, hello: &ClientHello<'_>) -> TlsChoice;
}

/// How one client is served.
#[derive(Clone)]
pub struct TlsChoice {
    /// The configuration; it shows [`certificate`](Self::certificate) and no other.
    pub config: Arc<ServerConfig>,
    /// The server's own certificate.
    pub certificate: CertificateDer<'static>,
}

/// How TLS is accepted.
#[derive(Clone)]
pub struct TlsAcceptance {
    /// Who decides.
    pub chooser: Arc<dyn TlsChooser>,
    /// What is answered, in the clear, to a peer that sends text in place of a handshake.
    pub plaintext_answer: Arc<[u8]>,
}

/// A TLS connection that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// The protocol version's number, as 0x0304 for TLS 1.3.
    pub version: u16,
    /// The cipher suite's number, as 0x1301.
    pub cipher_suite: u16,
    /// What was agreed on by ALPN.
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The certificate that the client was shown.
    pub server_certificate: CertificateDer<'static>,
    /// What the client showed, verified, its own certificate first; empty: nothing.
    pub client_certificates: Vec<CertificateDer<'static>>,
}

impl TlsSession {
    /// What `connection` has agreed on.
    pub(crate) fn new(
        connection: &ServerConnection,
        server_certificate: CertificateDer<'static>,
    ) -> TlsSession {
        TlsSession {
            version: connection.protocol_version().map_or(0, u16::from),
            cipher_suite: connection
                .negotiated_cipher_suite()
                .map_or(0, |suite| u16::from(suite.suite())),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            server_name: connection.server_name().map(str::to_owned),
            server_certificate,
            client_certificates: connection
                .peer_certificates()
                .map(|chain| {
                    chain
                        .iter()
                        .cloned()
                        .map(CertificateDer::into_owned)
                        .collect()
                })
                .unwrap_or_default(),
        }
    }
}
