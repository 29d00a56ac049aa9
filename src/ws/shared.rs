//! What the WebSocket machines of one thread share.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use super::limits::WsConfig;

/// Settings, and where random bytes come from; one for each thread, behind an `Rc`.
#[derive(Debug)]
pub struct WsShared {
    config: WsConfig,
    keys: RandomState,
    drawn: Cell<u64>,
}

impl WsShared {
    /// For machines with these settings.
    pub fn new(config: WsConfig) -> WsShared {
        WsShared {
            config,
            keys: RandomState::new(),
            drawn: Cell::new(0),
        }
    }

    /// The settings.
    pub fn config(&self) -> &WsConfig {
        &self.config
    }

    /// Four bytes that a stranger cannot guess.
    pub(super) fn random(&self) -> [u8; 4] {
        let drawn = self.drawn.get().wrapping_add(1);
        self.drawn.set(drawn);
        let [a, b, c, d, ..] = self.keys.hash_one(drawn).to_ne_bytes();
        [a, b, c, d]
    }
}
