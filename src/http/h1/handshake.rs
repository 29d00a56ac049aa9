//! Requests for a WebSocket: until one is accepted it is an exchange like others, without a body
//! and the last one on its connection.

use smolcorn_actors::protocol::Close;

use super::codec::Codec;
use super::exchange::{Exchange, Response};
use super::{HttpIo, Machine, State};
use crate::config::WebSocketConfig;
use crate::http::head::{Framing, Meaning, RequestHead};
use crate::http::refusal::write_closing;
use crate::http::response::ResponseHead;
use crate::http::{Handshake, HttpEvent, StreamId, Warning};
use crate::ws::handshake::{self, BadHandshake, Offer};

/// What a connection that became a WebSocket takes over from its HTTP machine.
#[derive(Debug)]
pub(in crate::http) struct Accepted {
    /// The request that it began as.
    pub stream: StreamId,
    /// What was agreed upon.
    pub offer: Box<Offer>,
    /// The client will send nothing more.
    pub eof: bool,
    /// Bytes that the actor has shown and that were not taken.
    pub pending: usize,
    /// The server stops.
    pub retiring: bool,
}

impl<C: Codec> Machine<C> {
    /// Hands a request for a WebSocket over, or refuses it. What came behind it stays with the
    /// actor.
    pub(super) fn begin_handshake(
        &mut self,
        head: RequestHead,
        meaning: &Meaning,
        codec: C,
        behind: &[u8],
        io: &mut HttpIo<'_>,
    ) -> usize {
        let config = self.shared.websocket();
        let judged = match meaning.framing {
            Framing::Length(0) => handshake::judge(head.method(), head.headers(), config),
            _ => Err(BadHandshake::HasBody),
        };
        let offer = match judged {
            Ok(offer) => offer,
            Err(bad) => {
                self.refuse_handshake(bad, head.method() == "HEAD", io);
                return behind.len();
            }
        };
        self.stream = self.stream.wrapping_add(1);
        self.state = State::Exchange(Exchange {
            version: head.version(),
            is_head: false,
            keep_alive: false,
            takes_trailers: meaning.takes_trailers,
            awaits_continue: false,
            codec,
            handshake: Some(Box::new(offer)),
            unread: 0,
            response: Response::Awaited,
            told_disconnect: false,
            told_gone: false,
        });
        io.clear_deadline();
        let stream = self.stream;
        io.emit(HttpEvent::Handshake(Box::new(Handshake { stream, head })));
        0
    }

    fn refuse_handshake(&mut self, bad: BadHandshake, to_head_request: bool, io: &mut HttpIo<'_>) {
        io.emit(HttpEvent::Warning(Warning::InvalidHandshake(bad.reason())));
        let body = format!("Failed to open a WebSocket connection: {}.\n", bad.reason());
        let mut head = ResponseHead::of_text(bad.status(), body.len());
        if let Some((name, value)) = bad.header() {
            // Both are ours, and well-formed.
            let _ = head.push(name, value);
        }
        let (shared, now) = (&self.shared, io.unix_seconds);
        io.outbox
            .append(|out| write_closing(out, &head, &body, shared, now, to_head_request));
        self.flow.pushed(io.outbox);
        self.end(io, Close::Linger);
    }

    /// Writes the response that makes a WebSocket of the connection. The machine is done then.
    /// `None` if there is no such request, or it has been answered.
    pub(in crate::http) fn accept_websocket(
        &mut self,
        stream: StreamId,
        head: &ResponseHead,
        io: &mut HttpIo<'_>,
    ) -> Option<Accepted> {
        let exchange = self.exchange(stream)?;
        if exchange.response != Response::Awaited {
            return None;
        }
        let offer = exchange.handshake.take()?;
        let (shared, now) = (&self.shared, io.unix_seconds);
        io.outbox.append(|out| {
            offer.write_head(out);
            head.write_lines(out, shared, now);
            out.extend_from_slice(b"\r\n");
        });
        self.state = State::Ended;
        Some(Accepted {
            stream,
            offer,
            eof: self.eof,
            pending: self.pending,
            retiring: self.retiring,
        })
    }

    /// What there is to know of WebSockets.
    pub(in crate::http) fn websocket_config(&self) -> &WebSocketConfig {
        self.shared.websocket()
    }
}
