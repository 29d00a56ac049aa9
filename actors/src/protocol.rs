//! The border between a connection actor and the protocol machine that it drives.
//!
//! A machine does no I/O, has no clock and knows nothing of the application: the actor calls it
//! with bytes, commands and passed deadlines, and it answers through [`Io`].

use std::time::Duration;

use crate::outbox::Outbox;
use crate::trace::Describe;

/// A protocol machine for one connection.
pub trait Protocol: Sized + 'static {
    /// What the machine tells the application.
    type Event: Describe + Send + 'static;
    /// What the application tells the machine.
    type Command: Describe + Send + 'static;

    /// Called once, before anything else.
    fn begin(&mut self, io: &mut Io<'_, Self::Event>);

    /// Takes bytes from the peer and says how many it used. The rest is shown again, with what
    /// has come behind it, when more has come, and after any other call that leaves
    /// [`wants_input`](Self::wants_input) true.
    fn receive(&mut self, input: &[u8], io: &mut Io<'_, Self::Event>) -> usize;

    /// The peer will send nothing more; it may still read. `unused` bytes are not taken yet; they
    /// are shown again as before.
    fn receive_eof(&mut self, unused: usize, io: &mut Io<'_, Self::Event>);

    /// Takes a command of the application.
    fn command(&mut self, command: Self::Command, io: &mut Io<'_, Self::Event>);

    /// The kernel took `bytes` more of the outbox, or nobody will.
    fn sent(&mut self, bytes: u64, io: &mut Io<'_, Self::Event>);

    /// The deadline that [`Io::set_deadline`] set has passed. None is set now.
    fn deadline(&mut self, io: &mut Io<'_, Self::Event>);

    /// The server stops: finish what is under way, begin nothing new, then close.
    fn drain(&mut self, io: &mut Io<'_, Self::Event>);

    /// The peer cannot be reached any more; what it has sent before may not all be shown yet. True
    /// if the machine wants to see that, too: it goes on being called as before, what it writes is
    /// dropped and counts as [`sent`](Self::sent), and [`lost`](Self::lost) comes behind it all.
    /// Else `lost` comes at once.
    fn unreachable(&mut self, _io: &mut Io<'_, Self::Event>) -> bool {
        false
    }

    /// The connection is gone in both directions; nothing can be written any more.
    fn lost(&mut self, io: &mut Io<'_, Self::Event>);

    /// False while the peer should not be read from (backpressure).
    fn wants_input(&self) -> bool;
}

/// How a machine wants its connection to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Close {
    /// Not yet.
    #[default]
    Open,
    /// Write everything, then close at once.
    Flush,
    /// Write everything, tell the peer that no more comes, then read and drop what it still
    /// sends for a short while, so that it gets to read the answer before a reset.
    Linger,
    /// Close now; what is not written is lost.
    Abort,
}

/// A machine's way to act on its connection during one call.
pub struct Io<'a, E> {
    /// Bytes for the peer.
    pub outbox: &'a mut Outbox,
    /// Messages for the application; the actor sends them on after the call.
    pub events: &'a mut Vec<E>,
    /// The machine's one deadline, from the time of this call. The actor reads it after the call.
    pub deadline: &'a mut DeadlineChange,
    /// How the connection shall end. The actor reads it after the call.
    pub close: &'a mut Close,
    /// Seconds since 1970, as of the beginning of the actor's turn.
    pub unix_seconds: u64,
}

/// What a machine did to its deadline during a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadlineChange {
    /// Nothing: what was set stays.
    #[default]
    Keep,
    /// No deadline any more.
    Clear,
    /// A new one, so long after the call.
    Set(Duration),
}

impl<E> Io<'_, E> {
    /// Sends `event` to the application.
    pub fn emit(&mut self, event: E) {
        self.events.push(event);
    }

    /// Sets the machine's one deadline to `after` from now, in place of the one before.
    pub fn set_deadline(&mut self, after: Duration) {
        *self.deadline = DeadlineChange::Set(after);
    }

    /// Removes the deadline.
    pub fn clear_deadline(&mut self) {
        *self.deadline = DeadlineChange::Clear;
    }

    /// Asks for the end of the connection; the last call counts, but an [`Close::Abort`] stays.
    pub fn close(&mut self, how: Close) {
        if *self.close != Close::Abort {
            *self.close = how;
        }
    }
}
