//! Percent-encoding of request paths, in both directions, as the scope and the access log need it.
//!
//! The rules are those of Python's `urllib.parse.unquote` and `quote`, because applications and
//! log readers compare what they get with these. Query strings are never decoded here.

use std::borrow::Cow;

const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Which bytes `quote` leaves as they are: letters, digits and `_.-~/`.
const UNQUOTED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        table[byte] =
            value.is_ascii_alphanumeric() || matches!(value, b'_' | b'.' | b'-' | b'~' | b'/');
        byte += 1;
    }
    table
};

/// Decodes a raw path (the bytes of the wire) into the text of the scope's `path`.
///
/// `%41` is a byte, what is not two hexadecimal digits after a `%` stays as it is, `+` is no
/// blank, and what is not UTF-8 becomes U+FFFD, one for each maximal invalid part (Unicode,
/// section 3.9, as CPython's `decode("utf-8", "replace")` does). Borrows when nothing changes.
pub fn decode_path(raw: &[u8]) -> Cow<'_, str> {
    match decode_bytes(raw) {
        Cow::Borrowed(plain) => String::from_utf8_lossy(plain),
        Cow::Owned(decoded) => Cow::Owned(match String::from_utf8(decoded) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

/// Decodes a raw path into the bytes that it stands for. Borrows when nothing changes.
pub fn decode_bytes(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', raw) else {
        return Cow::Borrowed(raw);
    };
    let (plain, mut rest) = raw.split_at(first);
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend_from_slice(plain);
    while let [byte, tail @ ..] = rest {
        rest = match (byte, escaped(tail)) {
            (b'%', Some((value, after))) => {
                decoded.push(value);
                after
            }
            _ => {
                decoded.push(*byte);
                tail
            }
        };
    }
    Cow::Owned(decoded)
}

/// The byte that two hexadecimal digits at the start of `text` mean, and what follows them.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, after @ ..] = text else {
        return None;
    };
    Some((hex_value(*high)? << 4 | hex_value(*low)?, after))
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends `path`, percent-encoded as `urllib.parse.quote(path)` does: only letters, digits and
/// `_.-~/` stay, every other byte of the UTF-8 form becomes `%XX` with upper-case digits.
pub fn quote_path(path: &str, out: &mut Vec<u8>) {
    quote_bytes(path.as_bytes(), |byte| UNQUOTED[usize::from(byte)], out);
}

/// Appends `quote(decode_path(raw))`: what the access log shows of a path on the wire.
pub fn requote_path(raw: &[u8], out: &mut Vec<u8>) {
    if raw.iter().all(|byte| UNQUOTED[usize::from(*byte)]) {
        // Most paths: nothing to decode and nothing to encode.
        out.extend_from_slice(raw);
    } else {
        quote_path(&decode_path(raw), out);
    }
}

/// Appends `bytes`, with those that `plain` denies as `%XX`.
pub(crate) fn quote_bytes(bytes: &[u8], plain: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    for &byte in bytes {
        if plain(byte) {
            out.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'%', UPPER_HEX[high], UPPER_HEX[low]]);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(path: &str) -> String {
        let mut out = Vec::new();
        quote_path(path, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn requoted(raw: &[u8]) -> String {
        let mut out = Vec::new();
        requote_path(raw, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_paths_are_borrowed() {
        assert!(matches!(decode_path(b"/a/b+c"), Cow::Borrowed("/a/b+c")));
    }

    #[test]
    fn escapes_decode_in_either_case() {
        assert_eq!(decode_path(b"/a%2Fb%2fc%20d"), "/a/b/c d");
        assert_eq!(decode_path(b"%C3%A9%c3%a9"), "\u{e9}\u{e9}");
    }

    #[test]
    fn an_escape_is_decoded_once() {
        assert_eq!(decode_path(b"/%2541"), "/%41");
        assert_eq!(decode_path(b"/%%341"), "/%41");
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decode_path(b"/%zz%4"), "/%zz%4");
        assert_eq!(decode_path(b"/%"), "/%");
        assert_eq!(decode_path(b"/%+1%-1"), "/%+1%-1");
    }

    /// Number of U+FFFD for each maximal invalid part, as CPython 3.13 answers.
    #[test]
    fn invalid_utf8_is_replaced_as_cpython_does() {
        for (raw, text) in [
            (&b"%FF"[..], "\u{fffd}"),
            (b"%C3", "\u{fffd}"),
            (b"%E2%82", "\u{fffd}"),
            (b"%E2%82x", "\u{fffd}x"),
            (b"%ED%A0%80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"%F0%9F%98", "\u{fffd}"),
            (b"%F0%80%80%80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"%F4%90%80%80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"%C0%AF", "\u{fffd}\u{fffd}"),
            (b"%E0%9F%BF", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"%F0%9F%98%F0%9F%98%80", "\u{fffd}\u{1f600}"),
        ] {
            assert_eq!(decode_path(raw), text, "{}", raw.escape_ascii());
        }
        assert_eq!(decode_path(b"/\xff"), "/\u{fffd}");
    }

    #[test]
    fn quote_keeps_only_the_unreserved_and_slashes() {
        assert_eq!(quoted("/x;a=b"), "/x%3Ba%3Db");
        assert_eq!(quoted("/\u{e9} ~\"\u{fffd}"), "/%C3%A9%20~%22%EF%BF%BD");
        assert_eq!(quoted("/aZ09_.-~/"), "/aZ09_.-~/");
        assert_eq!(quoted("%+\u{7f}\n"), "%25%2B%7F%0A");
    }

    #[test]
    fn requoting_is_normalising() {
        assert_eq!(requoted(b"/plain/path"), "/plain/path");
        assert_eq!(requoted(b"/%41%2f;%zz"), "/A/%3B%25zz");
        assert_eq!(requoted(b"/%ff"), "/%EF%BF%BD");
    }

    proptest! {
        #[test]
        fn quoting_survives_decoding(path in any::<String>()) {
            let text = quoted(&path);
            prop_assert!(text.bytes().all(|b| b == b'%' || UNQUOTED[usize::from(b)]));
            prop_assert_eq!(decode_path(text.as_bytes()), path);
        }

        #[test]
        fn decoding_equals_the_rule_byte_by_byte(raw in proptest::collection::vec(
            prop_oneof![Just(b'%'), Just(b'4'), Just(b'C'), Just(b'g'), any::<u8>()], 0..40)
        ) {
            let mut expected = Vec::new();
            let mut at = 0;
            while at < raw.len() {
                let digits = raw.get(at + 1..at + 3).filter(|_| raw[at] == b'%')
                    .filter(|two| two.iter().all(u8::is_ascii_hexdigit))
                    .and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
                expected.push(digits.unwrap_or(raw[at]));
                at += if digits.is_some() { 3 } else { 1 };
            }
            prop_assert_eq!(decode_path(&raw), String::from_utf8_lossy(&expected));
        }

        #[test]
        fn requoting_is_quoting_what_was_decoded(raw in any::<Vec<u8>>()) {
            prop_assert_eq!(requoted(&raw), quoted(&decode_path(&raw)));
        }
    }
}
