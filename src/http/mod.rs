//! HTTP on one connection: the vocabulary between the protocol machine and the application.
//!
//! ```text
//!   bytes -> head.rs, body.rs -> h1.rs --HttpEvent--> dispatch actor
//!   bytes <- response.rs      <- h1.rs <-HttpCommand- dispatch actor
//! ```
//!
//! A request may ask for its connection to become a WebSocket. Until that is accepted it is a
//! request like others, and may be answered like others.
//!
//! Nothing in this folder does I/O or knows of Python.

#[cfg(feature = "async-h1")]
pub mod async_h1;
pub mod body;
pub mod date;
pub mod factory;
pub mod field;
pub mod h1;
pub mod head;
pub mod limits;
pub mod machine;
pub mod readiness;
pub mod refusal;
pub mod response;
pub mod shared;
pub mod websocket;

use std::fs::File;

use smolcorn_actors::outbox::Payload;
use smolcorn_actors::pool::Pooled;

use crate::ws::{WsCommand, WsEvent};
use head::RequestHead;
use response::ResponseHead;

/// The number of a request on its connection, from 1 on. A request names its stream, so that a
/// protocol that carries many at a time needs no other messages.
pub type StreamId = u32;

/// From a protocol machine to the dispatch actor.
pub enum HttpEvent {
    /// A request has begun: its head is complete.
    Request(Request),
    /// A request asks for a WebSocket. It is answered with [`HttpCommand::Accept`], or with a
    /// response like any other.
    Handshake(Box<Handshake>),
    /// What happens on a WebSocket that was accepted.
    WebSocket {
        /// The request that it began as.
        stream: StreamId,
        /// What.
        event: WsEvent,
    },
    /// More of a request's body. Never sent for what came in [`Request::body`].
    Body {
        /// Whose body.
        stream: StreamId,
        /// Decoded bytes; may be empty when `last`.
        data: Vec<u8>,
        /// Nothing comes after it.
        last: bool,
    },
    /// The peer will send nothing more for this request, or everything has ended: `receive()`
    /// shall say `http.disconnect`. Sent only while the request's response is incomplete, at most
    /// once with `gone: false` and at most once with `gone: true`.
    Disconnect {
        /// Whose request.
        stream: StreamId,
        /// True when nothing can be written any more either: `send()` shall raise.
        gone: bool,
    },
    /// So many more bytes of a response that is still incomplete are with the kernel (credit for
    /// the application's `send()`). Bytes that are dropped, as those for a `HEAD`, count at once.
    Sent {
        /// Whose response.
        stream: StreamId,
        /// Payload bytes, without framing; each piece by its `unsent_weight`.
        bytes: u64,
    },
    /// Something that the operator should read in the log.
    Warning(Warning),
}

/// What the operator should see of a connection's trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A request was refused as malformed or as over a limit; the status that was answered.
    InvalidRequest(u16),
    /// An upgrade was asked for that this server does not do; the request is served without it.
    UnsupportedUpgrade,
    /// A WebSocket was asked for where there shall be none; the request is served without it.
    WebSocketsOff,
    /// A request for a WebSocket was refused; the status that was answered.
    InvalidHandshake(u16),
    /// The engine cannot write a response with this status; a 500 went out in its place.
    UnwritableResponse(u16),
}

/// A request, as the machine hands it over.
pub struct Request {
    /// Its number on the connection.
    pub stream: StreamId,
    /// Request line and headers.
    pub head: Pooled<RequestHead>,
    /// The part of the body that came with the head.
    pub body: Vec<u8>,
    /// True when nothing of the body is still to come.
    pub body_complete: bool,
    /// True when the client waits for `100 Continue` before it sends the body: the dispatch
    /// actor sends [`HttpCommand::Continue`] at the first `receive()`.
    pub expects_continue: bool,
}

/// A request for a WebSocket, found good (RFC 6455, section 4.2.1).
pub struct Handshake {
    /// Its number on the connection.
    pub stream: StreamId,
    /// Request line and headers.
    pub head: Pooled<RequestHead>,
    /// The subprotocols that the client offers, in its order.
    pub subprotocols: Vec<String>,
}

/// From the dispatch actor to a protocol machine.
pub enum HttpCommand {
    /// Begin the response, and send the first piece of its body with the head.
    Respond {
        /// Whose response.
        stream: StreamId,
        /// Status and headers, checked.
        head: Pooled<ResponseHead>,
        /// First piece of the body.
        body: Payload,
        /// Nothing comes after it (but trailers, if the head announced them).
        end: bool,
    },
    /// Send more of the body.
    Body {
        /// Whose response.
        stream: StreamId,
        /// The next piece.
        data: Payload,
        /// Nothing comes after it (but trailers).
        end: bool,
    },
    /// Send a file as the whole rest of the body; ends the body.
    File {
        /// Whose response.
        stream: StreamId,
        /// The open file, sent from its beginning.
        file: File,
        /// How many bytes of it.
        len_bytes: u64,
    },
    /// Send an interim response 103 with these `link` values.
    EarlyHint {
        /// Whose request.
        stream: StreamId,
        /// Values of `link` headers, checked.
        links: Vec<Vec<u8>>,
    },
    /// End the response with trailers (empty: none); they go out only where chunked framing
    /// carries them and the client said `te: trailers`.
    Trailers {
        /// Whose response.
        stream: StreamId,
        /// `name: value\r\n` lines, checked.
        lines: Vec<u8>,
    },
    /// The application waits for the body: send `100 Continue` if the client waits for it.
    Continue {
        /// Whose request.
        stream: StreamId,
    },
    /// The application took so many bytes of the request's body, those in [`Request::body`]
    /// included: that much more may be read. Not needed for a body that is complete.
    Consumed {
        /// Whose body.
        stream: StreamId,
        /// How many bytes.
        bytes: usize,
    },
    /// The response cannot be completed, or not even begun: cut the connection so that the client
    /// notices.
    Abort {
        /// Whose response.
        stream: StreamId,
    },
    /// Accept a request for a WebSocket. What the client has sent behind it is read from now on.
    Accept {
        /// Which request.
        stream: StreamId,
        /// Headers for the response, made by [`ResponseHead::switching`].
        head: Pooled<ResponseHead>,
    },
    /// For a WebSocket that was accepted.
    WebSocket {
        /// The request that it began as.
        stream: StreamId,
        /// What.
        command: WsCommand,
    },
    /// Do not use the connection for another request after what is under way.
    Retire,
}
