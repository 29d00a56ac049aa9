//! What nobody takes is not read, and what the peer does not take waits and arrives whole.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use smolcorn_actors::outbox::{LentBytes, Payload};
use smolcorn_actors::protocol::Close;
use support::lines::{Tell, Told};
use support::{Seen, Server, in_each_placement};

/// More than the buffers of both sockets together can hold.
const PLENTY: usize = 64 * 1024 * 1024;

#[test]
fn a_machine_that_pauses_stops_its_peer_and_gets_everything_later() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        client.write_all(b"one\n!pause\ntwo\n").unwrap();
        server.until_told(&peer, &Told::Line("!pause".into()));

        // The buffers on the way are full when a write has to give up.
        client
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let block = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let mut sent = 0;
        while sent < PLENTY {
            match client.write(&block[sent % block.len()..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(sent < PLENTY, "a paused connection was read");
        client.set_write_timeout(None).unwrap();

        peer.tell(Tell::Resume);
        server.until_told(&peer, &Told::Line("two".into()));
        client.write_all(&block[sent % block.len()..]).unwrap();
        client.write_all(b"end\n").unwrap();
        let mut blocks = 0;
        server.until(|seen| match seen {
            Seen::Told(_, Told::Line(line)) if line == "end" => Some(()),
            Seen::Told(_, Told::Line(line)) => {
                assert_eq!(line.len(), 1023);
                blocks += 1;
                None
            }
            _ => None,
        });
        assert_eq!(blocks, sent / block.len() + 1);
    });
}

struct Loan(Vec<u8>);

impl LentBytes for Loan {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn a_slow_reader_gets_every_byte_and_the_machine_learns_of_each() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        let pattern: Vec<u8> = (0..PLENTY / 8).map(|at| (at % 251) as u8).collect();
        peer.tell(Tell::write("head"));
        for _ in 0..4 {
            peer.tell(Tell::Write(Payload::Lent(Box::new(Loan(pattern.clone())))));
        }
        peer.tell(Tell::write("tail"));
        peer.tell(Tell::Close(Close::Flush));

        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        let expected = [
            &b"head"[..],
            &pattern,
            &pattern,
            &pattern,
            &pattern,
            b"tail",
        ]
        .concat();
        assert!(got == expected, "got {} bytes", got.len());
        let mut sent = 0;
        server.until(|seen| match seen {
            Seen::Told(_, Told::Sent(count)) => {
                sent += count;
                None
            }
            Seen::Closed(..) => Some(()),
            _ => None,
        });
        assert_eq!(sent, expected.len() as u64);
    });
}
