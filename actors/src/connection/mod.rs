//! The connection actor: owns one connected socket and the protocol machine on it.
//!
//! It reads what its machine wants to see, writes what its machine has to say, and carries the
//! machine's events to the dispatch actor. What the bytes mean it does not know. Its mailbox is
//! written by the application's side ([`ToConnection::Command`]) and by its listener (drain, abort).

mod farewell;
mod handshake;
mod input;
mod machine;
mod nursery;

use std::future::Future;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::actor::{ActorName, ConnectionId, StopReason};
use crate::mailbox::{Address, Mailbox};
use crate::messages::{ToConnection, ToDispatch, ToListener};
use crate::outbox::Next;
use crate::protocol::{Close, Protocol};
use crate::stream::Stream;
use crate::timers::{Tick, Timer};
use crate::trace::cells::{ActorState, Place};
use crate::trace::{self, Arg, What};
use input::Input;
use machine::Machine;
pub(crate) use nursery::{Accepted, Nursery};

/// At most so many reads in one go, before other connections have their turn.
const READS_PER_TURN: usize = 4;
/// After so many written bytes the other connections have their turn. One call to the system may
/// take more, up to the socket's buffer.
const WRITTEN_PER_TURN_BYTES: u64 = 256 * 1024;
/// At most so many pieces in one call to the system.
const SLICES_MAX: usize = 64;
/// Where the reactor does not tell that a peer has gone while it is not read from, it is asked
/// this often.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How far a connection has come.
enum Phase {
    /// The machine was not called yet.
    New,
    /// Neither was it now, for the TLS handshake goes on.
    Handshake { until: Tick },
    /// Both directions are open.
    Open,
    /// The peer has said that it sends no more.
    ReadClosed,
    /// Everything is written; what the peer still sends is dropped until it has finished too.
    Lingering { until: Tick, dropped_bytes: u64 },
    /// The actor has said goodbye.
    Ended,
}

impl Phase {
    /// The phase as tables and traces show it.
    fn state(&self) -> ActorState {
        match self {
            Phase::New => ActorState::New,
            Phase::Handshake { .. } => ActorState::Handshake,
            Phase::Open => ActorState::Open,
            Phase::ReadClosed => ActorState::ReadClosed,
            Phase::Lingering { .. } => ActorState::Lingering,
            Phase::Ended => ActorState::Ended,
        }
    }
}

/// The actor: one task.
struct Connection<P: Protocol> {
    id: ConnectionId,
    mailbox: Mailbox<ToConnection<P::Command>>,
    /// Absent when the phase is `Ended`.
    stream: Option<Stream>,
    input: Input,
    machine: Machine<P>,
    phase: Phase,
    /// The machine was called; a connection whose handshake fails never gets so far.
    begun: bool,
    /// Bytes that the stream took from the outbox and the kernel does not have yet.
    taken_bytes: u64,
    /// The machine is to be told that the server stops, once what has come is read.
    drain_due: bool,
    /// Set while something waits to be written; moved on whenever the peer takes some.
    write_deadline: Option<Tick>,
    /// The peer cannot be reached; until then, what it said before is shown.
    farewell: Option<Tick>,
    /// When to look whether the peer has gone.
    probe: Option<Tick>,
    timer: Option<Timer>,
    /// What `timer` stands at.
    timer_at: Option<Tick>,
    listener: Address<ToListener>,
    nursery: Rc<Nursery<P>>,
    /// What it shows of itself.
    place: Place,
}

/// What one direction can do for now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// There may be more to do at once.
    Ready,
    /// The reactor wakes the task when there is more.
    Waiting,
}

/// What is left of a turn.
struct Budget {
    reads: usize,
    written_bytes: u64,
}

impl Budget {
    fn is_spent(&self) -> bool {
        self.reads == 0 || self.written_bytes == 0
    }
}

// Nothing in it is ever pinned.
impl<P: Protocol> Unpin for Connection<P> {}

impl<P: Protocol> Future for Connection<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let connection = self.get_mut();
        if trace::enabled() {
            return connection.poll_traced(context);
        }
        connection.poll_turn(context)
    }
}

/// `Err` ends the actor.
type Step<T> = Result<T, StopReason>;

impl<P: Protocol> Connection<P> {
    #[cold]
    fn poll_traced(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let turn = trace::enter(self.name());
        let (read, written) = self.place.bytes();
        let done = self.poll_turn(context);
        let after = self.place.bytes();
        let args = [
            ("read", Arg::Number(after.0 - read)),
            ("written", Arg::Number(after.1 - written)),
        ];
        turn.finish("turn", &args);
        done
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // A panic of one machine must not reach the others: the state behind it is dropped.
        let turn = catch_unwind(AssertUnwindSafe(|| self.turn(context)));
        match turn {
            Ok(Ok(())) => Poll::Pending,
            Ok(Err(reason)) => {
                self.end(reason);
                Poll::Ready(())
            }
            Err(_) => {
                self.end(StopReason::Panicked);
                Poll::Ready(())
            }
        }
    }

    /// An actor that has not begun.
    fn new(
        id: ConnectionId,
        stream: Stream,
        protocol: P,
        mailbox: Mailbox<ToConnection<P::Command>>,
        listener: Address<ToListener>,
        nursery: Rc<Nursery<P>>,
        place: Place,
    ) -> Connection<P> {
        let dispatch = nursery.dispatch.clone();
        let local = Rc::clone(&nursery.local);
        Connection {
            id,
            mailbox,
            stream: Some(stream),
            input: Input::default(),
            machine: Machine::new(protocol, id, dispatch, local),
            phase: Phase::New,
            begun: false,
            taken_bytes: 0,
            drain_due: false,
            write_deadline: None,
            farewell: None,
            probe: None,
            timer: None,
            timer_at: None,
            listener,
            nursery,
            place,
        }
    }

    /// Does everything that can be done now.
    fn turn(&mut self, context: &mut Context<'_>) -> Step<()> {
        if let Phase::New = self.phase {
            trace::note(self.name(), || What::Started);
            self.timer = Some(self.nursery.local.timer(context.waker()));
            self.begin();
        }
        self.take_mail(context)?;
        if let Phase::Handshake { .. } = self.phase
            && !self.shake_hands(context)?
        {
            self.set_timer();
            return Ok(());
        }
        let mut budget = Budget {
            reads: READS_PER_TURN,
            written_bytes: WRITTEN_PER_TURN_BYTES,
        };
        let mut first = true;
        loop {
            let reading = self.read(context, &mut budget)?;
            if first {
                // After the read: what came in time counts, even if we are late to look.
                self.pass_drain();
                self.pass_deadline();
                first = false;
            }
            let writing = self.write(context, &mut budget)?;
            self.close_if_done(context)?;
            let more_input = self.shows_on() || (self.reads_on() && reading == Direction::Ready);
            let more_output = writing == Direction::Ready && !self.machine.outbox.is_empty();
            if !more_input && !more_output {
                break;
            }
            if budget.is_spent() {
                self.nursery.local.wake_next_turn(context.waker());
                break;
            }
        }
        self.check_write_timeout()?;
        self.notice_departure(context)?;
        self.check_farewell()?;
        self.set_timer();
        Ok(())
    }

    /// Calls the machine for the first time, or has it wait for a TLS handshake.
    fn begin(&mut self) {
        match self.stream {
            Some(Stream::Tls(_)) => self.begin_handshake(),
            _ => self.open(),
        }
    }

    fn open(&mut self) {
        self.enter(Phase::Open);
        self.begun = true;
        self.machine.call(|protocol, io| protocol.begin(io));
    }

    fn take_mail(&mut self, context: &Context<'_>) -> Step<()> {
        self.mailbox.wake_with(context.waker());
        let name = self.name();
        for mail in self.mailbox.drain_mail() {
            let (message, _handling) = mail.open(name);
            self.input.show_again();
            match message {
                ToConnection::Command(command) => {
                    self.machine
                        .call(|protocol, io| protocol.command(command, io));
                }
                ToConnection::Drain => {
                    self.drain_due = true;
                    if let Phase::Handshake { until } = &mut self.phase {
                        let timeout = self.nursery.limits.handshake_drain_timeout;
                        *until = self.nursery.local.clock().tick_after(timeout).min(*until);
                    }
                    if let Some(stream) = &mut self.stream {
                        stream.assume_readable();
                    }
                }
                ToConnection::Abort => {
                    if self.begun {
                        self.machine.call(|protocol, io| protocol.lost(io));
                    }
                    return Err(StopReason::Aborted);
                }
            }
        }
        Ok(())
    }

    /// True while more bytes from the peer are of use.
    fn reads_on(&self) -> bool {
        match self.phase {
            Phase::Open => self.machine.wants_input(),
            Phase::Lingering { .. } => true,
            Phase::New | Phase::Handshake { .. } | Phase::ReadClosed | Phase::Ended => false,
        }
    }

    /// True when the machine can be shown bytes that wait; also after the peer's end.
    fn shows_on(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::ReadClosed)
            && self.input.may_be_taken()
            && self.machine.wants_input()
    }

    /// Shows the machine what waits and what can be read.
    fn read(&mut self, context: &mut Context<'_>, budget: &mut Budget) -> Step<Direction> {
        loop {
            if self.shows_on() {
                let waiting = self.input.waiting();
                let taken = self
                    .machine
                    .call(|protocol, io| protocol.receive(waiting, io));
                self.input.take(taken);
                self.note_taken(taken);
                continue;
            }
            if !self.reads_on() {
                return Ok(Direction::Ready);
            }
            if budget.reads == 0 {
                return Ok(Direction::Ready);
            }
            budget.reads -= 1;
            let local = Rc::clone(&self.nursery.local);
            let mut scratch = local.scratch();
            let Some(stream) = &mut self.stream else {
                return Err(StopReason::Aborted);
            };
            match stream.poll_read(context, &mut scratch) {
                Poll::Pending => return Ok(Direction::Waiting),
                Poll::Ready(Ok(0)) => self.pass_eof()?,
                Poll::Ready(Ok(count)) => {
                    self.place.add_read(count as u64);
                    self.pass_bytes(scratch.get(..count).unwrap_or_default())?;
                }
                Poll::Ready(Err(_)) if matches!(self.phase, Phase::Lingering { .. }) => {
                    return Err(StopReason::Finished);
                }
                // What the kernel had is read; some of it may wait for the machine.
                Poll::Ready(Err(_)) if self.farewell.is_some() => self.pass_eof()?,
                Poll::Ready(Err(_)) => return Err(self.lost(StopReason::PeerGone)),
            }
        }
    }

    fn pass_bytes(&mut self, bytes: &[u8]) -> Step<()> {
        if let Phase::Lingering { dropped_bytes, .. } = &mut self.phase {
            *dropped_bytes += bytes.len() as u64;
            return if *dropped_bytes > self.nursery.limits.linger_bytes_max {
                Err(StopReason::Finished)
            } else {
                Ok(())
            };
        }
        if !self.input.waiting().is_empty() {
            self.input.append(bytes);
            return Ok(());
        }
        let taken = self
            .machine
            .call(|protocol, io| protocol.receive(bytes, io));
        self.input.keep_rest(bytes.get(taken..).unwrap_or_default());
        self.note_taken(taken);
        Ok(())
    }

    fn pass_eof(&mut self) -> Step<()> {
        if let Phase::Lingering { .. } = self.phase {
            return Err(StopReason::Finished);
        }
        self.enter(Phase::ReadClosed);
        let unused = self.input.waiting().len();
        self.machine
            .call(|protocol, io| protocol.receive_eof(unused, io));
        Ok(())
    }

    fn pass_drain(&mut self) {
        if self.begun && std::mem::take(&mut self.drain_due) {
            self.input.show_again();
            self.machine.call(|protocol, io| protocol.drain(io));
        }
    }

    fn pass_deadline(&mut self) {
        let now = self.nursery.local.clock().tick();
        if self.machine.deadline.is_some_and(|at| at <= now) {
            trace::note(self.name(), || What::Timer("protocol"));
            self.machine.deadline = None;
            self.input.show_again();
            self.machine.call(|protocol, io| protocol.deadline(io));
        }
    }

    /// Writes what can be written, in as few calls as possible.
    fn write(&mut self, context: &mut Context<'_>, budget: &mut Budget) -> Step<Direction> {
        if self.machine.close == Close::Abort {
            return Err(StopReason::Aborted);
        }
        if self.farewell.is_some() {
            self.drop_output();
            return Ok(Direction::Waiting);
        }
        let mut written = 0;
        let direction = loop {
            if budget.written_bytes == 0 {
                break Direction::Ready;
            }
            match self.write_some(context) {
                None => break Direction::Ready,
                Some(Poll::Pending) => break Direction::Waiting,
                Some(Poll::Ready(Ok(count))) => {
                    self.machine.outbox.advance(count);
                    written += count;
                    budget.written_bytes = budget.written_bytes.saturating_sub(count);
                }
                Some(Poll::Ready(Err(error))) => {
                    self.taken_bytes += written;
                    return self.broken(&error);
                }
            }
        };
        if written > 0 {
            self.place.add_written(written);
            self.write_deadline = None;
        }
        self.taken_bytes += written;
        if self.has_unsent() && self.flush(context)? == Direction::Waiting {
            return Ok(Direction::Waiting);
        }
        let sent = std::mem::take(&mut self.taken_bytes);
        if sent > 0 && self.begun {
            self.input.show_again();
            self.machine.call(|protocol, io| protocol.sent(sent, io));
        }
        Ok(direction)
    }

    /// True while the stream holds bytes that the kernel does not have.
    fn has_unsent(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::has_unsent)
    }

    /// Hands what the stream holds to the kernel.
    fn flush(&mut self, context: &mut Context<'_>) -> Step<Direction> {
        let Some(stream) = &mut self.stream else {
            return Err(StopReason::Aborted);
        };
        let flushed = stream.poll_flush(context);
        if stream.take_progress() {
            self.write_deadline = None;
        }
        match flushed {
            Poll::Pending => Ok(Direction::Waiting),
            Poll::Ready(Ok(())) => Ok(Direction::Ready),
            Poll::Ready(Err(error)) => self.broken(&error),
        }
    }

    /// Nothing can be written any more.
    fn broken(&mut self, error: &io::Error) -> Step<Direction> {
        if !is_peers(error) {
            return Err(self.lost(StopReason::Aborted));
        }
        self.hear_out()?;
        Ok(Direction::Waiting)
    }

    /// One write of what is in front; `None` when nothing waits.
    fn write_some(&mut self, context: &mut Context<'_>) -> Option<Poll<io::Result<u64>>> {
        match self.machine.outbox.piece_count() {
            0 => None,
            // Most answers are one piece, and need no kilobyte of slices.
            1 => self.write_pieces::<1>(context),
            _ => self.write_pieces::<SLICES_MAX>(context),
        }
    }

    fn write_pieces<const SLICES: usize>(
        &mut self,
        context: &mut Context<'_>,
    ) -> Option<Poll<io::Result<u64>>> {
        let stream = self.stream.as_mut()?;
        let mut slices = [IoSlice::new(&[]); SLICES];
        match self.machine.outbox.next(&mut slices) {
            Next::Empty => None,
            Next::Slices(count) => {
                let slices = slices.get(..count).unwrap_or_default();
                let written = stream.poll_write_vectored(context, slices);
                Some(written.map_ok(|count| count as u64))
            }
            Next::File { file, offset, left } => {
                Some(stream.poll_send_file(context, file, offset, left))
            }
        }
    }

    /// Ends the connection as the machine asked for it, when everything is written.
    fn close_if_done(&mut self, context: &mut Context<'_>) -> Step<()> {
        match self.machine.close {
            Close::Abort => return Err(StopReason::Aborted),
            Close::Open => return Ok(()),
            Close::Flush | Close::Linger if self.farewell.is_some() => {
                return Err(StopReason::PeerGone);
            }
            Close::Flush | Close::Linger if !self.machine.outbox.is_empty() => return Ok(()),
            Close::Flush | Close::Linger => {}
        }
        let goodbye = self
            .stream
            .as_mut()
            .map(|stream| stream.poll_goodbye(context));
        match goodbye {
            Some(Poll::Pending) => return Ok(()),
            // A peer that has gone need not be told.
            Some(Poll::Ready(_)) | None => {}
        }
        if self.machine.close == Close::Flush {
            return Err(StopReason::Finished);
        }
        match self.phase {
            Phase::Lingering { until, .. } => {
                if until <= self.nursery.local.clock().tick() {
                    trace::note(self.name(), || What::Timer("lingering"));
                    return Err(StopReason::Finished);
                }
            }
            Phase::ReadClosed => return Err(StopReason::Finished),
            Phase::New | Phase::Handshake { .. } | Phase::Open | Phase::Ended => {
                let shut = self.stream.as_ref().map(Stream::shutdown_write);
                if !matches!(shut, Some(Ok(()))) {
                    return Err(StopReason::Finished);
                }
                let limits = &self.nursery.limits;
                self.enter(Phase::Lingering {
                    until: self.nursery.local.clock().tick_after(limits.linger_timeout),
                    dropped_bytes: 0,
                });
            }
        }
        Ok(())
    }

    fn check_write_timeout(&mut self) -> Step<()> {
        let clock = self.nursery.local.clock();
        let is_idle = self.machine.outbox.is_empty() && !self.has_unsent();
        if is_idle || self.farewell.is_some() {
            self.write_deadline = None;
        } else if let Some(at) = self.write_deadline {
            if at <= clock.tick() {
                trace::note(self.name(), || What::Timer("writing"));
                return Err(self.lost(StopReason::WriteTimeout));
            }
        } else {
            self.write_deadline = Some(clock.tick_after(self.nursery.limits.write_timeout));
        }
        Ok(())
    }

    /// While nothing is read, the peer may go without a word.
    fn notice_departure(&mut self, context: &mut Context<'_>) -> Step<()> {
        if self.reads_on() || self.farewell.is_some() {
            self.probe = None;
            return Ok(());
        }
        let Some(stream) = &self.stream else {
            return Ok(());
        };
        let clock = self.nursery.local.clock();
        if stream.must_probe() {
            match self.probe {
                Some(at) if at > clock.tick() => return Ok(()),
                Some(_) => self.probe = Some(clock.tick_after(PROBE_INTERVAL)),
                None => {
                    self.probe = Some(clock.tick_after(PROBE_INTERVAL));
                    return Ok(());
                }
            }
        }
        if stream.poll_gone(context).is_ready() {
            self.hear_out_later(context)?;
        }
        Ok(())
    }

    fn set_timer(&mut self) {
        let phase = match self.phase {
            Phase::Lingering { until, .. } | Phase::Handshake { until } => Some(until),
            _ => None,
        };
        let wanted = [
            self.machine.deadline,
            self.write_deadline,
            self.farewell,
            self.probe,
            phase,
        ];
        let at = wanted.into_iter().flatten().min();
        if at != self.timer_at {
            self.timer_at = at;
            if let Some(timer) = &self.timer {
                timer.set(at);
            }
        }
    }

    /// Tells the machine that its connection is gone.
    fn lost(&mut self, reason: StopReason) -> StopReason {
        if self.begun {
            self.machine.call(|protocol, io| protocol.lost(io));
        }
        reason
    }

    /// Says goodbye, after the socket is closed.
    fn end(&mut self, reason: StopReason) {
        if let Phase::Ended = self.phase {
            return;
        }
        self.enter(Phase::Ended);
        if let Some(stream) = self.stream.take() {
            // Not an ordinary end: the peer must be able to see that something is missing.
            let cut = self.machine.close == Close::Abort
                || !self.machine.outbox.is_empty()
                || stream.has_unsent();
            if cut || reason == StopReason::Panicked {
                stream.reset_on_close();
            }
        }
        self.timer = None;
        trace::note(self.name(), || What::Stopped(Some(reason)));
        let connection = self.id;
        // Refused only by actors that have ended; then nobody has to know.
        let _ = self
            .nursery
            .dispatch
            .tell(ToDispatch::Closed { connection, reason });
        let _ = self.listener.tell(ToListener::Closed(connection));
    }

    fn name(&self) -> ActorName {
        ActorName::Connection(self.id)
    }

    /// Comes to another phase.
    fn enter(&mut self, phase: Phase) {
        let state = phase.state();
        self.phase = phase;
        self.place.set_state(state);
        if state != ActorState::Ended {
            trace::note(self.name(), || What::State(state.as_str()));
        }
    }
}

/// True for errors that the peer or the network caused; the others are troubles of a file.
fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::BrokenPipe
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::NotConnected
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
    )
}

impl<P: Protocol> Drop for Connection<P> {
    fn drop(&mut self) {
        if let Phase::Ended = self.phase {
            return;
        }
        // The placement ends with its connections on it.
        let entered = trace::enabled().then(|| trace::enter(self.name()));
        self.end(StopReason::Aborted);
        if let Some(entered) = entered {
            entered.finish("dropped", &[]);
        }
    }
}
