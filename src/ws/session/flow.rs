//! What is on its way to the peer, and which credit the application has earned by what was sent.
//!
//! Other than for an HTTP response, credit is worth telling only in portions: a connection lives
//! long, and a message for each small message would cost as much as the message itself.

use std::collections::VecDeque;

use smolcorn_actors::outbox::Outbox;

/// Portions beyond this many are forgotten again, so that an idle connection holds no memory.
const PORTIONS_KEPT: usize = 16;

/// Counts bytes into and out of the outbox.
#[derive(Debug)]
pub(super) struct Flow {
    /// Bytes that the kernel has taken since the machine began.
    sent: u64,
    /// Bytes that were put into the outbox since then, and those that were in it before.
    pushed: u64,
    /// Messages on their way: the value of `sent` at which each portion is with the kernel, and
    /// the weight of the application's messages in it.
    portions: VecDeque<(u64, u64)>,
    /// Weight of messages that are with the kernel, and of which the application has not heard.
    credit: u64,
    /// What makes a portion.
    credit_bytes_min: u64,
}

impl Flow {
    /// Nothing is on its way. Credit is told when there are `credit_bytes_min` of it.
    pub(super) fn new(credit_bytes_min: u64) -> Flow {
        Flow {
            sent: 0,
            pushed: 0,
            portions: VecDeque::new(),
            credit: 0,
            credit_bytes_min,
        }
    }

    /// Takes note of what was put into `outbox`, and says where it ends.
    pub(super) fn pushed(&mut self, outbox: &Outbox) -> u64 {
        self.pushed = self.sent + outbox.len_bytes();
        self.pushed
    }

    /// Takes note that what was pushed last ends a message for which so much credit is due.
    pub(super) fn expect_credit(&mut self, weight: u64) {
        match self.portions.back_mut() {
            Some((end, credit)) if *credit < self.credit_bytes_min => {
                *end = self.pushed;
                *credit += weight;
            }
            _ => self.portions.push_back((self.pushed, weight)),
        }
    }

    /// Takes note that the kernel took `bytes`, and gives the credit that is due.
    pub(super) fn sent(&mut self, bytes: u64) -> Option<u64> {
        self.sent += bytes;
        while let Some((end, credit)) = self.portions.front()
            && *end <= self.sent
        {
            self.credit += credit;
            self.portions.pop_front();
        }
        if self.portions.is_empty() && self.portions.capacity() > PORTIONS_KEPT {
            self.portions = VecDeque::new();
        }
        let due = self.credit > 0 && self.credit >= self.credit_bytes_min;
        due.then(|| std::mem::take(&mut self.credit))
    }

    /// True when the kernel has everything up to `end`.
    pub(super) fn has_sent(&self, end: u64) -> bool {
        self.sent >= end
    }
}

#[cfg(test)]
mod tests {
    use super::Flow;
    use smolcorn_actors::outbox::Outbox;

    fn push(flow: &mut Flow, outbox: &mut Outbox, bytes: usize) {
        outbox.push_bytes(&vec![0; bytes + 2]);
        flow.pushed(outbox);
        flow.expect_credit(bytes as u64);
    }

    fn send(flow: &mut Flow, outbox: &mut Outbox, bytes: u64) -> Option<u64> {
        outbox.advance(bytes);
        flow.sent(bytes)
    }

    #[test]
    fn credit_is_gathered() {
        let (mut flow, mut outbox) = (Flow::new(100), Outbox::new());
        push(&mut flow, &mut outbox, 60);
        assert_eq!(send(&mut flow, &mut outbox, 62), None);
        push(&mut flow, &mut outbox, 60);
        assert_eq!(send(&mut flow, &mut outbox, 61), None);
        assert_eq!(send(&mut flow, &mut outbox, 1), Some(120));
    }

    #[test]
    fn many_small_messages_are_one_portion() {
        let (mut flow, mut outbox) = (Flow::new(100), Outbox::new());
        for _ in 0..100 {
            push(&mut flow, &mut outbox, 10);
        }
        assert_eq!(flow.portions.len(), 10);
        assert_eq!(send(&mut flow, &mut outbox, 1199), Some(900));
        assert_eq!(send(&mut flow, &mut outbox, 1), Some(100));
    }

    #[test]
    fn with_no_minimum_every_byte_is_told() {
        let (mut flow, mut outbox) = (Flow::new(0), Outbox::new());
        push(&mut flow, &mut outbox, 1);
        push(&mut flow, &mut outbox, 0);
        assert_eq!(send(&mut flow, &mut outbox, 3), Some(1));
        assert_eq!(send(&mut flow, &mut outbox, 2), None);
    }
}
