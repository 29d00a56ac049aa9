//! The WebSocket state machine of one connection, on any engine.
//!
//! ```text
//!           peer's close frame (answered), failure, peer gone, cut
//!   Open ------------------------------------------------------------> Ended
//!     |                                                                  ^
//!     |  application closes, server stops        peer's close frame,     |
//!     '----------------------------> Closing ----------------------------'
//!                                                failure, gone, too late
//! ```
//!
//! The application hears of the end ([`WsEvent::Disconnected`]) when the machine leaves `Open`.
//! In `Closing` our close frame is sent: messages of the peer are skipped, its pings are answered
//! (RFC 6455, section 5.5.2), and it has `close_timeout` from the moment the kernel has the frame.
//!
//! - The engine ([`Codec`]) takes frames apart and makes them, `flow` counts what is on its way to
//!   the peer, `unread` what the application has not taken, `keepalive` says when to ping.
//! - Reading stops when `unread` is full. Control frames behind that are not seen either, so
//!   `keepalive` rests meanwhile; that the peer goes away is the actor's to notice.
//! - Nothing is allocated for a message but the message itself, and nothing is kept when all is
//!   said.
//! - Behind messages that the application has not answered, a failure of the peer's waits for
//!   `ANSWER_TIME`: what the application says meanwhile still goes out.
//! - A failure of the connection sends its code and reason in a close frame, and then reads and
//!   drops what still comes for a while ([`Close::Linger`]), so that the peer gets to see the frame.

mod flow;
mod keepalive;
mod unread;

use std::rc::Rc;

use smolcorn_actors::outbox::{Payload, unsent_weight};
use smolcorn_actors::protocol::{Close, Io, Protocol};

use super::close::{self, Failure};
use super::codec::{Codec, Item, push_copied};
use super::deflate::Deflate;
use super::frame::{Opcode, write_header};
use super::limits::{ANSWER_TIME, PONGS_UNSENT_BYTES_MAX};
use super::machine::Envelope;
use super::message::Message;
use super::shared::WsShared;
use super::{WsCommand, WsEvent};
use flow::Flow;
use keepalive::{Due, Keepalive};
use unread::Unread;

/// The machine, on the engine `C`. `N` puts its events into the vocabulary of the connection that
/// carries it.
#[derive(Debug)]
pub struct Session<C, N> {
    envelope: N,
    shared: Rc<WsShared>,
    phase: Phase,
    codec: C,
    flow: Flow,
    unread: Unread,
    keepalive: Keepalive,
    /// Where the last pong ends in the stream.
    pongs_end: u64,
    /// Bytes of pongs that may be unsent.
    pongs_unsent_bytes: usize,
    /// The peer will send nothing more.
    eof: bool,
    /// The application has sent nothing since the peer's last message.
    unanswered: bool,
    /// Why the connection will fail when the application has had time to answer.
    failure: Option<Box<Failure>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our close frame ends at `end` in the stream.
    Closing {
        end: u64,
    },
    Ended,
}

type WsIo<'a, N> = Io<'a, <N as Envelope>::Event>;

impl<C: Codec, N: Envelope> Session<C, N> {
    /// A machine for a connection whose handshake is done.
    pub fn new(shared: Rc<WsShared>, deflate: Option<Deflate>, envelope: N) -> Session<C, N> {
        let config = shared.config();
        Session {
            envelope,
            phase: Phase::Open,
            codec: C::new(&shared, deflate),
            flow: Flow::new(config.credit_bytes_min()),
            unread: Unread::new(config.queue_messages_max),
            keepalive: Keepalive::new(config.ping_interval, config.ping_timeout),
            pongs_end: 0,
            pongs_unsent_bytes: 0,
            eof: false,
            unanswered: false,
            failure: None,
            shared,
        }
    }

    fn emit(&self, event: WsEvent, io: &mut WsIo<'_, N>) {
        io.emit(self.envelope.wrap(event));
    }

    /// True while the application lags behind.
    fn is_paused(&self) -> bool {
        self.phase == Phase::Open && self.unread.is_full()
    }

    fn handle(&mut self, item: Item, behind: usize, io: &mut WsIo<'_, N>) {
        match item {
            Item::Message(message) => {
                let (event, len) = match message {
                    Message::Text(text) => {
                        let len = text.len();
                        (WsEvent::Text(text), len)
                    }
                    Message::Binary(bytes) => {
                        let len = bytes.len();
                        (WsEvent::Binary(bytes), len)
                    }
                };
                self.unread.push(len);
                self.unanswered = true;
                self.emit(event, io);
            }
            Item::Ping(payload) => {
                if self.phase != Phase::Ended {
                    self.answer_ping(payload.as_bytes(), io);
                }
            }
            Item::Pong => {
                if self.phase == Phase::Open
                    && let Some(interval) = self.keepalive.pong()
                {
                    io.set_deadline(interval);
                }
            }
            Item::Close { code, reason } => self.peer_closes(code, reason, behind, io),
        }
    }

    /// The peer's close frame has come, and `behind` bytes more. The server closes the connection
    /// first (RFC 6455, section 7.1.1).
    fn peer_closes(&mut self, code: u16, reason: String, behind: usize, io: &mut WsIo<'_, N>) {
        if self.phase == Phase::Open {
            self.send_close(code, &reason, io);
            self.tell_disconnected(code, reason, false, io);
        }
        let is_last = behind == 0;
        self.end(if is_last { Close::Flush } else { Close::Linger }, io);
    }

    /// Begins the closing handshake.
    fn close(&mut self, code: u16, reason: String, io: &mut WsIo<'_, N>) {
        if self.phase != Phase::Open {
            return;
        }
        let end = self.send_close(code, &reason, io);
        self.tell_disconnected(code, reason, false, io);
        self.phase = Phase::Closing { end };
        self.codec.skip_messages();
        // The time for the answer begins when the frame is with the kernel.
        io.clear_deadline();
        if self.eof {
            self.end(Close::Flush, io);
        } else if self.failure.is_some() {
            // An answer to our close frame could not be understood.
            self.end(Close::Linger, io);
        }
    }

    /// The peer broke the protocol: fails the connection, at once or a little later.
    fn fail_after_answers(&mut self, failure: Failure, io: &mut WsIo<'_, N>) {
        if self.phase == Phase::Open && self.unanswered {
            self.failure = Some(Box::new(failure));
            io.set_deadline(ANSWER_TIME);
        } else {
            self.fail(failure, Close::Linger, io);
        }
    }

    /// Fails the connection (RFC 6455, section 7.1.7).
    fn fail(&mut self, failure: Failure, how: Close, io: &mut WsIo<'_, N>) {
        if self.phase == Phase::Open {
            self.send_close(failure.code, &failure.reason, io);
            self.tell_disconnected(failure.code, failure.reason.into_owned(), false, io);
        }
        self.end(how, io);
    }

    /// The connection is of no use any more, and no close frame has come.
    fn break_off(&mut self, how: Close, io: &mut WsIo<'_, N>) {
        if self.phase == Phase::Open {
            self.tell_disconnected(close::ABNORMAL, String::new(), true, io);
        }
        self.end(how, io);
    }

    fn tell_disconnected(&self, code: u16, reason: String, gone: bool, io: &mut WsIo<'_, N>) {
        self.emit(WsEvent::Disconnected { code, reason, gone }, io);
    }

    fn end(&mut self, how: Close, io: &mut WsIo<'_, N>) {
        self.phase = Phase::Ended;
        io.clear_deadline();
        io.close(how);
    }

    /// The peer sends nothing more, and all that it has sent is looked at.
    fn settle_eof(&mut self, io: &mut WsIo<'_, N>) {
        if self.phase != Phase::Ended {
            self.break_off(Close::Flush, io);
        }
    }

    fn send_message(&mut self, opcode: Opcode, payload: Payload, io: &mut WsIo<'_, N>) {
        if self.phase != Phase::Open {
            return;
        }
        self.unanswered = false;
        let weight = unsent_weight(payload.len() as u64);
        match self
            .codec
            .push_message(opcode, payload, &self.shared, io.outbox)
        {
            Ok(()) => {
                self.flow.pushed(io.outbox);
                self.flow.expect_credit(weight);
            }
            Err(failure) => self.fail(failure, Close::Linger, io),
        }
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8], io: &mut WsIo<'_, N>) -> u64 {
        push_copied(opcode, false, payload, io.outbox);
        self.flow.pushed(io.outbox)
    }

    fn send_close(&mut self, code: u16, reason: &str, io: &mut WsIo<'_, N>) -> u64 {
        io.outbox.append(|out| {
            let len = close::payload_bytes(code, reason);
            write_header(out, Opcode::Close, false, len);
            close::write_payload(out, code, reason);
        });
        self.flow.pushed(io.outbox)
    }

    /// A peer that pings and does not read gets some answers later and the others never: it may
    /// not fill the memory (RFC 6455, section 5.5.3, lets pongs be left out).
    fn answer_ping(&mut self, payload: &[u8], io: &mut WsIo<'_, N>) {
        if self.flow.has_sent(self.pongs_end) {
            self.pongs_unsent_bytes = 0;
        }
        if self.pongs_unsent_bytes <= PONGS_UNSENT_BYTES_MAX {
            self.pongs_unsent_bytes += payload.len() + 2;
            self.pongs_end = self.send_control(Opcode::Pong, payload, io);
        }
    }

    fn ping(&mut self, io: &mut WsIo<'_, N>) {
        let payload = self.shared.random();
        let end = self.send_control(Opcode::Ping, &payload, io);
        if let Some(after) = self.keepalive.pinged(end) {
            io.set_deadline(after);
        }
    }
}

impl<C: Codec, N: Envelope> Protocol for Session<C, N> {
    type Event = N::Event;
    type Command = WsCommand;

    fn begin(&mut self, io: &mut WsIo<'_, N>) {
        match self.keepalive.interval() {
            Some(interval) => io.set_deadline(interval),
            None => io.clear_deadline(),
        }
    }

    fn receive(&mut self, input: &[u8], io: &mut WsIo<'_, N>) -> usize {
        self.keepalive.hear();
        let mut used = 0;
        while self.phase != Phase::Ended && self.failure.is_none() && !self.is_paused() {
            let rest = input.get(used..).unwrap_or_default();
            match self.codec.next(rest) {
                Ok((taken, None)) => {
                    used += taken;
                    if self.eof {
                        self.settle_eof(io);
                    }
                    return used;
                }
                Ok((taken, Some(item))) => {
                    used += taken;
                    self.handle(item, rest.len() - taken, io);
                }
                Err(failure) => self.fail_after_answers(failure, io),
            }
        }
        if self.phase == Phase::Ended || self.failure.is_some() {
            input.len()
        } else {
            used
        }
    }

    fn receive_eof(&mut self, unused: usize, io: &mut WsIo<'_, N>) {
        self.eof = true;
        if self.failure.is_none() && (unused == 0 || !self.is_paused()) {
            self.settle_eof(io);
        }
    }

    fn command(&mut self, command: WsCommand, io: &mut WsIo<'_, N>) {
        match command {
            WsCommand::Text(payload) => self.send_message(Opcode::Text, payload, io),
            WsCommand::Binary(payload) => self.send_message(Opcode::Binary, payload, io),
            WsCommand::Consumed { messages } => {
                let was_paused = self.is_paused();
                self.unread.take(messages);
                if was_paused
                    && self.failure.is_none()
                    && !self.is_paused()
                    && let Some(timeout) = self.keepalive.resume()
                {
                    io.set_deadline(timeout);
                }
            }
            WsCommand::Close { code, reason } => self.close(code, reason, io),
            WsCommand::Abort => self.break_off(Close::Abort, io),
        }
    }

    fn sent(&mut self, bytes: u64, io: &mut WsIo<'_, N>) {
        let credit = self.flow.sent(bytes);
        match self.phase {
            Phase::Open => {
                if let Some(bytes) = credit {
                    self.emit(WsEvent::Sent { bytes }, io);
                }
                let flow = &self.flow;
                if let Some(timeout) = self.keepalive.sent(|end| flow.has_sent(end))
                    && self.failure.is_none()
                {
                    io.set_deadline(timeout);
                }
            }
            Phase::Closing { end } if self.flow.has_sent(end) => {
                io.set_deadline(self.shared.config().close_timeout);
                self.phase = Phase::Closing { end: u64::MAX };
            }
            Phase::Closing { .. } | Phase::Ended => {}
        }
    }

    fn deadline(&mut self, io: &mut WsIo<'_, N>) {
        if let Some(failure) = self.failure.take() {
            return self.fail(*failure, Close::Linger, io);
        }
        match self.phase {
            Phase::Open => match self.keepalive.due(!self.unread.is_full()) {
                Due::Ping => self.ping(io),
                Due::Wait(Some(after)) => io.set_deadline(after),
                Due::Wait(None) => {}
                Due::Dead => self.fail(Failure::ping_timeout(), Close::Flush, io),
            },
            Phase::Closing { .. } => self.end(Close::Flush, io),
            Phase::Ended => {}
        }
    }

    fn drain(&mut self, io: &mut WsIo<'_, N>) {
        self.close(close::SERVICE_RESTART, String::new(), io);
    }

    /// The peer's last messages and its close frame may have come; to send is of no use.
    fn unreachable(&mut self, io: &mut WsIo<'_, N>) -> bool {
        let is_open = self.phase == Phase::Open;
        if is_open {
            self.emit(WsEvent::Unreachable, io);
        }
        is_open
    }

    fn lost(&mut self, io: &mut WsIo<'_, N>) {
        match self.failure.take() {
            Some(failure) => self.fail(*failure, Close::Flush, io),
            None => self.break_off(Close::Flush, io),
        }
    }

    fn wants_input(&self) -> bool {
        match self.phase {
            Phase::Open => !self.unread.is_full() && self.failure.is_none(),
            Phase::Closing { .. } => true,
            Phase::Ended => false,
        }
    }
}
