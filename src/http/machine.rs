//! The machine of a connection, on whichever engine was chosen. Where a request for a WebSocket is
//! accepted, another machine takes the connection over.

use smolcorn_actors::protocol::{Io, Protocol};

use super::StreamId;
#[cfg(feature = "async-h1")]
use super::async_h1::AsyncH1;
use super::h1::H1;
use super::response::ResponseHead;
use super::websocket::WebSocket;
use super::{HttpCommand, HttpEvent};

/// An HTTP machine. Where only one engine is built in it costs nothing over that engine's own.
#[derive(Debug)]
pub enum HttpMachine {
    /// On our own engine.
    Native(H1),
    /// On the crate async-h1.
    #[cfg(feature = "async-h1")]
    AsyncH1(Box<AsyncH1>),
    /// The connection has become a WebSocket.
    WebSocket(Box<WebSocket>),
}

/// Calls the machine, whichever it is.
macro_rules! on_machine {
    ($self:expr, $machine:ident => $call:expr) => {
        match $self {
            HttpMachine::Native($machine) => $call,
            #[cfg(feature = "async-h1")]
            HttpMachine::AsyncH1($machine) => $call,
            HttpMachine::WebSocket($machine) => $call,
        }
    };
}

impl HttpMachine {
    /// Makes a WebSocket of the connection, if there is a request that asks for one.
    fn accept(&mut self, stream: StreamId, head: &ResponseHead, io: &mut Io<'_, HttpEvent>) {
        let (accepted, shared) = match self {
            HttpMachine::Native(machine) => (
                machine.accept_websocket(stream, head, io),
                machine.shared_by_websockets(),
            ),
            #[cfg(feature = "async-h1")]
            HttpMachine::AsyncH1(machine) => (
                machine.accept_websocket(stream, head, io),
                machine.shared_by_websockets(),
            ),
            HttpMachine::WebSocket(_) => return,
        };
        if let Some(accepted) = accepted {
            let socket = WebSocket::take_over(accepted, shared, io);
            *self = HttpMachine::WebSocket(Box::new(socket));
        }
    }
}

impl Protocol for HttpMachine {
    type Event = HttpEvent;
    type Command = HttpCommand;

    fn begin(&mut self, io: &mut Io<'_, HttpEvent>) {
        on_machine!(self, machine => machine.begin(io));
    }

    fn receive(&mut self, input: &[u8], io: &mut Io<'_, HttpEvent>) -> usize {
        on_machine!(self, machine => machine.receive(input, io))
    }

    fn receive_eof(&mut self, unused: usize, io: &mut Io<'_, HttpEvent>) {
        on_machine!(self, machine => machine.receive_eof(unused, io));
    }

    fn command(&mut self, command: HttpCommand, io: &mut Io<'_, HttpEvent>) {
        match command {
            HttpCommand::Accept { stream, head } => self.accept(stream, &head, io),
            command => on_machine!(self, machine => machine.command(command, io)),
        }
    }

    fn sent(&mut self, bytes: u64, io: &mut Io<'_, HttpEvent>) {
        on_machine!(self, machine => machine.sent(bytes, io));
    }

    fn deadline(&mut self, io: &mut Io<'_, HttpEvent>) {
        on_machine!(self, machine => machine.deadline(io));
    }

    fn drain(&mut self, io: &mut Io<'_, HttpEvent>) {
        on_machine!(self, machine => machine.drain(io));
    }

    fn unreachable(&mut self, io: &mut Io<'_, HttpEvent>) -> bool {
        on_machine!(self, machine => machine.unreachable(io))
    }

    fn lost(&mut self, io: &mut Io<'_, HttpEvent>) {
        on_machine!(self, machine => machine.lost(io));
    }

    fn wants_input(&self) -> bool {
        on_machine!(self, machine => machine.wants_input())
    }
}
