//! What the client's bytes do.

use smolcorn_actors::protocol::Close;

use super::codec::{Codec, ResponseFraming};
use super::exchange::{Exchange, Response};
use super::{HttpIo, Machine, State, set_timeout};
use crate::config::WebSockets;
use crate::http::head::{Parsed, Scan, Version};
use crate::http::refusal::Refusal;
use crate::http::response::ConnectionLine;
use crate::http::{HttpEvent, Request, StreamId, Warning};
use crate::ws::handshake;

impl<C: Codec> Machine<C> {
    /// Takes a head, and what has come of its body, or nothing.
    pub(super) fn receive_head(&mut self, input: &[u8], io: &mut HttpIo<'_>) -> usize {
        if self.is_congested() {
            return 0;
        }
        let State::Between { scanner, begun } = &mut self.state else {
            return 0;
        };
        let limits = self.shared.limits();
        let read = match scanner.scan(input, limits) {
            Ok(Scan::Idle) => return 0,
            Ok(Scan::Blank(len)) => return len,
            Ok(Scan::Incomplete) => {
                if !*begun {
                    *begun = true;
                    set_timeout(io, limits.head_timeout);
                }
                return 0;
            }
            Ok(Scan::Complete { len, lines }) => input
                .split_at_checked(len)
                .ok_or(Refusal::Malformed)
                .and_then(|(head, behind)| Ok((C::read_head(head, lines, limits)?, behind))),
            Err(refusal) => Err(refusal),
        };
        let ((parsed, codec), behind) = match read {
            Ok(read) => read,
            Err(refusal) => {
                self.refuse(refusal, false, io);
                return input.len();
            }
        };
        input.len() - behind.len() + self.begin_exchange(parsed, codec, behind, io)
    }

    /// Hands the request over together with the part of its body in `behind`, and says how long
    /// that part is.
    fn begin_exchange(
        &mut self,
        parsed: Parsed,
        mut codec: C,
        behind: &[u8],
        io: &mut HttpIo<'_>,
    ) -> usize {
        let Parsed { head, meaning } = parsed;
        let websocket = meaning.upgrade && handshake::is_asked_for(&head);
        if websocket && self.shared.websocket().engine != WebSockets::Off {
            return self.begin_handshake(head, &meaning, codec, behind, io);
        }
        let limits = self.shared.limits();
        let mut body = Vec::new();
        let is_head = head.method() == "HEAD";
        let taken = match codec.read_body(behind, &mut |data| body.extend_from_slice(data)) {
            Ok(taken) => taken,
            Err(refusal) => {
                self.refuse(refusal, is_head, io);
                return behind.len();
            }
        };
        if codec.body_is_complete() && self.shared.readiness().is_asked(head.method(), head.path())
        {
            let is_last = self.eof && taken == behind.len();
            let keep_alive = meaning.keep_alive && !is_last;
            self.answer_health(head.version(), is_head, keep_alive, io);
            return taken;
        }
        self.stream = self.stream.wrapping_add(1);
        let exchange = Exchange {
            version: head.version(),
            is_head,
            keep_alive: meaning.keep_alive && !limits.keep_alive_timeout.is_zero(),
            takes_trailers: meaning.takes_trailers,
            awaits_continue: meaning.expects_continue && taken == 0,
            codec,
            handshake: None,
            unread: body.len(),
            response: Response::Awaited,
            told_disconnect: false,
            told_gone: false,
        };
        if meaning.upgrade {
            let warning = match websocket {
                true => Warning::WebSocketsOff,
                false => Warning::UnsupportedUpgrade,
            };
            io.emit(HttpEvent::Warning(warning));
        }
        io.emit(HttpEvent::Request(Request {
            stream: self.stream,
            head,
            body,
            body_complete: exchange.codec.body_is_complete(),
            expects_continue: exchange.awaits_continue,
        }));
        self.state = State::Exchange(exchange);
        self.time_body(io);
        taken
    }

    /// Says how the server is, and waits for the next request.
    fn answer_health(
        &mut self,
        version: Version,
        is_head: bool,
        keep_alive: bool,
        io: &mut HttpIo<'_>,
    ) {
        let stays = keep_alive && !self.retires() && {
            let timeout = self.shared.limits().keep_alive_timeout;
            !timeout.is_zero()
        };
        let connection = ConnectionLine::of(stays, version);
        let (shared, now) = (&self.shared, io.unix_seconds);
        io.outbox.append(|out| {
            let readiness = shared.readiness();
            readiness.write(out, shared, now, connection, is_head);
        });
        self.flow.pushed(io.outbox);
        if stays {
            self.await_request(io);
        } else {
            // Pipelined requests behind it are not answered any more, and their bytes unread.
            self.end(io, Close::Linger);
        }
    }

    /// Takes bytes of the body while the application keeps up.
    pub(super) fn receive_body(&mut self, input: &[u8], io: &mut HttpIo<'_>) -> usize {
        let unread_max = self.shared.limits().body_unread_max;
        let State::Exchange(exchange) = &mut self.state else {
            return 0;
        };
        if exchange.codec.body_is_complete() || exchange.unread > unread_max {
            return 0;
        }
        exchange.awaits_continue = false;
        let mut data = Vec::new();
        match exchange
            .codec
            .read_body(input, &mut |piece| data.extend_from_slice(piece))
        {
            Ok(taken) => {
                let last = exchange.codec.body_is_complete();
                exchange.unread += data.len();
                if last || !data.is_empty() {
                    io.emit(HttpEvent::Body {
                        stream: self.stream,
                        data,
                        last,
                    });
                }
                self.time_body(io);
                taken
            }
            Err(refusal) => {
                self.fail_exchange(refusal, io);
                input.len()
            }
        }
    }

    /// Takes bytes of a body that nobody wants any more.
    pub(super) fn receive_unwanted(&mut self, input: &[u8], io: &mut HttpIo<'_>) -> usize {
        let State::Draining { codec, allowed } = &mut self.state else {
            return 0;
        };
        let taken = codec.read_body(input, &mut |_| ()).ok();
        let left = taken.and_then(|taken| allowed.checked_sub(taken as u64));
        let (Some(taken), Some(left)) = (taken, left) else {
            // The response is complete: nothing can be said about it any more.
            self.end(io, Close::Linger);
            return input.len();
        };
        *allowed = left;
        if codec.body_is_complete() {
            self.await_request(io);
        } else {
            set_timeout(io, self.shared.limits().body_timeout);
        }
        taken
    }

    /// The application took `bytes` of the body.
    pub(super) fn consumed(&mut self, stream: StreamId, bytes: usize, io: &mut HttpIo<'_>) {
        let unread_max = self.shared.limits().body_unread_max;
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        let was_paused = exchange.unread > unread_max;
        exchange.unread = exchange.unread.saturating_sub(bytes);
        if was_paused {
            self.time_body(io);
        }
    }

    /// Sets or clears the deadline for the next bytes of the body: there is one only while the
    /// client is to send and the machine is to read.
    pub(super) fn time_body(&mut self, io: &mut HttpIo<'_>) {
        let limits = self.shared.limits();
        let State::Exchange(exchange) = &self.state else {
            return;
        };
        let waits = !exchange.codec.body_is_complete()
            && !exchange.awaits_continue
            && exchange.unread <= limits.body_unread_max
            && !self.eof;
        if waits {
            set_timeout(io, limits.body_timeout);
        } else {
            io.clear_deadline();
        }
    }

    /// Ends an exchange whose request turned out bad: with an answer if there is none yet.
    pub(super) fn fail_exchange(&mut self, refusal: Refusal, io: &mut HttpIo<'_>) {
        let State::Exchange(exchange) = &mut self.state else {
            return;
        };
        exchange.tell_disconnect(self.stream, true, io);
        if exchange.response == Response::Awaited {
            let is_head = exchange.is_head;
            self.refuse(refusal, is_head, io);
        } else {
            self.cut(io);
        }
    }

    /// Ends the connection in the middle of a response, so that the client notices.
    pub(super) fn cut(&mut self, io: &mut HttpIo<'_>) {
        let State::Exchange(exchange) = &self.state else {
            return;
        };
        let how = match exchange.response {
            // An orderly end would make the part look like the whole.
            Response::Begun {
                framing: ResponseFraming::UntilClose,
                ..
            } => Close::Abort,
            _ => self.gentle_close(exchange.codec.body_is_complete()),
        };
        self.flow.forget_credit();
        self.end(io, how);
    }
}
