//! Requests for a WebSocket: until one is accepted it is an exchange like others, without a body
//! and the last one on its connection.

use std::mem;
use std::rc::Rc;

use smolcorn_actors::pool::Pooled;
use smolcorn_actors::protocol::Close;

use super::codec::Codec;
use super::exchange::{Exchange, Response};
use super::{HttpIo, Machine, State};
use crate::http::head::{Framing, Meaning, RequestHead};
use crate::http::refusal::{Refusal, write_closing};
use crate::http::response::ResponseHead;
use crate::http::{Handshake, HttpEvent, StreamId, Warning};
use crate::ws::handshake::{self, BadHandshake};
use crate::ws::shared::WsShared;

/// What a connection that became a WebSocket takes over from its HTTP machine.
#[derive(Debug)]
pub(in crate::http) struct Accepted {
    /// The request that it began as.
    pub stream: StreamId,
    /// What was agreed upon.
    pub agreed: Box<handshake::Handshake>,
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
        head: Pooled<RequestHead>,
        meaning: &Meaning,
        codec: C,
        behind: &[u8],
        io: &mut HttpIo<'_>,
    ) -> usize {
        if head.method() == "GET" && meaning.framing != Framing::Length(0) {
            self.refuse(Refusal::Malformed, false, io);
            return behind.len();
        }
        let config = &self.shared.websocket().machine;
        let mut agreed = match handshake::read(&head, config) {
            Ok(agreed) => agreed,
            Err(bad) => {
                self.refuse_handshake(&bad, head.method() == "HEAD", io);
                return behind.len();
            }
        };
        let subprotocols = mem::take(&mut agreed.subprotocols);
        self.stream = self.stream.wrapping_add(1);
        self.state = State::Exchange(Exchange {
            version: head.version(),
            is_head: false,
            keep_alive: false,
            takes_trailers: meaning.takes_trailers,
            awaits_continue: false,
            codec,
            handshake: Some(Box::new(agreed)),
            unread: 0,
            response: Response::Awaited,
            told_disconnect: false,
            told_gone: false,
        });
        io.clear_deadline();
        let stream = self.stream;
        io.emit(HttpEvent::Handshake(Box::new(Handshake {
            stream,
            head,
            subprotocols,
        })));
        0
    }

    fn refuse_handshake(&mut self, bad: &BadHandshake, to_head_request: bool, io: &mut HttpIo<'_>) {
        let (status, body) = (bad.status(), bad.body());
        io.emit(HttpEvent::Warning(Warning::InvalidHandshake(status)));
        let mut head = ResponseHead::of_text(status, body.len());
        for (name, value) in bad.headers() {
            // They are ours, and well-formed.
            let _ = head.push(name.as_bytes(), value.as_bytes());
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
        let agreed = exchange.handshake.take()?;
        let (shared, now) = (&self.shared, io.unix_seconds);
        io.outbox.append(|out| {
            write_switch(out, &agreed);
            head.write_lines(out, shared, now);
            out.extend_from_slice(b"\r\n");
        });
        self.state = State::Ended;
        Some(Accepted {
            stream,
            agreed,
            eof: self.eof,
            pending: self.pending,
            retiring: self.retiring,
        })
    }

    /// What the WebSocket machines of this thread share.
    pub(in crate::http) fn shared_by_websockets(&self) -> &Rc<WsShared> {
        self.shared.websockets()
    }
}

/// Appends the lines that the handshake itself is made of (RFC 6455, section 4.2.2), in the case
/// in which the RFC writes them: there are clients that compare them so.
fn write_switch(out: &mut Vec<u8>, agreed: &handshake::Handshake) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(agreed.accept());
    out.extend_from_slice(b"\r\n");
    if let Some(deflate) = &agreed.deflate {
        out.extend_from_slice(b"Sec-WebSocket-Extensions: ");
        out.extend_from_slice(deflate.answer().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
