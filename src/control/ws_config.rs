//! Settings of WebSocket connections.

use std::time::Duration;

/// What takes frames apart and makes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WsEngine {
    /// Our own.
    #[default]
    Native,
    /// The crate async-tungstenite, which does not compress.
    #[cfg(feature = "tungstenite")]
    Tungstenite,
}

/// Everything that the machines of a server need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsConfig {
    /// What takes frames apart and makes them (`--ws`).
    pub engine: WsEngine,
    /// Bytes of a message, after decompression (`--ws-max-size`). Above: 1009.
    pub message_bytes_max: usize,
    /// Messages that the application has not taken; at that number nothing more is read
    /// (`--ws-max-queue`). Zero is one.
    pub queue_messages_max: usize,
    /// Between two pings (`--ws-ping-interval`); zero: none are sent.
    pub ping_interval: Duration,
    /// For the answer to a ping (`--ws-ping-timeout`); zero: none is awaited.
    pub ping_timeout: Duration,
    /// For the peer's answer to our close frame.
    pub close_timeout: Duration,
    /// Compress messages for peers that offer it (`--ws-per-message-deflate`).
    pub per_message_deflate: bool,
    /// Bytes of messages that may be unsent; above, the application's `send()` waits
    /// (`--limit-write-buffer`). The machine does not enforce it; see
    /// [`credit_bytes_min`](Self::credit_bytes_min).
    pub unsent_bytes_max: usize,
}

impl Default for WsConfig {
    fn default() -> WsConfig {
        WsConfig {
            engine: WsEngine::Native,
            message_bytes_max: 16 * 1024 * 1024,
            queue_messages_max: 32,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(10),
            per_message_deflate: true,
            unsent_bytes_max: 64 * 1024,
        }
    }
}

impl WsConfig {
    /// True when messages may be compressed.
    pub fn compresses(&self) -> bool {
        self.per_message_deflate && self.engine == WsEngine::Native
    }

    /// Sent bytes that are gathered before the application hears of them. So much may stay untold
    /// for ever, so it is no more than a quarter of `unsent_bytes_max`, where a waiting `send()`
    /// goes on.
    pub fn credit_bytes_min(&self) -> u64 {
        CREDIT_BYTES_MAX.min(self.unsent_bytes_max as u64 / 4)
    }
}

/// Sent bytes that are gathered at most.
const CREDIT_BYTES_MAX: u64 = 16 * 1024;
