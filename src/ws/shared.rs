//! What the WebSocket machines of one thread share: settings, compressors, random bytes.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use super::deflate::compress::Compressors;
use super::deflate::inflate::Decompressors;
use super::limits::WsConfig;

/// One for each thread, behind an `Rc`.
#[derive(Debug)]
pub struct WsShared {
    config: WsConfig,
    keys: RandomState,
    drawn: Cell<u64>,
    /// Borrowed for the time of one message only.
    pub(super) compressors: RefCell<Compressors>,
    pub(super) decompressors: Rc<Decompressors>,
}

impl WsShared {
    /// For machines with these settings.
    pub fn new(config: WsConfig) -> WsShared {
        WsShared {
            config,
            keys: RandomState::new(),
            drawn: Cell::new(0),
            compressors: RefCell::default(),
            decompressors: Rc::default(),
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
