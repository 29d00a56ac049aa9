//! Settings of WebSocket connections, and limits that are no options.

use std::time::Duration;

pub use smolcorn_control::ws_config::{WsConfig, WsEngine};

/// Bytes of messages that the application has not taken, above which nothing more is read. So a
/// connection holds this much, and one message.
pub const UNREAD_BYTES_MAX: usize = 1024 * 1024;

/// How long the application has to answer the messages that came before a broken frame, until the
/// connection fails for it. RFC 6455 lets a server fail at once; but what came whole is worth an
/// answer.
pub const ANSWER_TIME: Duration = Duration::from_millis(100);

/// Payload of a control frame, bytes (RFC 6455, section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Reason in a close frame, bytes: a control frame's payload without the code.
pub const REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// Unsent bytes of pongs above which pings are not answered.
pub const PONGS_UNSENT_BYTES_MAX: usize = 64 * 1024;
