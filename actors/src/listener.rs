//! The listener actor: owns one listening socket, accepts, and starts a connection actor for
//! each peer, on its own thread or on the I/O threads in turn.
//!
//! Its mailbox is written by the server's life cycle (stop, abort) and by its connection actors
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

use socket2::Socket;

use crate::accept::Acceptor;
use crate::actor::{ActorName, ConnectionId, panic_message};
use crate::connection::Accepted;
#[cfg(unix)]
use crate::connection::Nursery;
use crate::dispatch::DispatchAddress;
use crate::limits::Limits;
use crate::mailbox::{Address, Mailbox, mailbox};
use crate::messages::{Ends, ToConnection, ToDispatch, ToListener};
use crate::placement::Local;
use crate::protocol::Protocol;
use crate::timers::{Tick, Timer};
use crate::trace;

/// At most so many connections are accepted in one go, before the others have their turn.
const ACCEPTS_PER_TURN: usize = 64;
/// At most so many that wait already are accepted when the listener stops.
const ACCEPTS_AT_STOP: usize = 4096;

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
        }
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.take_mail(context);
        if self.accept(context, ACCEPTS_PER_TURN) {
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
        let messages: Vec<ToListener> = self.mailbox.drain().collect();
        for message in messages {
            match message {
                ToListener::Closed(connection) => {
                    self.live.remove(&connection);
                }
                ToListener::Failed { connection, error } => {
                    self.live.remove(&connection);
                    self.report(error);
                }
                ToListener::Stop => self.stop(context),
                ToListener::Abort => {
                    self.trace(|| "abort".to_owned());
                    self.acceptor = None;
                    self.tell_all(|| ToConnection::Abort);
                }
            }
        }
    }

    /// Accepts what waits already, closes the socket, and drains.
    fn stop(&mut self, context: &mut Context<'_>) {
        self.trace(|| "stop".to_owned());
        self.retry_at = None;
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.assume_readable();
        }
        self.accept(context, ACCEPTS_AT_STOP);
        self.acceptor = None;
        self.retry_at = None;
        self.tell_all(|| ToConnection::Drain);
    }

    fn tell_all(&self, message: impl Fn() -> ToConnection<P::Command>) {
        for connection in self.live.values() {
            // Refused only by one that has just ended; its `Closed` is on the way.
            let _ = connection.send(message());
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
            match acceptor.poll_accept(context) {
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
        self.trace(|| format!("accepted connection#{}", id.0));
        let (reply, mailbox) = mailbox();
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
            .send(ToDispatch::AcceptFailed { listener, error });
    }

    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.acceptor = None;
        self.trace(|| "stopped".to_owned());
        let listener = self.number;
        let _ = self.dispatch.send(ToDispatch::ListenerStopped { listener });
    }

    fn trace(&self, text: impl FnOnce() -> String) {
        trace::line(&self.dispatch, ActorName::Listener(self.number), text);
    }
}

impl<P: Protocol> Unpin for Listener<P> {}

impl<P: Protocol> Future for Listener<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let listener = self.get_mut();
        match catch_unwind(AssertUnwindSafe(|| listener.turn(context))) {
            Ok(done) => done,
            Err(panic) => {
                listener.report(io::Error::other(panic_message(&*panic)));
                listener.tell_all(|| ToConnection::Drain);
                listener.end();
                Poll::Ready(())
            }
        }
    }
}

impl<P: Protocol> Drop for Listener<P> {
    fn drop(&mut self) {
        // The placement ends with the listener on it, or the listener panicked.
        self.end();
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
