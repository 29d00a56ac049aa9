//! The opening handshake (RFC 6455, section 4.2), as functions of a request's head: is it one, may
//! it be accepted, and what the response 101 must say.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use super::deflate::Deflate;
use super::limits::WsConfig;
use crate::http::field::{has_token, is_token};
use crate::http::head::RequestHead;

/// What is appended to the key (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Characters of a key, and bytes that they stand for.
const KEY_CHARS: usize = 24;

/// Characters of an accept value.
const ACCEPT_CHARS: usize = 28;

/// The one version there is.
const VERSION: &[u8] = b"13";

/// What a handshake that may be accepted says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    accept: [u8; ACCEPT_CHARS],
    /// The subprotocols that the client offers, in its order.
    pub subprotocols: Vec<String>,
    /// The compression that is agreed on; its answer belongs into the response.
    pub deflate: Option<Deflate>,
}

/// Why a handshake is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadHandshake {
    /// 405: not `GET`.
    Method(String),
    /// 400: a header that must be there is missing.
    Missing(&'static str),
    /// 400: a header that must be there once is there more than once.
    Repeated(&'static str),
    /// 400: the key does not stand for sixteen bytes.
    Key(String),
    /// 400: the subprotocols are no list of tokens.
    Subprotocols(String),
    /// 426: not version 13.
    Version(String),
}

const KEY: &str = "Sec-WebSocket-Key";
const VERSION_NAME: &str = "Sec-WebSocket-Version";
const SUBPROTOCOLS: &str = "Sec-WebSocket-Protocol";

/// True when `head`, which asks for another protocol ([`Meaning::upgrade`]), asks for WebSocket.
///
/// [`Meaning::upgrade`]: crate::http::head::Meaning::upgrade
pub fn is_asked_for(head: &RequestHead) -> bool {
    head.headers()
        .any(|(name, value)| name == b"upgrade" && has_token(value, b"websocket"))
}

/// Judges the handshake in `head`, for a server with these settings.
///
/// # Errors
/// Why it is refused; the application is not asked then.
pub fn read(head: &RequestHead, config: &WsConfig) -> Result<Handshake, BadHandshake> {
    if head.method() != "GET" {
        return Err(BadHandshake::Method(head.method().to_owned()));
    }
    let key = only_value(head, b"sec-websocket-key", KEY)?;
    let version = only_value(head, b"sec-websocket-version", VERSION_NAME)?;
    if version != VERSION {
        return Err(BadHandshake::Version(lossy(version)));
    }
    if !is_key(key) {
        return Err(BadHandshake::Key(lossy(key)));
    }
    Ok(Handshake {
        accept: accept_value(key),
        subprotocols: subprotocols(head)?,
        deflate: Deflate::agree(head).filter(|_| config.compresses()),
    })
}

impl Handshake {
    /// The value of `Sec-WebSocket-Accept`.
    pub fn accept(&self) -> &[u8] {
        &self.accept
    }
}

impl BadHandshake {
    /// The status of the response.
    pub const fn status(&self) -> u16 {
        match self {
            BadHandshake::Method(_) => 405,
            BadHandshake::Missing(_)
            | BadHandshake::Repeated(_)
            | BadHandshake::Key(_)
            | BadHandshake::Subprotocols(_) => 400,
            BadHandshake::Version(_) => 426,
        }
    }

    /// Headers of the response that say what would be accepted; `Upgrade` goes with a status 426
    /// (RFC 9110, section 15.5.22).
    pub const fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            BadHandshake::Method(_) => &[("allow", "GET")],
            BadHandshake::Version(_) => {
                &[("upgrade", "websocket"), ("sec-websocket-version", "13")]
            }
            BadHandshake::Missing(_)
            | BadHandshake::Repeated(_)
            | BadHandshake::Key(_)
            | BadHandshake::Subprotocols(_) => &[],
        }
    }

    /// The body of the response, plain text.
    pub fn body(&self) -> String {
        let why = match self {
            BadHandshake::Method(method) => format!("unsupported HTTP method: {method}"),
            BadHandshake::Missing(name) => format!("missing {name} header"),
            BadHandshake::Repeated(name) => format!("multiple values for {name} header"),
            BadHandshake::Key(key) => format!("invalid {KEY} header: {key}"),
            BadHandshake::Version(version) => format!("invalid {VERSION_NAME} header: {version}"),
            BadHandshake::Subprotocols(list) => format!("invalid {SUBPROTOCOLS} header: {list}"),
        };
        format!("Failed to open a WebSocket connection: {why}.\n")
    }
}

/// The value of a header that must be there exactly once.
fn only_value<'a>(
    head: &'a RequestHead,
    lower: &[u8],
    name: &'static str,
) -> Result<&'a [u8], BadHandshake> {
    let mut values = head.headers().filter(|(found, _)| *found == lower);
    match (values.next(), values.next()) {
        (None, _) => Err(BadHandshake::Missing(name)),
        (Some((_, value)), None) => Ok(value),
        (Some(_), Some(_)) => Err(BadHandshake::Repeated(name)),
    }
}

/// The offered subprotocols of all lines together. Each line is a list of tokens, in which empty
/// places do not count (RFC 6455, section 4.1; RFC 9110, section 5.6.1), but one thing must be there.
fn subprotocols(head: &RequestHead) -> Result<Vec<String>, BadHandshake> {
    let mut found = Vec::new();
    let lines = head
        .headers()
        .filter(|(name, _)| *name == b"sec-websocket-protocol");
    for (_, line) in lines {
        let before = found.len();
        let offers = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        for offer in offers.filter(|offer| !offer.is_empty()) {
            if !is_token(offer) {
                return Err(BadHandshake::Subprotocols(lossy(line)));
            }
            found.push(lossy(offer));
        }
        if found.len() == before {
            return Err(BadHandshake::Subprotocols(lossy(line)));
        }
    }
    Ok(found)
}

fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// True for the base64 of sixteen bytes: twenty-two characters and two of padding.
fn is_key(key: &[u8]) -> bool {
    key.len() == KEY_CHARS
        && key.ends_with(b"==")
        && key
            .iter()
            .take(KEY_CHARS - 2)
            .all(|char| BASE64.contains(char))
}

/// The accept value for `key` (RFC 6455, section 4.2.2).
fn accept_value(key: &[u8]) -> [u8; ACCEPT_CHARS] {
    let mut sha1 = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    sha1.update(key);
    sha1.update(GUID);
    base64(sha1.finish().as_ref())
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The base64 of a SHA-1.
fn base64(bytes: &[u8]) -> [u8; ACCEPT_CHARS] {
    let mut text = [b'='; ACCEPT_CHARS];
    for (chars, group) in text.chunks_mut(4).zip(bytes.chunks(3)) {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().skip(1).zip(group) {
            *to = *from;
        }
        let word = u32::from_be_bytes(word);
        // A group of n bytes has n + 1 characters, and padding.
        for (at, char) in chars.iter_mut().take(group.len() + 1).enumerate() {
            *char = BASE64[(word >> (18 - 6 * at)) as usize & 63];
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use smolcorn_actors::pool::Pooled;

    use super::*;
    use crate::config::HttpLimits;
    use crate::http::head::{HeadScanner, Scan, parse};

    const KEY_LINE: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const VERSION_LINE: &str = "Sec-WebSocket-Version: 13\r\n";

    fn head(method: &str, lines: &str) -> Pooled<RequestHead> {
        let text = format!(
            "{method} /chat HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
             {lines}\r\n"
        );
        let limits = HttpLimits::default();
        let scan = HeadScanner::default().scan(text.as_bytes(), &limits);
        let Ok(Scan::Complete { lines, .. }) = scan else {
            panic!("{scan:?}");
        };
        parse(text.as_bytes(), lines, &limits).unwrap().head
    }

    #[track_caller]
    fn refused(method: &str, lines: &str, status: u16, why: &str) {
        let refusal = read(&head(method, lines), &WsConfig::default()).unwrap_err();
        assert_eq!(refusal.status(), status);
        assert_eq!(
            refusal.body(),
            format!("Failed to open a WebSocket connection: {why}.\n")
        );
    }

    #[test]
    fn the_example_of_the_rfc() {
        let handshake = read(
            &head("GET", &format!("{KEY_LINE}{VERSION_LINE}")),
            &WsConfig::default(),
        )
        .unwrap();
        assert_eq!(handshake.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(handshake.subprotocols.is_empty());
    }

    #[test]
    fn base64_of_all_kinds_of_bytes() {
        assert_eq!(
            &base64(
                b"\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\xfb\xff"
            ),
            b"ABCDEFGHIJKLMNOPQRSTUVWX+/8="
        );
    }

    #[test]
    fn subprotocols_of_all_lines_in_their_order() {
        let lines = format!(
            "Sec-WebSocket-Protocol: b, a\r\n{KEY_LINE}{VERSION_LINE}Sec-WebSocket-Protocol:c,,d\r\n"
        );
        let handshake = read(&head("GET", &lines), &WsConfig::default()).unwrap();
        assert_eq!(handshake.subprotocols, ["b", "a", "c", "d"]);
    }

    #[test]
    fn subprotocols_that_are_no_list_of_tokens() {
        for list in ["a, b c", "", ",", "\"a\"", "a;b"] {
            let lines = format!("{KEY_LINE}{VERSION_LINE}Sec-WebSocket-Protocol: {list}\r\n");
            let why = format!("invalid Sec-WebSocket-Protocol header: {list}");
            refused("GET", &lines, 400, &why);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let both = format!("{KEY_LINE}{VERSION_LINE}");
        refused("POST", &both, 405, "unsupported HTTP method: POST");
        refused("GET", VERSION_LINE, 400, "missing Sec-WebSocket-Key header");
        refused("GET", KEY_LINE, 400, "missing Sec-WebSocket-Version header");
        let twice = format!("{both}{KEY_LINE}");
        refused(
            "GET",
            &twice,
            400,
            "multiple values for Sec-WebSocket-Key header",
        );
        let old = format!("{KEY_LINE}Sec-WebSocket-Version: 8\r\n");
        refused("GET", &old, 426, "invalid Sec-WebSocket-Version header: 8");
        for key in [
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=a",
            "dGhlIHNhbXBsZSBub25j?Q==",
            "",
        ] {
            let bad = format!("Sec-WebSocket-Key: {key}\r\n{VERSION_LINE}");
            let why = format!("invalid Sec-WebSocket-Key header: {key}");
            refused("GET", &bad, 400, &why);
        }
    }

    #[test]
    fn a_refusal_says_what_would_do() {
        assert_eq!(
            BadHandshake::Method(String::new()).headers(),
            [("allow", "GET")]
        );
        assert_eq!(
            BadHandshake::Version(String::new()).headers(),
            [("upgrade", "websocket"), ("sec-websocket-version", "13")]
        );
    }

    #[test]
    fn only_websocket_is_a_websocket() {
        assert!(is_asked_for(&head("GET", "")));
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WEBSOCKET\r\n\r\n";
        let limits = HttpLimits::default();
        assert!(is_asked_for(&parse(text, 4, &limits).unwrap().head));
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket2\r\n\r\n";
        assert!(!is_asked_for(&parse(text, 4, &limits).unwrap().head));
    }
}
