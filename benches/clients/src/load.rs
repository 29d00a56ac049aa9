//! Lets all connections talk for a while.

use std::io;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::connection::{Came, Connection};
use crate::handshake::Upgraded;
use crate::tally::Tally;

const READ_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1024;
const WATCHED: epoll::EventFlags = epoll::EventFlags::IN.union(epoll::EventFlags::OUT);
/// The server sends no more.
const GONE: epoll::EventFlags = epoll::EventFlags::RDHUP.union(epoll::EventFlags::HUP);

/// What is to be done.
pub struct Plan {
    /// The message, as it goes out.
    pub frame: Vec<u8>,
    /// Messages that a connection has under way.
    pub in_flight: u64,
    /// One speaks, all hear.
    pub broadcast: bool,
    /// How long a message is that comes back.
    pub answer_bytes: Option<u64>,
    /// How long it goes on.
    pub time: Duration,
}

/// A run under way.
struct Run<'a> {
    plan: &'a Plan,
    connections: Vec<Connection>,
    tally: Tally,
    /// In a broadcast, how many connections have yet to hear what was said.
    to_hear: usize,
}

/// Counts messages until the time is over, or no connection is left.
pub fn load(plan: &Plan, upgraded: Vec<Upgraded>) -> io::Result<Tally> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let connections: Vec<_> = upgraded.into_iter().map(Connection::new).collect();
    for (number, connection) in connections.iter().enumerate() {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(
            &poll,
            connection.stream(),
            data,
            WATCHED | GONE | epoll::EventFlags::ET,
        )?;
    }
    let mut run = Run {
        plan,
        connections,
        tally: Tally::new(),
        to_hear: 0,
    };
    let start = Instant::now();
    run.begin(start);
    let mut buffer = vec![0; READ_BYTES];
    let mut events = Vec::with_capacity(EVENTS_MAX);
    while let Some(left) = plan
        .time
        .checked_sub(start.elapsed())
        .filter(|left| !left.is_zero())
    {
        events.clear();
        let timeout = Timespec::try_from(left).unwrap_or_default();
        match epoll::wait(&poll, spare_capacity(&mut events), Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        for event in &events {
            // The event is packed: its fields are copied.
            let (flags, data) = (event.flags, event.data);
            run.advance(data.u64() as usize, flags.intersects(GONE), &mut buffer);
        }
        if run.connections.iter().all(|connection| connection.ended) {
            break;
        }
    }
    run.tally.finish(start.elapsed());
    Ok(run.tally)
}

impl Run<'_> {
    /// The first messages; they go out when the sockets are first seen to be writable.
    fn begin(&mut self, now: Instant) {
        if self.plan.broadcast {
            self.speak(now);
        } else {
            for connection in &mut self.connections {
                connection.owe(self.plan.in_flight, now);
            }
        }
    }

    /// The first connection says one message to all.
    fn speak(&mut self, now: Instant) {
        self.to_hear = self.connections.len();
        if let Some(first) = self.connections.first_mut() {
            first.owe(1, now);
        }
    }

    /// Does what one connection can do now. If the server is gone, it is the last time.
    fn advance(&mut self, number: usize, gone: bool, buffer: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        if connection.ended {
            return;
        }
        let mut messages = 0;
        let tally = &mut self.tally;
        let wanted = self.plan.answer_bytes;
        let read = connection.read(buffer, |came| match came {
            Came::Message(bytes) if wanted.is_none_or(|wanted| wanted == bytes) => {
                messages += 1;
                tally.message();
            }
            Came::Message(_) | Came::Wrong => tally.wrong(),
        });
        let now = Instant::now();
        if !self.plan.broadcast {
            for _ in 0..messages {
                if let Some(begun) = connection.answered() {
                    tally.time(now - begun);
                }
            }
            connection.owe(messages, now);
        }
        if read
            .and_then(|()| connection.write(&self.plan.frame))
            .is_err()
        {
            connection.ended = true;
        }
        connection.ended |= gone;
        if connection.ended {
            tally.read_error();
        }
        if self.plan.broadcast {
            self.heard(messages as usize, now);
        }
    }

    /// So many connections more have heard the message; at the last one the next is said.
    fn heard(&mut self, connections: usize, now: Instant) {
        if connections == 0 {
            return;
        }
        self.to_hear = self.to_hear.saturating_sub(connections);
        if self.to_hear > 0 {
            return;
        }
        let begun = self.connections.first_mut().and_then(Connection::answered);
        if let Some(begun) = begun {
            self.tally.time(now - begun);
        }
        self.speak(now);
        let frame = &self.plan.frame;
        if let Some(first) = self.connections.first_mut()
            && first.write(frame).is_err()
        {
            first.ended = true;
            self.tally.read_error();
        }
    }
}
