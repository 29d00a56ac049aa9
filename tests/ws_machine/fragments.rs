//! Messages in several frames (RFC 6455, section 5.4).

use crate::peer::Peer;
use crate::wire::{BINARY, CONTINUATION, FIN, TEXT, close, frame, ping, text};

#[test]
fn fragments_are_joined() {
    let mut peer = Peer::new();
    peer.send(frame(TEXT, "Hel"));
    peer.expect_nothing();
    peer.send(frame(CONTINUATION, "l"));
    peer.expect_nothing();
    peer.send(frame(FIN | CONTINUATION, "o"));
    peer.expect_text("Hello");
    peer.send(frame(BINARY, [1, 2]))
        .send(frame(FIN | CONTINUATION, [3]));
    peer.expect_binary(&[1, 2, 3]);
}

#[test]
fn fragments_may_be_empty() {
    let mut peer = Peer::new();
    peer.send(
        [
            frame(TEXT, ""),
            frame(CONTINUATION, ""),
            frame(FIN | CONTINUATION, ""),
        ]
        .concat(),
    );
    peer.expect_text("");
    peer.send(
        [
            frame(TEXT, ""),
            frame(CONTINUATION, "x"),
            frame(FIN | CONTINUATION, ""),
        ]
        .concat(),
    );
    peer.expect_text("x");
    peer.expect_nothing();
}

#[test]
fn control_frames_may_come_between_fragments() {
    let mut peer = Peer::new();
    peer.send([frame(TEXT, "a"), ping("p"), frame(FIN | CONTINUATION, "b")].concat());
    peer.expect_frames(&["pong \"p\""]);
    peer.expect_text("ab");
    peer.send([frame(TEXT, "a"), close(1000, "")].concat());
    peer.expect_disconnected(1000, "", false);
}

#[test]
fn a_continuation_needs_a_beginning() {
    for first in [CONTINUATION, FIN | CONTINUATION] {
        let mut peer = Peer::new();
        peer.send(text("a"));
        peer.expect_text("a");
        peer.answer();
        peer.send(frame(first, "b"));
        peer.expect_failure(1002, "unexpected continuation frame");
    }
}

#[test]
fn a_message_cannot_begin_within_another() {
    for first in [TEXT, FIN | TEXT, BINARY, FIN | BINARY] {
        let mut peer = Peer::new();
        peer.send(frame(TEXT, "a")).send(frame(first, "b"));
        peer.expect_failure(1002, "expected a continuation frame");
    }
}

#[test]
fn as_many_fragments_as_bytes() {
    let mut peer = Peer::new();
    let mut stream = frame(BINARY, [0]);
    for _ in 0..100_000 {
        stream.extend(frame(CONTINUATION, [1]));
    }
    stream.extend(frame(FIN | CONTINUATION, [2]));
    for piece in stream.chunks(65536) {
        peer.send(piece);
    }
    let mut expected = vec![1; 100_002];
    (expected[0], expected[100_001]) = (0, 2);
    peer.expect_binary(&expected);
}
