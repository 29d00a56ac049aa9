//! What a peer had said before it went is shown to a machine that asks for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::protocol::Close;
use socket2::SockRef;
use support::lines::{Tell, Told};
use support::{Peer, Seen, Server, in_each_placement};

fn reset(client: TcpStream) {
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
}

/// A client whose second line waits with the actor, and its third one with the kernel.
fn paused(server: &Server) -> (TcpStream, Peer) {
    let (mut client, peer) = server.connect();
    peer.tell(Tell::HearOut);
    client.write_all(b"!pause\nsecond\n").unwrap();
    server.until_told(&peer, &Told::Line("!pause".into()));
    client.write_all(b"third\n").unwrap();
    (client, peer)
}

/// What the machine is told from now on, up to the end, without the bytes that were sent.
fn told_until_closed(server: &Server, peer: &Peer) -> (Vec<Told>, StopReason) {
    let mut all = Vec::new();
    let reason = server.until(|seen| match seen {
        Seen::Told(id, told) if id == peer.id => {
            if !matches!(told, Told::Sent(_)) {
                all.push(told);
            }
            None
        }
        Seen::Closed(id, reason) if id == peer.id => Some(reason),
        _ => None,
    });
    (all, reason)
}

fn line(text: &str) -> Told {
    Told::Line(text.into())
}

#[test]
fn behind_a_reset() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (client, peer) = paused(&server);
        reset(client);
        server.until_told(&peer, &Told::Unreachable);
        peer.tell(Tell::Resume);
        let (told, reason) = told_until_closed(&server, &peer);
        assert_eq!(told[0], line("second"));
        // Not every kernel keeps what it had of a connection that was reset.
        #[cfg(target_os = "linux")]
        assert_eq!(told[1], line("third"));
        assert_eq!(
            told[told.len() - 2..],
            [Told::Eof { unused: 0 }, Told::Lost]
        );
        assert_eq!(reason, StopReason::PeerGone);
    });
}

#[test]
fn behind_a_write_that_fails() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (client, peer) = paused(&server);
        drop(client);
        // The peer's kernel says by a reset that nobody is there.
        peer.tell(Tell::write("anybody?"));
        server.until_told(&peer, &Told::Unreachable);
        // Nobody gets this, and it is no reason to wait.
        peer.tell(Tell::write(vec![b'x'; 1_000_000]));
        server.until_told(&peer, &Told::Sent(1_000_000));
        peer.tell(Tell::Resume);
        let (told, reason) = told_until_closed(&server, &peer);
        assert_eq!(told[0], line("second"));
        assert_eq!(
            told[told.len() - 2..],
            [Told::Eof { unused: 0 }, Told::Lost]
        );
        assert_eq!(reason, StopReason::PeerGone);
    });
}

#[test]
fn behind_the_end_that_the_peer_has_told() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        peer.tell(Tell::HearOut);
        client.write_all(b"!hold\nsecond\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        server.until_told(&peer, &Told::Eof { unused: 7 });
        peer.tell(Tell::Pause);
        peer.tell(Tell::write("x"));
        server.until_told(&peer, &Told::Sent(1));
        reset(client);
        server.until_told(&peer, &Told::Unreachable);
        peer.tell(Tell::Resume);
        let (told, reason) = told_until_closed(&server, &peer);
        assert_eq!(told, [line("second"), Told::Lost]);
        assert_eq!(reason, StopReason::PeerGone);
    });
}

#[test]
fn what_was_not_written_counts_as_sent() {
    const LARGE: u64 = 64 * 1024 * 1024;
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (client, peer) = paused(&server);
        peer.tell(Tell::write(vec![b'x'; LARGE as usize]));
        let mut sent = server.until(|seen| match seen {
            Seen::Told(_, Told::Sent(count)) => Some(count),
            _ => None,
        });
        assert!(sent < LARGE, "it is with the kernel");
        reset(client);
        server.until(|seen| {
            if let Seen::Told(_, Told::Sent(count)) = seen {
                sent += count;
            }
            (sent == LARGE).then_some(())
        });
        peer.tell(Tell::Resume);
        server.until_told(&peer, &line("second"));
        assert_eq!(server.until_closed(&peer), StopReason::PeerGone);
    });
}

#[test]
fn a_machine_that_has_seen_enough_ends_it() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (client, peer) = paused(&server);
        reset(client);
        server.until_told(&peer, &Told::Unreachable);
        peer.tell(Tell::Close(Close::Flush));
        assert_eq!(
            told_until_closed(&server, &peer),
            (Vec::new(), StopReason::PeerGone)
        );
    });
}

#[test]
fn a_machine_that_takes_nothing_is_not_waited_for() {
    in_each_placement(|kind| {
        let limits = Limits {
            unheard_timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let server = Server::with(kind, limits, |_| None);
        let (client, peer) = paused(&server);
        reset(client);
        assert_eq!(
            told_until_closed(&server, &peer),
            (vec![Told::Unreachable, Told::Lost], StopReason::PeerGone)
        );
    });
}
