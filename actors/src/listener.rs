//! The listener actor: owns one listening socket, accepts, and starts a connection actor for
//! each peer, on its own thread or on the I/O threads in turn.
//!
//! Its mailbox is written by the server's life cycle (stop, retire, abort) and by its connection actors
//! (closed, failed). It keeps the addresses of its live connections, to drain or abort them, and
//! ends when it was told to stop and the last of them has ended.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::accept::Acceptor;
use crate::actor::{ActorName, ConnectionId, panic_message};
use crate::connection::Accepted;
#[cfg(unix)]
use crate::connection::Nursery;
use crate::dispatch::DispatchAddress;
use crate::limits::Limits;
use crate::mailbox::{Address, Mailbox, mailbox_of};
use crate::messages::{Ends, ToConnection, ToDispatch, ToListener};
use crate::placement::Local;
use crate::protocol::Protocol;
use crate::timers::{Tick, Timer};
use crate::trace::cells::{self, ActorState, Place};
use crate::trace::{self, Event, What};

/// At most so many that wait already are accepted when the listener stops.
const ACCEPTS_AT_STOP: usize = 4096;

/// How often a listener that has many connections lets others come first, at most.
const COURTESY_STEPS_MAX: usize = 64;
/// And for how long: others that are woken take less, and a program that computes takes more with
/// the first step.
const COURTESY_TIME_MAX: Duration = Duration::from_millis(1);

/// The number of the next connection of this process.
static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// Where a listener's connections are started.
pub(crate) enum Nurseries<P: Protocol> {
    /// On the listener's own thread.
    #[cfg(unix)]
    Here(Rc<Nursery<P>>),
    /// On these threads in turn.
    Threads(Vec<Address<Accepted<P::Command>>>),
}

/// The actor: one task.
pub(crate) struct Listener<P: Protocol> {
    number: u32,
    /// Absent once the listener has stopped accepting.
    acceptor: Option<Acceptor>,
    mailbox: Mailbox<ToListener>,
    own_address: Address<ToListener>,
    dispatch: DispatchAddress<P>,
    nurseries: Nurseries<P>,
    next_thread: usize,
    live: HashMap<ConnectionId, Address<ToConnection<P::Command>>>,
    limits: Limits,
    local: Rc<Local>,
    timer: Option<Timer>,
    /// Set while the system refuses to accept.
    retry_at: Option<Tick>,
    /// The system refused, and was not seen to have nothing left to accept since.
    failing: bool,
    ended: bool,
    /// What it shows of itself.
    place: Place,
}

impl<P: Protocol> Listener<P> {
    /// A listener that has not begun to accept.
    pub fn new(
        number: u32,
        acceptor: Acceptor,
        local: Rc<Local>,
        nurseries: Nurseries<P>,
        dispatch: DispatchAddress<P>,
        limits: Limits,
        (own_address, mailbox): (Address<ToListener>, Mailbox<ToListener>),
    ) -> Listener<P> {
        let own = own_address.clone();
        let place = cells::register(
            ActorName::Listener(number),
            None,
            local.clock().now(),
            move || own.len(),
        );
        place.set_state(ActorState::Open);
        trace::note(ActorName::Listener(number), || What::Started);
        Listener {
            number,
            acceptor: Some(acceptor),
            mailbox,
            own_address,
            dispatch,
            nurseries,
            next_thread: 0,
            live: HashMap::new(),
            limits,
            local,
            timer: None,
            retry_at: None,
            failing: false,
            ended: false,
            place,
        }
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.take_mail(context);
        if self.accept(context, self.limits.accepts_per_turn_max) {
            if self.limits.shares_sockets {
                // The others were woken too, and may be waiting for a processor.
                std::thread::yield_now();
            }
            self.local.wake_next_turn(context.waker());
        }
        self.set_timer(context);
        if self.acceptor.is_none() && self.live.is_empty() {
            self.end();
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn take_mail(&mut self, context: &mut Context<'_>) {
        self.mailbox.wake_with(context.waker());
        let mails: Vec<_> = self.mailbox.drain_mail().collect();
        for mail in mails {
            let (message, _handling) = mail.open(self.name());
            match message {
                ToListener::Closed(connection) => {
                    self.live.remove(&connection);
                }
                ToListener::Failed { connection, error } => {
                    self.live.remove(&connection);
                    self.report(error);
                }
                ToListener::Stop => self.stop(context),
                ToListener::Retire => {
                    self.close();
                    self.retry_at = None;
                }
                ToListener::Abort => {
                    self.close();
                    self.tell_all(|| ToConnection::Abort);
                }
            }
        }
    }

    /// Accepts what waits already, closes the socket, and drains.
    fn stop(&mut self, context: &mut Context<'_>) {
        self.retry_at = None;
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.assume_readable();
        }
        self.accept(context, ACCEPTS_AT_STOP);
        self.close();
        self.retry_at = None;
        self.tell_all(|| ToConnection::Drain);
    }

    fn tell_all(&self, message: impl Fn() -> ToConnection<P::Command>) {
        for connection in self.live.values() {
            // Refused only by one that has just ended; its `Closed` is on the way.
            let _ = connection.tell(message());
        }
    }

    /// Accepts up to `budget` connections; true when more may wait.
    fn accept(&mut self, context: &mut Context<'_>, budget: usize) -> bool {
        if self
            .retry_at
            .is_some_and(|at| at > self.local.clock().tick())
        {
            return false;
        }
        for _ in 0..budget {
            let Some(acceptor) = &mut self.acceptor else {
                return false;
            };
            let connections = match self.limits.shares_sockets {
                true => self.live.len(),
                false => 0,
            };
            match acceptor.poll_accept(context, || let_others_first(connections)) {
                Poll::Pending => {
                    self.retry_at = None;
                    self.failing = false;
                    return false;
                }
                Poll::Ready(Ok((socket, ends))) => {
                    self.retry_at = None;
                    self.start(socket, ends);
                }
                Poll::Ready(Err(error)) if concerns_one_peer(&error) => {}
                Poll::Ready(Err(error)) => {
                    if !self.failing {
                        self.failing = true;
                        self.report(error);
                    }
                    let retry = self.local.clock().tick_after(self.limits.accept_retry);
                    self.retry_at = Some(retry);
                    return false;
                }
            }
        }
        true
    }

    /// Starts the connection actor for an accepted socket.
    fn start(&mut self, socket: Socket, ends: Ends) {
        let id = ConnectionId(NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed));
        self.tell_of(id);
        let (reply, mailbox) = mailbox_of(ActorName::Connection(id));
        self.live.insert(id, reply.clone());
        let accepted = Accepted {
            id,
            socket,
            ends,
            reply,
            mailbox,
            listener: self.own_address.clone(),
        };
        match &self.nurseries {
            #[cfg(unix)]
            Nurseries::Here(nursery) => nursery.spawn(accepted),
            Nurseries::Threads(threads) => {
                let index = self.next_thread % threads.len().max(1);
                self.next_thread = index + 1;
                let Some(thread) = threads.get(index) else {
                    return;
                };
                if thread.send(accepted).is_err() {
                    // The thread has ended; the socket is closed here.
                    self.live.remove(&id);
                }
            }
        }
    }

    fn set_timer(&mut self, context: &Context<'_>) {
        if self.retry_at.is_none() && self.timer.is_none() {
            return;
        }
        let timer = self
            .timer
            .get_or_insert_with(|| self.local.timer(context.waker()));
        timer.set(self.retry_at);
    }

    fn report(&self, error: io::Error) {
        let listener = self.number;
        let _ = self
            .dispatch
            .tell(ToDispatch::AcceptFailed { listener, error });
    }

    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.acceptor = None;
        self.place.set_state(ActorState::Ended);
        trace::note(self.name(), || What::Stopped(None));
        let listener = self.number;
        let _ = self.dispatch.tell(ToDispatch::ListenerStopped { listener });
    }

    fn name(&self) -> ActorName {
        ActorName::Listener(self.number)
    }

    /// Lets go of the socket.
    fn close(&mut self) {
        self.acceptor = None;
        self.place.set_state(ActorState::Closing);
        let state = ActorState::Closing.as_str();
        trace::note(self.name(), || What::State(state));
    }

    fn tell_of(&self, accepted: ConnectionId) {
        if trace::enabled() {
            trace::emit(&Event {
                at: trace::now(),
                actor: self.name(),
                about: Some(ActorName::Connection(accepted)),
                what: What::Accepted,
            });
        }
    }
}

impl<P: Protocol> Unpin for Listener<P> {}

impl<P: Protocol> Future for Listener<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let listener = self.get_mut();
        let turn = trace::enabled().then(|| trace::enter(listener.name()));
        let done = match catch_unwind(AssertUnwindSafe(|| listener.turn(context))) {
            Ok(done) => done,
            Err(panic) => {
                listener.report(io::Error::other(panic_message(&*panic)));
                listener.tell_all(|| ToConnection::Drain);
                listener.end();
                Poll::Ready(())
            }
        };
        if let Some(turn) = turn {
            turn.finish("turn", &[]);
        }
        done
    }
}

impl<P: Protocol> Drop for Listener<P> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // The placement ends with the listener on it, or the listener panicked.
        let entered = trace::enabled().then(|| trace::enter(self.name()));
        self.end();
        if let Some(entered) = entered {
            entered.finish("dropped", &[]);
        }
    }
}

/// Every process that shares the socket is woken for a connection, and the first one gets it. Who
/// has many lets the others come first, by as many steps as it has connections: so those that come
/// one by one go to whoever has the fewest.
fn let_others_first(connections: usize) {
    let end = Instant::now() + COURTESY_TIME_MAX;
    for _ in 0..connections.min(COURTESY_STEPS_MAX) {
        std::thread::yield_now();
        if Instant::now() >= end {
            break;
        }
    }
}

/// True for errors of accept(2) that are about the connection that was to be accepted: the next
/// one may be good. Linux hands on what had happened to it on the network.
fn concerns_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::PermissionDenied
            | Kind::TimedOut
    )
}
