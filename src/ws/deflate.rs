//! permessage-deflate (RFC 7692): what is agreed on (`offer`), and both directions.
//!
//! Memory is bounded on both sides. The figures are measured by `tests/ws_memory.rs`.
//!
//! - `inflate`: a connection keeps the end of what its client has said, because the next message
//!   may refer to it: up to 4 KiB with the window that we ask for, up to 32 KiB where the client
//!   takes no wishes, nothing without context takeover. A decompressor, of 48 KiB, is borrowed for
//!   the time of a message.
//! - `compress`: a compressor takes 270 KB, mostly tables of a fixed size. But a sender may forget
//!   what it has sent at any time. So the connections of a thread share sixteen of them, and those
//!   that send most recently keep their context.

pub mod compress;
pub mod inflate;
pub mod offer;

pub use offer::Deflate;

/// What every compressed message would end with, and what is left out on the wire
/// (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
