//! Messages over the limit end with 1009 when their header is there, before their bytes.

use crate::peer::Peer;
use crate::wire::{BINARY, CONTINUATION, FIN, TEXT, frame, header};

fn peer() -> Peer {
    Peer::with(|config| config.message_bytes_max = 1000)
}

#[test]
fn a_message_of_exactly_the_limit_is_fine() {
    let mut peer = peer();
    peer.send(frame(FIN | BINARY, [7; 1000]));
    peer.expect_binary(&[7; 1000]);
    peer.send(frame(TEXT, "x".repeat(600)));
    peer.send(frame(FIN | CONTINUATION, "x".repeat(400)));
    peer.expect_text(&"x".repeat(1000));
}

#[test]
fn a_frame_over_the_limit() {
    let mut peer = peer();
    peer.send(header(FIN | TEXT, 1001));
    peer.expect_failure(1009, "frame with 1001 bytes exceeds limit of 1000 bytes");
}

#[test]
fn the_longest_frame_there_is() {
    let mut peer = peer();
    peer.send(header(FIN | TEXT, u64::MAX >> 1));
    let reason = format!(
        "frame with {} bytes exceeds limit of 1000 bytes",
        u64::MAX >> 1
    );
    peer.expect_failure(1009, &reason);
}

#[test]
fn fragments_that_are_over_the_limit_together() {
    let mut peer = peer();
    peer.send(frame(TEXT, "x".repeat(600)));
    peer.send(header(CONTINUATION, 600));
    peer.expect_failure(
        1009,
        "frame with 600 bytes after reading 600 bytes exceeds limit of 1000 bytes",
    );
}

#[test]
fn after_our_close_frame_nothing_is_too_long() {
    let mut peer = peer();
    peer.send_close(1000, "");
    peer.expect_disconnected(1000, "", false);
    peer.expect_frames(&["close 1000 \"\""]);
    peer.send(frame(FIN | TEXT, "x".repeat(5000)));
    peer.send(crate::wire::close(1000, ""));
    assert_eq!(peer.close(), smolcorn_actors::protocol::Close::Flush);
}
