//! One request and its response.

use super::HttpIo;
use super::codec::ResponseFraming;
use crate::http::head::Version;
use crate::http::{HttpEvent, StreamId};
use crate::ws::handshake::Handshake;

/// A request that the application is to answer.
#[derive(Debug)]
pub(super) struct Exchange<C> {
    pub(super) version: Version,
    /// `HEAD`: the response has no body, whatever it says of one.
    pub(super) is_head: bool,
    /// The connection stays after it, as far as is known yet.
    pub(super) keep_alive: bool,
    pub(super) takes_trailers: bool,
    /// The client waits for `100 Continue`, and nothing of the body has come.
    pub(super) awaits_continue: bool,
    pub(super) codec: C,
    /// The request asks for a WebSocket: what accepting it takes.
    pub(super) handshake: Option<Box<Handshake>>,
    /// Decoded bytes that the application has not taken.
    pub(super) unread: usize,
    pub(super) response: Response,
    pub(super) told_disconnect: bool,
    pub(super) told_gone: bool,
}

/// How far the response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// Its head is not written.
    Awaited,
    /// Its head is written.
    Begun {
        framing: ResponseFraming,
        /// The application announced trailers: they end the response.
        trailers: bool,
    },
}

impl<C> Exchange<C> {
    /// Tells the application that nothing more comes (`gone`: and that nothing can be sent),
    /// each once.
    pub(super) fn tell_disconnect(&mut self, stream: StreamId, gone: bool, io: &mut HttpIo<'_>) {
        let told = if gone {
            &mut self.told_gone
        } else {
            &mut self.told_disconnect
        };
        if !std::mem::replace(told, true) {
            io.emit(HttpEvent::Disconnect { stream, gone });
        }
    }
}
