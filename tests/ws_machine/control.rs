//! Pings and pongs of the client (RFC 6455, section 5.5).

use crate::peer::Peer;
use crate::wire::{FIN, PING, PONG, TEXT, frame, header, ping, pong, text};

#[test]
fn a_ping_is_answered_with_its_payload() {
    for len in [0, 1, 124, 125] {
        let mut peer = Peer::new();
        let payload = vec![0xff; len];
        peer.send(ping(&payload));
        let mut expected = vec![0x8a, len as u8];
        expected.extend(payload);
        assert_eq!(peer.wire(), expected);
        peer.expect_nothing();
    }
}

#[test]
fn every_ping_is_answered_in_order() {
    let mut peer = Peer::new();
    let pings: Vec<Vec<u8>> = (0..10).map(|number| ping(number.to_string())).collect();
    peer.send(pings.concat());
    let pongs: Vec<String> = (0..10).map(|number| format!("pong \"{number}\"")).collect();
    assert_eq!(peer.frames(), pongs);
}

#[test]
fn pongs_that_nobody_asked_for_mean_nothing() {
    let mut peer = Peer::new();
    peer.send([pong(""), pong("x"), text("a")].concat());
    peer.expect_text("a");
    peer.expect_frames(&[]);
}

#[test]
fn a_control_frame_is_short_and_whole() {
    for opcode in [PING, PONG, crate::wire::CLOSE] {
        let mut peer = Peer::new();
        // The length alone condemns it.
        peer.send(&header(FIN | opcode, 126)[..2]);
        peer.expect_failure(1002, "control frame too long");
        let mut peer = Peer::new();
        peer.send([opcode]);
        peer.expect_failure(1002, "fragmented control frame");
    }
}

#[test]
fn pings_to_somebody_who_reads_nothing_do_not_fill_the_memory() {
    let mut peer = Peer::new();
    peer.stall();
    let flood = ping([0; 125]).repeat(10_000);
    peer.send(&flood).send(text("a"));
    assert!(peer.unsent() < 70_000, "{}", peer.unsent());
    peer.expect_text("a");
    peer.resume();
    peer.wire();
    peer.send(ping("again"));
    peer.expect_frames(&["pong \"again\""]);
}

#[test]
fn a_ping_in_the_middle_of_a_long_message_is_answered_at_once() {
    let mut peer = Peer::new();
    peer.send(frame(TEXT, "x".repeat(100_000))).send(ping("p"));
    peer.expect_frames(&["pong \"p\""]);
}
