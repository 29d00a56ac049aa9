//! The limits of listener and connection actors, all in one place.

use std::time::Duration;

/// Limits and timeouts of the actors. Those of a protocol are the protocol's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Something waits to be written and the peer takes none of it for this long: the
    /// connection is reset.
    pub write_timeout: Duration,
    /// A peer that has gone has said something that its machine does not take: after so long
    /// without any progress nobody waits for it any more.
    pub unheard_timeout: Duration,
    /// From accepting a TLS connection to the end of its handshake.
    pub handshake_timeout: Duration,
    /// The same for a handshake that has begun when the server is told to stop. One that has not
    /// begun has no time.
    pub handshake_drain_timeout: Duration,
    /// At most so long a connection that ends with [`Close::Linger`] reads what the peer still
    /// sends.
    ///
    /// [`Close::Linger`]: crate::protocol::Close::Linger
    pub linger_timeout: Duration,
    /// At most so many bytes are read and dropped during that time.
    pub linger_bytes_max: u64,
    /// At most so many connections are accepted in one go, before those that are there have their
    /// turn.
    pub accepts_per_turn_max: usize,
    /// Other processes accept from the same sockets, and are to have their share.
    pub shares_sockets: bool,
    /// Between two attempts to accept while the system refuses, for want of descriptors say.
    pub accept_retry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            write_timeout: Duration::from_secs(60),
            unheard_timeout: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(60),
            handshake_drain_timeout: Duration::from_secs(2),
            linger_timeout: Duration::from_secs(2),
            linger_bytes_max: 16 * 1024 * 1024,
            accepts_per_turn_max: 64,
            shares_sockets: false,
            accept_retry: Duration::from_millis(100),
        }
    }
}
