//! A peer that cannot be reached any more, on a machine that wants to know what it had said
//! before ([`Protocol::unreachable`]).
//!
//! What waits, and what the kernel still has, is shown with the usual backpressure. What the machine
//! writes is dropped, and counts as sent: so it goes on as if somebody listened. It is over when
//! there is nothing more to show, when the machine ends, or when it has taken nothing for
//! [`Limits::unheard_timeout`](crate::limits::Limits::unheard_timeout), because its application never
//! does.

use std::task::Context;

use super::{Connection, Phase, Step};
use crate::actor::StopReason;
use crate::protocol::Protocol;
use crate::trace::{self, What};

impl<P: Protocol> Connection<P> {
    /// The peer has gone. `Err` if nothing that it said matters any more.
    pub(super) fn hear_out(&mut self) -> Step<()> {
        let wanted = self.begun && self.machine.call(|protocol, io| protocol.unreachable(io));
        if !wanted {
            return Err(self.lost(StopReason::PeerGone));
        }
        self.write_deadline = None;
        self.probe = None;
        self.grant_farewell();
        self.drop_output();
        Ok(())
    }

    /// The same, outside of the work of a turn: what there is to do now is done in the next one.
    pub(super) fn hear_out_later(&mut self, context: &Context<'_>) -> Step<()> {
        self.hear_out()?;
        self.nursery.local.wake_next_turn(context.waker());
        Ok(())
    }

    /// The machine has taken something: it has its time anew.
    pub(super) fn note_taken(&mut self, bytes: usize) {
        if bytes > 0 && self.farewell.is_some() {
            self.grant_farewell();
        }
    }

    fn grant_farewell(&mut self) {
        let timeout = self.nursery.limits.unheard_timeout;
        self.farewell = Some(self.nursery.local.clock().tick_after(timeout));
    }

    /// Drops what the machine has to say.
    pub(super) fn drop_output(&mut self) {
        let dropped = self.machine.outbox.len_bytes() + std::mem::take(&mut self.taken_bytes);
        self.machine.outbox.clear();
        if dropped > 0 {
            self.input.show_again();
            self.machine.call(|protocol, io| protocol.sent(dropped, io));
        }
    }

    /// Ends the connection when the machine has seen everything, or nothing for too long.
    pub(super) fn check_farewell(&mut self) -> Step<()> {
        let Some(until) = self.farewell else {
            return Ok(());
        };
        let more = match self.phase {
            Phase::Open => true,
            Phase::ReadClosed => {
                let paused = !self.machine.wants_input() && !self.input.waiting().is_empty();
                paused || self.shows_on()
            }
            _ => false,
        };
        if more && until > self.nursery.local.clock().tick() {
            return Ok(());
        }
        if more {
            trace::note(self.name(), || What::Timer("hearing out"));
        }
        Err(self.lost(StopReason::PeerGone))
    }
}
