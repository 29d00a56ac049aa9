//! What the tests share: a protocol of lines that does what it is told, and a server that runs
//! it in either placement on a thread of its own, so that a test can be an ordinary blocking
//! client beside it.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod lines;
pub mod tls;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use smolcorn_actors::actor::{ActorName, ConnectionId, StopReason};
use smolcorn_actors::dispatch::DispatchMailbox;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::{Address, mailbox_of};
use smolcorn_actors::messages::{Ends, ToConnection, ToDispatch};
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::fused::Fused;
use smolcorn_actors::placement::threads::IoThreads;
use smolcorn_actors::server::{self, Running};
use smolcorn_actors::tls::{TlsAcceptance, TlsSession};
use socket2::{Domain, Socket, Type};

use lines::{Factory, Lines, Tell, Told};

/// A test that waits this long for something has failed. Nothing is measured with it.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Fused,
    Threads,
}

/// Runs `test` once in each placement.
pub fn in_each_placement(test: impl Fn(Kind)) {
    for kind in [Kind::Fused, Kind::Threads] {
        println!("placement: {kind:?}");
        test(kind);
    }
}

/// What the dispatch actor was told, as the test gets to see it.
#[derive(Debug)]
pub enum Seen {
    Opened(ConnectionId, Ends),
    Secured(ConnectionId, TlsSession),
    HandshakeFailed(ConnectionId, std::io::Error),
    Told(ConnectionId, Told),
    Closed(ConnectionId, StopReason),
    ListenerStopped(u32),
    AcceptFailed(u32, std::io::Error),
}

pub type Reply = Address<ToConnection<Tell>>;

/// What the server's side does by itself with a line, on the dispatch actor's own thread.
pub type Answer = fn(&str) -> Option<Tell>;

/// A listening socket on a free port of the loopback.
pub fn tcp_listener() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    socket.listen(128).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// A server of lines.
pub struct Server {
    pub address: SocketAddr,
    pub running: Running,
    seen: Receiver<Seen>,
    replies: Receiver<(ConnectionId, Reply)>,
    stop: Box<dyn Fn() + Send>,
    driver: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(kind: Kind) -> Server {
        Server::with(kind, Limits::default(), |_| None)
    }

    pub fn with(kind: Kind, limits: Limits, answer: Answer) -> Server {
        let (socket, address) = tcp_listener();
        Server::on(kind, vec![socket], address, limits, answer)
    }

    pub fn on(
        kind: Kind,
        sockets: Vec<Socket>,
        address: SocketAddr,
        limits: Limits,
        answer: Answer,
    ) -> Server {
        Server::secured(kind, sockets, address, limits, answer, None)
    }

    /// With TLS, if there is an acceptance of it.
    pub fn secured(
        kind: Kind,
        sockets: Vec<Socket>,
        address: SocketAddr,
        limits: Limits,
        answer: Answer,
        tls: Option<TlsAcceptance>,
    ) -> Server {
        let (seen_sender, seen) = channel();
        let (reply_sender, replies) = channel();
        let (started_sender, started) = channel();
        let driver = thread::spawn(move || {
            let watcher = Watcher {
                seen: seen_sender,
                replies: reply_sender,
                known: Vec::new(),
                answer,
            };
            match kind {
                Kind::Fused => drive_fused(sockets, &limits, tls, watcher, &started_sender),
                Kind::Threads => drive_threads(sockets, &limits, tls, watcher, &started_sender),
            }
        });
        let (running, stop) = started.recv_timeout(PATIENCE).unwrap();
        Server {
            address,
            running,
            seen,
            replies,
            stop,
            driver: Some(driver),
        }
    }

    /// A client, and the server's side of it.
    pub fn connect(&self) -> (TcpStream, Peer) {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        (client, self.accepted())
    }

    /// The server's side of the next connection.
    pub fn accepted(&self) -> Peer {
        let (id, reply) = self.replies.recv_timeout(PATIENCE).unwrap();
        Peer { id, reply }
    }

    /// The next thing that `pick` wants to see.
    pub fn until<T>(&self, mut pick: impl FnMut(Seen) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.seen.recv_timeout(left) {
                Ok(seen) => {
                    if let Some(found) = pick(seen) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("waited for something in vain"),
                Err(RecvTimeoutError::Disconnected) => panic!("the server has ended"),
            }
        }
    }

    pub fn until_told(&self, peer: &Peer, wanted: &Told) {
        self.until(|seen| match seen {
            Seen::Told(id, told) if id == peer.id && told == *wanted => Some(()),
            _ => None,
        });
    }

    pub fn until_closed(&self, peer: &Peer) -> StopReason {
        self.until(|seen| match seen {
            Seen::Closed(id, reason) if id == peer.id => Some(reason),
            _ => None,
        })
    }

    /// Ends the server and gives everything that was not looked at.
    pub fn end(mut self) -> Vec<Seen> {
        (self.stop)();
        self.driver.take().unwrap().join().unwrap();
        self.seen.try_iter().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        (self.stop)();
        if let Some(driver) = self.driver.take() {
            let _ = driver.join();
        }
    }
}

/// The server's side of one connection.
pub struct Peer {
    pub id: ConnectionId,
    pub reply: Reply,
}

impl Peer {
    pub fn tell(&self, tell: Tell) {
        let sent = self.reply.send(ToConnection::Command(tell));
        assert!(sent.is_ok(), "the connection has ended");
    }
}

/// Reads until the peer has finished.
pub fn read_to_end(client: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads exactly as many bytes as `expected` has, and compares.
pub fn expect(client: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        String::from_utf8_lossy(expected)
    );
}

/// The dispatch actor of the tests.
struct Watcher {
    seen: Sender<Seen>,
    replies: Sender<(ConnectionId, Reply)>,
    known: Vec<(ConnectionId, Reply)>,
    answer: Answer,
}

impl Watcher {
    /// Takes everything that waits and says how much that was.
    fn drain(&mut self, mailbox: &DispatchMailbox<Lines>) -> usize {
        mailbox.drain().map(|message| self.deliver(message)).count()
    }

    fn deliver(&mut self, message: ToDispatch<Lines>) {
        let seen = match message {
            ToDispatch::Opened {
                connection,
                ends,
                reply,
            } => {
                self.known.push((connection, reply.clone()));
                let _ = self.replies.send((connection, reply));
                Seen::Opened(connection, ends)
            }
            ToDispatch::Secured {
                connection,
                session,
            } => Seen::Secured(connection, *session),
            ToDispatch::HandshakeFailed { connection, error } => {
                Seen::HandshakeFailed(connection, error)
            }
            ToDispatch::Event { connection, event } => {
                if let Told::Line(line) = &event
                    && let Some(tell) = (self.answer)(line)
                    && let Some((_, reply)) = self.known.iter().find(|(id, _)| *id == connection)
                {
                    let _ = reply.send(ToConnection::Command(tell));
                }
                Seen::Told(connection, event)
            }
            ToDispatch::Closed { connection, reason } => {
                self.known.retain(|(id, _)| *id != connection);
                Seen::Closed(connection, reason)
            }
            ToDispatch::ListenerStopped { listener } => Seen::ListenerStopped(listener),
            ToDispatch::AcceptFailed { listener, error } => Seen::AcceptFailed(listener, error),
            ToDispatch::Trace(_) => return,
        };
        let _ = self.seen.send(seen);
    }
}

type Started = Sender<(Running, Box<dyn Fn() + Send>)>;

/// Waits until `descriptor` is readable or `deadline` has come.
pub fn wait_readable(descriptor: std::os::fd::BorrowedFd<'_>, deadline: Option<Instant>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = deadline.map(|at| {
        let left = at.saturating_duration_since(Instant::now());
        Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: i64::from(left.subsec_nanos()),
        }
    });
    let mut asked = [PollFd::new(&descriptor, PollFlags::IN)];
    poll(&mut asked, timeout.as_ref()).is_ok_and(|count| count > 0)
}

/// A small event loop around the fused placement.
fn drive_fused(
    sockets: Vec<Socket>,
    limits: &Limits,
    tls: Option<TlsAcceptance>,
    mut watcher: Watcher,
    started: &Started,
) {
    let fused = Fused::new().unwrap();
    let (dispatch, mailbox) = mailbox_of(ActorName::Dispatch);
    let running = server::start(
        Placement::Fused(&fused),
        sockets,
        &Factory,
        &dispatch,
        limits,
        tls.as_ref(),
    )
    .unwrap();
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = {
        let (stopped, notifier) = (Arc::clone(&stopped), fused.notifier());
        move || {
            stopped.store(true, Ordering::Release);
            notifier.notify();
        }
    };
    started.send((running, Box::new(stop))).unwrap();
    while !stopped.load(Ordering::Acquire) {
        let mut turn = fused.poll_and_run().unwrap();
        if watcher.drain(&mailbox) > 0 {
            turn = fused.run_ready();
        }
        let idle = !turn.more_work && mailbox.is_empty() && !fused.take_armed();
        // The turn may have taken the notification that came with it.
        if idle && !stopped.load(Ordering::Acquire) {
            wait_readable(fused.descriptor(), turn.next_deadline);
        }
    }
    drop(fused);
    watcher.drain(&mailbox);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn drive_threads(
    sockets: Vec<Socket>,
    limits: &Limits,
    tls: Option<TlsAcceptance>,
    mut watcher: Watcher,
    started: &Started,
) {
    let threads = IoThreads::start(2).unwrap();
    let (dispatch, mailbox): (_, DispatchMailbox<Lines>) = mailbox_of(ActorName::Dispatch);
    let running = server::start(
        Placement::Threads(&threads),
        sockets,
        &Factory,
        &dispatch,
        limits,
        tls.as_ref(),
    )
    .unwrap();
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = {
        let (stopped, driver) = (Arc::clone(&stopped), thread::current());
        move || {
            stopped.store(true, Ordering::Release);
            driver.unpark();
        }
    };
    started.send((running, Box::new(stop))).unwrap();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while !stopped.load(Ordering::Acquire) {
        mailbox.wake_with(&waker);
        if watcher.drain(&mailbox) == 0 {
            thread::park();
        }
    }
    assert_eq!(threads.stop(), []);
    watcher.drain(&mailbox);
}
