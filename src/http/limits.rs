//! Limits that are not options: nobody needs another value, but each must exist.

use std::time::Duration;

/// Empty lines that are tolerated before a request line (RFC 9112, section 2.2). Above: 400.
pub const LEADING_BLANK_LINES_MAX: usize = 8;

/// Digits of a chunk's size; as many as 64 bits have. Above: 400.
pub const CHUNK_SIZE_DIGITS_MAX: u8 = 16;

/// Chunk extensions of one message together, bytes. Above: 400.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 4096;

/// Trailer lines of one message. Above: 431.
pub const TRAILER_COUNT_MAX: usize = 64;

/// Trailer lines of one message together, bytes. Above: 431.
pub const TRAILER_BYTES_MAX: usize = 8192;

/// Unsent bytes of finished responses above which the next pipelined request is not begun, so
/// that a client that sends and never reads does not fill the memory.
pub const UNSENT_BYTES_MAX: u64 = 64 * 1024;

/// From being told that the server stops to the end of a head that has begun, unless its ordinary
/// time is shorter. After it: 408.
pub const HEAD_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Sent payload bytes that are gathered before the application hears of them.
pub const CREDIT_BYTES_MIN: u64 = 16 * 1024;
