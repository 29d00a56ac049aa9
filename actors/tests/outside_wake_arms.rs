//! What is left behind for the actors outside a turn is noticed: by the driver when it was left
//! on its own thread, through the descriptor when it came from another one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use smolcorn_actors::dispatch::DispatchMailbox;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::mailbox;
use smolcorn_actors::messages::{ToConnection, ToDispatch};
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::fused::Fused;
use smolcorn_actors::server::{self, Running};
use support::lines::{Factory, Lines, Tell};
use support::{PATIENCE, Reply, expect, tcp_listener, wait_readable};

struct Bench {
    fused: Fused,
    mailbox: DispatchMailbox<Lines>,
    _running: Running,
    client: TcpStream,
}

/// A server with one connection, at rest.
fn at_rest() -> (Bench, Reply) {
    let fused = Fused::new().unwrap();
    let (dispatch, mailbox) = mailbox::<ToDispatch<Lines>>();
    let (socket, address) = tcp_listener();
    let placement = Placement::Fused(&fused);
    let limits = Limits::default();
    let running =
        server::start(placement, vec![socket], &Factory, &dispatch, &limits, None).unwrap();
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let bench = Bench {
        fused,
        mailbox,
        _running: running,
        client,
    };
    let reply = loop {
        bench.rest();
        let opened = bench.mailbox.drain().find_map(|message| match message {
            ToDispatch::Opened { reply, .. } => Some(reply),
            _ => None,
        });
        if let Some(reply) = opened {
            break reply;
        }
    };
    bench.rest();
    (bench, reply)
}

impl Bench {
    /// Turns until nothing is left to do.
    fn rest(&self) {
        while self.fused.poll_and_run().unwrap().more_work || self.is_readable() {}
        assert!(!self.fused.take_armed());
    }

    fn is_readable(&self) -> bool {
        wait_readable(self.fused.descriptor(), Some(Instant::now()))
    }
}

fn write(reply: &Reply, text: &str) {
    assert!(reply.send(ToConnection::Command(Tell::write(text))).is_ok());
}

#[test]
fn a_message_from_the_same_thread_arms() {
    let (mut bench, reply) = at_rest();
    write(&reply, "later");
    assert!(!bench.is_readable(), "no system call for one's own thread");
    assert!(bench.fused.take_armed());
    assert!(!bench.fused.take_armed(), "told once");
    assert!(!bench.fused.run_ready().more_work);
    expect(&mut bench.client, b"later");

    write(&reply, "and again");
    assert!(bench.fused.take_armed());
    bench.rest();
    expect(&mut bench.client, b"and again");
}

#[test]
fn a_message_within_a_turn_does_not_arm() {
    let (mut bench, reply) = at_rest();
    bench.fused.poll_and_run().unwrap();
    write(&reply, "at once");
    let turn = bench.fused.run_ready();
    assert!(!turn.more_work);
    assert!(!bench.fused.take_armed());
    expect(&mut bench.client, b"at once");
}

#[test]
fn a_message_from_another_thread_makes_the_descriptor_readable() {
    let (mut bench, reply) = at_rest();
    for _ in 0..3 {
        assert!(!bench.is_readable());
        let sender = reply.clone();
        thread::spawn(move || write(&sender, "far")).join().unwrap();
        assert!(bench.is_readable());
        bench.rest();
        expect(&mut bench.client, b"far");
    }
}

#[test]
fn the_end_of_the_placement_closes_its_connections() {
    let (bench, reply) = at_rest();
    let Bench {
        fused,
        mailbox,
        mut client,
        ..
    } = bench;
    drop(fused);
    assert!(matches!(client.read(&mut [0; 8]), Ok(0) | Err(_)));
    assert!(reply.send(ToConnection::Drain).is_err());
    let closed = mailbox
        .drain()
        .filter(|message| matches!(message, ToDispatch::Closed { .. }));
    assert_eq!(closed.count(), 1);
}
