//! Per-actor tracing: off, it costs one relaxed load; on, each line goes to the dispatch actor,
//! which owns the log.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::actor::ActorName;
use crate::dispatch::DispatchAddress;
use crate::messages::ToDispatch;
use crate::protocol::Protocol;

static ENABLED: AtomicBool = AtomicBool::new(false);

/// True while actors send trace lines. One switch for the process.
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Switches trace lines on or off.
pub fn set_enabled(on: bool) {
    ENABLED.store(on, Ordering::Relaxed);
}

/// Sends a line in the name of `actor`, if tracing is on. `text` is made only then.
pub(crate) fn line<P: Protocol>(
    dispatch: &DispatchAddress<P>,
    actor: ActorName,
    text: impl FnOnce() -> String,
) {
    if enabled() {
        // Refused only when the dispatch actor has ended, and then nobody reads the log.
        let _ = dispatch.send(ToDispatch::Trace {
            actor,
            text: text(),
        });
    }
}
