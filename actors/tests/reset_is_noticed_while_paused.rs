//! A peer that goes away is noticed while nothing is read from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::Write;
use std::time::Duration;

use smolcorn_actors::actor::StopReason;
use socket2::SockRef;
use support::lines::{Tell, Told};
use support::{Server, in_each_placement};

fn reset(client: std::net::TcpStream) {
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
}

#[test]
fn while_the_machine_is_paused() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        client.write_all(b"!pause\nunread\n").unwrap();
        server.until_told(&peer, &Told::Line("!pause".into()));
        reset(client);
        server.until_told(&peer, &Told::Lost);
        assert_eq!(server.until_closed(&peer), StopReason::PeerGone);
    });
}

#[test]
fn after_the_peer_has_said_everything() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        client.write_all(b"last\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        server.until_told(&peer, &Told::Eof { unused: 0 });
        reset(client);
        server.until_told(&peer, &Told::Lost);
        assert_eq!(server.until_closed(&peer), StopReason::PeerGone);
    });
}

#[test]
fn while_the_machine_reads() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (client, peer) = server.connect();
        reset(client);
        server.until_told(&peer, &Told::Lost);
        assert_eq!(server.until_closed(&peer), StopReason::PeerGone);
    });
}

#[test]
fn while_an_answer_waits_for_room() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (client, peer) = server.connect();
        peer.tell(Tell::Pause);
        peer.tell(Tell::write(vec![b'x'; 64 * 1024 * 1024]));
        server.until(|seen| match seen {
            support::Seen::Told(_, Told::Sent(_)) => Some(()),
            _ => None,
        });
        reset(client);
        server.until_told(&peer, &Told::Lost);
        assert_eq!(server.until_closed(&peer), StopReason::PeerGone);
    });
}
