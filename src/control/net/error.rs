//! Why nothing can be listened on, worded for the one line that the operator gets to see.
//!
//! The texts for addresses and names are those that Python's event loops give, errno and all,
//! because people search for them and tools match them.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why [`bind`](super::bind) failed. Always the operator's to mend; the process ends with
/// status 3.
#[derive(Debug)]
pub enum BindError {
    /// The host has no address.
    Resolve {
        /// The host.
        host: String,
        /// The number of `getaddrinfo`, where it is known.
        code: Option<i32>,
        /// What the resolver says.
        text: String,
    },
    /// The address cannot be bound or listened on: in use, not local, not permitted.
    Address {
        /// As Python shows it.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Something that is no socket stands where the unix socket should.
    NotASocket {
        /// The place.
        path: PathBuf,
        /// What is there, with its article.
        found: &'static str,
    },
    /// A unix socket is there, and whether somebody listens on it cannot be found out.
    Undecided {
        /// The place.
        path: PathBuf,
        /// The answer to the attempt to connect.
        source: io::Error,
    },
    /// The path cannot be one of a unix socket.
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A descriptor that was handed over cannot be served.
    Descriptor {
        /// Its number.
        fd: i32,
        /// Where the number comes from.
        origin: String,
        /// The system's answer, or what the descriptor is.
        source: io::Error,
    },
    /// systemd's `LISTEN_FDS` is no number.
    ListenFds {
        /// Its value.
        value: String,
    },
    /// The option needs another operating system.
    Unsupported {
        /// The option.
        option: &'static str,
    },
}

impl BindError {
    pub(super) fn address(address: &SocketAddr, source: io::Error) -> BindError {
        let address = python_address(address);
        BindError::Address { address, source }
    }

    #[cfg_attr(not(unix), allow(dead_code))]
    pub(super) fn path(path: &Path, source: io::Error) -> BindError {
        let address = format!("'{}'", path.display());
        BindError::Address { address, source }
    }

    /// Wraps the resolver's error. The standard library keeps only its text, so the number is
    /// found by the text; without one the message goes without it.
    pub(super) fn resolve(host: &str, source: &io::Error) -> BindError {
        let message = message(source);
        let text = message
            .strip_prefix("failed to lookup address information: ")
            .unwrap_or(&message)
            .to_owned();
        let code = source.raw_os_error().or_else(|| resolver_code(&text));
        let host = host.to_owned();
        BindError::Resolve { host, code, text }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Resolve { host, code, text } => {
                write!(f, "{}{text}: '{host}'", Errno(*code))
            }
            BindError::Address { address, source } => write!(
                f,
                "{}error while attempting to bind on address {address}: {}",
                Errno(source.raw_os_error()),
                message(source).to_lowercase()
            ),
            BindError::NotASocket { path, found } => write!(
                f,
                "Cannot make a unix socket at '{}': {found} is there, and only a socket is \
                 replaced. Remove it, or choose another path for --uds.",
                path.display()
            ),
            BindError::Undecided { path, source } => write!(
                f,
                "{}Cannot find out whether the unix socket '{}' is in use: {}. Remove it if \
                 nobody listens on it, or choose another path for --uds.",
                Errno(source.raw_os_error()),
                path.display(),
                message(source).to_lowercase()
            ),
            BindError::Path { path, problem } => {
                write!(f, "'{}' cannot be a unix socket: {problem}", path.display())
            }
            BindError::Descriptor { fd, origin, source } => write!(
                f,
                "{}Cannot listen on descriptor {fd} ({origin}): {}",
                Errno(source.raw_os_error()),
                message(source).to_lowercase()
            ),
            BindError::ListenFds { value } => {
                write!(f, "LISTEN_FDS is '{value}', which is not a number")
            }
            BindError::Unsupported { option } => {
                write!(f, "{option} is not supported on this operating system")
            }
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BindError::Address { source, .. }
            | BindError::Undecided { source, .. }
            | BindError::Descriptor { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// `[Errno 98] `, or nothing.
struct Errno(Option<i32>);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, "[Errno {code}] "))
    }
}

/// The error's text without the number that the standard library puts behind it.
fn message(error: &io::Error) -> String {
    let text = error.to_string();
    error
        .raw_os_error()
        .and_then(|code| text.strip_suffix(&format!(" (os error {code})")))
        .map_or_else(|| text.clone(), str::to_owned)
}

/// An address as Python prints the tuple: `('127.0.0.1', 80)`, `('::1', 80, 0, 0)`.
pub(super) fn python_address(address: &SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    match address {
        SocketAddr::V4(_) => format!("('{ip}', {port})"),
        SocketAddr::V6(v6) => {
            format!("('{ip}', {port}, {}, {})", v6.flowinfo(), v6.scope_id())
        }
    }
}

/// The number of a resolver error, by the texts of glibc and musl (Linux) or of the BSDs' and
/// macOS's libc; they are never translated, because the process sets no message locale.
fn resolver_code(text: &str) -> Option<i32> {
    let linux = cfg!(target_os = "linux");
    let code = match text {
        "Name or service not known"
        | "Name does not resolve"
        | "nodename nor servname provided, or not known"
        | "Name does not resolve or service not known" => (-2, 8),
        "Temporary failure in name resolution" | "Try again" => (-3, 2),
        "Non-recoverable failure in name resolution" | "Unrecoverable error" => (-4, 4),
        "No address associated with hostname"
        | "No address associated with nodename"
        | "Name has no usable address" => (-5, 7),
        _ => return None,
    };
    Some(if linux { code.0 } else { code.1 })
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn os(errno: rustix::io::Errno) -> io::Error {
        io::Error::from(errno)
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn addresses_read_as_asyncio_words_them() {
        let address = "127.0.0.1:9801".parse().unwrap();
        let error = BindError::address(&address, os(rustix::io::Errno::ADDRINUSE));
        assert_eq!(
            error.to_string(),
            "[Errno 98] error while attempting to bind on address ('127.0.0.1', 9801): address already in use"
        );
        let address = "[2001:db8::1]:80".parse().unwrap();
        let error = BindError::address(&address, os(rustix::io::Errno::ADDRNOTAVAIL));
        assert_eq!(
            error.to_string(),
            "[Errno 99] error while attempting to bind on address ('2001:db8::1', 80, 0, 0): cannot assign requested address"
        );
        let error = BindError::path(Path::new("/run/x"), os(rustix::io::Errno::ACCESS));
        assert_eq!(
            error.to_string(),
            "[Errno 13] error while attempting to bind on address '/run/x': permission denied"
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn resolver_errors_get_their_number_by_their_text() {
        let said = |text: &str| {
            let text = format!("failed to lookup address information: {text}");
            BindError::resolve("x.test", &io::Error::other(text)).to_string()
        };
        assert_eq!(
            said("Name or service not known"),
            "[Errno -2] Name or service not known: 'x.test'"
        );
        assert_eq!(
            said("Temporary failure in name resolution"),
            "[Errno -3] Temporary failure in name resolution: 'x.test'"
        );
        assert_eq!(said("Something else"), "Something else: 'x.test'");
        let error = BindError::resolve("x.test", &os(rustix::io::Errno::MFILE));
        assert_eq!(
            error.to_string(),
            "[Errno 24] Too many open files: 'x.test'"
        );
    }

    #[test]
    fn path_errors_say_what_to_do() {
        let path = PathBuf::from("/srv/data");
        assert_eq!(
            BindError::NotASocket {
                path,
                found: "a regular file"
            }
            .to_string(),
            "Cannot make a unix socket at '/srv/data': a regular file is there, and only a socket \
             is replaced. Remove it, or choose another path for --uds."
        );
    }
}
