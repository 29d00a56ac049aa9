//! What is on its way to the client: how much is unsent, and which credit the application has
//! earned by what was sent.

use std::collections::VecDeque;

use smolcorn_actors::outbox::Outbox;

use crate::http::limits::CREDIT_BYTES_MIN;

/// Counts bytes into and out of the outbox.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Bytes that the kernel has taken since the connection began.
    sent: u64,
    /// Bytes that were put into the outbox since the connection began.
    pushed: u64,
    /// Payloads of the response under way: the value of `sent` at which each is with the
    /// kernel, and its weight.
    payloads: VecDeque<(u64, u64)>,
    /// Weight of payloads that are with the kernel and of which the application has not heard.
    credit: u64,
}

impl Flow {
    /// Takes note of what was put into `outbox`.
    pub(super) fn pushed(&mut self, outbox: &Outbox) {
        self.pushed = self.sent + outbox.len_bytes();
    }

    /// Takes note that what was pushed last ends a payload that earns so much credit.
    pub(super) fn expect_credit(&mut self, weight: u64) {
        self.payloads.push_back((self.pushed, weight));
    }

    /// Takes note that the kernel took `bytes`, and gives the credit that is due.
    pub(super) fn sent(&mut self, bytes: u64) -> Option<u64> {
        self.sent += bytes;
        while let Some((end, weight)) = self.payloads.front()
            && *end <= self.sent
        {
            self.credit += weight;
            self.payloads.pop_front();
        }
        let due = self.credit >= CREDIT_BYTES_MIN || self.payloads.is_empty();
        (due && self.credit > 0).then(|| std::mem::take(&mut self.credit))
    }

    /// Forgets the credit of a response that is complete.
    pub(super) fn forget_credit(&mut self) {
        self.payloads.clear();
        self.credit = 0;
    }

    /// Bytes in the outbox.
    pub(super) fn unsent_bytes(&self) -> u64 {
        self.pushed.saturating_sub(self.sent)
    }
}
