//! Messages of HTTP and of WebSockets, as traces name them.

use smolcorn_actors::trace::{About, Describe};

use crate::http::{HttpCommand, HttpEvent};
use crate::ws::{WsCommand, WsEvent};

fn about(kind: &'static str, number: u32, bytes: usize) -> About {
    About {
        kind,
        number,
        bytes: bytes as u64,
    }
}

impl Describe for HttpEvent {
    fn describe(&self) -> About {
        match self {
            HttpEvent::Request(request) => about("request", request.stream, request.body.len()),
            HttpEvent::Handshake(handshake) => about("handshake", handshake.stream, 0),
            HttpEvent::WebSocket { stream, event } => About {
                number: *stream,
                ..event.describe()
            },
            HttpEvent::Body { stream, data, last } => {
                let kind = if *last { "last of the body" } else { "body" };
                about(kind, *stream, data.len())
            }
            HttpEvent::Disconnect { stream, gone } => {
                let kind = if *gone { "client gone" } else { "client done" };
                about(kind, *stream, 0)
            }
            HttpEvent::Sent { stream, bytes } => About {
                kind: "credit",
                number: *stream,
                bytes: *bytes,
            },
            HttpEvent::Warning(_) => About::kind("warning"),
        }
    }
}

impl Describe for WsEvent {
    fn describe(&self) -> About {
        match self {
            WsEvent::Text(text) => about("text", 0, text.len()),
            WsEvent::Binary(bytes) => about("binary", 0, bytes.len()),
            WsEvent::Unreachable => About::kind("unreachable"),
            WsEvent::Disconnected { .. } => About::kind("disconnected"),
            WsEvent::Sent { bytes } => About {
                bytes: *bytes,
                ..About::kind("credit")
            },
        }
    }
}

impl Describe for HttpCommand {
    fn describe(&self) -> About {
        match self {
            HttpCommand::Respond { stream, body, .. } => about("response", *stream, body.len()),
            HttpCommand::Body { stream, data, end } => {
                let kind = if *end { "last of the body" } else { "body" };
                about(kind, *stream, data.len())
            }
            HttpCommand::File {
                stream, len_bytes, ..
            } => About {
                kind: "file",
                number: *stream,
                bytes: *len_bytes,
            },
            HttpCommand::EarlyHint { stream, .. } => about("early hint", *stream, 0),
            HttpCommand::Trailers { stream, lines } => about("trailers", *stream, lines.len()),
            HttpCommand::Continue { stream } => about("continue", *stream, 0),
            HttpCommand::Consumed { stream, bytes } => about("consumed", *stream, *bytes),
            HttpCommand::Abort { stream } => about("abort", *stream, 0),
            HttpCommand::Accept { stream, .. } => about("accept", *stream, 0),
            HttpCommand::WebSocket { stream, command } => About {
                number: *stream,
                ..command.describe()
            },
            HttpCommand::Retire => About::kind("retire"),
        }
    }
}

impl Describe for WsCommand {
    fn describe(&self) -> About {
        match self {
            WsCommand::Text(payload) => about("text", 0, payload.len()),
            WsCommand::Binary(payload) => about("binary", 0, payload.len()),
            WsCommand::Consumed { .. } => About::kind("consumed"),
            WsCommand::Close { .. } => About::kind("close"),
            WsCommand::Abort => About::kind("abort"),
        }
    }
}

#[cfg(test)]
mod tests {
    use smolcorn_actors::mailbox::Mail;
    use smolcorn_actors::messages::{ToConnection, ToDispatch};

    use super::*;
    use crate::http::machine::HttpMachine;

    #[test]
    fn tracing_makes_no_message_larger() {
        assert_eq!(
            size_of::<Mail<ToDispatch<HttpMachine>>>(),
            size_of::<ToDispatch<HttpMachine>>()
        );
        assert_eq!(
            size_of::<Mail<ToConnection<HttpCommand>>>(),
            size_of::<ToConnection<HttpCommand>>()
        );
    }
}
