//! Listening sockets: from what the operator asked for to sockets that accept.
//!
//! ```text
//!   BindSpec --bind--> fd? inherited.rs   systemd? inherited.rs   uds? unix.rs   else tcp.rs
//!                        \__________________ BoundSocket _________________________/
//! ```
//!
//! Nothing here reads the environment, accepts a connection or logs.

pub mod descriptor;
mod error;
#[cfg(unix)]
mod inherited;
mod tcp;
#[cfg(unix)]
mod unix;

use std::net::SocketAddr;
use std::path::PathBuf;

use socket2::Socket;

use crate::config::{BindTarget, Config};

pub use error::BindError;
#[cfg(unix)]
pub use unix::SocketFile;

/// What to listen on. The first of `fd`, `systemd`, `uds` and `host` with `port` that is given
/// counts, and the others are not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindSpec {
    /// Everything to listen on; when this is not empty, only `uds_mode`, `backlog` and `tls` of
    /// the other fields count.
    pub targets: Vec<BindTarget>,
    /// An address or a name; empty: all interfaces. An IPv6 address without brackets.
    pub host: String,
    /// 0: one that is free, the same for all addresses of the host where possible.
    pub port: u16,
    /// Path of a unix socket to make.
    pub uds: Option<PathBuf>,
    /// Permission bits of the unix socket; `None`: those of the socket it replaces, or 0666.
    pub uds_mode: Option<u32>,
    /// A descriptor that is a stream socket already.
    pub fd: Option<i32>,
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// What a service manager handed over.
    pub systemd: SystemdVars,
    /// Only for the descriptions: `https` instead of `http`.
    pub tls: bool,
}

impl BindSpec {
    /// What `config` asks for; `env` looks environment variables up.
    pub fn of(config: &Config, env: impl Fn(&str) -> Option<String>) -> BindSpec {
        BindSpec {
            targets: config.binds.clone(),
            host: config.host.clone(),
            port: config.port,
            uds: config.uds.clone(),
            uds_mode: config.uds_mode,
            fd: config.fd,
            backlog: i32::try_from(config.backlog).unwrap_or(i32::MAX),
            systemd: SystemdVars {
                listen_pid: env("LISTEN_PID"),
                listen_fds: env("LISTEN_FDS"),
                listen_fdnames: env("LISTEN_FDNAMES"),
            },
            tls: config.tls.is_some(),
        }
    }
}

impl BindSpec {
    /// The same that asks for `target` alone.
    fn only(&self, target: &BindTarget) -> BindSpec {
        let mut spec = BindSpec {
            targets: Vec::new(),
            uds: None,
            fd: None,
            systemd: SystemdVars::default(),
            ..self.clone()
        };
        match target {
            BindTarget::Tcp { host, port } => {
                spec.host.clone_from(host);
                spec.port = *port;
            }
            BindTarget::Unix(path) => spec.uds = Some(path.clone()),
            BindTarget::Descriptor(fd) => spec.fd = Some(*fd),
        }
        spec
    }
}

/// The variables of systemd's socket activation (sd_listen_fds(3)), as they stand in the
/// environment. They count only when `listen_pid` is this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemdVars {
    /// `LISTEN_PID`
    pub listen_pid: Option<String>,
    /// `LISTEN_FDS`: how many descriptors, from 3 on.
    pub listen_fds: Option<String>,
    /// `LISTEN_FDNAMES`: their names, with colons between them. Only error texts show them.
    pub listen_fdnames: Option<String>,
}

/// A socket that listens: nonblocking, closed on exec.
#[derive(Debug)]
pub struct BoundSocket {
    /// Removes the file of a unix socket when it is dropped. Keep it until nothing is accepted
    /// any more, and drop it before `socket`, as this struct does.
    #[cfg(unix)]
    pub file: Option<SocketFile>,
    /// The socket.
    pub socket: Socket,
    /// Where it is bound. For a unix socket of ours this is the only place that knows:
    /// `getsockname` says the temporary name under which the socket was made.
    pub local: LocalAddress,
    /// As the banner shows it: `http://127.0.0.1:8000`, `http://[::1]:8000`,
    /// `unix socket /run/app.sock`, `socket ('127.0.0.1', 9801)`. The sockets of one host share
    /// one description, unless their ports differ.
    pub description: String,
}

/// Where a socket is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAddress {
    /// An interface, or all of them, and the real port.
    Tcp(SocketAddr),
    /// A unix socket, by the path as it was given; empty when it has none.
    Unix(PathBuf),
}

/// Makes the sockets that `spec` asks for: several when a host has several addresses or systemd
/// hands over several, and at least one. Resolves names, and so may block.
///
/// # Errors
///
/// Each is the operator's to mend; its text is the one line that the log shall show.
pub fn bind(spec: &BindSpec) -> Result<Vec<BoundSocket>, BindError> {
    let mut sockets = Vec::new();
    for target in &spec.targets {
        sockets.extend(bind_one(&spec.only(target))?);
    }
    if sockets.is_empty() {
        return bind_one(spec);
    }
    Ok(sockets)
}

/// The same for a specification without targets.
fn bind_one(spec: &BindSpec) -> Result<Vec<BoundSocket>, BindError> {
    #[cfg(unix)]
    {
        if let Some(fd) = spec.fd {
            return Ok(vec![inherited::adopt_fd(fd, spec.backlog)?]);
        }
        let handed_over = inherited::adopt_systemd(&spec.systemd, spec.backlog)?;
        if !handed_over.is_empty() {
            return Ok(handed_over);
        }
        if let Some(path) = &spec.uds {
            return Ok(vec![unix::bind(path, spec.uds_mode, spec.backlog)?]);
        }
    }
    #[cfg(not(unix))]
    {
        if spec.fd.is_some() {
            return Err(BindError::Unsupported { option: "--fd" });
        }
        if spec.uds.is_some() {
            return Err(BindError::Unsupported { option: "--uds" });
        }
    }
    tcp::bind(spec)
}

/// Serves sockets that the caller has made and bound. Each is duplicated: the descriptors stay
/// the caller's.
///
/// # Errors
///
/// A descriptor is no stream socket, or cannot listen; and always on a system other than Unix.
pub fn adopt(descriptors: &[i32], backlog: i32) -> Result<Vec<BoundSocket>, BindError> {
    #[cfg(unix)]
    {
        let sockets = descriptors.iter();
        sockets
            .map(|fd| inherited::adopt_given(*fd, backlog))
            .collect()
    }
    #[cfg(not(unix))]
    {
        let _ = (descriptors, backlog);
        Err(BindError::Unsupported { option: "sockets" })
    }
}

#[cfg(all(test, unix))]
mod testing;
#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
