//! The three ways in which a machine ends its connection, as the peer sees them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::{ErrorKind, Read, Write};

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::protocol::Close;
use support::lines::{Tell, Told};
use support::{Server, expect, in_each_placement, read_to_end};

#[test]
fn flush_writes_everything_first() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        peer.tell(Tell::write(vec![b'x'; 5_000_000]));
        peer.tell(Tell::Close(Close::Flush));
        assert_eq!(read_to_end(&mut client).len(), 5_000_000);
        assert_eq!(server.until_closed(&peer), StopReason::Finished);
    });
}

/// Without lingering, the bytes that nobody reads would turn the close into a reset, and that
/// would take the answer with it.
#[test]
fn linger_lets_a_peer_that_still_sends_read_its_answer() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        client.write_all(b"!pause\n").unwrap();
        server.until_told(&peer, &Told::Line("!pause".into()));
        peer.tell(Tell::write("refused"));
        peer.tell(Tell::Close(Close::Linger));
        for _ in 0..64 {
            client.write_all(&[b'x'; 64 * 1024]).unwrap();
        }
        assert_eq!(read_to_end(&mut client), b"refused");
        drop(client);
        assert_eq!(server.until_closed(&peer), StopReason::Finished);
    });
}

#[test]
fn linger_ends_when_too_much_comes() {
    in_each_placement(|kind| {
        let limits = Limits {
            linger_bytes_max: 1_000_000,
            ..Limits::default()
        };
        let server = Server::with(kind, limits, |_| None);
        let (mut client, peer) = server.connect();
        peer.tell(Tell::Close(Close::Linger));
        let block = [b'x'; 64 * 1024];
        let error = loop {
            if let Err(error) = client.write_all(&block) {
                break error;
            }
        };
        let expected = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(expected.contains(&error.kind()), "{error}");
        assert_eq!(server.until_closed(&peer), StopReason::Finished);
    });
}

#[test]
fn linger_ends_by_itself() {
    in_each_placement(|kind| {
        let limits = Limits {
            linger_timeout: std::time::Duration::from_millis(200),
            ..Limits::default()
        };
        let server = Server::with(kind, limits, |_| None);
        let (mut client, peer) = server.connect();
        peer.tell(Tell::write("bye"));
        peer.tell(Tell::Close(Close::Linger));
        expect(&mut client, b"bye");
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(server.until_closed(&peer), StopReason::Finished);
    });
}

#[test]
fn abort_is_a_reset() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        peer.tell(Tell::write("begin"));
        expect(&mut client, b"begin");
        peer.tell(Tell::Close(Close::Abort));
        assert_eq!(server.until_closed(&peer), StopReason::Aborted);
        let error = client.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}
