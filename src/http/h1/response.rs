//! What the application's commands do.

use std::fs::File;

use smolcorn_actors::outbox::Payload;
use smolcorn_actors::protocol::Close;

use super::exchange::{Exchange, Response, ResponseFraming};
use super::{H1, HttpIo, State, set_timeout};
use crate::http::head::Version;
use crate::http::response::{ConnectionLine, ResponseHead};
use crate::http::{HttpEvent, StreamId};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const EARLY_HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl H1 {
    /// Writes the head and the first piece of the body.
    pub(super) fn respond(
        &mut self,
        stream: StreamId,
        head: &ResponseHead,
        body: Payload,
        end: bool,
        io: &mut HttpIo<'_>,
    ) {
        let no_more_requests = self.retiring || (self.eof && self.pending == 0);
        let drain_max = self.shared.limits().drain_bytes_max;
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        if exchange.response != Response::Awaited {
            return self.cut(io);
        }
        let framing = exchange.response_framing(head);
        let closes = no_more_requests
            || head.closes()
            || framing == ResponseFraming::UntilClose
            || exchange.awaits_continue
            || (end && exchange.body.left_min() > drain_max);
        exchange.keep_alive &= !closes;
        exchange.response = Response::Begun {
            framing,
            trailers: head.expects_trailers(),
        };
        let connection = match (exchange.keep_alive, exchange.version) {
            (false, _) => ConnectionLine::Close,
            (true, Version::Http10) => ConnectionLine::KeepAlive,
            (true, Version::Http11) => ConnectionLine::Nothing,
        };
        let chunked = framing == ResponseFraming::Chunked;
        let (shared, now) = (&self.shared, io.unix_seconds);
        io.outbox
            .append(|out| head.write(out, shared, now, chunked, connection));
        self.flow.pushed(io.outbox);
        self.send_body(stream, body, end, io);
    }

    /// Writes a piece of the body.
    pub(super) fn send_body(
        &mut self,
        stream: StreamId,
        data: Payload,
        end: bool,
        io: &mut HttpIo<'_>,
    ) {
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        let Response::Begun { framing, trailers } = &mut exchange.response else {
            return self.cut(io);
        };
        let len = data.len() as u64;
        match framing {
            ResponseFraming::Bodiless => {
                if len > 0 && !end {
                    io.emit(HttpEvent::Sent { stream, bytes: len });
                }
            }
            ResponseFraming::Length(left) => match left.checked_sub(len) {
                Some(rest) => {
                    *left = rest;
                    io.outbox.push(data);
                }
                None => return self.cut(io),
            },
            ResponseFraming::Chunked => push_chunk(data, end && !*trailers, io),
            ResponseFraming::UntilClose => io.outbox.push(data),
        }
        let dropped = *framing == ResponseFraming::Bodiless;
        let short = matches!(framing, ResponseFraming::Length(1..));
        let complete = end && !*trailers;
        self.flow.pushed(io.outbox);
        if end && short {
            self.cut(io);
        } else if complete {
            self.complete(io);
        } else if len > 0 && !dropped {
            self.flow.expect_credit(len);
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
                if !trailers {
                    io.outbox.push_bytes(LAST_CHUNK);
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
                io.outbox.append(|out| {
                    out.extend_from_slice(b"0\r\n");
                    out.extend_from_slice(lines);
                    out.extend_from_slice(b"\r\n");
                });
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
        let Some(exchange) = self.exchange(stream) else {
            return;
        };
        if exchange.version == Version::Http10
            || exchange.response != Response::Awaited
            || links.is_empty()
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
            body,
            keep_alive,
            awaits_continue,
            ..
        } = exchange;
        if !keep_alive || no_more_requests {
            let how = self.gentle_close(body.is_complete());
            self.end(io, how);
        } else if body.is_complete() {
            self.await_request(io);
        } else if awaits_continue || body.left_min() > drain_max {
            self.end(io, Close::Linger);
        } else {
            self.state = State::Draining {
                body,
                allowed: drain_max,
            };
            set_timeout(io, body_timeout);
        }
    }
}

impl Exchange {
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

/// Appends `data` as a chunk, and the last chunk behind it if it is the `last` piece.
fn push_chunk(data: Payload, last: bool, io: &mut HttpIo<'_>) {
    let behind: &[u8] = match (data.is_empty(), last) {
        (true, false) => return,
        (true, true) => return io.outbox.push_bytes(LAST_CHUNK),
        (false, true) => b"\r\n0\r\n\r\n",
        (false, false) => b"\r\n",
    };
    let len = data.len() as u64;
    io.outbox.append(|out| write_chunk_size(out, len));
    io.outbox.push(data);
    io.outbox.push_bytes(behind);
}

/// Appends the line in front of a chunk: its size in hexadecimal digits.
fn write_chunk_size(out: &mut Vec<u8>, len: u64) {
    let digits = (u64::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = (len >> (place * 4) & 0xf) as u8;
        out.push(if digit < 10 {
            b'0' + digit
        } else {
            b'a' - 10 + digit
        });
    }
    out.extend_from_slice(b"\r\n");
}
