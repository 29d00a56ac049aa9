//! PEM (RFC 7468, and RFC 1421 for the headers of old encrypted keys): sections of a file, and a
//! certificate as text.

use futures_rustls::pki_types::PrivatePkcs8KeyDer;
use futures_rustls::pki_types::pem::PemObject;

/// One section of a PEM file.
#[derive(Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// What stands behind `BEGIN`, as `CERTIFICATE`.
    pub label: &'a str,
    /// The header lines, `name: value`.
    pub headers: Vec<(&'a str, &'a str)>,
    /// Base64, with its line ends.
    body: &'a str,
}

impl Section<'_> {
    /// The bytes; `None` if they are not base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        // The library decodes only labels that it knows; which one it is makes no difference.
        let text = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            self.body.trim()
        );
        let decoded = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).ok()?;
        Some(decoded.secret_pkcs8_der().to_vec())
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }
}

/// The sections of `text`, in order. What is between them is left out, and so is a section without
/// an end.
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((label, after)) = after.split_once("-----") else {
            break;
        };
        let end = format!("-----END {label}-----");
        let Some((inside, after)) = after.split_once(end.as_str()) else {
            rest = after;
            continue;
        };
        found.push(section(label, inside));
        rest = after;
    }
    found
}

fn section<'a>(label: &'a str, inside: &'a str) -> Section<'a> {
    let mut headers = Vec::new();
    let mut body = inside.trim_start();
    while let Some((line, after)) = body.split_once('\n') {
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.trim(), value.trim()));
        body = after;
    }
    Section {
        label,
        headers,
        body,
    }
}

/// A certificate as PEM, with a newline at its end.
pub fn certificate(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let byte = |at: usize| group.get(at).copied().map_or(0, u32::from);
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for at in 0..4 {
                let digit = (bits >> (18 - 6 * at) & 63) as usize;
                text.push(match ALPHABET.get(digit) {
                    Some(letter) if at <= group.len() => char::from(*letter),
                    _ => '=',
                });
            }
        }
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_between_other_text() {
        let text = "Subject: x\n-----BEGIN A B-----\naGVs\nbG8=\n-----END A B-----\n\
                    text\r\n-----BEGIN C-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: X,00\r\n\r\n\
                    aGk=\r\n-----END C-----\r\n-----BEGIN D-----\nno end";
        let found = sections(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].label, "A B");
        assert_eq!(found[0].bytes().unwrap(), b"hello");
        assert_eq!(found[1].header("Proc-Type"), Some("4,ENCRYPTED"));
        assert_eq!(found[1].header("DEK-Info"), Some("X,00"));
        assert_eq!(found[1].header("X"), None);
        assert_eq!(found[1].bytes().unwrap(), b"hi");
    }

    #[test]
    fn what_is_not_base64_has_no_bytes() {
        let found = sections("-----BEGIN A-----\n!!\n-----END A-----\n");
        assert_eq!(found[0].bytes(), None);
    }

    #[test]
    fn a_certificate_as_text_comes_back() {
        for len in [0, 1, 2, 3, 47, 48, 49, 100] {
            let der: Vec<u8> = (0..len).map(|n| (n * 7) as u8).collect();
            let text = certificate(&der);
            assert!(text.lines().all(|line| line.len() <= 64));
            if len > 0 {
                assert_eq!(sections(&text)[0].bytes().unwrap(), der, "{len}");
            }
        }
    }
}
