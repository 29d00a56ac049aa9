//! A protocol for tests: it tells the dispatch actor everything that it is called with, and
//! writes, closes, pauses and panics when it is told to.

use std::fs::File;
use std::rc::Rc;
use std::time::Duration;

use smolcorn_actors::messages::Ends;
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::protocol::{Close, Io, Protocol};
use smolcorn_actors::server::{Maker, ProtocolFactory};
use smolcorn_actors::trace::{About, Describe};

/// What the machine was called with.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    Begun,
    /// Without its newline.
    Line(String),
    Eof {
        unused: usize,
    },
    Sent(u64),
    Deadline,
    Drain,
    Unreachable,
    Lost,
}

/// What the machine shall do.
pub enum Tell {
    Write(Payload),
    File {
        file: File,
        offset: u64,
        len: u64,
    },
    Close(Close),
    /// Read no more lines.
    Pause,
    Resume,
    /// Ask for what a peer that has gone had said.
    HearOut,
    Deadline(Option<Duration>),
    Panic,
}

impl Describe for Told {
    fn describe(&self) -> About {
        match self {
            Told::Line(line) => About {
                bytes: line.len() as u64,
                ..About::kind("line")
            },
            _ => About::kind("told"),
        }
    }
}

impl Describe for Tell {
    fn describe(&self) -> About {
        About::kind(match self {
            Tell::Write(_) => "write",
            Tell::Close(_) => "close",
            _ => "tell",
        })
    }
}

impl Tell {
    pub fn write(bytes: impl Into<Vec<u8>>) -> Tell {
        Tell::Write(Payload::Owned(bytes.into()))
    }
}

/// Lines, each ended by a newline. After `!pause` it wants no input; after `!hold` it takes none
/// but wants to see the end; after `!panic` it panics. All other lines are only told.
#[derive(Default)]
pub struct Lines {
    paused: bool,
    held: bool,
    hears_out: bool,
}

impl Protocol for Lines {
    type Event = Told;
    type Command = Tell;

    fn begin(&mut self, io: &mut Io<'_, Told>) {
        io.emit(Told::Begun);
    }

    fn receive(&mut self, input: &[u8], io: &mut Io<'_, Told>) -> usize {
        assert!(!self.paused, "shown bytes while paused");
        let mut taken = 0;
        if self.held {
            return 0;
        }
        while let Some(end) = input[taken..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&input[taken..taken + end]).into_owned();
            taken += end + 1;
            match line.as_str() {
                "!panic" => panic!("told to"),
                "!hold" => self.held = true,
                "!pause" => self.paused = true,
                _ => {}
            }
            io.emit(Told::Line(line));
            if self.paused || self.held {
                break;
            }
        }
        taken
    }

    fn receive_eof(&mut self, unused: usize, io: &mut Io<'_, Told>) {
        io.emit(Told::Eof { unused });
    }

    fn command(&mut self, command: Tell, io: &mut Io<'_, Told>) {
        match command {
            Tell::Write(payload) => io.outbox.push(payload),
            Tell::File { file, offset, len } => io.outbox.push_file(file, offset, len),
            Tell::Close(how) => io.close(how),
            Tell::Pause => self.paused = true,
            Tell::Resume => (self.paused, self.held) = (false, false),
            Tell::HearOut => self.hears_out = true,
            Tell::Deadline(Some(after)) => io.set_deadline(after),
            Tell::Deadline(None) => io.clear_deadline(),
            Tell::Panic => panic!("told to"),
        }
    }

    fn sent(&mut self, bytes: u64, io: &mut Io<'_, Told>) {
        io.emit(Told::Sent(bytes));
    }

    fn deadline(&mut self, io: &mut Io<'_, Told>) {
        io.emit(Told::Deadline);
    }

    fn drain(&mut self, io: &mut Io<'_, Told>) {
        io.emit(Told::Drain);
    }

    fn unreachable(&mut self, io: &mut Io<'_, Told>) -> bool {
        if self.hears_out {
            io.emit(Told::Unreachable);
        }
        self.hears_out
    }

    fn lost(&mut self, io: &mut Io<'_, Told>) {
        io.emit(Told::Lost);
    }

    fn wants_input(&self) -> bool {
        !self.paused
    }
}

#[derive(Clone)]
pub struct Factory;

impl ProtocolFactory for Factory {
    type Protocol = Lines;

    fn local(&self) -> Maker<Lines> {
        Rc::new(|_: &Ends| Lines::default())
    }
}
