//! An idle connection costs little memory of ours, and none when it has ended. This test has its
//! own process: it counts all memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Instant;

use smolcorn_actors::dispatch::DispatchMailbox;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::mailbox;
use smolcorn_actors::messages::{ToConnection, ToDispatch};
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::fused::Fused;
use smolcorn_actors::server;
use support::lines::{Factory, Lines, Tell, Told};
use support::{PATIENCE, tcp_listener, wait_readable};

struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: everything is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CONNECTIONS: usize = 200;
const EACH_BYTES_MAX: usize = 2048;

struct Bench {
    fused: Fused,
    mailbox: DispatchMailbox<Lines>,
}

impl Bench {
    /// Turns until `count` messages of the wanted kind have come and nothing is left to do.
    /// Each line is answered.
    fn until(&self, count: usize, wanted: impl Fn(&ToDispatch<Lines>) -> bool) {
        let mut seen = 0;
        let mut replies = std::collections::HashMap::new();
        loop {
            let mut turn = self.fused.poll_and_run().unwrap();
            for message in self.mailbox.drain() {
                seen += usize::from(wanted(&message));
                match message {
                    ToDispatch::Opened {
                        connection, reply, ..
                    } => {
                        replies.insert(connection, reply);
                    }
                    ToDispatch::Event {
                        connection,
                        event: Told::Line(line),
                    } => {
                        let _ = replies[&connection].send(ToConnection::Command(Tell::write(line)));
                    }
                    _ => {}
                }
            }
            turn.more_work |= self.fused.run_ready().more_work;
            if turn.more_work || !self.mailbox.is_empty() {
                continue;
            }
            if seen >= count {
                return;
            }
            let end = Instant::now() + PATIENCE;
            assert!(wait_readable(self.fused.descriptor(), Some(end)));
        }
    }

    /// `CONNECTIONS` that each had an answer and now are idle.
    fn idle_connections(&self, address: std::net::SocketAddr) -> Vec<TcpStream> {
        let mut clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        for client in &mut clients {
            client.write_all(b"hello\n").unwrap();
        }
        self.until(CONNECTIONS, |message| {
            matches!(
                message,
                ToDispatch::Event {
                    event: Told::Sent(5),
                    ..
                }
            )
        });
        for client in &mut clients {
            client.read_exact(&mut [0; 5]).unwrap();
        }
        clients
    }

    fn end(&self, clients: Vec<TcpStream>) {
        for client in &clients {
            client.shutdown(std::net::Shutdown::Both).unwrap();
        }
        drop(clients);
        // This protocol does not close by itself: a reset follows what it tells the peer.
        self.until(CONNECTIONS, |message| {
            matches!(
                message,
                ToDispatch::Event {
                    event: Told::Eof { .. },
                    ..
                }
            )
        });
    }
}

#[test]
fn and_nothing_is_held_when_it_has_ended() {
    let fused = Fused::new().unwrap();
    let (dispatch, mailbox) = mailbox::<ToDispatch<Lines>>();
    let (socket, address) = tcp_listener();
    socket.listen(CONNECTIONS as i32).unwrap();
    let placement = Placement::Fused(&fused);
    let limits = Limits::default();
    let running =
        server::start(placement, vec![socket], &Factory, &dispatch, &limits, None).unwrap();
    let bench = Bench { fused, mailbox };

    let before = HELD.load(Ordering::Relaxed);
    let clients = bench.idle_connections(address);
    let grown = HELD.load(Ordering::Relaxed) - before;
    let each = grown as usize / CONNECTIONS;
    println!("{each} bytes for each idle connection");
    assert!(each < EACH_BYTES_MAX, "{each}");

    bench.end(clients);
    running.abort();
    bench.until(1, |message| {
        matches!(message, ToDispatch::ListenerStopped { .. })
    });
    drop((bench, running, dispatch));
    let left = HELD.load(Ordering::Relaxed) - before;
    assert!(left < 4096, "{left} bytes are still held");
}
