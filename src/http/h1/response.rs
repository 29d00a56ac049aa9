//! What the application's commands do.

use std::fs::File;

use smolcorn_actors::outbox::{Payload, unsent_weight};
use smolcorn_actors::protocol::Close;

use super::codec::{Codec, HeadSetting, ResponseFraming, write_chunk_size};
use super::exchange::{Exchange, Response};
use super::{HttpIo, Machine, State, set_timeout};
use crate::http::head::Version;
use crate::http::refusal::write_closing_text;
use crate::http::response::{ConnectionLine, ResponseHead, reason_phrase};
use crate::http::{HttpEvent, StreamId, Warning};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const EARLY_HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\n";

impl<C: Codec> Machine<C> {
    /// Writes the head and the first piece of the body.
    pub(super) fn respond(
        &mut self,
        stream: StreamId,
        head: &ResponseHead,
        body: Payload,
        end: bool,
        io: &mut HttpIo<'_>,
    ) {
        let no_more_requests = self.retires() || (self.eof && self.pending == 0);
        let drain_max = self.shared.limits().drain_bytes_max;
        let exchange = match &mut self.state {
            State::Exchange(exchange) if stream == self.stream => exchange,
            _ => return,
        };
        if exchange.response != Response::Awaited {
            return self.cut(io);
        }
        let framing = exchange.response_framing(head);
        let closes = no_more_requests
            || head.closes()
            || framing == ResponseFraming::UntilClose
            || exchange.awaits_continue
            || (end && exchange.codec.body_left_min() > drain_max);
        exchange.keep_alive &= !closes;
        let connection = ConnectionLine::of(exchange.keep_alive, exchange.version);
        let setting = HeadSetting {
            framing,
            connection,
            shared: &self.shared,
            unix_seconds: io.unix_seconds,
        };
        if exchange
            .codec
            .write_head(head, &setting, io.outbox)
            .is_err()
        {
            return self.replace_response(head.status(), io);
        }
        exchange.response = Response::Begun {
            framing,
            trailers: head.expects_trailers(),
        };
        self.flow.pushed(io.outbox);
        self.send_body(stream, body, end, io);
    }

    /// Answers 500 in place of a response with `status` that the engine cannot write, and ends.
    fn replace_response(&mut self, status: u16, io: &mut HttpIo<'_>) {
        let State::Exchange(exchange) = &mut self.state else {
            return;
        };
        io.emit(HttpEvent::Warning(Warning::UnwritableResponse(status)));
        exchange.tell_disconnect(self.stream, true, io);
        let (is_head, body_complete) = (exchange.is_head, exchange.codec.body_is_complete());
        let how = self.gentle_close(body_complete);
        let (shared, now) = (&self.shared, io.unix_seconds);
        io.outbox
            .append(|out| write_closing_text(out, 500, reason_phrase(500), shared, now, is_head));
        self.flow.pushed(io.outbox);
        self.end(io, how);
    }

    /// Writes a piece of the body.
    pub(super) fn send_body(
        &mut self,
        stream: StreamId,
        data: Payload,
        end: bool,
        io: &mut HttpIo<'_>,
    ) {
        let Some(Exchange {
            response, codec, ..
        }) = self.exchange(stream)
        else {
            return;
        };
        let Response::Begun { framing, trailers } = response else {
            return self.cut(io);
        };
        let len = data.len() as u64;
        let complete = end && !*trailers;
        if let ResponseFraming::Length(left) = framing {
            match left.checked_sub(len) {
                Some(rest) => *left = rest,
                None => return self.cut(io),
            }
        }
        let short = matches!(framing, ResponseFraming::Length(1..));
        let dropped = *framing == ResponseFraming::Bodiless;
        if dropped {
            if len > 0 && !end {
                let bytes = unsent_weight(len);
                io.emit(HttpEvent::Sent { stream, bytes });
            }
        } else if codec
            .write_data(data, *framing, complete, io.outbox)
            .is_err()
        {
            return self.cut(io);
        }
        self.flow.pushed(io.outbox);
        if end && short {
            self.cut(io);
        } else if complete {
            self.complete(io);
        } else if len > 0 && !dropped {
            self.flow.expect_credit(unsent_weight(len));
        }
    }

    /// Writes a file as the rest of the body.
    pub(super) fn send_file(
        &mut self,
        stream: StreamId,
        file: File,
        len_bytes: u64,
        io: &mut HttpIo<'_>,
    ) {
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        let Response::Begun { framing, trailers } = exchange.response else {
            return self.cut(io);
        };
        if let ResponseFraming::Length(_) = framing {
            exchange.response = Response::Begun {
                framing: ResponseFraming::Length(0),
                trailers,
            };
        }
        match framing {
            ResponseFraming::Bodiless => {}
            ResponseFraming::Length(left) if left != len_bytes => return self.cut(io),
            ResponseFraming::Length(_) | ResponseFraming::UntilClose => {
                io.outbox.push_file(file, 0, len_bytes);
            }
            ResponseFraming::Chunked => {
                if len_bytes > 0 {
                    io.outbox.append(|out| write_chunk_size(out, len_bytes));
                    io.outbox.push_file(file, 0, len_bytes);
                    io.outbox.push_bytes(b"\r\n");
                }
                if !trailers && exchange.codec.write_last_chunk(&[], io.outbox).is_err() {
                    return self.cut(io);
                }
            }
        }
        self.flow.pushed(io.outbox);
        if !trailers {
            self.complete(io);
        }
    }

    /// Ends the response with trailers, where they can be carried and are wanted.
    pub(super) fn send_trailers(&mut self, stream: StreamId, lines: &[u8], io: &mut HttpIo<'_>) {
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        let Response::Begun { framing, .. } = exchange.response else {
            return self.cut(io);
        };
        match framing {
            ResponseFraming::Chunked => {
                let lines = if exchange.takes_trailers { lines } else { &[] };
                if exchange.codec.write_last_chunk(lines, io.outbox).is_err() {
                    return self.cut(io);
                }
                self.flow.pushed(io.outbox);
                self.complete(io);
            }
            ResponseFraming::Length(1..) => self.cut(io),
            ResponseFraming::Length(0)
            | ResponseFraming::Bodiless
            | ResponseFraming::UntilClose => self.complete(io),
        }
    }

    /// Writes an interim response 103 (RFC 8297), if the client's version knows interim
    /// responses and the final one is not begun.
    pub(super) fn send_early_hint(
        &mut self,
        stream: StreamId,
        links: &[Vec<u8>],
        io: &mut HttpIo<'_>,
    ) {
        // A hint that would wait behind other bytes comes too late to be of use.
        let congested = self.is_congested();
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        if exchange.version == Version::Http10
            || exchange.response != Response::Awaited
            || links.is_empty()
            || congested
        {
            return;
        }
        io.outbox.append(|out| {
            out.extend_from_slice(EARLY_HINTS);
            for link in links {
                out.extend_from_slice(b"link: ");
                out.extend_from_slice(link);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"\r\n");
        });
        self.flow.pushed(io.outbox);
    }

    /// Asks for the body, if the client still waits to be asked.
    pub(super) fn send_continue(&mut self, stream: StreamId, io: &mut HttpIo<'_>) {
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        if exchange.awaits_continue && exchange.response == Response::Awaited {
            exchange.awaits_continue = false;
            io.outbox.push_bytes(CONTINUE);
            self.flow.pushed(io.outbox);
            self.time_body(io);
        }
    }

    /// The response is complete: decides what becomes of the connection.
    fn complete(&mut self, io: &mut HttpIo<'_>) {
        self.flow.forget_credit();
        let limits = self.shared.limits();
        let (body_timeout, drain_max) = (limits.body_timeout, limits.drain_bytes_max);
        let no_more_requests = self.retiring || (self.eof && self.pending == 0);
        let State::Exchange(exchange) = std::mem::replace(&mut self.state, State::Ended) else {
            return;
        };
        let Exchange {
            codec,
            keep_alive,
            awaits_continue,
            ..
        } = exchange;
        if !keep_alive || no_more_requests {
            let how = self.gentle_close(codec.body_is_complete());
            self.end(io, how);
        } else if codec.body_is_complete() {
            self.await_request(io);
        } else if awaits_continue || codec.body_left_min() > drain_max {
            self.end(io, Close::Linger);
        } else {
            self.state = State::Draining {
                codec,
                allowed: drain_max,
            };
            set_timeout(io, body_timeout);
        }
    }
}

impl<C> Exchange<C> {
    fn response_framing(&self, head: &ResponseHead) -> ResponseFraming {
        if self.is_head || matches!(head.status(), 204 | 304) {
            return ResponseFraming::Bodiless;
        }
        match (head.content_length(), self.version) {
            (Some(length), _) => ResponseFraming::Length(length),
            (None, Version::Http11) => ResponseFraming::Chunked,
            (None, Version::Http10) => ResponseFraming::UntilClose,
        }
    }
}
