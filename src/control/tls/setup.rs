//! Reads the files, and makes the library's configurations of them.

use std::path::Path;
use std::sync::Arc;

use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::client::verify_server_name;
use futures_rustls::rustls::crypto::{CryptoProvider, ring as provider};
use futures_rustls::rustls::server::{
    ClientHello, NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier,
    danger::ClientCertVerifier,
};
use futures_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use futures_rustls::rustls::version::{TLS12, TLS13};
use futures_rustls::rustls::{
    Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use ring::digest::{SHA256, digest};
use smolcorn_actors::tls::TlsChoice;

use super::ciphers;
use super::error::TlsError;
use super::keys;
use super::pem;
use super::tickets::{TicketSecret, Ticketer};
use crate::config::{CertificateFiles, ClientCertificates, TlsConfig, TlsVersion};

const CERTFILE: &str = "--ssl-certfile";
const KEYFILE: &str = "--ssl-keyfile";
const CA_CERTS: &str = "--ssl-ca-certs";

/// Everything that the files have led to.
pub struct Served {
    /// In the order of the options; never empty.
    identities: Vec<Identity>,
    /// The first of them, for whoever fits none.
    default: TlsChoice,
    /// What the operator should be told.
    pub warning: Option<String>,
}

/// A certificate with its key.
struct Identity {
    certified: Arc<CertifiedKey>,
    choice: TlsChoice,
}

impl Identity {
    /// True when the client can check this key's signatures, and offers a cipher suite for them.
    fn fits(&self, hello: &ClientHello<'_>) -> bool {
        let key = &self.certified.key;
        let suites = &self.choice.config.crypto_provider().cipher_suites;
        let is_usable = |suite: &&SupportedCipherSuite| {
            suite.usable_for_signature_algorithm(key.algorithm())
                && hello.cipher_suites().contains(&suite.suite())
        };
        key.choose_scheme(hello.signature_schemes()).is_some()
            && suites.iter().any(|suite| is_usable(&suite))
    }
}

impl Served {
    /// Reads all files.
    pub fn load(config: &TlsConfig, secret: &TicketSecret) -> Result<Served, TlsError> {
        let (mut provider, warning) = crypto(config)?;
        let versions = versions(config, &provider)?;
        let suites = &mut provider.cipher_suites;
        suites.retain(|suite| versions.contains(&suite.version()));
        let provider = Arc::new(provider);
        let clients = client_certificates(config, &provider)?;
        let ticketer = Arc::new(Ticketer::new(secret.clone(), &clients.context));
        let mut identities = Vec::new();
        for files in &config.certificates {
            let certified = Arc::new(certified_key(files, config.key_password(), &provider)?);
            let configured = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&versions)
                .map_err(|error| TlsError::Value {
                    option: "--ssl-version",
                    what: error.to_string(),
                })?;
            let configured = match &clients.verifier {
                Some(verifier) => configured.with_client_cert_verifier(Arc::clone(verifier)),
                None => configured.with_no_client_auth(),
            };
            let resolver = SingleCertAndKey::from(Arc::clone(&certified));
            let mut server = configured.with_cert_resolver(Arc::new(resolver));
            server.alpn_protocols = vec![b"http/1.1".to_vec()];
            server.ticketer = Arc::clone(&ticketer) as _;
            // Tickets are enough: they cost no memory, and hold in every process.
            server.session_storage = Arc::new(NoServerSessionStorage {});
            let certificate = certified
                .end_entity_cert()
                .map_err(|error| {
                    TlsError::unusable(CERTFILE, &files.certificate, error.to_string())
                })?
                .clone()
                .into_owned();
            let choice = TlsChoice {
                config: Arc::new(server),
                certificate,
            };
            identities.push(Identity { certified, choice });
        }
        let Some(default) = identities.first().map(|first| first.choice.clone()) else {
            return Err(TlsError::Value {
                option: CERTFILE,
                what: "there is no certificate".to_owned(),
            });
        };
        Ok(Served {
            identities,
            default,
            warning,
        })
    }

    /// The first certificate for the name that the client asks for, if it can check its
    /// signatures; else the first one.
    pub fn choose(&self, hello: &ClientHello<'_>) -> TlsChoice {
        let name = hello
            .server_name()
            .and_then(|name| ServerName::try_from(name).ok());
        let fits = |identity: &&Identity| identity.fits(hello);
        let is_named = |identity: &&Identity| {
            name.as_ref()
                .is_some_and(|name| is_for(&identity.choice.certificate, name))
        };
        let (mut named, mut others) = (None, None);
        if self.identities.len() > 1 {
            named = self.identities.iter().filter(fits).find(is_named);
            others = self.identities.iter().find(fits);
        }
        named
            .or(others)
            .map_or(&self.default, |identity| &identity.choice)
            .clone()
    }
}

fn is_for(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    ParsedCertificate::try_from(certificate)
        .is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

/// The library's algorithms, with the cipher suites that the operator wants.
fn crypto(config: &TlsConfig) -> Result<(CryptoProvider, Option<String>), TlsError> {
    let mut provider = provider::default_provider();
    let mut warning = None;
    if let Some(list) = &config.ciphers {
        let chosen = ciphers::choose(list, &provider.cipher_suites)?;
        warning = chosen.warning();
        provider.cipher_suites = chosen.suites;
    }
    Ok((provider, warning))
}

/// The versions that are wanted and for which there are suites.
fn versions(
    config: &TlsConfig,
    provider: &CryptoProvider,
) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let wanted: Vec<&'static SupportedProtocolVersion> =
        [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)]
            .into_iter()
            .filter(|(version, _)| (config.version_min..=config.version_max).contains(version))
            .map(|(_, version)| version)
            .filter(|version| {
                let suites = &provider.cipher_suites;
                suites.iter().any(|suite| suite.version() == *version)
            })
            .collect();
    if wanted.is_empty() {
        return Err(TlsError::Value {
            option: "--ssl-ciphers",
            what: "no suite is for a protocol version that is allowed".to_owned(),
        });
    }
    Ok(wanted)
}

fn certified_key(
    files: &CertificateFiles,
    password: Option<&str>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let path = &files.certificate;
    let text = read(CERTFILE, path)?;
    let chain = certificates(&text).map_err(|what| TlsError::unusable(CERTFILE, path, what))?;
    let (key_option, key_path, key_text) = match &files.key {
        Some(key) => (KEYFILE, key, read(KEYFILE, key)?),
        None => (CERTFILE, path, text),
    };
    let bad_key = |what: String| TlsError::unusable(key_option, key_path, what);
    let key = keys::private_key(&key_text, password).map_err(|what| match files.key {
        Some(_) => bad_key(what),
        None => bad_key(format!("{what}; --ssl-keyfile names another file for it")),
    })?;
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        bad_key("the private key in it is damaged, or of a kind that is not supported".to_owned())
    })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(bad_key(format!(
            "the private key in it does not belong to the certificate in '{}'",
            path.display()
        ))),
        Err(error) => Err(TlsError::unusable(CERTFILE, path, error.to_string())),
    }
}

fn read(option: &'static str, path: &Path) -> Result<String, TlsError> {
    let bytes = std::fs::read(path).map_err(|error| TlsError::Unreadable {
        option,
        path: path.to_owned(),
        error,
    })?;
    // Text around the sections may be in any encoding.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// All certificates of a PEM file.
fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut found = Vec::new();
    for section in pem::sections(text) {
        if matches!(section.label, "CERTIFICATE" | "X509 CERTIFICATE") {
            let der = section
                .bytes()
                .ok_or("a certificate in it is not valid PEM")?;
            found.push(CertificateDer::from(der));
        }
    }
    if found.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(found)
}

/// How clients' certificates are checked.
struct Clients {
    /// `None`: they are not asked for.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// What tickets depend on: a session that was begun under other rules is not resumed.
    context: Vec<u8>,
}

fn client_certificates(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Clients, TlsError> {
    // Read even if nobody is asked: a path that leads nowhere is a mistake.
    let cas = match &config.ca_certs {
        Some(path) => Some((path, roots(path)?)),
        None => None,
    };
    let (path, (store, text)) = match (config.client_certificates, cas) {
        (ClientCertificates::None, _) => {
            return Ok(Clients {
                verifier: None,
                context: Vec::new(),
            });
        }
        (_, Some(cas)) => cas,
        (_, None) => {
            return Err(TlsError::Value {
                option: "--ssl-cert-reqs",
                what: "client certificates need '--ssl-ca-certs'".to_owned(),
            });
        }
    };
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider));
    let (builder, kind) = match config.client_certificates {
        ClientCertificates::Optional => (builder.allow_unauthenticated(), 1),
        _ => (builder, 2),
    };
    let verifier = builder
        .build()
        .map_err(|error| TlsError::unusable(CA_CERTS, path, error.to_string()))?;
    let mut context = vec![kind];
    context.extend_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    Ok(Clients {
        verifier: Some(verifier),
        context,
    })
}

fn roots(path: &Path) -> Result<(RootCertStore, String), TlsError> {
    let text = read(CA_CERTS, path)?;
    let found = certificates(&text).map_err(|what| TlsError::unusable(CA_CERTS, path, what))?;
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(found);
    if added == 0 {
        let what = "no certificate in it can be used as a CA";
        return Err(TlsError::unusable(CA_CERTS, path, what));
    }
    Ok((store, text))
}
