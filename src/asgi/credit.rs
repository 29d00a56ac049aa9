//! What `send()` may still say: how much of what was said is not with the kernel, and who waits for
//! that to become less. The same for a response and for a WebSocket.

use std::sync::Arc;

use pyo3::prelude::*;
use smolcorn_actors::outbox::unsent_weight;

use super::border::Border;
use super::gil_cell::GilCell;
use super::waiter::{Waiter, Waiters};

/// A waiting `send()` goes on when no more than this part of the limit is unsent.
const LOW_WATER_PART: u64 = 4;

/// The credit of one conversation.
#[derive(Default)]
pub struct Credit {
    /// What was given to the connection and is not with the kernel, by [`unsent_weight`].
    unsent_bytes: GilCell<u64>,
    senders: Waiters,
}

impl Credit {
    /// Takes note of a piece of so many bytes that is given to the connection.
    pub fn owe(&self, py: Python<'_>, len_bytes: u64) {
        *self.unsent_bytes.borrow(py) += unsent_weight(len_bytes);
    }

    /// True when the next `send()` has to wait.
    pub fn is_spent(&self, py: Python<'_>, limit_bytes: u64) -> bool {
        *self.unsent_bytes.borrow(py) > limit_bytes
    }

    /// So many bytes more are with the kernel: whoever waits may go on.
    pub fn earned(&self, py: Python<'_>, bytes: u64, limit_bytes: u64) -> PyResult<()> {
        let unsent_bytes = {
            let mut unsent_bytes = self.unsent_bytes.borrow(py);
            *unsent_bytes = unsent_bytes.saturating_sub(bytes);
            *unsent_bytes
        };
        if unsent_bytes > limit_bytes / LOW_WATER_PART {
            return Ok(());
        }
        self.senders.wake(py)
    }

    /// Makes what a `send()` waits on.
    pub fn wait(&self, py: Python<'_>, border: &Arc<Border>) -> PyResult<Py<Waiter>> {
        self.senders.join(py, border)
    }

    /// Nothing will be sent any more: whoever waits may see that.
    pub fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.senders.wake(py)
    }
}
