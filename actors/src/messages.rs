//! The vocabulary of the actors: what each can be told, and by whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::actor::{ConnectionId, StopReason};
use crate::mailbox::Address;
use crate::protocol::Protocol;
use crate::tls::TlsSession;
use crate::trace::{About, Describe};

/// To a listener. Senders: the server's life cycle (stop, retire, abort) and the listener's own
/// connection actors (closed, failed).
pub enum ToListener {
    /// Accept what already waits, close the listening socket, and drain all connections.
    Stop,
    /// Close the listening socket; what waits there is for others, who have it too. Connections go
    /// on.
    Retire,
    /// Close the listening socket and drop all connections now.
    Abort,
    /// A connection of this listener has ended.
    Closed(ConnectionId),
    /// A connection of this listener could not begin: its thread's reactor refused the socket.
    Failed {
        /// Its number.
        connection: ConnectionId,
        /// What the system said.
        error: std::io::Error,
    },
}

/// To a connection. Senders: its listener (drain, abort), and the application's side: the dispatch
/// actor, the requests that it has begun, and the threads of WSGI (commands).
pub enum ToConnection<C> {
    /// The application has something for the protocol machine.
    Command(C),
    /// Finish what is under way, then close.
    Drain,
    /// Close now.
    Abort,
}

/// To the dispatch actor, or to whoever stands in its place (the router of WSGI, the responder).
/// Senders: connections (opened, secured, handshake failed, event, closed, trace) and listeners
/// (listener stopped, accept failed); the router hands on what it has no use for.
pub enum ToDispatch<P: Protocol> {
    /// A connection has come. Always the first message about it.
    Opened {
        /// Its number.
        connection: ConnectionId,
        /// Its two ends.
        ends: Ends,
        /// Where to send commands for it.
        reply: Address<ToConnection<P::Command>>,
    },
    /// Its TLS handshake is done. Comes before every event of the connection.
    Secured {
        /// Whose.
        connection: ConnectionId,
        /// What was agreed on.
        session: Box<TlsSession>,
    },
    /// Its TLS handshake failed; its protocol machine is never called.
    HandshakeFailed {
        /// Whose.
        connection: ConnectionId,
        /// Why.
        error: std::io::Error,
    },
    /// Its protocol machine has something for the application.
    Event {
        /// Whose.
        connection: ConnectionId,
        /// What.
        event: P::Event,
    },
    /// A connection has ended. Always the last message about it.
    Closed {
        /// Its number.
        connection: ConnectionId,
        /// Why.
        reason: StopReason,
    },
    /// A listener's socket is closed and all its connections have ended.
    ListenerStopped {
        /// Its number.
        listener: u32,
    },
    /// A listener cannot accept for now (out of descriptors, say) and tries again by itself.
    AcceptFailed {
        /// Its number.
        listener: u32,
        /// What the system said.
        error: std::io::Error,
    },
    /// A line for the trace log, from any actor; sent only while tracing is on. No trace tells of
    /// it.
    Trace(String),
}

impl Describe for ToListener {
    fn describe(&self) -> About {
        About::kind(match self {
            ToListener::Stop => "stop",
            ToListener::Retire => "retire",
            ToListener::Abort => "abort",
            ToListener::Closed(_) => "closed",
            ToListener::Failed { .. } => "failed",
        })
    }
}

impl<C: Describe> Describe for ToConnection<C> {
    fn describe(&self) -> About {
        match self {
            ToConnection::Command(command) => command.describe(),
            ToConnection::Drain => About::kind("drain"),
            ToConnection::Abort => About::kind("abort"),
        }
    }
}

impl<P: Protocol> Describe for ToDispatch<P> {
    fn describe(&self) -> About {
        About::kind(match self {
            ToDispatch::Event { event, .. } => return event.describe(),
            ToDispatch::Opened { .. } => "opened",
            ToDispatch::Secured { .. } => "secured",
            ToDispatch::HandshakeFailed { .. } => "handshake failed",
            ToDispatch::Closed { .. } => "closed",
            ToDispatch::ListenerStopped { .. } => "listener stopped",
            ToDispatch::AcceptFailed { .. } => "accept failed",
            ToDispatch::Trace(_) => "trace",
        })
    }
}

/// The two ends of a connection.
#[derive(Clone, Debug)]
pub struct Ends {
    /// Our end.
    pub local: End,
    /// The peer's end.
    pub peer: End,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// An internet address.
    Inet(SocketAddr),
    /// A unix socket; the path is absent on the peer's end as a rule.
    Unix(Option<PathBuf>),
}
