//! Whole messages, both ways (RFC 6455, section 5.6).

use smolcorn::ws::WsCommand;
use smolcorn_actors::outbox::{COPY_MAX_BYTES, LentBytes, Payload};
use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{binary, describe, text};

#[test]
fn the_examples_of_the_rfc() {
    let mut peer = Peer::new();
    peer.send(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    peer.expect_text("Hello");
    peer.send(b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(peer.wire(), b"\x8a\x05Hello");
    peer.send_text("Hello");
    assert_eq!(peer.wire(), b"\x81\x05Hello");
    peer.send_binary([7; 256]);
    assert_eq!(peer.wire()[..4], [0x82, 0x7e, 0x01, 0x00]);
    peer.send_binary([7; 65536]);
    assert_eq!(peer.wire()[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn messages_of_all_kinds_of_lengths() {
    for len in [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 100_000] {
        let mut peer = Peer::new();
        let payload = vec![0xfe; len];
        peer.send(binary(&payload));
        peer.expect_binary(&payload);
        peer.send(text(&"*".repeat(len)));
        peer.expect_text(&"*".repeat(len));
        peer.expect_nothing();
        peer.send_binary(payload.clone());
        peer.send_text(&"*".repeat(len));
        let wire = peer.wire();
        let (first, got, rest) = crate::wire::read_frame(&wire).unwrap();
        assert_eq!((first, got), (0x82, &payload[..]));
        let (first, got, rest) = crate::wire::read_frame(rest).unwrap();
        assert_eq!((first, got), (0x81, "*".repeat(len).as_bytes()));
        assert!(rest.is_empty());
        assert_eq!(peer.close(), Close::Open);
    }
}

#[test]
fn a_length_may_be_written_longer_than_it_must() {
    let mut peer = Peer::new();
    peer.send(b"\x81\xfe\x00\x05\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    peer.expect_text("Hello");
    peer.send(b"\x81\xff\0\0\0\0\0\0\0\x05\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    peer.expect_text("Hello");
}

#[test]
fn many_messages_in_one_piece() {
    let mut peer = Peer::new();
    peer.send([text("a"), binary(b"b"), text(""), text("\u{20ac}")].concat());
    peer.expect_text("a");
    peer.expect_binary(b"b");
    peer.expect_text("");
    peer.expect_text("\u{20ac}");
    peer.expect_nothing();
}

struct Loan(Vec<u8>);

impl LentBytes for Loan {
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn lent_bytes_go_out_whole_whatever_their_length() {
    for len in [0, 1, COPY_MAX_BYTES, COPY_MAX_BYTES + 1, 1 << 20] {
        let mut peer = Peer::new();
        let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let loan = Payload::Lent(Box::new(Loan(bytes.clone())));
        peer.command(WsCommand::Binary(loan));
        let wire = peer.wire();
        let (first, payload, rest) = crate::wire::read_frame(&wire).unwrap();
        assert_eq!(first, 0x82);
        assert!(payload == bytes && rest.is_empty());
    }
}

#[test]
fn small_messages_of_one_turn_are_one_piece() {
    let mut peer = Peer::new();
    peer.stall();
    for number in 0..100 {
        peer.send_text(&number.to_string());
    }
    peer.resume();
    assert_eq!(describe(&peer.wire()).len(), 100);
}
