//! A mailbox: a flume channel whose owner is woken once per batch.
//!
//! The owner drains everything under one lock and is woken only when a message arrives after a
//! drain, never once per message. The waker is a task's own, or whatever else can wake a loop
//! that is not a task (the dispatch actor lives in a foreign event loop).
//!
//! The channel is unbounded on purpose: each kind of message is bounded where it is made. Body
//! bytes in both directions travel under a credit window, requests are bounded by the number of
//! connections, and all others are one per state change of their sender.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::actor::ActorName;
use crate::trace::{self, Describe, Handling, Stamp};

/// Makes a mailbox that traces do not show, and its first address.
pub fn mailbox<T>() -> (Address<T>, Mailbox<T>) {
    make(None)
}

/// Makes the mailbox of an actor, and its first address.
pub fn mailbox_of<T>(owner: ActorName) -> (Address<T>, Mailbox<T>) {
    make(Some(owner))
}

fn make<T>(owner: Option<ActorName>) -> (Address<T>, Mailbox<T>) {
    let (sender, receiver) = flume::unbounded();
    let bell = Arc::new(Bell {
        owner,
        rings: AtomicUsize::new(0),
        waker: Mutex::new(None),
    });
    let address = Address {
        sender,
        bell: Arc::clone(&bell),
    };
    let mailbox = Mailbox {
        receiver,
        bell,
        owner: Cell::new(None),
    };
    (address, mailbox)
}

struct Bell {
    /// Whose mailbox it is, for traces.
    owner: Option<ActorName>,
    /// How often senders have rung since the last drain: once for each message, after it is in the
    /// channel.
    rings: AtomicUsize,
    /// Who is woken. It stays when it is used: an owner that is a task is the same one each time.
    waker: Mutex<Option<Waker>>,
}

impl Bell {
    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where to send messages for one actor. Cheap to clone, usable from any thread.
pub struct Address<T> {
    sender: flume::Sender<Mail<T>>,
    bell: Arc<Bell>,
}

impl<T> Address<T> {
    /// Sends `message`, of which no trace tells; gives it back when the actor has ended.
    #[inline]
    pub fn send(&self, message: T) -> Result<(), T> {
        self.put(Mail::Plain(message))
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.sender.len()
    }

    /// True when no message waits.
    pub fn is_empty(&self) -> bool {
        self.sender.is_empty()
    }

    #[inline]
    fn put(&self, mail: Mail<T>) -> Result<(), T> {
        self.sender
            .send(mail)
            .map_err(|error| error.0.into_message())?;
        if self.bell.rings.fetch_add(1, Ordering::AcqRel) == 0 {
            // Not woken under the lock: nobody knows what a waker does.
            let waker = self.bell.waker().clone();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        Ok(())
    }
}

impl<T: Describe> Address<T> {
    /// Sends `message`, and lets traces tell of it; gives it back when the actor has ended.
    #[inline]
    pub fn tell(&self, message: T) -> Result<(), T> {
        if trace::enabled() {
            return self.tell_traced(message);
        }
        self.send(message)
    }

    #[cold]
    fn tell_traced(&self, message: T) -> Result<(), T> {
        let Some(owner) = self.bell.owner else {
            return self.send(message);
        };
        let about = message.describe();
        let _sending = trace::sending(about.kind);
        let stamp = trace::sent(owner, about);
        // Before the owner, on another thread, may have taken it.
        trace::mailbox_length(owner, self.len() + 1);
        self.put(Mail::Traced(Box::new((message, stamp))))
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

/// A message on its way. It takes no more room than the message alone.
pub enum Mail<T> {
    /// No trace was told of it.
    Plain(T),
    /// With what traces have to know.
    Traced(Box<(T, Stamp)>),
}

impl<T> Mail<T> {
    #[inline(always)]
    fn into_message(self) -> T {
        match self {
            Mail::Plain(message) => message,
            Mail::Traced(traced) => traced.0,
        }
    }
}

impl<T: Describe> Mail<T> {
    /// Takes the message out. `actor` handles it for as long as the second value lives.
    // Messages are large; out of line they would be copied once more.
    #[inline(always)]
    pub fn open(self, actor: ActorName) -> (T, Option<Box<Handling>>) {
        match self {
            Mail::Plain(message) => (message, None),
            Mail::Traced(traced) => {
                let (message, stamp) = *traced;
                let handling = trace::taken(actor, message.describe(), &stamp);
                (message, Some(handling))
            }
        }
    }
}

/// The receiving end, owned by exactly one actor.
pub struct Mailbox<T> {
    receiver: flume::Receiver<Mail<T>>,
    bell: Arc<Bell>,
    /// The waker that the bell has, to see without its lock that it is the right one.
    owner: Cell<Option<Waker>>,
}

impl<T> Mailbox<T> {
    /// Sets whom the next message wakes. Call it before [`drain`](Self::drain), or a message that
    /// arrives in between is not noticed.
    pub fn wake_with(&self, waker: &Waker) {
        let known = self.owner.take();
        if known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.owner.set(known);
            return;
        }
        *self.bell.waker() = Some(waker.clone());
        self.owner.set(Some(waker.clone()));
    }

    /// Takes all messages that are there, in the order in which they were sent.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        self.drain_mail().map(Mail::into_message)
    }

    /// The same, with what traces have to know.
    pub fn drain_mail(&self) -> impl Iterator<Item = Mail<T>> + '_ {
        // Whoever sends after this swap rings again; when nobody rang, nothing has come.
        let rings = match self.bell.rings.load(Ordering::Acquire) {
            0 => 0,
            _ => self.bell.rings.swap(0, Ordering::AcqRel),
        };
        if rings > 0 && trace::enabled() {
            self.tell_of_drain();
        }
        // A drain takes the channel's buffer with it. Most connections get one message at a time:
        // theirs keeps its buffer.
        let one = (rings == 1).then(|| self.receiver.try_recv().ok());
        let all = (rings > 1).then(|| self.receiver.drain());
        one.flatten().into_iter().chain(all.into_iter().flatten())
    }

    #[cold]
    fn tell_of_drain(&self) {
        if let (Some(owner), 1..) = (self.bell.owner, self.receiver.len()) {
            trace::mailbox_length(owner, 0);
        }
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

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        // Addresses may live on for long; what is of no use any more must not live with them.
        let waker = self.bell.waker().take();
        drop(waker);
        self.receiver.drain().for_each(drop);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::task::Wake;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_batch_wakes_once_and_comes_in_order() {
        let count = Arc::new(Count::default());
        let (address, mailbox) = mailbox();
        mailbox.wake_with(&Waker::from(Arc::clone(&count)));
        for number in 0..5 {
            address.send(number).unwrap();
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(mailbox.len(), 5);
        assert_eq!(mailbox.drain().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(mailbox.is_empty());
        assert_eq!(mailbox.drain().count(), 0);
        mailbox.wake_with(&Waker::from(Arc::clone(&count)));
        address.send(5).unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_message_for_an_actor_that_has_ended_comes_back() {
        let (address, mailbox) = mailbox();
        drop(mailbox);
        assert_eq!(address.send("late"), Err("late"));
    }

    #[test]
    fn an_address_keeps_nothing_of_an_actor_that_has_ended() {
        let count = Arc::new(Count::default());
        let message = Arc::new(());
        let (address, mailbox) = mailbox();
        mailbox.wake_with(&Waker::from(Arc::clone(&count)));
        address.send(Arc::clone(&message)).unwrap();
        drop(mailbox);
        assert_eq!(Arc::strong_count(&message), 1);
        assert_eq!(Arc::strong_count(&count), 1);
        drop(address);
    }

    #[test]
    fn no_message_and_no_wake_is_lost_between_threads() {
        struct Unpark(thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        const SENDERS: usize = 4;
        const EACH: usize = 5_000;
        let (address, mailbox) = mailbox();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let address = address.clone();
                thread::spawn(move || {
                    for number in 0..EACH {
                        address.send((sender, number)).unwrap();
                    }
                })
            })
            .collect();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut next = [0; SENDERS];
        while next.iter().sum::<usize>() < SENDERS * EACH {
            mailbox.wake_with(&waker);
            let mut any = false;
            for (sender, number) in mailbox.drain() {
                assert_eq!(number, next[sender]);
                next[sender] += 1;
                any = true;
            }
            if !any {
                thread::park();
            }
        }
        for sender in senders {
            sender.join().unwrap();
        }
    }
}
