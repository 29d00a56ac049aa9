//! A protocol machine together with what its calls leave behind: bytes to write, events for the
//! dispatch actor, a deadline, and how the connection shall end.

use std::rc::Rc;

use crate::actor::ConnectionId;
use crate::dispatch::DispatchAddress;
use crate::messages::ToDispatch;
use crate::outbox::Outbox;
use crate::placement::Local;
use crate::protocol::{Close, DeadlineChange, Io, Protocol};
use crate::timers::Tick;

/// A machine at work.
pub struct Machine<P: Protocol> {
    protocol: P,
    connection: ConnectionId,
    dispatch: DispatchAddress<P>,
    local: Rc<Local>,
    events: Vec<P::Event>,
    /// Bytes for the peer.
    pub outbox: Outbox,
    /// When the machine wants to be told that the time has come.
    pub deadline: Option<Tick>,
    /// How the machine wants its connection to end.
    pub close: Close,
}

impl<P: Protocol> Machine<P> {
    /// A machine that was not called yet.
    pub fn new(
        protocol: P,
        connection: ConnectionId,
        dispatch: DispatchAddress<P>,
        local: Rc<Local>,
    ) -> Machine<P> {
        Machine {
            protocol,
            connection,
            dispatch,
            local,
            events: Vec::new(),
            outbox: Outbox::new(),
            deadline: None,
            close: Close::Open,
        }
    }

    /// Calls the machine, then sends its events on and notes its deadline.
    pub fn call<T>(&mut self, call: impl FnOnce(&mut P, &mut Io<'_, P::Event>) -> T) -> T {
        let mut change = DeadlineChange::Keep;
        let result = call(
            &mut self.protocol,
            &mut Io {
                outbox: &mut self.outbox,
                events: &mut self.events,
                deadline: &mut change,
                close: &mut self.close,
                unix_seconds: self.local.clock().unix_seconds(),
            },
        );
        match change {
            DeadlineChange::Keep => {}
            DeadlineChange::Clear => self.deadline = None,
            DeadlineChange::Set(after) => {
                self.deadline = Some(self.local.clock().tick_after(after));
            }
        }
        for event in self.events.drain(..) {
            let connection = self.connection;
            // Refused only when the dispatch actor has ended; the server is ending then.
            let _ = self.dispatch.tell(ToDispatch::Event { connection, event });
        }
        result
    }

    /// False while the peer should not be read from.
    pub fn wants_input(&self) -> bool {
        self.close == Close::Open && self.protocol.wants_input()
    }
}
