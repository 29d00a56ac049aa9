//! Where this engine is not like our own.

use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{BINARY, CONTINUATION, FIN, RSV1, TEXT, frame, header, masked};

#[test]
fn text_is_checked_when_its_frame_is_complete() {
    let mut peer = Peer::new();
    peer.send(header(FIN | TEXT, 4))
        .send(masked(b"\xff\xff", 0));
    assert_eq!(peer.close(), Close::Open);
    peer.send(masked(b"\xff\xff", 2));
    peer.expect_failure(1007, "");
    let mut peer = Peer::new();
    peer.send(frame(TEXT, b"a\xff"));
    peer.expect_failure(1007, "");
}

#[test]
fn the_limit_is_kept() {
    let mut peer = Peer::with(|config| config.message_bytes_max = 1000);
    peer.send(frame(FIN | BINARY, [7; 1000]));
    peer.expect_binary(&[7; 1000]);
    peer.answer();
    peer.send(header(FIN | BINARY, 1001));
    peer.expect_failure(1009, "frame with 1001 bytes exceeds limit of 1000 bytes");
}

#[test]
fn fragments_over_the_limit_are_noticed() {
    let mut peer = Peer::with(|config| config.message_bytes_max = 1000);
    peer.send(frame(BINARY, [7; 600]))
        .send(frame(CONTINUATION, [7; 600]));
    peer.expect_failure(1009, "frame with 1200 bytes exceeds limit of 1000 bytes");
}

#[test]
fn there_is_no_compression() {
    let config = crate::config();
    assert!(config.per_message_deflate && !config.compresses());
    let mut peer = Peer::new();
    peer.send(frame(FIN | RSV1 | TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
    peer.expect_failure(1002, "reserved bits must be 0");
}
