//! What a supervisor and its workers say to each other: the environment variable in which a
//! worker finds its descriptors, and the bytes on the control socket between the two.
//!
//! ```text
//!   supervisor --TLS ticket secret, then BEGIN, PING, RETIRE, RELOAD, STOP--> worker
//!   supervisor <--HELLO, ALIVE, READY, RECYCLE, LEAVING, BLOCKED, FREE-- worker
//!   supervisor <--FAILED and a text, the last of all-- worker
//!
//!   supervisor --FORK with a worker's control socket, RETIRE--> template
//!   supervisor <--TemplateReport: loaded, forked, not forked, ended-- template
//! ```
//!
//! Nothing here opens, reads or writes anything.

use std::fmt::Write;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::net::{BoundSocket, LocalAddress};

/// The environment variable that makes a process a worker. Its value is an [`Inheritance`].
pub const WORKER_VARIABLE: &str = "_SMOLCORN_WORKER";

/// The environment variable that makes a supervisor take over from an old one. Its value is an
/// [`Inheritance`].
pub const UPGRADE_VARIABLE: &str = "_SMOLCORN_UPGRADE";

/// To a worker that was started early: it is your turn.
pub const BEGIN: u8 = b'g';
/// To a worker: say that you are alive.
pub const PING: u8 = b'p';
/// To a worker: others take over; accept nothing more, serve the connections to their end.
pub const RETIRE: u8 = b'r';
/// To a worker: the same, and in a hurry, for nobody serves until it has ended.
pub const RELOAD: u8 = b'l';
/// To a worker: the whole server stops.
pub const STOP: u8 = b's';
/// To a template, with a descriptor: fork a worker with this control socket.
pub const FORK: u8 = b'f';
/// The same for a worker that is the first one of all.
pub const FORK_FIRST: u8 = b'F';

/// From a worker that cannot start: all that follows says why, in UTF-8.
pub const FAILED: u8 = b'X';
/// At most so much of that text is sent: its end.
pub const FAILURE_BYTES_MAX: usize = 64 * 1024;

/// What a worker has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It runs, and has taken what it inherited. The first byte of every worker.
    Hello,
    /// The answer to a ping.
    Alive,
    /// Its application has started, and it accepts connections.
    Ready,
    /// It has served as many requests as it may; it goes on until it is replaced.
    Recycle,
    /// It has begun to end, because it was told to by somebody else.
    Leaving,
    /// Its event loop has not run for too long.
    Blocked,
    /// Its event loop runs again.
    Free,
}

impl Report {
    const ALL: [(u8, Report); 7] = [
        (b'h', Report::Hello),
        (b'a', Report::Alive),
        (b'R', Report::Ready),
        (b'L', Report::Recycle),
        (b'E', Report::Leaving),
        (b'B', Report::Blocked),
        (b'F', Report::Free),
    ];

    /// As it goes over the control socket.
    pub fn byte(self) -> u8 {
        Report::ALL
            .iter()
            .find(|(_, report)| *report == self)
            .map_or(b'a', |(byte, _)| *byte)
    }

    /// `None` for a byte that is no report.
    pub fn from_byte(byte: u8) -> Option<Report> {
        let found = Report::ALL.iter().find(|(code, _)| *code == byte);
        found.map(|(_, report)| *report)
    }
}

/// What a template, the process from which workers are forked, has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateReport {
    /// The application is imported.
    Loaded,
    /// The answer to [`FORK`]: the number of the new process.
    Forked(u32),
    /// The other answer: the system's error.
    NotForked(i32),
    /// A forked process has ended, with this status of `waitpid`.
    Ended(u32, i32),
}

impl TemplateReport {
    /// Length of a report on the control socket.
    pub const BYTES: usize = 9;

    /// As it goes over the control socket.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let (kind, pid, number) = match self {
            TemplateReport::Loaded => (b'l', 0, 0),
            TemplateReport::Forked(pid) => (b'f', pid, 0),
            TemplateReport::NotForked(error) => (b'n', 0, error),
            TemplateReport::Ended(pid, status) => (b'e', pid, status),
        };
        let [a, b, c, d] = pid.to_ne_bytes();
        let [e, f, g, h] = number.to_ne_bytes();
        [kind, a, b, c, d, e, f, g, h]
    }

    /// `None` for bytes that are no report.
    pub fn from_bytes([kind, a, b, c, d, e, f, g, h]: [u8; Self::BYTES]) -> Option<TemplateReport> {
        let pid = u32::from_ne_bytes([a, b, c, d]);
        let number = i32::from_ne_bytes([e, f, g, h]);
        match kind {
            b'l' => Some(TemplateReport::Loaded),
            b'f' => Some(TemplateReport::Forked(pid)),
            b'n' => Some(TemplateReport::NotForked(number)),
            b'e' => Some(TemplateReport::Ended(pid, number)),
            _ => None,
        }
    }
}

/// A listening socket on its way to another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InheritedSocket {
    /// Its number.
    pub fd: RawFd,
    /// As the banner shows it.
    pub description: String,
    /// The path of a unix socket that a supervisor made; `getsockname` does not know it.
    pub path: Option<PathBuf>,
    /// The file at that path belongs to the server, which removes it at its end.
    pub owned: bool,
}

impl InheritedSocket {
    /// `socket`, under the number that it has here.
    pub fn of(socket: &BoundSocket) -> InheritedSocket {
        use std::os::fd::AsRawFd;
        InheritedSocket {
            fd: socket.socket.as_raw_fd(),
            description: socket.description.clone(),
            path: match &socket.local {
                LocalAddress::Unix(path) if !path.as_os_str().is_empty() => Some(path.clone()),
                _ => None,
            },
            owned: socket.file.is_some(),
        }
    }
}

/// Everything that a process inherits from its supervisor: a worker's descriptors, or what a new
/// supervisor takes over from an old one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inheritance {
    /// The control socket; for a new supervisor the pipe on which it says that it is ready.
    pub control: RawFd,
    /// The read end of a pipe with one byte in it: whoever takes that may show why it cannot
    /// start. So the same traceback is not shown by every worker.
    pub complaint: Option<RawFd>,
    /// A worker that is started early: it waits for [`BEGIN`] before it loads the application.
    pub early: bool,
    /// Nobody serves yet: the worker may accept before it has started, to say so.
    pub first: bool,
    /// No worker, but what workers are forked from.
    pub template: bool,
    /// A pipe with what must stand in no command line: the password of private keys.
    pub secrets: Option<RawFd>,
    /// What to accept from.
    pub sockets: Vec<InheritedSocket>,
}

impl Inheritance {
    /// As text for an environment variable: one line for each descriptor, paths in hexadecimal.
    pub fn encode(&self) -> String {
        let mut text = format!("control {}\n", self.control);
        if let Some(fd) = self.complaint {
            let _ = writeln!(text, "complaint {fd}");
        }
        if self.early {
            text.push_str("early 1\n");
        }
        if self.first {
            text.push_str("first 1\n");
        }
        if self.template {
            text.push_str("template 1\n");
        }
        if let Some(fd) = self.secrets {
            let _ = writeln!(text, "secrets {fd}");
        }
        for socket in &self.sockets {
            let path = socket.path.as_deref().map(hex).unwrap_or_default();
            let owned = u8::from(socket.owned);
            let (fd, shown) = (socket.fd, &socket.description);
            let _ = writeln!(text, "socket {fd} {owned} {path}- {shown}");
        }
        text
    }

    /// `None` for what [`encode`](Self::encode) has not written.
    pub fn decode(text: &str) -> Option<Inheritance> {
        let mut found = Inheritance {
            control: -1,
            ..Inheritance::default()
        };
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ')?;
            match kind {
                "control" => found.control = rest.parse().ok()?,
                "complaint" => found.complaint = Some(rest.parse().ok()?),
                "early" => found.early = rest == "1",
                "first" => found.first = rest == "1",
                "template" => found.template = rest == "1",
                "secrets" => found.secrets = Some(rest.parse().ok()?),
                "socket" => found.sockets.push(decode_socket(rest)?),
                _ => return None,
            }
        }
        (found.control >= 0).then_some(found)
    }
}

fn decode_socket(text: &str) -> Option<InheritedSocket> {
    let (fd, rest) = text.split_once(' ')?;
    let (owned, rest) = rest.split_once(' ')?;
    let (path, description) = rest.split_once("- ")?;
    Some(InheritedSocket {
        fd: fd.parse().ok()?,
        description: description.to_owned(),
        path: match path {
            "" => None,
            path => Some(unhex(path)?),
        },
        owned: owned == "1",
    })
}

fn hex(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<PathBuf> {
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    Some(std::ffi::OsStr::from_bytes(&bytes?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inherited_survives_its_way() {
        let given = Inheritance {
            control: 5,
            complaint: Some(6),
            early: true,
            first: true,
            template: true,
            secrets: Some(9),
            sockets: vec![
                InheritedSocket {
                    fd: 7,
                    description: "http://127.0.0.1:8000".to_owned(),
                    path: None,
                    owned: false,
                },
                InheritedSocket {
                    fd: 8,
                    description: "unix socket /run/a b- c".to_owned(),
                    path: Some("/run/a b- \u{e9}\n".into()),
                    owned: true,
                },
            ],
        };
        assert_eq!(Inheritance::decode(&given.encode()), Some(given));
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in [
            "",
            "control",
            "control x",
            "socket 7 - x",
            "what 1",
            "control 1\nsocket 2 0 0- x",
        ] {
            assert_eq!(Inheritance::decode(text), None, "{text}");
        }
    }

    #[test]
    fn reports_survive_their_way() {
        for (byte, report) in Report::ALL {
            assert_eq!(report.byte(), byte);
            assert_eq!(Report::from_byte(byte), Some(report));
        }
        assert_eq!(Report::from_byte(b'?'), None);
        assert_eq!(Report::from_byte(FAILED), None);
    }

    #[test]
    fn reports_of_templates_survive_their_way() {
        for report in [
            TemplateReport::Loaded,
            TemplateReport::Forked(4_000_000_000),
            TemplateReport::NotForked(11),
            TemplateReport::Ended(7, -1),
        ] {
            assert_eq!(TemplateReport::from_bytes(report.to_bytes()), Some(report));
        }
        assert_eq!(TemplateReport::from_bytes([0; TemplateReport::BYTES]), None);
    }
}
