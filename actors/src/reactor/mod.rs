//! The reactor of the fused placement: it learns from the system which sockets are ready.
//!
//! [`edge`] keeps the readiness of every socket as flags and wakes the owners. Below it are two
//! ways to ask the system, with the same face: `epoll` on Linux, and `portable` (the crate
//! `polling`) on every other Unix. Nothing here reads or writes a socket.

pub mod edge;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(feature = "portable-reactor")
))]
mod epoll;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(feature = "portable-reactor")
)))]
mod portable;

#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    not(feature = "portable-reactor")
))]
use epoll as system;
#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    not(feature = "portable-reactor")
)))]
use portable as system;

pub use system::Notifier;
pub(crate) use system::REPORTS_GONE;

/// What the system says of one socket since it was last asked.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// The number under which the socket was added.
    key: usize,
    /// There may be something to read: bytes, an end, or an error.
    readable: bool,
    /// There may be room to write, or an error.
    writable: bool,
    /// The peer has said that it sends no more. Only `epoll` can tell this apart from bytes.
    read_closed: bool,
    /// Nothing can be written any more: the connection was reset, or is closed both ways.
    gone: bool,
}
