//! One request between its connection and the thread that answers it: the body that has come, and
//! the bytes of the response that are on their way.
//!
//! The router tells what happens, and never waits. A thread of the pool takes and gives, and waits
//! here without the GIL. No Python, and no lock held for longer than a copy takes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;
use crate::http::{HttpCommand, StreamId};

/// A request and its response.
pub struct Exchange {
    /// Its connection.
    pub connection: Arc<Connection>,
    /// Its number there.
    pub stream: StreamId,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// What has come of the body; taken up to `taken`.
    body: Vec<u8>,
    taken: usize,
    /// Nothing of the body is still to come.
    complete: bool,
    /// The client waits for `100 Continue`.
    expects_continue: bool,
    /// The client sends nothing more.
    ended: bool,
    /// Nothing can be sent to the client any more.
    gone: bool,
    /// Body bytes given to the connection and not yet with the kernel.
    unsent_bytes: u64,
}

/// What came of an attempt to take some of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many bytes; at least one.
    Bytes(usize),
    /// The body is at its end.
    End,
    /// Nothing has come yet: [`Exchange::wait_for_body`].
    Nothing,
    /// The client is gone, and the body incomplete.
    Gone,
}

impl Exchange {
    /// An exchange whose body has come up to `body`.
    pub fn new(
        connection: Arc<Connection>,
        stream: StreamId,
        body: Vec<u8>,
        complete: bool,
        expects_continue: bool,
    ) -> Exchange {
        Exchange {
            connection,
            stream,
            state: Mutex::new(State {
                body,
                taken: 0,
                complete,
                expects_continue,
                ended: false,
                gone: false,
                unsent_bytes: 0,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- what the router tells ---------------------------------------------------------------

    /// More of the body has come.
    pub fn body_came(&self, data: Vec<u8>, last: bool) {
        let mut state = self.state();
        if state.taken == state.body.len() {
            state.body = data;
            state.taken = 0;
        } else {
            state.body.extend_from_slice(&data);
        }
        state.complete |= last;
        drop(state);
        self.changed.notify_all();
    }

    /// The client sends nothing more (`gone`: and nothing can be sent to it).
    pub fn disconnected(&self, gone: bool) {
        let mut state = self.state();
        state.ended = true;
        state.gone |= gone;
        drop(state);
        self.changed.notify_all();
    }

    /// So many body bytes more are with the kernel; whoever waits goes on at `low_water_bytes`.
    pub fn credited(&self, bytes: u64, low_water_bytes: u64) {
        let mut state = self.state();
        state.unsent_bytes = state.unsent_bytes.saturating_sub(bytes);
        let goes_on = state.unsent_bytes <= low_water_bytes;
        drop(state);
        if goes_on {
            self.changed.notify_all();
        }
    }

    // --- the body ----------------------------------------------------------------------------

    /// True when there is no body at all.
    pub fn is_bodiless(&self) -> bool {
        let state = self.state();
        state.complete && state.body.is_empty()
    }

    /// Appends up to `max` bytes of the body to `out`; with `line`, none behind a line's end.
    /// `max` is not zero.
    pub fn take(&self, max: usize, line: bool, out: &mut Vec<u8>) -> Taken {
        let mut state = self.state();
        let waiting = state.body.get(state.taken..).unwrap_or_default();
        if waiting.is_empty() {
            return match (state.complete, state.ended) {
                (true, _) => Taken::End,
                (false, true) => Taken::Gone,
                (false, false) => Taken::Nothing,
            };
        }
        let mut piece = waiting.get(..max).unwrap_or(waiting);
        if line && let Some(at) = memchr::memchr(b'\n', piece) {
            piece = piece.get(..=at).unwrap_or(piece);
        }
        out.extend_from_slice(piece);
        let bytes = piece.len();
        state.taken += bytes;
        state.expects_continue = false;
        if state.taken == state.body.len() {
            state.body = Vec::new();
            state.taken = 0;
        }
        let more = !state.complete;
        drop(state);
        if more {
            self.command(HttpCommand::Consumed {
                stream: self.stream,
                bytes,
            });
        }
        Taken::Bytes(bytes)
    }

    /// Asks the client for the body, if it wants to be asked.
    pub fn ask_for_body(&self) {
        if std::mem::take(&mut self.state().expects_continue) {
            self.command(HttpCommand::Continue {
                stream: self.stream,
            });
        }
    }

    /// Waits until [`take`](Self::take) has something else to say than [`Taken::Nothing`].
    pub fn wait_for_body(&self) {
        let mut state = self.state();
        while state.taken == state.body.len() && !state.complete && !state.ended {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// True when the client sends nothing more, and the body is incomplete.
    pub fn is_cut_short(&self) -> bool {
        let state = self.state();
        state.ended && !state.complete
    }

    /// Nobody reads any more: what has come and was not taken goes. The connection may be idle
    /// for long after this.
    pub fn forget_body(&self) {
        let mut state = self.state();
        state.body = Vec::new();
        state.taken = 0;
    }

    // --- the response ------------------------------------------------------------------------

    /// Takes note of so many body bytes that are about to be given to the connection.
    pub fn sends(&self, bytes: u64) {
        self.state().unsent_bytes += bytes;
    }

    /// True while more than `high_water_bytes` are unsent and the client is there.
    pub fn is_congested(&self, high_water_bytes: u64) -> bool {
        let state = self.state();
        state.unsent_bytes > high_water_bytes && !state.gone
    }

    /// Waits until no more than `low_water_bytes` are unsent, or the client is gone.
    pub fn wait_for_credit(&self, low_water_bytes: u64) {
        let mut state = self.state();
        while state.unsent_bytes > low_water_bytes && !state.gone {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// True when nothing can be sent to the client any more.
    pub fn is_gone(&self) -> bool {
        self.state().gone
    }

    /// Sends a command to the connection.
    pub fn command(&self, command: HttpCommand) {
        self.connection.command(command);
    }
}
