//! A scripted client, kernel and application around one machine: what the connection actor does,
//! without sockets or time. What is said to the machine, and read of it, is the tests' own.

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use smolcorn_actors::outbox::{Next, Outbox};
use smolcorn_actors::protocol::{Close, DeadlineChange, Io, Protocol};

/// Sunday, 6 November 1994, 08:49:37 GMT.
pub const NOW_UNIX_SECONDS: u64 = 784_111_777;

pub struct Peer<M: Protocol> {
    machine: M,
    outbox: Outbox,
    events: VecDeque<M::Event>,
    deadline: Option<Duration>,
    close: Close,
    /// Sent by the client, not yet read by the actor.
    socket: Vec<u8>,
    /// Read by the actor, not yet taken by the machine.
    shown: Vec<u8>,
    eof: bool,
    eof_shown: bool,
    /// Written to the client, not yet looked at by the test.
    wire: Vec<u8>,
    /// While set, the kernel takes nothing.
    stalled: bool,
}

impl<M: Protocol> Peer<M> {
    /// With a machine that has not begun.
    pub fn of(machine: M) -> Peer<M> {
        let mut peer = Peer {
            machine,
            outbox: Outbox::new(),
            events: VecDeque::new(),
            deadline: None,
            close: Close::Open,
            socket: Vec::new(),
            shown: Vec::new(),
            eof: false,
            eof_shown: false,
            wire: Vec::new(),
            stalled: false,
        };
        peer.call(|machine, io| machine.begin(io));
        peer
    }

    fn call<T>(&mut self, act: impl FnOnce(&mut M, &mut Io<'_, M::Event>) -> T) -> T {
        let mut events = Vec::new();
        let mut deadline = DeadlineChange::Keep;
        let result = act(
            &mut self.machine,
            &mut Io {
                outbox: &mut self.outbox,
                events: &mut events,
                deadline: &mut deadline,
                close: &mut self.close,
                unix_seconds: NOW_UNIX_SECONDS,
            },
        );
        self.events.extend(events);
        match deadline {
            DeadlineChange::Keep => {}
            DeadlineChange::Clear => self.deadline = None,
            DeadlineChange::Set(after) => self.deadline = Some(after),
        }
        result
    }

    /// Calls the machine, then goes on as the actor would: writes, and shows input again.
    fn act(&mut self, act: impl FnOnce(&mut M, &mut Io<'_, M::Event>)) {
        self.call(act);
        self.go_on(true);
    }

    /// `show`: what was not taken may be taken now.
    fn go_on(&mut self, mut show: bool) {
        loop {
            if !self.stalled {
                self.write(u64::MAX);
            }
            if self.close == Close::Abort || !self.machine.wants_input() {
                return;
            }
            if !self.socket.is_empty() {
                self.shown.append(&mut self.socket);
                show = true;
            }
            if show && !self.shown.is_empty() {
                show = false;
                let shown = std::mem::take(&mut self.shown);
                let used = self.call(|machine, io| machine.receive(&shown, io));
                assert!(used <= shown.len(), "the machine took more than there was");
                self.shown = shown[used..].to_vec();
                continue;
            }
            if self.eof && !self.eof_shown {
                self.eof_shown = true;
                let unused = self.shown.len();
                self.call(|machine, io| machine.receive_eof(unused, io));
                continue;
            }
            return;
        }
    }

    /// Lets the kernel take up to `max` bytes.
    pub fn write(&mut self, max: u64) {
        let mut left = max;
        while left > 0 && !self.outbox.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[])];
            let taken = match self.outbox.next(&mut slices) {
                Next::Empty => return,
                Next::Slices(_) => {
                    let len = slices[0]
                        .len()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.wire.extend_from_slice(&slices[0][..len]);
                    len as u64
                }
                Next::File {
                    file,
                    offset,
                    left: in_file,
                } => {
                    let len = in_file.min(left);
                    let mut file = file.try_clone().unwrap();
                    file.seek(SeekFrom::Start(offset)).unwrap();
                    file.take(len).read_to_end(&mut self.wire).unwrap();
                    len
                }
            };
            left -= taken;
            self.outbox.advance(taken);
            self.call(|machine, io| machine.sent(taken, io));
            if self.machine.wants_input() && !self.shown.is_empty() {
                let shown = std::mem::take(&mut self.shown);
                let used = self.call(|machine, io| machine.receive(&shown, io));
                self.shown = shown[used..].to_vec();
            }
        }
    }

    // The client.

    /// Sends `bytes`, unless the client has said that it sends nothing more.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Peer<M> {
        if !self.eof {
            self.socket.extend_from_slice(bytes.as_ref());
        }
        self.go_on(false);
        self
    }

    /// The client says that it sends nothing more.
    pub fn half_close(&mut self) {
        self.eof = true;
        self.go_on(false);
    }

    /// The client cannot be reached any more. True if the machine wants to see what it had sent.
    pub fn vanish(&mut self) -> bool {
        let mut hears_out = false;
        self.act(|machine, io| hears_out = machine.unreachable(io));
        hears_out
    }

    /// The connection breaks.
    pub fn lose(&mut self) {
        self.act(|machine, io| machine.lost(io));
    }

    /// What the client has got since the last call.
    pub fn taken(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.wire)
    }

    // The kernel and the clock.

    pub fn stall(&mut self) {
        self.stalled = true;
    }

    pub fn resume(&mut self) {
        self.stalled = false;
        self.go_on(false);
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The deadline passes.
    #[track_caller]
    pub fn expire(&mut self) {
        assert!(self.deadline.take().is_some(), "no deadline is set");
        self.act(|machine, io| machine.deadline(io));
    }

    pub fn close(&self) -> Close {
        self.close
    }

    pub fn wants_input(&self) -> bool {
        self.close == Close::Open && self.machine.wants_input()
    }

    /// Bytes that the client has sent and the machine has not taken.
    pub fn waiting(&self) -> usize {
        self.socket.len() + self.shown.len()
    }

    pub fn unsent(&self) -> u64 {
        self.outbox.len_bytes()
    }

    // The server and the application.

    pub fn drain(&mut self) {
        self.act(|machine, io| machine.drain(io));
    }

    pub fn command(&mut self, command: M::Command) {
        self.act(|machine, io| machine.command(command, io));
    }

    pub fn event(&mut self) -> Option<M::Event> {
        self.events.pop_front()
    }
}
