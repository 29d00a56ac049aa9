//! Proxy headers: who the client is, and over which scheme it came, by the word of a trusted peer.
//!
//! Reads `x-forwarded-for` and `x-forwarded-proto` and nothing else; `server`, `host` and the
//! root path never change. It decides about one request at a time and keeps no state.

mod trust;

use std::net::IpAddr;

pub use trust::TrustList;

use crate::percent;

const FORWARDED_FOR: &[u8] = b"x-forwarded-for";
const FORWARDED_PROTO: &[u8] = b"x-forwarded-proto";

/// The schemes that `x-forwarded-proto` may name, as the scope spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ws`
    Ws,
    /// `wss`
    Wss,
}

impl Scheme {
    /// As the ASGI scope says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
        }
    }

    /// The scheme for the scope of a WebSocket: proxies often say `https` where they mean `wss`.
    /// An http scope takes the scheme as it is.
    pub const fn for_websocket(self) -> Scheme {
        match self {
            Scheme::Http => Scheme::Ws,
            Scheme::Https => Scheme::Wss,
            scheme => scheme,
        }
    }

    /// Exact and case-sensitive, but for blanks around it.
    fn parse(value: &[u8]) -> Option<Scheme> {
        match strip(value) {
            b"http" => Some(Scheme::Http),
            b"https" => Some(Scheme::Https),
            b"ws" => Some(Scheme::Ws),
            b"wss" => Some(Scheme::Wss),
            _ => None,
        }
    }
}

/// What a trusted peer says about a request. `None`: nothing, the connection's own values hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Replaces the scope's `client`: host (never empty) and port (0: unknown).
    pub client: Option<(String, u16)>,
    /// Replaces the scope's `scheme`; for a WebSocket, after [`Scheme::for_websocket`].
    pub scheme: Option<Scheme>,
}

/// A forwarded client as the access log shows it: `host:port`. A proxy may have handed on any text
/// that its own client sent; what is no plain ASCII, and the blanks and quotes that structure a
/// line, are percent-encoded.
pub fn client_text(host: &str, port: u16) -> String {
    let mut text = Vec::with_capacity(host.len() + 6);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    percent::quote_bytes(host.as_bytes(), is_plain, &mut text);
    text.push(b':');
    text.extend_from_slice(port.to_string().as_bytes());
    // Only ASCII was written, so nothing is replaced.
    String::from_utf8(text).unwrap_or_default()
}

impl TrustList {
    /// What `headers` (lower-case names, in the order of the wire) say about the client, provided
    /// that `peer` is trusted (`None`: a peer on a unix socket).
    ///
    /// The last `x-forwarded-proto` counts; when it is none of `http`, `https`, `ws` and `wss`,
    /// the scheme stays. The items of all `x-forwarded-for` lines are one list, nearest hop last:
    /// the client is the last one that is not trusted itself, or the first when all are. With `*`
    /// it is the first.
    pub fn forwarded<'h>(
        &self,
        headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
        peer: Option<IpAddr>,
    ) -> Forwarded {
        if !self.is_trusted(peer) {
            return Forwarded::default();
        }
        let mut proto = None;
        let mut hops = Vec::new();
        for (name, value) in headers {
            if name == FORWARDED_FOR {
                hops.extend(value.split(|byte| *byte == b',').map(strip));
            } else if name == FORWARDED_PROTO {
                proto = Some(value);
            }
        }
        let (host, port) = self.client_among(&hops);
        Forwarded {
            client: (!host.is_empty()).then_some((host, port)),
            scheme: proto.and_then(Scheme::parse),
        }
    }

    /// The client among `hops`; an empty host when there is none.
    fn client_among(&self, hops: &[&[u8]]) -> (String, u16) {
        if !self.trusts_everyone() {
            for hop in hops.iter().rev() {
                let (host, port) = host_and_port(hop);
                if !self.is_trusted_host(&host) {
                    return (host, port);
                }
            }
        }
        hops.first()
            .map_or_else(Default::default, |hop| host_and_port(hop))
    }
}

/// Reads `[host]:port`, `[host]`, `host:port` (exactly one colon) or a bare host; port 0 without
/// one. With a bad port, brackets still name the host, and other text is a host as a whole.
fn host_and_port(item: &[u8]) -> (String, u16) {
    if let Some(inner) = item.strip_prefix(b"[") {
        match split_once(inner, b']') {
            Some((host, [])) => return (latin1(host), 0),
            Some((host, [b':', port @ ..])) => {
                return (latin1(host), parse_port(port).unwrap_or(0));
            }
            _ => {}
        }
    } else if let Some((host, port)) = split_once(item, b':')
        && !port.contains(&b':')
        && let Some(port) = parse_port(port)
    {
        return (latin1(host), port);
    }
    (latin1(item), 0)
}

/// A port as Python's `int()` reads it: blanks around it, a sign, single underscores between
/// digits. A number that is no port (negative, above 65535) is read as 0: unknown.
fn parse_port(text: &[u8]) -> Option<u16> {
    let text = strip(text);
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let mut number = 0_u32;
    for group in digits.split(|byte| *byte == b'_') {
        if group.is_empty() {
            return None;
        }
        for digit in group {
            let value = char::from(*digit).to_digit(10)?;
            number = number.saturating_mul(10).saturating_add(value);
        }
    }
    let port = u16::try_from(number).unwrap_or(0);
    Some(if negative { 0 } else { port })
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    let (before, rest) = text.split_at(at);
    Some((before, rest.get(1..).unwrap_or_default()))
}

/// `text` without what Python's `str.strip()` takes away from it, read as Latin-1.
fn strip(mut text: &[u8]) -> &[u8] {
    let blank = |byte: u8| matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f | b' ' | 0x85 | 0xa0);
    while let [first, rest @ ..] = text
        && blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && blank(*last)
    {
        text = rest;
    }
    text
}

fn latin1(text: &[u8]) -> String {
    text.iter().copied().map(char::from).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
