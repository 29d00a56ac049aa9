//! What the tests of the WebSocket machine say to it, and read of it.

#[path = "../machine/scripted.rs"]
mod scripted;

use std::rc::Rc;

use smolcorn::ws::deflate::Deflate;
use smolcorn::ws::limits::WsConfig;
use smolcorn::ws::machine::{Plain, WsMachine};
use smolcorn::ws::shared::WsShared;
use smolcorn::ws::{WsCommand, WsEvent};
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::protocol::Close;

use crate::wire;

/// With the WebSocket machine.
pub type Peer = scripted::Peer<WsMachine<Plain>>;

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
        Peer::of(WsMachine::new(shared, deflate, Plain))
    }

    /// What the client has got since the last call.
    pub fn wire(&mut self) -> Vec<u8> {
        self.taken()
    }

    /// The frames that the client has got since the last call.
    pub fn frames(&mut self) -> Vec<String> {
        wire::describe(&self.wire())
    }

    #[track_caller]
    pub fn expect_frames(&mut self, frames: &[&str]) {
        assert_eq!(self.frames(), frames);
    }

    pub fn events(&mut self) -> Vec<WsEvent> {
        std::iter::from_fn(|| self.event()).collect()
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
        self.events();
        self.wire();
    }

    pub fn send_close(&mut self, code: u16, reason: &str) {
        let reason = reason.to_owned();
        self.command(WsCommand::Close { code, reason });
    }

    pub fn consume(&mut self, messages: usize) {
        self.command(WsCommand::Consumed { messages });
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
