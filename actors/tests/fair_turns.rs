//! A connection that has much to do gets its share of each turn, and the others theirs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use smolcorn_actors::actor::ConnectionId;
use smolcorn_actors::dispatch::DispatchMailbox;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::mailbox;
use smolcorn_actors::messages::{ToConnection, ToDispatch};
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::fused::Fused;
use smolcorn_actors::server::{self, Running};
use support::lines::{Factory, Lines, Tell, Told};
use support::{PATIENCE, Reply, expect, tcp_listener, wait_readable};

/// What one connection may write or read in one turn.
const SHARE_BYTES: u64 = 256 * 1024;

struct Bench {
    fused: Fused,
    mailbox: DispatchMailbox<Lines>,
    _running: Running,
    address: std::net::SocketAddr,
}

impl Bench {
    fn new() -> Bench {
        let fused = Fused::new().unwrap();
        let (dispatch, mailbox) = mailbox();
        let (socket, address) = tcp_listener();
        let placement = Placement::Fused(&fused);
        let limits = Limits::default();
        let running =
            server::start(placement, vec![socket], &Factory, &dispatch, &limits, None).unwrap();
        Bench {
            fused,
            mailbox,
            _running: running,
            address,
        }
    }

    fn connect(&self) -> (TcpStream, ConnectionId, Reply) {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        loop {
            self.fused.poll_and_run().unwrap();
            for message in self.mailbox.drain() {
                if let ToDispatch::Opened {
                    connection, reply, ..
                } = message
                {
                    return (client, connection, reply);
                }
            }
            self.wait();
        }
    }

    fn wait(&self) {
        let end = Instant::now() + PATIENCE;
        assert!(wait_readable(self.fused.descriptor(), Some(end)));
    }

    /// What the machines were called with since the last time.
    fn told(&self) -> Vec<(ConnectionId, Told)> {
        let events = self.mailbox.drain().filter_map(|message| match message {
            ToDispatch::Event { connection, event } => Some((connection, event)),
            _ => None,
        });
        events.collect()
    }
}

#[test]
fn a_long_file_goes_out_in_shares() {
    let bench = Bench::new();
    let (_busy_client, busy, busy_reply) = bench.connect();
    let (mut other_client, _other, other_reply) = bench.connect();
    while bench.fused.poll_and_run().unwrap().more_work {}
    bench.told();

    let file = File::open("/dev/zero").unwrap();
    let (offset, len) = (0, 1 << 30);
    let sent = busy_reply.send(ToConnection::Command(Tell::File { file, offset, len }));
    assert!(sent.is_ok());
    let sent = other_reply.send(ToConnection::Command(Tell::write("quick")));
    assert!(sent.is_ok());

    let turn = bench.fused.run_ready();
    expect(&mut other_client, b"quick");
    let share = bench
        .told()
        .into_iter()
        .filter(|(id, _)| *id == busy)
        .collect::<Vec<_>>();
    assert_eq!(share, [(busy, Told::Sent(SHARE_BYTES))]);
    assert!(turn.more_work, "the rest waits for the next turn");
}

#[test]
fn a_flood_is_read_in_shares() {
    let bench = Bench::new();
    let (mut client, flooded, _reply) = bench.connect();
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    let flood = std::thread::spawn(move || {
        for _ in 0..4096 {
            client.write_all(&line).unwrap();
        }
        client
    });
    let mut lines = 0;
    while lines < 4096 {
        let turn = bench.fused.poll_and_run().unwrap();
        let told = bench.told();
        let now = told
            .iter()
            .filter(|(id, told)| *id == flooded && matches!(told, Told::Line(_)))
            .count();
        assert!(now as u64 * 1024 <= SHARE_BYTES + 1024, "{now} lines");
        lines += now;
        if !turn.more_work && lines < 4096 {
            bench.wait();
        }
    }
    drop(flood.join().unwrap());
}
