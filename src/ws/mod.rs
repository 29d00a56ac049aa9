//! WebSocket (RFC 6455) on one connection: the vocabulary between the protocol machine and the
//! application, and the machine itself.
//!
//! ```text
//!   bytes -> WebSocket machine --WsEvent--> dispatch actor
//!   bytes <- WebSocket machine <-WsCommand- dispatch actor
//! ```
//!
//! A WebSocket begins as an HTTP request, so its messages travel inside
//! [`HttpEvent`](crate::http::HttpEvent) and [`HttpCommand`](crate::http::HttpCommand), under the
//! number of that request. Nothing in this folder does I/O or knows of Python.
//!
//! `handshake` judges the request. [`machine::WsMachine`] takes the connection over when the
//! application has accepted and the response 101 is in the outbox; its module says how. `session`
//! is the state machine. `codec` is its border to the engine, which takes frames apart and makes
//! them: our own one has `decoder`, with `frame` for the layout of a frame, `mask` for masks,
//! `message` for a message on its way in, `deflate` for compression. `close` knows what close
//! frames say.

pub mod close;
pub mod codec;
pub mod decoder;
pub mod deflate;
pub mod frame;
pub mod handshake;
pub mod limits;
pub mod machine;
pub mod mask;
pub mod message;
pub mod session;
pub mod shared;
#[cfg(feature = "tungstenite")]
pub mod tungstenite;

use smolcorn_actors::outbox::Payload;

/// From the machine to the dispatch actor.
#[derive(Debug, PartialEq, Eq)]
pub enum WsEvent {
    /// A whole text message, fragments joined.
    Text(String),
    /// A whole binary message, fragments joined.
    Binary(Vec<u8>),
    /// The peer has gone: nothing that is sent reaches it. What it had sent before still comes, and
    /// `Disconnected` behind it.
    Unreachable,
    /// The connection is over: sent exactly once, and nothing comes after it. It is sent when the
    /// peer closes, when either side breaks the connection, and right after
    /// [`WsCommand::Close`], without waiting for the peer's answer. Messages that the application
    /// has sent since are dropped, and no credit comes for them.
    Disconnected {
        /// A close code as ASGI reports it (RFC 6455, section 7.4; 1005 and 1006 included).
        code: u16,
        /// The peer's or our own reason.
        reason: String,
        /// True when the connection broke without a close frame in either direction: then
        /// closing it is an error as much as sending.
        gone: bool,
    },
    /// So many more bytes of messages are with the kernel (credit for the application's `send()`),
    /// counted as the application gave them, without framing and before compression. Portions
    /// smaller than [`WsConfig::credit_bytes_min`](limits::WsConfig::credit_bytes_min) are not
    /// told until there is more.
    Sent {
        /// How many; each message by its `unsent_weight`.
        bytes: u64,
    },
}

/// From the dispatch actor to the machine.
pub enum WsCommand {
    /// Send a text message; the payload is UTF-8.
    Text(Payload),
    /// Send a binary message.
    Binary(Payload),
    /// The application took so many of the messages that it was sent: that many more may be read.
    Consumed {
        /// How many.
        messages: usize,
    },
    /// Begin the closing handshake.
    Close {
        /// A code that may be sent (RFC 6455, section 7.4); 1005 sends a close frame without one.
        code: u16,
        /// At most 123 bytes.
        reason: String,
    },
    /// Cut the connection.
    Abort,
}
