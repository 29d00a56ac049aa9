//! A client that cannot be reached any more has said something before.

use smolcorn::ws::{WsCommand, WsEvent};
use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{close, frame, ping, text};

/// With so much room for messages that the application has not taken.
fn peer(messages: usize) -> Peer {
    Peer::with(|config| config.queue_messages_max = messages)
}

#[track_caller]
fn expect_unreachable(peer: &mut Peer) {
    assert_eq!(peer.event(), Some(WsEvent::Unreachable));
}

#[test]
fn messages_and_close_frame_that_wait_are_heard() {
    let mut peer = peer(1);
    peer.send([text("a"), text("b"), close(4000, "bye")].concat());
    peer.expect_text("a");
    assert!(peer.vanish());
    expect_unreachable(&mut peer);
    peer.send_text("nobody hears this");
    assert_eq!(peer.event(), Some(WsEvent::Sent { bytes: 64 }));
    peer.consume(1);
    peer.expect_text("b");
    peer.expect_nothing();
    peer.consume(1);
    peer.expect_disconnected(4000, "bye", false);
    assert_eq!(peer.close(), Close::Flush);
    peer.lose();
    peer.expect_nothing();
}

#[test]
fn without_a_close_frame_it_ends_behind_the_last_message() {
    let mut peer = peer(1);
    peer.send([text("a"), ping("p"), text("b")].concat());
    peer.expect_text("a");
    assert!(peer.vanish());
    expect_unreachable(&mut peer);
    peer.consume(1);
    peer.expect_text("b");
    peer.lose();
    peer.expect_disconnected(1006, "", true);
}

#[test]
fn an_application_that_closes_needs_no_answer() {
    let mut peer = peer(1);
    peer.send([text("a"), text("b")].concat());
    peer.expect_text("a");
    assert!(peer.vanish());
    expect_unreachable(&mut peer);
    peer.send_close(1000, "");
    peer.expect_disconnected(1000, "", false);
    peer.half_close();
    peer.expect_nothing();
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_broken_frame_that_waits_to_be_told_is_told() {
    let mut peer = Peer::new();
    peer.send([text("a"), frame(0xff, "")].concat());
    peer.expect_text("a");
    assert!(peer.vanish());
    expect_unreachable(&mut peer);
    peer.lose();
    peer.expect_disconnected(1002, "reserved bits must be 0", false);
}

#[test]
fn what_comes_behind_the_end_is_not_asked_for() {
    let mut peer = Peer::new();
    peer.send_close(1000, "");
    assert!(!peer.vanish());
    peer.expect_disconnected(1000, "", false);

    let mut peer = Peer::new();
    peer.command(WsCommand::Abort);
    assert!(!peer.vanish());
    peer.expect_disconnected(1006, "", true);
}
