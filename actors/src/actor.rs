//! Who an actor is: its kind and number, and why it stopped.

use std::fmt;

/// The number of a connection, unique in the process for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// The name under which an actor appears in traces: `listener#1`, `connection#42`, `dispatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorName {
    /// Owns a listening socket.
    Listener(u32),
    /// Owns an accepted socket.
    Connection(ConnectionId),
    /// Owns the application. One in a process.
    Dispatch,
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActorName::Listener(number) => write!(f, "listener#{number}"),
            ActorName::Connection(id) => write!(f, "connection#{}", id.0),
            ActorName::Dispatch => f.write_str("dispatch"),
        }
    }
}

/// Why a connection actor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The protocol was done and everything was written.
    Finished,
    /// The peer closed or reset the connection.
    PeerGone,
    /// The peer took nothing for the time that `write_timeout` allows.
    WriteTimeout,
    /// The TLS handshake failed, or took too long.
    HandshakeFailed,
    /// The protocol or the server gave the connection up without finishing it.
    Aborted,
    /// The protocol machine panicked: a defect of this server.
    Panicked,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopReason::Finished => "finished",
            StopReason::PeerGone => "peer gone",
            StopReason::WriteTimeout => "write timeout",
            StopReason::HandshakeFailed => "handshake failed",
            StopReason::Aborted => "aborted",
            StopReason::Panicked => "panicked",
        })
    }
}

/// What a panic said, as far as it was text.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "panic".to_owned()
    }
}
