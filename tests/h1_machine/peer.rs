//! What the tests of the HTTP machine say to it, and read of it.

#[path = "../machine/scripted.rs"]
pub mod scripted;

use smolcorn::config::{DefaultHeaders, HttpConfig, HttpLimits};
use smolcorn::http::response::ResponseHead;
use smolcorn::http::{HttpCommand, HttpEvent, Request, StreamId, Warning};
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::pool::Pooled;
use smolcorn_actors::protocol::Close;

use crate::{Machine, machine};

/// With the HTTP machine.
pub type Peer = scripted::Peer<Machine>;

impl Peer {
    /// Without `date` and `server`, so that the tests can spell whole responses.
    pub fn new() -> Peer {
        Peer::with_limits(|_| ())
    }

    pub fn with_limits(change: impl FnOnce(&mut HttpLimits)) -> Peer {
        let mut limits = HttpLimits::default();
        change(&mut limits);
        let headers = DefaultHeaders {
            date: false,
            server: false,
            extra: Vec::new(),
        };
        Peer::with_config(HttpConfig {
            limits,
            headers,
            ..HttpConfig::default()
        })
    }

    pub fn with_config(config: HttpConfig) -> Peer {
        Peer::of(machine(config))
    }

    /// What the client has got since the last call.
    pub fn wire(&mut self) -> String {
        String::from_utf8_lossy(&self.taken()).into_owned()
    }

    pub fn respond(
        &mut self,
        stream: StreamId,
        head: Pooled<ResponseHead>,
        body: &[u8],
        end: bool,
    ) {
        let body = Payload::Owned(body.to_vec());
        self.command(HttpCommand::Respond {
            stream,
            head,
            body,
            end,
        });
    }

    /// The whole of a small response.
    pub fn answer(&mut self, stream: StreamId, body: &str) {
        let length = body.len().to_string();
        self.respond(
            stream,
            head(200, &[("content-length", &length)]),
            body.as_bytes(),
            true,
        );
    }

    pub fn body(&mut self, stream: StreamId, data: impl AsRef<[u8]>, end: bool) {
        let data = Payload::Owned(data.as_ref().to_vec());
        self.command(HttpCommand::Body { stream, data, end });
    }

    #[track_caller]
    pub fn request(&mut self) -> Request {
        match self.event() {
            Some(HttpEvent::Request(request)) => request,
            other => panic!("no request but {}", describe(other.as_ref())),
        }
    }

    #[track_caller]
    pub fn expect(&mut self, event: &str) {
        assert_eq!(describe(self.event().as_ref()), event);
    }

    #[track_caller]
    pub fn expect_refusal(&mut self, status: u16) {
        self.expect(&format!("warning: invalid request {status}"));
        self.expect("nothing");
        let wire = self.wire();
        assert!(wire.starts_with(&format!("HTTP/1.1 {status} ")), "{wire}");
        assert!(wire.contains("\r\nconnection: close\r\n"), "{wire}");
        assert_eq!(self.close(), Close::Linger);
    }
}

/// An event in one line.
pub fn describe(event: Option<&HttpEvent>) -> String {
    match event {
        None => "nothing".to_owned(),
        Some(HttpEvent::Request(request)) => format!(
            "request {}: {} {} {} {:?}{}{}",
            request.stream,
            request.head.method(),
            String::from_utf8_lossy(request.head.path()),
            request.head.version().as_str(),
            String::from_utf8_lossy(&request.body),
            if request.body_complete {
                ""
            } else {
                " and more"
            },
            if request.expects_continue {
                ", expects continue"
            } else {
                ""
            },
        ),
        Some(HttpEvent::Body { stream, data, last }) => format!(
            "body {stream}: {:?}{}",
            String::from_utf8_lossy(data),
            if *last { "" } else { " and more" }
        ),
        Some(HttpEvent::Disconnect { stream, gone }) => {
            format!("disconnect {stream}{}", if *gone { ": gone" } else { "" })
        }
        Some(HttpEvent::Sent { stream, bytes }) => format!("sent {stream}: {bytes}"),
        Some(HttpEvent::Warning(Warning::InvalidRequest(status))) => {
            format!("warning: invalid request {status}")
        }
        Some(HttpEvent::Warning(Warning::UnsupportedUpgrade)) => {
            "warning: unsupported upgrade".to_owned()
        }
        Some(HttpEvent::Warning(Warning::WebSocketsOff)) => "warning: websockets off".to_owned(),
        Some(HttpEvent::Warning(Warning::InvalidHandshake(status))) => {
            format!("warning: invalid handshake {status}")
        }
        Some(HttpEvent::Handshake(handshake)) => format!(
            "handshake {}: {} {:?}",
            handshake.stream,
            String::from_utf8_lossy(handshake.head.path()),
            handshake.subprotocols,
        ),
        Some(HttpEvent::WebSocket { stream, event }) => format!("websocket {stream}: {event:?}"),
        Some(HttpEvent::Warning(Warning::UnwritableResponse(status))) => {
            format!("warning: unwritable response {status}")
        }
    }
}

/// A response head.
pub fn head(status: u16, headers: &[(&str, &str)]) -> Pooled<ResponseHead> {
    let mut head = ResponseHead::new(status);
    for (name, value) in headers {
        head.push(name.as_bytes(), value.as_bytes()).unwrap();
    }
    head
}
