//! Per-actor tracing: what actors do, for those who debug.
//!
//! ```text
//!   actor --Event--> switch (this file) --if Filter wants it--> Sink: lines of the log
//!                                                          '--> Sink: chrome.rs, a trace file
//!   actor --numbers--> cells.rs <--asked by whoever shows a table
//! ```
//!
//! Off, an event costs one relaxed load: no clock is read and nothing is allocated. The cells are
//! always there; an actor stores numbers into its own. Nothing here names HTTP or Python.

pub mod cells;
pub mod chrome;
mod event;
mod filter;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use crate::actor::ActorName;
pub use event::{About, Arg, Describe, Event, What};
pub use filter::{Filter, Pattern, UnknownActor};

static ENABLED: AtomicBool = AtomicBool::new(false);
static SINKS: RwLock<Vec<Registered>> = RwLock::new(Vec::new());
static NEXT_HANDLE: AtomicU64 = AtomicU64::new(1);
static ORIGIN: OnceLock<Instant> = OnceLock::new();

thread_local! {
    /// Whose code this thread runs. Outside of listeners and connections it is the dispatch
    /// actor's.
    static CURRENT: Cell<ActorName> = const { Cell::new(ActorName::Dispatch) };
    /// How many spans of that actor are open.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Where events go. Called on the thread of the actor; must not wait.
pub trait Sink: Send + Sync {
    /// Takes an event.
    fn record(&self, event: &Event<'_>);
}

struct Registered {
    handle: u64,
    filter: Filter,
    sink: Arc<dyn Sink>,
}

/// A sink that gets events for as long as this lives.
pub struct Subscription(u64);

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut sinks = SINKS.write().unwrap_or_else(PoisonError::into_inner);
        sinks.retain(|registered| registered.handle != self.0);
        ENABLED.store(!sinks.is_empty(), Ordering::Relaxed);
    }
}

/// Sends the events that `filter` wants to `sink` from now on.
pub fn subscribe(filter: Filter, sink: Arc<dyn Sink>) -> Subscription {
    let handle = NEXT_HANDLE.fetch_add(1, Ordering::Relaxed);
    let mut sinks = SINKS.write().unwrap_or_else(PoisonError::into_inner);
    sinks.push(Registered {
        handle,
        filter,
        sink,
    });
    ENABLED.store(true, Ordering::Relaxed);
    Subscription(handle)
}

/// True while anybody takes events. One switch for the process.
#[inline]
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Nanoseconds since the first event of this process.
pub fn now() -> u64 {
    nanos(Instant::now())
}

/// The same for a point in time.
pub fn nanos(at: Instant) -> u64 {
    let origin = *ORIGIN.get_or_init(Instant::now);
    let since = at.saturating_duration_since(origin);
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}

/// Tells of something that happens to `actor` now. Does nothing while tracing is off.
#[inline]
pub fn note(actor: ActorName, what: impl FnOnce() -> What<'static>) {
    if enabled() {
        emit(&Event {
            at: now(),
            actor,
            about: None,
            what: what(),
        });
    }
}

/// Hands an event to all sinks that want it.
#[cold]
pub fn emit(event: &Event<'_>) {
    let sinks = SINKS.read().unwrap_or_else(PoisonError::into_inner);
    for registered in sinks.iter().filter(|one| one.filter.wants(event)) {
        registered.sink.record(event);
    }
}

/// Until it is finished or dropped, this thread runs the code of an actor.
pub struct Entered {
    actor: ActorName,
    before: ActorName,
    begun: u64,
}

/// Says whose code this thread runs from now on. Only to be called while tracing is on.
pub fn enter(actor: ActorName) -> Entered {
    DEPTH.set(DEPTH.get() + 1);
    Entered {
        actor,
        before: CURRENT.replace(actor),
        begun: now(),
    }
}

impl Entered {
    /// Ends it, and tells what it was.
    pub fn finish(self, name: &str, args: &[(&str, Arg<'_>)]) {
        span(self.actor, name, self.begun, args);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Tells of something that `actor` has done since `begun`.
pub fn span(actor: ActorName, name: &str, begun: u64, args: &[(&str, Arg<'_>)]) {
    emit(&Event {
        at: now(),
        actor,
        about: None,
        what: What::Span { name, begun, args },
    });
}

// --- messages ------------------------------------------------------------------------------------

/// Who sent a message, and when. Travels with it while tracing is on.
pub struct Stamp {
    from: ActorName,
    at: u64,
}

/// Ends the span that begins where a message is sent outside of all others, so that its arrow
/// begins somewhere.
pub(crate) struct Sending(Option<(u64, &'static str)>);

/// The code that runs is about to send a message of that kind.
pub(crate) fn sending(kind: &'static str) -> Sending {
    Sending((DEPTH.get() == 0).then(|| (now(), kind)))
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some((begun, kind)) = self.0 {
            let args = [("message", Arg::Text(kind))];
            span(CURRENT.get(), "sends", begun, &args);
        }
    }
}

/// A message is put into the mailbox of `to`.
#[cold]
pub(crate) fn sent(to: ActorName, about: About) -> Stamp {
    let (from, at) = (CURRENT.get(), now());
    emit(&Event {
        at,
        actor: from,
        about: Some(to),
        what: What::Sent(about),
    });
    Stamp { from, at }
}

/// So many messages are in the mailbox of `owner`.
#[cold]
pub(crate) fn mailbox_length(owner: ActorName, length: usize) {
    emit(&Event {
        at: now(),
        actor: owner,
        about: None,
        what: What::Mailbox(length),
    });
}

/// A message is being handled, until this is dropped.
pub struct Handling {
    actor: ActorName,
    from: ActorName,
    message: About,
    sent: u64,
    begun: u64,
}

/// `actor` has taken a message out of its mailbox.
#[cold]
pub(crate) fn taken(actor: ActorName, message: About, stamp: &Stamp) -> Box<Handling> {
    let begun = now();
    emit(&Event {
        at: begun,
        actor,
        about: Some(stamp.from),
        what: What::Taken {
            message,
            sent: stamp.at,
        },
    });
    Box::new(Handling {
        actor,
        from: stamp.from,
        message,
        sent: stamp.at,
        begun,
    })
}

impl Drop for Handling {
    fn drop(&mut self) {
        emit(&Event {
            at: now(),
            actor: self.actor,
            about: Some(self.from),
            what: What::Handled {
                message: self.message,
                sent: self.sent,
                begun: self.begun,
            },
        });
    }
}
