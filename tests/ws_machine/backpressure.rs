//! Reading stops when the application lags behind.

use smolcorn::ws::limits::UNREAD_BYTES_MAX;
use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{binary, close, text};

fn peer(messages: usize) -> Peer {
    Peer::with(|config| config.queue_messages_max = messages)
}

#[test]
fn as_many_messages_as_the_queue_takes() {
    let mut peer = peer(2);
    peer.send([text("a"), text("b"), text("c"), text("d")].concat());
    peer.expect_text("a");
    peer.expect_text("b");
    peer.expect_nothing();
    assert!(!peer.wants_input());
    assert_eq!(peer.waiting(), 2 * text("c").len());
    peer.consume(1);
    peer.expect_text("c");
    peer.expect_nothing();
    peer.consume(2);
    peer.expect_text("d");
    assert!(peer.wants_input());
}

#[test]
fn as_many_bytes_as_are_bearable() {
    let mut peer = peer(usize::MAX);
    let large = vec![0; UNREAD_BYTES_MAX];
    peer.send(binary(&large)).send(binary(b"a"));
    peer.expect_binary(&large);
    peer.expect_binary(b"a");
    assert!(!peer.wants_input());
    peer.consume(1);
    assert!(peer.wants_input());
}

#[test]
fn the_end_behind_messages_that_wait() {
    let mut peer = peer(1);
    peer.send([text("a"), text("b")].concat());
    peer.half_close();
    peer.expect_text("a");
    peer.expect_nothing();
    peer.consume(1);
    peer.expect_text("b");
    peer.expect_nothing();
    assert_eq!(peer.close(), Close::Open);
    peer.consume(1);
    peer.expect_disconnected(1006, "", true);
}

#[test]
fn a_close_frame_behind_messages_that_wait() {
    let mut peer = peer(1);
    peer.send([text("a"), text("b"), close(1001, "")].concat());
    peer.half_close();
    peer.expect_text("a");
    peer.consume(1);
    peer.expect_text("b");
    peer.consume(1);
    peer.expect_disconnected(1001, "", false);
}

#[test]
fn closing_reads_on() {
    let mut peer = peer(1);
    peer.send([text("a"), text("b"), close(1000, "")].concat());
    peer.expect_text("a");
    peer.send_close(1000, "");
    peer.expect_disconnected(1000, "", false);
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn taking_more_than_there_was_is_taking_all() {
    let mut peer = peer(1);
    peer.consume(7);
    peer.send(text("a"));
    peer.consume(7);
    assert!(peer.wants_input());
}
