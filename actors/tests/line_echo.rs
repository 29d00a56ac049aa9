//! A connection carries lines to the application and its answers back, in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::Write;

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::messages::End;
use smolcorn_actors::protocol::Close;
use support::lines::{Tell, Told};
use support::{Seen, Server, expect, in_each_placement, read_to_end};

fn echo(line: &str) -> Option<Tell> {
    Some(Tell::write(format!("{line}\n")))
}

#[test]
fn answers_come_back_in_order() {
    in_each_placement(|kind| {
        let server = Server::with(kind, Limits::default(), echo);
        let (mut client, _peer) = server.connect();
        client.write_all(b"one\n").unwrap();
        expect(&mut client, b"one\n");
        client.write_all(b"two\nthree\nfo").unwrap();
        expect(&mut client, b"two\nthree\n");
        client.write_all(b"ur\n").unwrap();
        expect(&mut client, b"four\n");
    });
}

#[test]
fn opened_comes_first_and_closed_last() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        client.write_all(b"hello\n").unwrap();
        server.until(|seen| match seen {
            Seen::Opened(id, ends) => {
                assert_eq!(id, peer.id);
                assert_eq!(ends.local, End::Inet(client.peer_addr().unwrap()));
                assert_eq!(ends.peer, End::Inet(client.local_addr().unwrap()));
                Some(())
            }
            other => panic!("before opened: {other:?}"),
        });
        server.until_told(&peer, &Told::Line("hello".into()));
        peer.tell(Tell::write("bye"));
        peer.tell(Tell::Close(Close::Flush));
        assert_eq!(read_to_end(&mut client), b"bye");
        assert_eq!(server.until_closed(&peer), StopReason::Finished);
        let rest = server.end();
        assert!(
            rest.iter()
                .all(|seen| matches!(seen, Seen::ListenerStopped(1))),
            "after closed: {rest:?}"
        );
    });
}
