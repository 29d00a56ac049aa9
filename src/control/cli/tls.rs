//! From `--ssl-*` to [`TlsConfig`]. Files are not looked at here.

use std::time::Duration;

use super::arguments::Arguments;
use super::error::UsageError;
use super::values::{Int, Number, SECONDS_MAX};
use crate::config::{CertificateFiles, ClientCertificates, Secret, TlsConfig, TlsVersion};

/// uvicorn's default for `--ssl-ciphers` as a parameter in Python. It means whatever is there.
const ALL_CIPHERS: &str = "TLSv1";

/// What the options come to; `None`: no TLS.
pub fn resolve(given: &Arguments) -> Result<Option<TlsConfig>, UsageError> {
    // Empty paths are none, as with uvicorn.
    let paths = |paths: &[String]| -> Vec<String> {
        let named = paths.iter().filter(|path| !path.is_empty());
        named.cloned().collect()
    };
    let (certificates, keys) = (paths(&given.ssl_certfile), paths(&given.ssl_keyfile));
    let client_certificates = client_certificates(given)?;
    let (version_min, version_max) = versions(given)?;
    if certificates.is_empty() {
        let asked = client_certificates != ClientCertificates::None;
        return match useless(given, &keys, asked) {
            Some(name) => Err(needs_certificate(name)),
            None => Ok(None),
        };
    }
    let mut config = TlsConfig {
        certificates: pairs(certificates, keys)?,
        key_password: given.ssl_keyfile_password.clone().map(Secret),
        version_min,
        version_max,
        client_certificates,
        ca_certs: non_empty(given.ssl_ca_certs.as_ref()).map(Into::into),
        ciphers: non_empty(given.ssl_ciphers.as_ref()).filter(|list| list != ALL_CIPHERS),
        ..TlsConfig::default()
    };
    if client_certificates != ClientCertificates::None && config.ca_certs.is_none() {
        return Err(UsageError::new(
            "Option '--ssl-cert-reqs' above 0 needs '--ssl-ca-certs'.",
        ));
    }
    if let Some(timeout) = given.ssl_handshake_timeout {
        config.handshake_timeout = timeout.0;
    }
    if let Some(Number(seconds)) = given.ssl_reload_interval {
        config.reload_interval = interval(seconds)?;
    }
    Ok(Some(config))
}

fn non_empty(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// An option that without a certificate means nothing, and whose loss would be noticed too late.
fn useless(given: &Arguments, keys: &[String], asks_clients: bool) -> Option<&'static str> {
    let options = [
        (!keys.is_empty(), "--ssl-keyfile"),
        (
            non_empty(given.ssl_keyfile_password.as_ref()).is_some(),
            "--ssl-keyfile-password",
        ),
        (
            non_empty(given.ssl_ca_certs.as_ref()).is_some(),
            "--ssl-ca-certs",
        ),
        (asks_clients, "--ssl-cert-reqs"),
        (
            given.ssl_min_version > Some(TlsVersion::Tls12),
            "--ssl-min-version",
        ),
    ];
    let found = options.into_iter().find(|(is_given, _)| *is_given);
    found.map(|(_, name)| name)
}

fn needs_certificate(name: &str) -> UsageError {
    UsageError::new(format!("Option '{name}' needs '--ssl-certfile'."))
}

/// Certificates and keys, in their order: a key for each, or none at all.
fn pairs(
    certificates: Vec<String>,
    keys: Vec<String>,
) -> Result<Vec<CertificateFiles>, UsageError> {
    if !keys.is_empty() && keys.len() != certificates.len() {
        return Err(UsageError::new(format!(
            "There must be as many '--ssl-keyfile' as '--ssl-certfile', or none: there are {} and {}.",
            keys.len(),
            certificates.len()
        )));
    }
    let keys = keys.into_iter().map(Some).chain(std::iter::repeat(None));
    let both = certificates.into_iter().zip(keys);
    Ok(both
        .map(|(certificate, key)| CertificateFiles {
            certificate: certificate.into(),
            key: key.map(Into::into),
        })
        .collect())
}

/// `--ssl-version` says it with the numbers of Python's `ssl.PROTOCOL_*`.
fn versions(given: &Arguments) -> Result<(TlsVersion, TlsVersion), UsageError> {
    let invalid = |what: &str| Err(UsageError::invalid_value("--ssl-version", what));
    let (min, max) = match given.ssl_version.map(|Int(number)| number) {
        None | Some(2 | 17) => (TlsVersion::Tls12, TlsVersion::Tls13),
        Some(5) => (TlsVersion::Tls12, TlsVersion::Tls12),
        Some(number @ (0 | 1 | 3 | 4)) => {
            return invalid(&format!(
                "{number} is a protocol before TLS 1.2, and those are not safe. There are 17 (TLS \
                 1.2 and 1.3) and 5 (TLS 1.2)."
            ));
        }
        Some(16) => return invalid("16 is for clients. A server's is 17."),
        Some(number) => {
            return invalid(&format!("{number} is not a protocol of Python's ssl."));
        }
    };
    let min = given.ssl_min_version.unwrap_or(min);
    if min > max {
        return Err(UsageError::new(
            "Options '--ssl-min-version' and '--ssl-version' leave no version of TLS.",
        ));
    }
    Ok((min, max))
}

/// `--ssl-cert-reqs` says it with the numbers of Python's `ssl.CERT_*`.
fn client_certificates(given: &Arguments) -> Result<ClientCertificates, UsageError> {
    match given.ssl_cert_reqs.map(|Int(number)| number) {
        None | Some(0) => Ok(ClientCertificates::None),
        Some(1) => Ok(ClientCertificates::Optional),
        Some(2) => Ok(ClientCertificates::Required),
        Some(number) => Err(UsageError::invalid_value(
            "--ssl-cert-reqs",
            &format!("{number} is not one of 0 (none), 1 (optional), 2 (required)."),
        )),
    }
}

fn interval(seconds: f64) -> Result<Option<Duration>, UsageError> {
    if seconds == 0.0 {
        return Ok(None);
    }
    if !(0.01..=SECONDS_MAX as f64).contains(&seconds) {
        return Err(UsageError::invalid_value(
            "--ssl-reload-interval",
            &format!("{seconds} is neither 0 nor in the range 0.01<=x<={SECONDS_MAX}."),
        ));
    }
    Ok(Some(Duration::from_secs_f64(seconds)))
}
