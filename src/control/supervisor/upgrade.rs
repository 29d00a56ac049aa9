//! SIGUSR2: the program is started anew on the same sockets, and the old one leaves when the new
//! one serves.
//!
//! ```text
//!   old parent --sockets, pipe--> new parent starts its workers
//!   old parent <--one byte------- all of them are ready
//! ```
//!
//! A new program that ends before that byte changes nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::{Child, ExitStatus};

use super::child::WorkerProgram;
use super::link::{Inheritance, InheritedSocket, UPGRADE_VARIABLE};
use super::worker;
use crate::net::{BoundSocket, descriptor};

/// What the new program says when it serves.
const SERVES: u8 = b's';

/// The new program, seen from the old one.
#[derive(Debug)]
pub struct Successor {
    child: Child,
    pipe: File,
}

/// How it goes with the new program.
#[derive(Debug)]
pub enum Progress {
    /// It is not ready yet.
    Starting,
    /// It serves.
    Serves,
    /// It has ended, and will not serve.
    Failed(Option<ExitStatus>),
}

impl Successor {
    /// Starts `program` on `sockets`.
    ///
    /// # Errors
    /// The system's: the program is not there, or there is no room for another process.
    pub fn start(program: &WorkerProgram, sockets: &[BoundSocket]) -> io::Result<Successor> {
        let (reader, writer) = io::pipe()?;
        let pipe = File::from(std::os::fd::OwnedFd::from(reader));
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let inheritance = Inheritance {
            control: writer.as_raw_fd(),
            sockets: sockets.iter().map(InheritedSocket::of).collect(),
            ..Inheritance::default()
        };
        let mut fds = vec![writer.as_fd()];
        fds.extend(sockets.iter().map(|socket| socket.socket.as_fd()));
        let child = program.spawn(UPGRADE_VARIABLE, &inheritance, &fds)?;
        Ok(Successor { child, pipe })
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Readable when there is progress.
    pub fn pipe(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// How it goes.
    pub fn progress(&mut self) -> Progress {
        let mut byte = [0];
        match self.pipe.read(&mut byte) {
            Ok(1) if byte == [SERVES] => Progress::Serves,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Starting,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Progress::Starting,
            _ => {
                // Its end of the pipe is closed: it has ended, or is about to.
                let _ = self.child.kill();
                Progress::Failed(self.child.wait().ok())
            }
        }
    }

    /// Ends it: it is not to serve any more.
    pub fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The old program, seen from the new one.
#[derive(Debug)]
pub struct Predecessor(File);

impl Predecessor {
    /// Says that the old program may leave.
    pub fn dismiss(mut self) {
        // One that is gone already needs no telling.
        let _ = self.0.write_all(&[SERVES]);
    }
}

/// The old program and its sockets, if this process was started to take over from it.
///
/// # Errors
/// The variable was not made by a program that started this very process.
pub fn inherited() -> io::Result<Option<(Predecessor, Vec<BoundSocket>)>> {
    let Ok(text) = std::env::var(UPGRADE_VARIABLE) else {
        return Ok(None);
    };
    let inheritance = Inheritance::decode(&text)
        .ok_or_else(|| io::Error::other(format!("{UPGRADE_VARIABLE} is not for this process")))?;
    let pipe = File::from(descriptor::take(inheritance.control)?);
    let mut sockets = Vec::new();
    for inherited in &inheritance.sockets {
        let mut socket = worker::take(inherited)?;
        if let (true, Some(path)) = (inherited.owned, &inherited.path) {
            socket.file = Some(crate::net::SocketFile::claim(path)?);
        }
        sockets.push(socket);
    }
    Ok(Some((Predecessor(pipe), sockets)))
}
