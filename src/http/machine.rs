//! The machine of a connection, on whichever engine was chosen.

use smolcorn_actors::protocol::{Io, Protocol};

#[cfg(feature = "async-h1")]
use super::async_h1::AsyncH1;
use super::h1::H1;
use super::{HttpCommand, HttpEvent};

/// An HTTP machine. Where only one engine is built in it costs nothing over that engine's own.
#[derive(Debug)]
pub enum HttpMachine {
    /// On our own engine.
    Native(H1),
    /// On the crate async-h1.
    #[cfg(feature = "async-h1")]
    AsyncH1(Box<AsyncH1>),
}

/// Calls the machine, whichever it is.
macro_rules! on_machine {
    ($self:expr, $machine:ident => $call:expr) => {
        match $self {
            HttpMachine::Native($machine) => $call,
            #[cfg(feature = "async-h1")]
            HttpMachine::AsyncH1($machine) => $call,
        }
    };
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
        on_machine!(self, machine => machine.command(command, io));
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

    fn lost(&mut self, io: &mut Io<'_, HttpEvent>) {
        on_machine!(self, machine => machine.lost(io));
    }

    fn wants_input(&self) -> bool {
        on_machine!(self, machine => machine.wants_input())
    }
}
