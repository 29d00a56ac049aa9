//! A certificate's subject as one string (RFC 4514).

use std::fmt::Write;

use futures_rustls::pki_types::CertificateDer;
use futures_rustls::rustls::RootCertStore;

use super::der::{Element, OBJECT_ID, Reader, SEQUENCE, SET};

const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// The short names of RFC 4514, section 3, by the contents of their object identifier.
const SHORT_NAMES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 9], "STREET"),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
        "DC",
    ),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1],
        "UID",
    ),
];

/// The subject of a certificate; `None` when it cannot be read.
pub fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    // The library shows the subjects of trust anchors, and of nothing else.
    let mut store = RootCertStore::empty();
    store.add(certificate.clone().into_owned()).ok()?;
    let anchor = store.roots.first()?;
    distinguished_name(&anchor.subject)
}

/// A `RDNSequence`, given as the contents of its outer sequence. The last relative name comes
/// first.
fn distinguished_name(contents: &[u8]) -> Option<String> {
    let mut relative = Reader::new(contents)
        .map(relative_name)
        .collect::<Option<Vec<String>>>()?;
    relative.reverse();
    Some(relative.join(","))
}

fn relative_name(set: Element<'_>) -> Option<String> {
    if set.tag != SET {
        return None;
    }
    let attributes = Reader::new(set.contents)
        .map(attribute)
        .collect::<Option<Vec<String>>>()?;
    Some(attributes.join("+"))
}

fn attribute(sequence: Element<'_>) -> Option<String> {
    if sequence.tag != SEQUENCE {
        return None;
    }
    let (kind, rest) = Reader::new(sequence.contents).read(OBJECT_ID)?;
    let value = Reader::new(rest).next()?;
    let short = SHORT_NAMES.iter().find(|(id, _)| *id == kind);
    match (short, text(value)) {
        (Some((_, name)), Some(text)) => Some(format!("{name}={}", escaped(&text))),
        // Section 2.4: what has no short name is shown by numbers and as its encoding.
        (short, _) => {
            let name = match short {
                Some((_, name)) => (*name).to_owned(),
                None => dotted(kind)?,
            };
            let mut line = format!("{name}=#");
            for byte in value.whole {
                let _ = write!(line, "{byte:02x}");
            }
            Some(line)
        }
    }
}

fn text(value: Element<'_>) -> Option<String> {
    let contents = value.contents;
    match value.tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING => String::from_utf8(contents.to_vec()).ok(),
        TELETEX_STRING => Some(contents.iter().copied().map(char::from).collect()),
        BMP_STRING => {
            let units = contents
                .chunks(2)
                .map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
                .collect::<Option<Vec<u16>>>()?;
            String::from_utf16(&units).ok()
        }
        UNIVERSAL_STRING => contents
            .chunks(4)
            .map(|four| char::from_u32(u32::from_be_bytes(four.try_into().ok()?)))
            .collect(),
        _ => None,
    }
}

/// Section 2.4.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '#' if at == 0 => out.push_str("\\#"),
            '\0' => out.push_str("\\00"),
            c => out.push(c),
        }
    }
    out
}

/// An object identifier as its numbers with dots between them.
fn dotted(id: &[u8]) -> Option<String> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number: u64 = 0;
    for byte in id {
        number = number.checked_mul(128)? + u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let (first, rest) = numbers.split_first()?;
    let top = (*first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for number in rest {
        let _ = write!(text, ".{number}");
    }
    Some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, u8::try_from(contents.len()).unwrap()];
        bytes.extend_from_slice(contents);
        bytes
    }

    fn relative(attributes: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let mut inside = Vec::new();
        for (kind, tag, value) in attributes {
            let mut pair = element(OBJECT_ID, kind);
            pair.extend(element(*tag, value));
            inside.extend(element(SEQUENCE, &pair));
        }
        element(SET, &inside)
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];
    const DC: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25];
    const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

    fn name(relatives: &[Vec<u8>]) -> Option<String> {
        distinguished_name(&relatives.concat())
    }

    #[test]
    fn the_examples_of_rfc_4514() {
        let net = relative(&[(DC, IA5_STRING, b"net")]);
        let example = relative(&[(DC, IA5_STRING, b"example")]);
        let jim = relative(&[(CN, UTF8_STRING, b"James \"Jim\" Smith, III")]);
        assert_eq!(
            name(&[net.clone(), example.clone(), jim]).unwrap(),
            "CN=James \\\"Jim\\\" Smith\\, III,DC=example,DC=net"
        );
        let two = relative(&[
            (&[0x55, 4, 11], UTF8_STRING, b"Sales"),
            (CN, UTF8_STRING, b"J.  Smith"),
        ]);
        assert_eq!(
            name(&[net, example, two]).unwrap(),
            "OU=Sales+CN=J.  Smith,DC=example,DC=net"
        );
    }

    #[test]
    fn what_has_no_short_name_is_shown_by_numbers() {
        let mail = relative(&[(EMAIL, IA5_STRING, b"a@b")]);
        assert_eq!(name(&[mail]).unwrap(), "1.2.840.113549.1.9.1=#1603614062");
    }

    #[test]
    fn odd_characters_are_escaped_and_other_strings_are_read() {
        let odd = relative(&[(CN, UTF8_STRING, b" #a;\\ ")]);
        assert_eq!(name(&[odd]).unwrap(), "CN=\\ #a\\;\\\\\\ ");
        let hash = relative(&[(CN, UTF8_STRING, "#\u{e9}".as_bytes())]);
        assert_eq!(name(&[hash]).unwrap(), "CN=\\#\u{e9}");
        let wide = relative(&[(O, BMP_STRING, &[0, b'a', 0x20, 0xac])]);
        assert_eq!(name(&[wide]).unwrap(), "O=a\u{20ac}");
        let latin = relative(&[(O, TELETEX_STRING, &[0xe9])]);
        assert_eq!(name(&[latin]).unwrap(), "O=\u{e9}");
    }

    #[test]
    fn what_is_no_name_is_none() {
        assert_eq!(name(&[vec![1, 1, 3]]), None);
        assert_eq!(name(&[element(SEQUENCE, &[])]), None);
        assert_eq!(name(&[]).unwrap(), "");
    }
}
