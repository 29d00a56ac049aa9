//! The HTTP/1 state machine of one connection.
//!
//! ```text
//!              head complete              response complete and body read
//!   Between -------------------> Exchange --------------------------------> Between
//!      |                         |      |                                      ^
//!      |                         |      |  response complete, body not read    |
//!      |                         |      '-------------> Draining --------------'
//!      |                         |                         |    body's end seen
//!      '--> Ended <--------------'-------------------------'
//!      refused, idle,            not kept, refused,        too much, too late,
//!      drained, client gone      cut, client gone          client gone
//! ```
//!
//! A request for a WebSocket is an exchange too (`handshake`). When it is accepted this machine has
//! written its last bytes, and `http/machine.rs` puts another one in its place.
//!
//! There is one exchange at a time. What comes behind a request's body is not taken until its
//! response is complete, so pipelined requests wait with the actor, and the bytes behind a head
//! that asks for another protocol are there, untouched, for whoever will speak it. To that one
//! they matter also when the client has gone, so the client's end is not looked for behind them.
//!
//! `request` has what the client's bytes do, `response` what the application's commands do,
//! `flow` counts what is on its way to the client. `codec` is the border to the engine, which
//! takes bytes apart and puts them together; the machine itself works with any engine.

pub mod codec;
mod exchange;
mod flow;
mod handshake;
mod request;
mod response;

use std::rc::Rc;
use std::time::Duration;

use smolcorn_actors::protocol::{Close, Io, Protocol};

use super::head::HeadScanner;
use super::limits::{HEAD_DRAIN_TIMEOUT, UNSENT_BYTES_MAX};
use super::refusal::Refusal;
use super::shared::Shared;
use super::{HttpCommand, HttpEvent, StreamId, Warning};
use codec::{Codec, Native};
use exchange::Exchange;
use flow::Flow;
pub(super) use handshake::Accepted;

type HttpIo<'a> = Io<'a, HttpEvent>;

/// The machine on our own engine.
pub type H1 = Machine<Native>;

/// The HTTP/1 machine of one connection, on the engine `C`.
#[derive(Debug)]
pub struct Machine<C> {
    shared: Rc<Shared>,
    state: State<C>,
    /// The number of the last request begun.
    stream: StreamId,
    /// Responses on their way to the client.
    flow: Flow,
    /// Bytes that the actor has shown and that were not taken.
    pending: usize,
    /// The client will send nothing more.
    eof: bool,
    /// No request may begin after the one under way.
    retiring: bool,
}

#[derive(Debug)]
enum State<C> {
    /// No request is under way, or its head is incomplete.
    Between {
        scanner: HeadScanner,
        /// The head's first byte has come.
        begun: bool,
    },
    /// The application is to answer a request.
    Exchange(Exchange<C>),
    /// The response is complete; the rest of the request's body is read and dropped.
    Draining {
        codec: C,
        /// Bytes that may still be dropped.
        allowed: u64,
    },
    /// Nothing more is read; what is in the outbox is still written.
    Ended,
}

impl<C> State<C> {
    fn between() -> State<C> {
        State::Between {
            scanner: HeadScanner::default(),
            begun: false,
        }
    }
}

impl<C: Codec> Machine<C> {
    /// A machine for a new connection.
    pub fn new(shared: Rc<Shared>) -> Machine<C> {
        Machine {
            shared,
            state: State::between(),
            stream: 0,
            flow: Flow::default(),
            pending: 0,
            eof: false,
            retiring: false,
        }
    }

    /// The exchange under way, if `stream` is its number. Commands for another one come late,
    /// after its client has gone, and are dropped.
    fn exchange(&mut self, stream: StreamId) -> Option<&mut Exchange<C>> {
        match &mut self.state {
            State::Exchange(exchange) if stream == self.stream => Some(exchange),
            _ => None,
        }
    }

    /// True when no request may begin after the one under way.
    fn retires(&self) -> bool {
        self.retiring || self.shared.readiness().is_retiring()
    }

    /// True while so much is unsent that no further request may begin.
    fn is_congested(&self) -> bool {
        self.flow.unsent_bytes() > UNSENT_BYTES_MAX
    }

    /// Waits for the next request.
    fn await_request(&mut self, io: &mut HttpIo<'_>) {
        self.state = State::between();
        set_timeout(io, self.shared.limits().keep_alive_timeout);
    }

    /// Ends the connection as soon as everything is written.
    fn end(&mut self, io: &mut HttpIo<'_>, how: Close) {
        self.state = State::Ended;
        io.clear_deadline();
        io.close(how);
    }

    /// How to end so that the client gets to read the answer: bytes of the client that are
    /// never read would make the kernel reset the connection.
    fn gentle_close(&self, body_complete: bool) -> Close {
        if self.eof || (body_complete && self.pending == 0) {
            Close::Flush
        } else {
            Close::Linger
        }
    }

    /// Answers a request that is refused, and ends. No response is under way.
    fn refuse(&mut self, refusal: Refusal, to_head_request: bool, io: &mut HttpIo<'_>) {
        io.emit(HttpEvent::Warning(Warning::InvalidRequest(
            refusal.status(),
        )));
        let (shared, now) = (&self.shared, io.unix_seconds);
        io.outbox
            .append(|out| refusal.write(out, shared, now, to_head_request));
        self.flow.pushed(io.outbox);
        self.end(io, Close::Linger);
    }

    /// What the client's end of sending means where the machine stands. Bytes that were not
    /// taken for congestion or for an application that lags behind still count.
    fn settle_eof(&mut self, io: &mut HttpIo<'_>) {
        let congested = self.is_congested();
        let unread_max = self.shared.limits().body_unread_max;
        match &mut self.state {
            State::Between { .. } if congested && self.pending > 0 => {}
            State::Between { .. } | State::Draining { .. } => self.end(io, Close::Flush),
            State::Exchange(exchange) => {
                let is_complete = exchange.codec.body_is_complete();
                if !is_complete && exchange.unread > unread_max && self.pending > 0 {
                    return;
                }
                if !is_complete {
                    exchange.keep_alive = false;
                    io.clear_deadline();
                }
                exchange.tell_disconnect(self.stream, false, io);
            }
            State::Ended => {}
        }
    }
}

impl<C: Codec> Protocol for Machine<C> {
    type Event = HttpEvent;
    type Command = HttpCommand;

    fn begin(&mut self, io: &mut HttpIo<'_>) {
        let limits = self.shared.limits();
        // Zero means that a response ends its connection; the first request needs time anyway.
        set_timeout(
            io,
            match limits.keep_alive_timeout {
                Duration::ZERO => limits.head_timeout,
                timeout => timeout,
            },
        );
    }

    fn receive(&mut self, input: &[u8], io: &mut HttpIo<'_>) -> usize {
        let mut used = 0;
        while let Some(rest) = input.get(used..)
            && !rest.is_empty()
        {
            let taken = match &mut self.state {
                State::Between { .. } => self.receive_head(rest, io),
                State::Exchange(_) => self.receive_body(rest, io),
                State::Draining { .. } => self.receive_unwanted(rest, io),
                State::Ended => rest.len(),
            };
            if taken == 0 {
                break;
            }
            used += taken;
        }
        self.pending = input.len() - used;
        if self.eof {
            self.settle_eof(io);
        }
        used
    }

    fn receive_eof(&mut self, unused: usize, io: &mut HttpIo<'_>) {
        self.eof = true;
        self.pending = unused;
        self.settle_eof(io);
    }

    fn command(&mut self, command: HttpCommand, io: &mut HttpIo<'_>) {
        match command {
            HttpCommand::Respond {
                stream,
                head,
                body,
                end,
            } => {
                self.respond(stream, &head, body, end, io);
            }
            HttpCommand::Body { stream, data, end } => self.send_body(stream, data, end, io),
            HttpCommand::File {
                stream,
                file,
                len_bytes,
            } => {
                self.send_file(stream, file, len_bytes, io);
            }
            HttpCommand::EarlyHint { stream, links } => self.send_early_hint(stream, &links, io),
            HttpCommand::Trailers { stream, lines } => self.send_trailers(stream, &lines, io),
            HttpCommand::Continue { stream } => self.send_continue(stream, io),
            HttpCommand::Consumed { stream, bytes } => self.consumed(stream, bytes, io),
            HttpCommand::Abort { stream } => {
                if self.exchange(stream).is_some() {
                    self.cut(io);
                }
            }
            // Both are for who takes the connection over, and come here only when it is too late.
            HttpCommand::Accept { .. } | HttpCommand::WebSocket { .. } => {}
            HttpCommand::Retire => self.drain(io),
        }
    }

    fn sent(&mut self, bytes: u64, io: &mut HttpIo<'_>) {
        if let Some(bytes) = self.flow.sent(bytes) {
            io.emit(HttpEvent::Sent {
                stream: self.stream,
                bytes,
            });
        }
    }

    fn deadline(&mut self, io: &mut HttpIo<'_>) {
        match &self.state {
            // The time of an idle connection counts from the last byte of the response.
            State::Between { begun: false, .. } if !io.outbox.is_empty() => {
                set_timeout(io, self.shared.limits().keep_alive_timeout);
            }
            State::Between { begun: false, .. } => self.end(io, Close::Flush),
            State::Between { begun: true, .. } => self.refuse(Refusal::TimedOut, false, io),
            State::Exchange(exchange) if !exchange.codec.body_is_complete() => {
                self.fail_exchange(Refusal::TimedOut, io);
            }
            State::Exchange(_) => {}
            State::Draining { .. } => self.end(io, Close::Linger),
            State::Ended => {}
        }
    }

    fn drain(&mut self, io: &mut HttpIo<'_>) {
        let is_first = !std::mem::replace(&mut self.retiring, true);
        match &self.state {
            State::Between { begun: false, .. } => {
                let how = self.gentle_close(true);
                self.end(io, how);
            }
            // It may be on its way, and then it is served; who has stalled holds up the server's end.
            State::Between { begun: true, .. } if is_first => {
                let timeout = self.shared.limits().head_timeout;
                let has_less = !timeout.is_zero() && timeout < HEAD_DRAIN_TIMEOUT;
                io.set_deadline(if has_less {
                    timeout
                } else {
                    HEAD_DRAIN_TIMEOUT
                });
            }
            State::Draining { .. } => self.end(io, Close::Linger),
            State::Between { .. } | State::Exchange(_) | State::Ended => {}
        }
    }

    fn lost(&mut self, io: &mut HttpIo<'_>) {
        if let State::Exchange(exchange) = &mut self.state {
            exchange.tell_disconnect(self.stream, true, io);
        }
        self.state = State::Ended;
        io.clear_deadline();
    }

    fn wants_input(&self) -> bool {
        match &self.state {
            State::Between { .. } => !self.is_congested(),
            // Reading goes on while the application works, because that shows a client that
            // leaves, be it behind a stray line end or the next request. No more than a head may
            // have waits for that.
            State::Exchange(exchange) if exchange.handshake.is_some() => self.pending == 0,
            State::Exchange(exchange) if exchange.codec.body_is_complete() => {
                self.pending < self.shared.limits().head_bytes_max
            }
            State::Exchange(exchange) => exchange.unread <= self.shared.limits().body_unread_max,
            State::Draining { .. } => true,
            State::Ended => false,
        }
    }
}

/// Sets the machine's deadline; a timeout of zero is none.
fn set_timeout(io: &mut HttpIo<'_>, timeout: Duration) {
    if timeout.is_zero() {
        io.clear_deadline();
    } else {
        io.set_deadline(timeout);
    }
}
