//! A listener that is told to stop closes its socket, lets its connections finish, and says so
//! when the last one has.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::mailbox;
use smolcorn_actors::messages::{ToDispatch, ToListener};
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::fused::Fused;
use smolcorn_actors::protocol::Close;
use smolcorn_actors::server;
use support::lines::{Factory, Lines, Tell, Told};
use support::{Seen, Server, in_each_placement, read_to_end, tcp_listener};

#[test]
fn connections_finish_before_the_listener_has_stopped() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut first, first_peer) = server.connect();
        let (mut second, second_peer) = server.connect();
        server.running.stop();
        let mut drained = 0;
        server.until(|seen| {
            assert!(!matches!(seen, Seen::ListenerStopped(_)));
            drained += usize::from(matches!(seen, Seen::Told(_, Told::Drain)));
            (drained == 2).then_some(())
        });
        let refused = TcpStream::connect(server.address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

        first.write_all(b"still here\n").unwrap();
        server.until_told(&first_peer, &Told::Line("still here".into()));
        for peer in [&first_peer, &second_peer] {
            peer.tell(Tell::write("bye"));
            peer.tell(Tell::Close(Close::Flush));
        }
        assert_eq!(read_to_end(&mut first), b"bye");
        assert_eq!(read_to_end(&mut second), b"bye");
        let mut closed = 0;
        server.until(|seen| match seen {
            Seen::Closed(_, reason) => {
                assert_eq!(reason, StopReason::Finished);
                closed += 1;
                None
            }
            Seen::ListenerStopped(number) => {
                assert_eq!((number, closed), (1, 2));
                Some(())
            }
            _ => None,
        });
    });
}

#[test]
fn a_listener_without_connections_stops_at_once() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        server.running.stop();
        server.until(|seen| matches!(seen, Seen::ListenerStopped(1)).then_some(()));
    });
}

#[test]
fn abort_drops_connections_and_tells_their_machines() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        server.running.stop();
        server.until_told(&peer, &Told::Drain);
        server.running.abort();
        server.until_told(&peer, &Told::Lost);
        assert_eq!(server.until_closed(&peer), StopReason::Aborted);
        assert!(matches!(client.read(&mut [0; 8]), Ok(0) | Err(_)));
        server.until(|seen| matches!(seen, Seen::ListenerStopped(1)).then_some(()));
    });
}

/// Peers that the system has accepted for us already must not see a reset.
#[test]
fn what_waits_in_the_backlog_is_served() {
    let fused = Fused::new().unwrap();
    let (dispatch, mailbox) = mailbox::<ToDispatch<Lines>>();
    let (socket, address) = tcp_listener();
    let placement = Placement::Fused(&fused);
    let limits = Limits::default();
    let running =
        server::start(placement, vec![socket], &Factory, &dispatch, &limits, None).unwrap();
    let clients: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(running.listeners[0].send(ToListener::Stop).is_ok());
    while fused.poll_and_run().unwrap().more_work {}
    let (mut opened, mut drained) = (0, 0);
    for message in mailbox.drain() {
        match message {
            ToDispatch::Opened { .. } => opened += 1,
            ToDispatch::Event { event, .. } => drained += usize::from(event == Told::Drain),
            _ => panic!("nothing has ended"),
        }
    }
    assert_eq!((opened, drained), (clients.len(), clients.len()));
}
