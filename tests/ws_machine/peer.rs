//! A scripted client, kernel and application around one machine: what the connection actor does,
//! without sockets or time.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use smolcorn::ws::deflate::Deflate;
use smolcorn::ws::limits::WsConfig;
use smolcorn::ws::machine::{Plain, WsMachine};
use smolcorn::ws::shared::WsShared;
use smolcorn::ws::{WsCommand, WsEvent};
use smolcorn_actors::outbox::{Next, Outbox, Payload};
use smolcorn_actors::protocol::{Close, DeadlineChange, Io, Protocol};

use crate::wire;

pub struct Peer {
    machine: WsMachine<Plain>,
    outbox: Outbox,
    events: VecDeque<WsEvent>,
    deadline: Option<Duration>,
    close: Close,
    /// Sent by the client, not yet read by the actor.
    socket: Vec<u8>,
    /// Read by the actor, not yet taken by the machine.
    shown: Vec<u8>,
    eof: bool,
    eof_shown: bool,
    /// Written to the client, not yet looked at by the test.
    wire: Vec<u8>,
    /// While set, the kernel takes nothing.
    stalled: bool,
}

impl Peer {
    pub fn new() -> Peer {
        Peer::with(|_| ())
    }

    /// With the settings changed. Every byte sent is told at once, so that tests can see it.
    pub fn with(change: impl FnOnce(&mut WsConfig)) -> Peer {
        let mut config = WsConfig {
            queue_messages_max: usize::MAX,
            unsent_bytes_max: 0,
            ..crate::config()
        };
        change(&mut config);
        Peer::with_deflate(config, None)
    }

    pub fn with_deflate(config: WsConfig, deflate: Option<Deflate>) -> Peer {
        let shared = Rc::new(WsShared::new(config));
        let mut peer = Peer {
            machine: WsMachine::new(shared, deflate, Plain),
            outbox: Outbox::new(),
            events: VecDeque::new(),
            deadline: None,
            close: Close::Open,
            socket: Vec::new(),
            shown: Vec::new(),
            eof: false,
            eof_shown: false,
            wire: Vec::new(),
            stalled: false,
        };
        peer.call(|machine, io| machine.begin(io));
        peer
    }

    fn call<T>(&mut self, act: impl FnOnce(&mut WsMachine<Plain>, &mut Io<'_, WsEvent>) -> T) -> T {
        let mut events = Vec::new();
        let mut deadline = DeadlineChange::Keep;
        let result = act(
            &mut self.machine,
            &mut Io {
                outbox: &mut self.outbox,
                events: &mut events,
                deadline: &mut deadline,
                close: &mut self.close,
                unix_seconds: 0,
            },
        );
        self.events.extend(events);
        match deadline {
            DeadlineChange::Keep => {}
            DeadlineChange::Clear => self.deadline = None,
            DeadlineChange::Set(after) => self.deadline = Some(after),
        }
        result
    }

    /// Calls the machine, then goes on as the actor would: writes, and shows input again.
    fn act(&mut self, act: impl FnOnce(&mut WsMachine<Plain>, &mut Io<'_, WsEvent>)) {
        self.call(act);
        self.go_on(true);
    }

    fn go_on(&mut self, mut show: bool) {
        loop {
            if !self.stalled {
                self.write(u64::MAX);
            }
            if self.close != Close::Open || !self.machine.wants_input() {
                return;
            }
            if !self.socket.is_empty() {
                self.shown.append(&mut self.socket);
                show = true;
            }
            if show && !self.shown.is_empty() {
                show = false;
                let shown = std::mem::take(&mut self.shown);
                let used = self.call(|machine, io| machine.receive(&shown, io));
                assert!(used <= shown.len(), "the machine took more than there was");
                self.shown = shown[used..].to_vec();
                continue;
            }
            if self.eof && !self.eof_shown {
                self.eof_shown = true;
                let unused = self.shown.len();
                self.call(|machine, io| machine.receive_eof(unused, io));
                continue;
            }
            return;
        }
    }

    /// Lets the kernel take up to `max` bytes.
    pub fn write(&mut self, max: u64) {
        let mut left = max;
        while left > 0 && !self.outbox.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[])];
            let Next::Slices(1) = self.outbox.next(&mut slices) else {
                panic!("nothing to write in a full outbox");
            };
            let len = slices[0]
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            self.wire.extend_from_slice(&slices[0][..len]);
            self.outbox.advance(len as u64);
            left -= len as u64;
            self.call(|machine, io| machine.sent(len as u64, io));
        }
    }

    // The client.

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Peer {
        self.socket.extend_from_slice(bytes.as_ref());
        self.go_on(false);
        self
    }

    /// The client says that it sends nothing more.
    pub fn half_close(&mut self) {
        self.eof = true;
        self.go_on(false);
    }

    /// The connection breaks.
    pub fn lose(&mut self) {
        self.call(|machine, io| machine.lost(io));
    }

    /// What the client has got since the last call.
    pub fn wire(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.wire)
    }

    /// The frames that the client has got since the last call.
    pub fn frames(&mut self) -> Vec<String> {
        wire::describe(&self.wire())
    }

    #[track_caller]
    pub fn expect_frames(&mut self, frames: &[&str]) {
        assert_eq!(self.frames(), frames);
    }

    // The kernel and the clock.

    pub fn stall(&mut self) {
        self.stalled = true;
    }

    pub fn resume(&mut self) {
        self.stalled = false;
        self.go_on(true);
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The deadline passes.
    #[track_caller]
    pub fn expire(&mut self) {
        assert!(self.deadline.take().is_some(), "no deadline is set");
        self.act(|machine, io| machine.deadline(io));
    }

    pub fn close(&self) -> Close {
        self.close
    }

    pub fn wants_input(&self) -> bool {
        self.close == Close::Open && self.machine.wants_input()
    }

    /// Bytes that the client has sent and the machine has not taken.
    pub fn waiting(&self) -> usize {
        self.socket.len() + self.shown.len()
    }

    pub fn unsent(&self) -> u64 {
        self.outbox.len_bytes()
    }

    // The server and the application.

    pub fn drain(&mut self) {
        self.act(|machine, io| machine.drain(io));
    }

    pub fn command(&mut self, command: WsCommand) {
        self.act(|machine, io| machine.command(command, io));
    }

    pub fn send_text(&mut self, text: &str) {
        self.command(WsCommand::Text(Payload::Owned(text.as_bytes().to_vec())));
    }

    pub fn send_binary(&mut self, bytes: impl Into<Vec<u8>>) {
        self.command(WsCommand::Binary(Payload::Owned(bytes.into())));
    }

    /// The application has answered all that it got, and the client has read it.
    pub fn answer(&mut self) {
        self.send_text("answer");
        self.events.clear();
        self.wire();
    }

    pub fn send_close(&mut self, code: u16, reason: &str) {
        let reason = reason.to_owned();
        self.command(WsCommand::Close { code, reason });
    }

    pub fn consume(&mut self, messages: usize) {
        self.command(WsCommand::Consumed { messages });
    }

    pub fn event(&mut self) -> Option<WsEvent> {
        self.events.pop_front()
    }

    pub fn events(&mut self) -> Vec<WsEvent> {
        self.events.drain(..).collect()
    }

    #[track_caller]
    pub fn expect_text(&mut self, text: &str) {
        assert_eq!(self.event(), Some(WsEvent::Text(text.to_owned())));
    }

    #[track_caller]
    pub fn expect_binary(&mut self, bytes: &[u8]) {
        assert_eq!(self.event(), Some(WsEvent::Binary(bytes.to_vec())));
    }

    #[track_caller]
    pub fn expect_disconnected(&mut self, code: u16, reason: &str, gone: bool) {
        let reason = reason.to_owned();
        let expected = WsEvent::Disconnected { code, reason, gone };
        assert_eq!(self.event(), Some(expected));
        self.expect_nothing();
    }

    #[track_caller]
    pub fn expect_nothing(&mut self) {
        assert_eq!(self.event(), None);
    }

    /// The machine has failed the connection, with a close frame that says why.
    #[track_caller]
    pub fn expect_failure(&mut self, code: u16, reason: &str) {
        self.expect_disconnected(code, reason, false);
        self.expect_frames(&[&format!("close {code} {reason:?}")]);
        assert_eq!(self.close(), Close::Linger);
        assert_eq!(self.deadline(), None);
    }
}
