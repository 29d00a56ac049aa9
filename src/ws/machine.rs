//! The machine of an accepted connection, on whichever engine was chosen.
//!
//! It begins where the HTTP machine has ended: the response 101 is in the outbox, and bytes behind
//! the handshake wait with the actor. Whoever makes it
//!
//! 1. calls [`begin`](Protocol::begin), which replaces the deadline;
//! 2. calls [`receive_eof`](Protocol::receive_eof), if the peer's end has come before, and
//!    [`drain`](Protocol::drain), if that was called before;
//! 3. passes every call on from then on. The actor shows the waiting bytes by itself.
//!
//! A [`WsCommand`] comes without the number of its request; whoever carries the machine looks at
//! that first.

use std::rc::Rc;

use smolcorn_actors::protocol::{Io, Protocol};

use super::codec::Native;
use super::deflate::Deflate;
use super::limits::WsEngine;
use super::session::Session;
use super::shared::WsShared;
#[cfg(feature = "tungstenite")]
use super::tungstenite::Tungstenite;
use super::{WsCommand, WsEvent};

/// Puts a WebSocket's events into the vocabulary of the connection that carries it.
pub trait Envelope: 'static {
    /// That connection's events.
    type Event: smolcorn_actors::trace::Describe + Send + 'static;

    /// Puts `event` in.
    fn wrap(&self, event: WsEvent) -> Self::Event;
}

/// For a connection that is a WebSocket and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Envelope for Plain {
    type Event = WsEvent;

    fn wrap(&self, event: WsEvent) -> WsEvent {
        event
    }
}

/// A WebSocket machine.
#[derive(Debug)]
pub enum WsMachine<N> {
    /// On our own engine.
    Native(Session<Native, N>),
    /// On the crate async-tungstenite.
    #[cfg(feature = "tungstenite")]
    Tungstenite(Session<Tungstenite, N>),
}

impl<N: Envelope> WsMachine<N> {
    /// A machine for a connection whose handshake is done, and compression agreed on as the
    /// response says.
    pub fn new(shared: Rc<WsShared>, deflate: Option<Deflate>, envelope: N) -> WsMachine<N> {
        match shared.config().engine {
            WsEngine::Native => WsMachine::Native(Session::new(shared, deflate, envelope)),
            #[cfg(feature = "tungstenite")]
            WsEngine::Tungstenite => {
                WsMachine::Tungstenite(Session::new(shared, deflate, envelope))
            }
        }
    }
}

/// Calls the machine, whichever it is.
macro_rules! on_machine {
    ($self:expr, $machine:ident => $call:expr) => {
        match $self {
            WsMachine::Native($machine) => $call,
            #[cfg(feature = "tungstenite")]
            WsMachine::Tungstenite($machine) => $call,
        }
    };
}

impl<N: Envelope> Protocol for WsMachine<N> {
    type Event = N::Event;
    type Command = WsCommand;

    fn begin(&mut self, io: &mut Io<'_, N::Event>) {
        on_machine!(self, machine => machine.begin(io));
    }

    fn receive(&mut self, input: &[u8], io: &mut Io<'_, N::Event>) -> usize {
        on_machine!(self, machine => machine.receive(input, io))
    }

    fn receive_eof(&mut self, unused: usize, io: &mut Io<'_, N::Event>) {
        on_machine!(self, machine => machine.receive_eof(unused, io));
    }

    fn command(&mut self, command: WsCommand, io: &mut Io<'_, N::Event>) {
        on_machine!(self, machine => machine.command(command, io));
    }

    fn sent(&mut self, bytes: u64, io: &mut Io<'_, N::Event>) {
        on_machine!(self, machine => machine.sent(bytes, io));
    }

    fn deadline(&mut self, io: &mut Io<'_, N::Event>) {
        on_machine!(self, machine => machine.deadline(io));
    }

    fn drain(&mut self, io: &mut Io<'_, N::Event>) {
        on_machine!(self, machine => machine.drain(io));
    }

    fn unreachable(&mut self, io: &mut Io<'_, N::Event>) -> bool {
        on_machine!(self, machine => machine.unreachable(io))
    }

    fn lost(&mut self, io: &mut Io<'_, N::Event>) {
        on_machine!(self, machine => machine.lost(io));
    }

    fn wants_input(&self) -> bool {
        on_machine!(self, machine => machine.wants_input())
    }
}
