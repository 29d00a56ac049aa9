//! A mailbox: a flume channel whose owner is woken once per batch.
//!
//! The owner drains everything under one lock and is woken only when a message arrives after a
//! drain, never once per message. The waker is a task's own, or whatever else can wake a loop
//! that is not a task (the dispatch actor lives in a foreign event loop).
//!
//! The channel is unbounded on purpose: each kind of message is bounded where it is made. Body
//! bytes in both directions travel under a credit window, requests are bounded by the number of
//! connections, and all others are one per state change of their sender.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use atomic_waker::AtomicWaker;

/// Makes a mailbox and its first address.
pub fn mailbox<T>() -> (Address<T>, Mailbox<T>) {
    let (sender, receiver) = flume::unbounded();
    let bell = Arc::new(Bell {
        rung: AtomicBool::new(false),
        waker: AtomicWaker::new(),
    });
    let address = Address {
        sender,
        bell: Arc::clone(&bell),
    };
    (address, Mailbox { receiver, bell })
}

struct Bell {
    /// Set by the first sender after a drain, cleared by the drain.
    rung: AtomicBool,
    waker: AtomicWaker,
}

/// Where to send messages for one actor. Cheap to clone, usable from any thread.
pub struct Address<T> {
    sender: flume::Sender<T>,
    bell: Arc<Bell>,
}

impl<T> Address<T> {
    /// Sends `message`; gives it back when the actor has ended.
    pub fn send(&self, message: T) -> Result<(), T> {
        self.sender.send(message).map_err(|error| error.0)?;
        if !self.bell.rung.swap(true, Ordering::AcqRel) {
            self.bell.waker.wake();
        }
        Ok(())
    }
}

impl<T> Clone for Address<T> {
    fn clone(&self) -> Self {
        Address {
            sender: self.sender.clone(),
            bell: Arc::clone(&self.bell),
        }
    }
}

/// The receiving end, owned by exactly one actor.
pub struct Mailbox<T> {
    receiver: flume::Receiver<T>,
    bell: Arc<Bell>,
}

impl<T> Mailbox<T> {
    /// Sets whom the next message wakes. Call it before [`drain`](Self::drain), or a message that
    /// arrives in between is not noticed.
    pub fn wake_with(&self, waker: &Waker) {
        self.bell.waker.register(waker);
    }

    /// Takes all messages that are there, in the order in which they were sent.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        // Whoever sends after this swap rings again; when nobody rang, nothing has come.
        let rung = self.bell.rung.swap(false, Ordering::AcqRel);
        rung.then(|| self.receiver.drain()).into_iter().flatten()
    }

    /// True when no message waits.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.receiver.len()
    }
}
