//! A connection that has become a WebSocket: carries the WebSocket machine's events and commands
//! under the number of the request that it began as.

use std::rc::Rc;

use smolcorn_actors::protocol::{Io, Protocol};

use super::h1::Accepted;
use super::{HttpCommand, HttpEvent, StreamId};
use crate::ws::WsEvent;
use crate::ws::machine::{Envelope, WsMachine};
use crate::ws::shared::WsShared;

/// Puts a WebSocket's events into HTTP's vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct OfStream(StreamId);

impl Envelope for OfStream {
    type Event = HttpEvent;

    fn wrap(&self, event: WsEvent) -> HttpEvent {
        HttpEvent::WebSocket {
            stream: self.0,
            event,
        }
    }
}

/// The machine of a connection that is a WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    stream: StreamId,
    machine: WsMachine<OfStream>,
}

impl WebSocket {
    /// Takes over from the HTTP machine, whose last bytes are in the outbox.
    pub(super) fn take_over(
        accepted: Accepted,
        shared: &Rc<WsShared>,
        io: &mut Io<'_, HttpEvent>,
    ) -> WebSocket {
        let stream = accepted.stream;
        let mut machine =
            WsMachine::new(Rc::clone(shared), accepted.agreed.deflate, OfStream(stream));
        machine.begin(io);
        if accepted.eof {
            machine.receive_eof(accepted.pending, io);
        }
        if accepted.retiring {
            machine.drain(io);
        }
        WebSocket { stream, machine }
    }
}

impl Protocol for WebSocket {
    type Event = HttpEvent;
    type Command = HttpCommand;

    fn begin(&mut self, io: &mut Io<'_, HttpEvent>) {
        self.machine.begin(io);
    }

    fn receive(&mut self, input: &[u8], io: &mut Io<'_, HttpEvent>) -> usize {
        self.machine.receive(input, io)
    }

    fn receive_eof(&mut self, unused: usize, io: &mut Io<'_, HttpEvent>) {
        self.machine.receive_eof(unused, io);
    }

    fn command(&mut self, command: HttpCommand, io: &mut Io<'_, HttpEvent>) {
        // Others are for requests before it, and come late.
        if let HttpCommand::WebSocket { stream, command } = command
            && stream == self.stream
        {
            self.machine.command(command, io);
        }
    }

    fn sent(&mut self, bytes: u64, io: &mut Io<'_, HttpEvent>) {
        self.machine.sent(bytes, io);
    }

    fn deadline(&mut self, io: &mut Io<'_, HttpEvent>) {
        self.machine.deadline(io);
    }

    fn drain(&mut self, io: &mut Io<'_, HttpEvent>) {
        self.machine.drain(io);
    }

    fn unreachable(&mut self, io: &mut Io<'_, HttpEvent>) -> bool {
        self.machine.unreachable(io)
    }

    fn lost(&mut self, io: &mut Io<'_, HttpEvent>) {
        self.machine.lost(io);
    }

    fn wants_input(&self) -> bool {
        self.machine.wants_input()
    }
}
