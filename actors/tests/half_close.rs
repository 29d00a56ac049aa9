//! A peer that has said everything still gets its answer, and its end is seen even when it came
//! together with its bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::mailbox;
use smolcorn_actors::messages::ToDispatch;
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::fused::Fused;
use smolcorn_actors::protocol::Close;
use smolcorn_actors::server;
use support::lines::{Factory, Lines, Tell, Told};
use support::{Server, in_each_placement, read_to_end, tcp_listener, wait_readable};

#[test]
fn the_answer_still_arrives() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        for close in [Close::Flush, Close::Linger] {
            let (mut client, peer) = server.connect();
            client.write_all(b"question\nhalf a li").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            server.until_told(&peer, &Told::Line("question".into()));
            server.until_told(&peer, &Told::Eof { unused: 9 });
            peer.tell(Tell::write("answer"));
            peer.tell(Tell::Close(close));
            assert_eq!(read_to_end(&mut client), b"answer");
            assert_eq!(server.until_closed(&peer), StopReason::Finished);
        }
    });
}

#[test]
fn bytes_that_waited_for_their_turn_are_taken_after_the_end() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        client.write_all(b"!hold\nsecond\n!hold\nthird\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        server.until_told(&peer, &Told::Eof { unused: 19 });
        peer.tell(Tell::Resume);
        server.until_told(&peer, &Told::Line("second".into()));
        server.until_told(&peer, &Told::Line("!hold".into()));
        peer.tell(Tell::Resume);
        server.until_told(&peer, &Told::Line("third".into()));
    });
}

#[test]
fn an_end_that_comes_with_the_last_bytes_is_seen() {
    let fused = Fused::new().unwrap();
    let (dispatch, mailbox) = mailbox::<ToDispatch<Lines>>();
    let (socket, address) = tcp_listener();
    let placement = Placement::Fused(&fused);
    let limits = Limits::default();
    let _running =
        server::start(placement, vec![socket], &Factory, &dispatch, &limits, None).unwrap();
    // Accepted, and told that there is nothing to read.
    let mut client = TcpStream::connect(address).unwrap();
    let mut events = Vec::new();
    while events != [Told::Begun] {
        turn(&fused, &mailbox, &mut events);
    }
    // Both are there before the server looks again: one edge for two things.
    client.write_all(b"question\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    while events.len() < 3 {
        turn(&fused, &mailbox, &mut events);
    }
    let eof = Told::Eof { unused: 0 };
    assert_eq!(events, [Told::Begun, Told::Line("question".into()), eof]);
}

fn turn(
    fused: &Fused,
    mailbox: &smolcorn_actors::dispatch::DispatchMailbox<Lines>,
    events: &mut Vec<Told>,
) {
    let turn = fused.poll_and_run().unwrap();
    let before = events.len();
    events.extend(mailbox.drain().filter_map(|message| match message {
        ToDispatch::Event { event, .. } => Some(event),
        _ => None,
    }));
    if events.len() == before && !turn.more_work {
        let end = std::time::Instant::now() + support::PATIENCE;
        assert!(wait_readable(fused.descriptor(), Some(end)), "{events:?}");
    }
}
