//! Which compression is agreed on (RFC 7692, sections 5 and 7.1).
//!
//! The windows that we ask for are small, so that a connection needs little memory: 4 KiB, as
//! uvicorn has them. A client that does not let its own window be chosen may use 32 KiB.

use crate::http::field::{is_token, parse_decimal};
use crate::http::head::RequestHead;

/// Bits of the windows that we ask for.
const WINDOW_BITS: u8 = 12;

/// The largest window there is.
const WINDOW_BITS_MAX: u8 = 15;

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// Bits of the window that we compress with: 9 to 12.
    pub server_window_bits: u8,
    /// Bits of the window that the client compresses with, at most; `None` when it did not offer
    /// to be told, which means 15.
    pub client_window_bits: Option<u8>,
    /// Each of our messages is compressed by itself.
    pub server_no_context_takeover: bool,
    /// Each of the client's messages is compressed by itself.
    pub client_no_context_takeover: bool,
}

impl Deflate {
    /// The first offer in `head` that can be agreed to.
    pub fn agree(head: &RequestHead) -> Option<Deflate> {
        head.headers()
            .filter(|(name, _)| *name == b"sec-websocket-extensions")
            .flat_map(|(_, value)| value.split(|byte| *byte == b','))
            .find_map(agree_to)
    }

    /// The value of `Sec-WebSocket-Extensions` in the response.
    pub fn answer(&self) -> String {
        let mut answer = "permessage-deflate".to_owned();
        if self.server_no_context_takeover {
            answer.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            answer.push_str("; client_no_context_takeover");
        }
        answer.push_str(&format!(
            "; server_max_window_bits={}",
            self.server_window_bits
        ));
        if let Some(bits) = self.client_window_bits {
            answer.push_str(&format!("; client_max_window_bits={bits}"));
        }
        answer
    }
}

/// What one offer asks for; each parameter at most once.
#[derive(Default)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// With `None` inside: the client lets us choose.
    client_max_window_bits: Option<Option<u8>>,
}

/// Agrees to `offer`, or declines it. No value that is allowed has a comma or a semicolon in it,
/// so quoted strings need no thought beyond their quotes.
fn agree_to(offer: &[u8]) -> Option<Deflate> {
    let mut parts = offer.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    if !parts.next()?.eq_ignore_ascii_case(b"permessage-deflate") {
        return None;
    }
    let mut asked = Offer::default();
    for part in parts {
        asked.add(part)?;
    }
    let server_window_bits = asked.server_max_window_bits.unwrap_or(WINDOW_BITS_MAX);
    if server_window_bits < 9 {
        // No deflate library makes raw data for a window of 256 bytes.
        return None;
    }
    Some(Deflate {
        server_window_bits: server_window_bits.min(WINDOW_BITS),
        client_window_bits: asked
            .client_max_window_bits
            .map(|bits| bits.unwrap_or(WINDOW_BITS_MAX).min(WINDOW_BITS)),
        server_no_context_takeover: asked.server_no_context_takeover,
        client_no_context_takeover: asked.client_no_context_takeover,
    })
}

impl Offer {
    /// Takes note of a parameter; `None` when it is unknown, wrong, or there for the second time.
    fn add(&mut self, parameter: &[u8]) -> Option<()> {
        let (name, value) = match parameter.iter().position(|byte| *byte == b'=') {
            None => (parameter, None),
            Some(at) => {
                let (name, value) = parameter.split_at(at);
                (
                    name.trim_ascii_end(),
                    Some(unquote(value.get(1..)?.trim_ascii_start())),
                )
            }
        };
        match (name, value) {
            (b"server_no_context_takeover", None) => set_flag(&mut self.server_no_context_takeover),
            (b"client_no_context_takeover", None) => set_flag(&mut self.client_no_context_takeover),
            (b"server_max_window_bits", Some(value)) => {
                set(&mut self.server_max_window_bits, window_bits(value)?)
            }
            (b"client_max_window_bits", None) => set(&mut self.client_max_window_bits, None),
            (b"client_max_window_bits", Some(value)) => {
                set(&mut self.client_max_window_bits, Some(window_bits(value)?))
            }
            _ => None,
        }
    }
}

fn set_flag(flag: &mut bool) -> Option<()> {
    (!std::mem::replace(flag, true)).then_some(())
}

fn set<T>(value: &mut Option<T>, to: T) -> Option<()> {
    value.replace(to).is_none().then_some(())
}

/// A value may be a quoted string.
fn unquote(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// A number from 8 to 15 without leading zeros.
fn window_bits(value: &[u8]) -> Option<u8> {
    if !is_token(value) || value.starts_with(b"0") {
        return None;
    }
    let bits = u8::try_from(parse_decimal(value)?).ok()?;
    (8..=WINDOW_BITS_MAX).contains(&bits).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::agree_to;

    #[track_caller]
    fn answered(offer: &str, answer: &str) {
        let agreed = agree_to(offer.as_bytes()).map(|agreed| agreed.answer());
        assert_eq!(agreed.as_deref(), Some(answer), "{offer}");
    }

    #[test]
    fn what_clients_offer() {
        answered(
            "permessage-deflate",
            "permessage-deflate; server_max_window_bits=12",
        );
        answered(
            " Permessage-Deflate ; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        );
        answered(
            "permessage-deflate;server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=12",
        );
        answered(
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits = \"9\"",
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
        );
        answered(
            "permessage-deflate; server_max_window_bits=15; client_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=8",
        );
    }

    #[test]
    fn what_cannot_be_agreed_to() {
        for offer in [
            "",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=012",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=266",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; mode=fast",
            "permessage-deflate;",
        ] {
            assert_eq!(agree_to(offer.as_bytes()), None, "{offer}");
        }
    }
}
