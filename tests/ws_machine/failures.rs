//! What a client must not send (RFC 6455, section 5.2), and that it is told.

use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{FIN, TEXT, frame, text};

#[test]
fn reserved_bits() {
    for bits in 1..8 {
        let mut peer = Peer::new();
        peer.send([FIN | bits << 4 | TEXT]);
        peer.expect_failure(1002, "reserved bits must be 0");
    }
}

#[test]
fn reserved_bits_behind_a_good_message() {
    let mut peer = Peer::new();
    peer.send([text("a"), frame(0xd1, "b"), text("c")].concat());
    peer.expect_text("a");
    peer.expect_nothing();
    peer.expire();
    peer.expect_failure(1002, "reserved bits must be 0");
    peer.send(text("d"));
    peer.expect_nothing();
}

#[test]
fn an_answer_goes_out_before_the_connection_fails() {
    let mut peer = Peer::with(|config| config.unsent_bytes_max = 1000);
    peer.send([text("a"), frame(0xd1, "b")].concat());
    peer.expect_text("a");
    assert!(!peer.wants_input());
    peer.send_text("answer");
    peer.expect_frames(&["text \"answer\""]);
    peer.half_close();
    peer.expire();
    peer.expect_failure(1002, "reserved bits must be 0");
}

#[test]
fn the_application_closes_before_the_connection_fails() {
    let mut peer = Peer::new();
    peer.send([text("a"), frame(0xd1, "b")].concat());
    peer.expect_text("a");
    peer.send_close(4000, "");
    peer.expect_disconnected(4000, "", false);
    peer.expect_frames(&["close 4000 \"\""]);
    assert_eq!(peer.close(), Close::Linger);
}

#[test]
fn reserved_opcodes() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let mut peer = Peer::new();
        peer.send([FIN | opcode]);
        peer.expect_failure(1002, "invalid opcode");
    }
}

#[test]
fn no_mask() {
    let mut peer = Peer::new();
    peer.send(b"\x81\x05Hello");
    peer.expect_failure(1002, "incorrect masking");
}

#[test]
fn a_length_of_sixty_four_bits() {
    let mut peer = Peer::new();
    peer.send(b"\x82\xff\x80\0\0\0\0\0\0\0");
    peer.expect_failure(1002, "invalid frame length");
}

#[test]
fn what_was_to_be_sent_goes_out_before_the_close_frame() {
    let mut peer = Peer::new();
    peer.stall();
    peer.send_text("a");
    peer.send(b"\x81\x05");
    peer.expect_disconnected(1002, "incorrect masking", false);
    peer.send_text("too late");
    peer.resume();
    peer.expect_frames(&["text \"a\"", "close 1002 \"incorrect masking\""]);
    peer.expect_nothing();
}
