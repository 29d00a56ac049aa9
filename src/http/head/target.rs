//! The request target and the `Host` value (RFC 9112, section 3.2; RFC 3986, section 3.2.2).

use std::ops::Range;

/// Where in a target its path and query are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) path: Range<usize>,
    /// Empty when there is none.
    pub(super) query: Range<usize>,
    /// The host, and the port if there is one, of an absolute-form.
    pub(super) authority: Option<Range<usize>>,
}

/// Takes a target in origin-form, absolute-form or asterisk-form apart. `None` when it is none
/// of them. A fragment, which has no place there, is dropped.
pub(super) fn split(target: &[u8]) -> Option<Target> {
    if !target.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let end = memchr::memchr(b'#', target).unwrap_or(target.len());
    let target = target.get(..end)?;
    let start = match target {
        [b'/', ..] => 0,
        b"*" => {
            return Some(Target {
                path: 0..1,
                query: 1..1,
                authority: None,
            });
        }
        absolute => return split_absolute(absolute),
    };
    Some(split_query(target, start))
}

/// `scheme://authority[/path][?query]`.
fn split_absolute(target: &[u8]) -> Option<Target> {
    let colon = memchr::memchr(b':', target)?;
    let scheme = target.get(..colon)?;
    let behind = target.get(colon..)?.strip_prefix(b"://")?;
    if !is_scheme(scheme) {
        return None;
    }
    let authority_len = memchr::memchr2(b'/', b'?', behind).unwrap_or(behind.len());
    let authority = behind.get(..authority_len)?;
    if authority.is_empty() || !is_host(authority) {
        return None;
    }
    let authority_start = colon + 3;
    let start = authority_start + authority_len;
    let mut split = split_query(target, start);
    if target.get(start) != Some(&b'/') {
        // Without a path it is `/`; one of the scheme's slashes stands for it.
        split.path = colon + 1..colon + 2;
    }
    split.authority = Some(authority_start..start);
    Some(split)
}

/// The path begins at `start`.
fn split_query(target: &[u8], start: usize) -> Target {
    let end = target.len();
    let (path, query) = match memchr::memchr(b'?', target.get(start..).unwrap_or_default()) {
        Some(offset) => (start..start + offset, start + offset + 1..end),
        None => (start..end, end..end),
    };
    Target {
        path,
        query,
        authority: None,
    }
}

fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// True for `uri-host [":" port]`, which may be empty (RFC 9110, section 7.2).
pub(super) fn is_host(value: &[u8]) -> bool {
    let port = match value {
        [b'[', address @ ..] => {
            let Some(close) = memchr::memchr(b']', address) else {
                return false;
            };
            let (inside, behind) = address.split_at(close);
            if inside.is_empty() || !inside.iter().all(is_address_byte) {
                return false;
            }
            behind.get(1..).unwrap_or_default()
        }
        name => {
            let len = memchr::memchr(b':', name).unwrap_or(name.len());
            let (name, behind) = name.split_at(len);
            if !is_registered_name(name) {
                return false;
            }
            behind
        }
    };
    match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The inside of an IP literal: an IPv6 address, or a future one's `v1.x`.
fn is_address_byte(byte: &u8) -> bool {
    *byte == b':' || is_name_byte(*byte)
}

/// A reg-name or an IPv4 address: unreserved bytes, sub-delims and percent-encoded ones.
fn is_registered_name(name: &[u8]) -> bool {
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                behind
            }
            [byte, behind @ ..] if is_name_byte(*byte) => behind,
            _ => return false,
        };
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}
