//! Against the library's own client, without sockets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::client::Resumption;
use futures_rustls::rustls::crypto::ring as provider;
use futures_rustls::rustls::server::Acceptor;
use futures_rustls::rustls::version::{TLS12, TLS13};
use futures_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
};
use smolcorn_actors::tls::TlsChooser;

use super::*;
use crate::config::{CertificateFiles, ClientCertificates, Secret, TlsVersion};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/tls");

fn file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

fn pair(certificate: &str, key: &str) -> CertificateFiles {
    CertificateFiles {
        certificate: file(certificate),
        key: Some(file(key)),
    }
}

fn config(pairs: &[(&str, &str)]) -> TlsConfig {
    TlsConfig {
        certificates: pairs.iter().map(|(c, k)| pair(c, k)).collect(),
        ..TlsConfig::default()
    }
}

fn server(config: &TlsConfig) -> TlsServer {
    TlsServer::load(config, None).unwrap()
}

/// What `load` complains of.
fn complaint(config: &TlsConfig) -> String {
    let found = TlsServer::load(config, None).map(|_| ());
    found.unwrap_err().to_string()
}

/// A client that trusts every certificate of the folder.
fn client(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for name in ["localhost.pem", "other.pem", "rsa.pem", "ed25519.pem"] {
        roots.add(certificate(name)).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8);
    config
}

fn certificate(name: &str) -> futures_rustls::pki_types::CertificateDer<'static> {
    let text = fs::read_to_string(file(name)).unwrap();
    pem::sections(&text)[0].bytes().unwrap().into()
}

/// What a handshake came to.
#[derive(Debug)]
struct Met {
    /// The certificate that the server says it has shown.
    chosen: Vec<u8>,
    /// The one that the client has seen.
    seen: Vec<u8>,
    kind: HandshakeKind,
    version: u16,
    suite: u16,
    alpn: Option<Vec<u8>>,
}

/// Does a handshake in memory, and hands the tickets over.
fn meet(server: &TlsServer, client: &Arc<ClientConfig>, name: &str) -> Result<Met, String> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut hello.as_slice()).unwrap();
    let accepted = acceptor.accept().unwrap().unwrap();
    let choice = server.choose(&accepted.client_hello());
    let mut ours: ServerConnection = accepted
        .into_connection(choice.config)
        .map_err(|(error, _)| error.to_string())?;
    loop {
        let (mut down, mut up) = (Vec::new(), Vec::new());
        while ours.wants_write() {
            ours.write_tls(&mut down).unwrap();
        }
        let mut rest = down.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client
                .process_new_packets()
                .map_err(|error| error.to_string())?;
        }
        while client.wants_write() {
            client.write_tls(&mut up).unwrap();
        }
        if down.is_empty() && up.is_empty() {
            break;
        }
        let mut rest = up.as_slice();
        while !rest.is_empty() {
            ours.read_tls(&mut rest).unwrap();
            ours.process_new_packets()
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(Met {
        chosen: choice.certificate.to_vec(),
        seen: client.peer_certificates().unwrap()[0].to_vec(),
        kind: client.handshake_kind().unwrap(),
        version: u16::from(client.protocol_version().unwrap()),
        suite: u16::from(client.negotiated_cipher_suite().unwrap().suite()),
        alpn: ours.alpn_protocol().map(<[u8]>::to_vec),
    })
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

fn any_client() -> Arc<ClientConfig> {
    Arc::new(client(BOTH))
}

// --- keys --------------------------------------------------------------------------------------

#[test]
fn keys_of_every_kind() {
    for (certificate, key) in [
        ("localhost.pem", "localhost.key"),
        ("localhost.pem", "sec1.key"),
        ("rsa.pem", "rsa.key"),
        ("rsa.pem", "pkcs1.key"),
        ("ed25519.pem", "ed25519.key"),
    ] {
        let server = server(&config(&[(certificate, key)]));
        let met = meet(&server, &any_client(), "localhost").unwrap();
        assert_eq!(
            met.seen,
            super::tests::certificate(certificate).to_vec(),
            "{key}"
        );
    }
}

#[test]
fn encrypted_keys_of_every_kind() {
    for (certificate, key) in [
        ("localhost.pem", "pkcs8-aes256.key"),
        ("localhost.pem", "pkcs8-aes128-sha1.key"),
        ("localhost.pem", "pkcs8-des3.key"),
        ("localhost.pem", "pkcs8-scrypt.key"),
        ("localhost.pem", "sec1-aes128.key"),
        ("localhost.pem", "sec1-aes192.key"),
        ("localhost.pem", "sec1-aes256.key"),
        ("localhost.pem", "sec1-des3.key"),
        ("rsa.pem", "pkcs1-aes256.key"),
        ("rsa.pem", "pkcs1-des.key"),
    ] {
        let with = |password: Option<&str>| TlsConfig {
            key_password: password.map(|text| Secret(text.to_owned())),
            ..config(&[(certificate, key)])
        };
        assert!(meet(&server(&with(Some("secret"))), &any_client(), "localhost").is_ok());
        assert_eq!(
            complaint(&with(None)),
            format!(
                "--ssl-keyfile: '{}': the private key in it is encrypted, and there is no \
                 '--ssl-keyfile-password'",
                file(key).display()
            )
        );
        assert_eq!(
            complaint(&with(Some("wrong"))),
            format!(
                "--ssl-keyfile: '{}': the private key in it cannot be decrypted: is the password \
                 wrong?",
                file(key).display()
            )
        );
    }
}

#[test]
fn an_encryption_that_is_not_supported_is_named() {
    let config = TlsConfig {
        key_password: Some(Secret("secret".to_owned())),
        ..config(&[("localhost.pem", "pkcs8-pbes1.key")])
    };
    let said = complaint(&config);
    assert!(
        said.contains("is encrypted in a way that is not supported ("),
        "{said}"
    );
}

#[test]
fn a_password_for_a_key_that_needs_none_does_no_harm() {
    let config = TlsConfig {
        key_password: Some(Secret("secret".to_owned())),
        ..config(&[("localhost.pem", "localhost.key")])
    };
    assert!(meet(&server(&config), &any_client(), "localhost").is_ok());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    assert_eq!(
        complaint(&config(&[("localhost.pem", "rsa.key")])),
        format!(
            "--ssl-keyfile: '{}': the private key in it does not belong to the certificate in '{}'",
            file("rsa.key").display(),
            file("localhost.pem").display()
        )
    );
}

// --- choice ------------------------------------------------------------------------------------

#[test]
fn the_certificate_that_is_said_is_the_one_that_is_shown() {
    let server = server(&config(&[
        ("localhost.pem", "localhost.key"),
        ("other.pem", "other.key"),
        ("rsa.pem", "rsa.key"),
    ]));
    for (name, expected) in [
        ("localhost", "localhost.pem"),
        ("other.test", "other.pem"),
        ("a.wild.test", "other.pem"),
    ] {
        let met = meet(&server, &any_client(), name).unwrap();
        assert_eq!(met.seen, certificate(expected).to_vec(), "{name}");
        assert_eq!(met.chosen, met.seen);
    }
}

#[test]
fn a_client_that_can_check_rsa_alone_gets_rsa() {
    let server = server(&config(&[
        ("localhost.pem", "localhost.key"),
        ("rsa.pem", "rsa.key"),
    ]));
    let mut algorithms = provider::default_provider();
    algorithms
        .cipher_suites
        .retain(|suite| format!("{:?}", suite.suite()).contains("ECDHE_RSA"));
    let mut roots = RootCertStore::empty();
    roots.add(certificate("rsa.pem")).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(algorithms))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let met = meet(&server, &Arc::new(client), "localhost").unwrap();
    assert_eq!(met.seen, certificate("rsa.pem").to_vec());
}

#[test]
fn versions_and_suites_are_those_that_were_asked_for() {
    let plain = config(&[("localhost.pem", "localhost.key")]);
    let old = TlsConfig {
        version_max: TlsVersion::Tls12,
        ..plain.clone()
    };
    assert_eq!(
        meet(&server(&old), &any_client(), "localhost")
            .unwrap()
            .version,
        0x303
    );
    assert!(meet(&server(&old), &Arc::new(client(&[&TLS13])), "localhost").is_err());
    let new = TlsConfig {
        version_min: TlsVersion::Tls13,
        ..plain.clone()
    };
    assert_eq!(
        meet(&server(&new), &any_client(), "localhost")
            .unwrap()
            .version,
        0x304
    );
    assert!(meet(&server(&new), &Arc::new(client(&[&TLS12])), "localhost").is_err());
    let chosen = TlsConfig {
        ciphers: Some("TLS_CHACHA20_POLY1305_SHA256".to_owned()),
        ..plain.clone()
    };
    let met = meet(&server(&chosen), &any_client(), "localhost").unwrap();
    assert_eq!((met.version, met.suite), (0x304, 0x1303));
    let none = TlsConfig {
        ciphers: Some("TLS_CHACHA20_POLY1305_SHA256".to_owned()),
        version_max: TlsVersion::Tls12,
        ..plain
    };
    assert_eq!(
        complaint(&none),
        "--ssl-ciphers: no suite is for a protocol version that is allowed"
    );
}

#[test]
fn http_1_is_agreed_on_with_whoever_offers_it() {
    let server = server(&config(&[("localhost.pem", "localhost.key")]));
    assert_eq!(
        meet(&server, &any_client(), "localhost").unwrap().alpn,
        None
    );
    let mut offers = client(BOTH);
    offers.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let met = meet(&server, &Arc::new(offers), "localhost").unwrap();
    assert_eq!(met.alpn.as_deref(), Some(&b"http/1.1"[..]));
}

// --- tickets -----------------------------------------------------------------------------------

#[test]
fn sessions_are_resumed_by_every_server_with_the_same_secret() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let plain = config(&[("localhost.pem", "localhost.key")]);
        let first = server(&plain);
        let secret = Some(TicketSecret::from_bytes(
            &first.ticket_secret().to_inherit(),
        ));
        let second = TlsServer::load(&plain, secret).unwrap();
        let stranger = server(&plain);
        let client = Arc::new(client(versions));
        let kind = |server: &TlsServer| meet(server, &client, "localhost").unwrap().kind;
        assert_eq!(kind(&first), HandshakeKind::Full);
        assert_eq!(kind(&first), HandshakeKind::Resumed);
        assert_eq!(kind(&second), HandshakeKind::Resumed);
        assert_eq!(kind(&first), HandshakeKind::Resumed);
        assert_eq!(kind(&stranger), HandshakeKind::Full);
    }
}

#[test]
fn a_session_is_not_resumed_under_other_rules_for_clients() {
    let plain = config(&[("localhost.pem", "localhost.key")]);
    let asking = |authority: &str| TlsConfig {
        client_certificates: ClientCertificates::Optional,
        ca_certs: Some(file(authority)),
        ..plain.clone()
    };
    let first = server(&asking("rsa.pem"));
    let secret = || {
        Some(TicketSecret::from_bytes(
            &first.ticket_secret().to_inherit(),
        ))
    };
    let other = TlsServer::load(&asking("other.pem"), secret()).unwrap();
    let same = TlsServer::load(&asking("rsa.pem"), secret()).unwrap();
    let client = any_client();
    let kind = |server: &TlsServer| meet(server, &client, "localhost").unwrap().kind;
    assert_eq!(kind(&first), HandshakeKind::Full);
    assert_eq!(kind(&same), HandshakeKind::Resumed);
    assert_eq!(kind(&other), HandshakeKind::Full);
}

// --- reload ------------------------------------------------------------------------------------

#[test]
fn reload_is_all_or_nothing() {
    let folder = std::env::temp_dir().join(format!("smolcorn-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (certfile, keyfile) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::copy(file("localhost.pem"), &certfile).unwrap();
    fs::copy(file("localhost.key"), &keyfile).unwrap();
    let server = server(&TlsConfig {
        certificates: vec![CertificateFiles {
            certificate: certfile.clone(),
            key: Some(keyfile.clone()),
        }],
        ..TlsConfig::default()
    });
    let seen = || meet(&server, &any_client(), "localhost").unwrap().seen;
    let old = certificate("localhost.pem").to_vec();
    assert!(!server.has_changed());
    fs::copy(file("rsa.pem"), &certfile).unwrap();
    assert!(!server.has_changed());
    assert!(server.has_changed());
    assert!(server.reload().is_err());
    assert_eq!(seen(), old);
    assert!(!server.has_changed());
    fs::copy(file("rsa.key"), &keyfile).unwrap();
    server.reload().unwrap();
    assert_eq!(seen(), certificate("rsa.pem").to_vec());
    assert!(!server.has_changed());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn another_configuration_is_all_or_nothing_too() {
    let of = |name: &str| TlsConfig {
        certificates: vec![CertificateFiles {
            certificate: file(&format!("{name}.pem")),
            key: Some(file(&format!("{name}.key"))),
        }],
        ..TlsConfig::default()
    };
    let server = server(&of("localhost"));
    let seen = || meet(&server, &any_client(), "localhost").unwrap().seen;
    assert!(server.reconfigure(&of("no-such")).is_err());
    assert_eq!(server.config().certificates, of("localhost").certificates);
    server.reconfigure(&of("rsa")).unwrap();
    assert_eq!(seen(), certificate("rsa.pem").to_vec());
    server.reload().unwrap();
    assert_eq!(seen(), certificate("rsa.pem").to_vec());
    assert!(!server.has_changed());
}

#[test]
fn the_answer_in_the_clear_has_the_length_that_it_says() {
    let text = std::str::from_utf8(PLAINTEXT_ANSWER).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())));
}
