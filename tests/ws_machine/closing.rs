//! The closing handshake, and what takes its place (RFC 6455, section 7).

use std::time::Duration;

use smolcorn::ws::WsCommand;
use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{CLOSE, FIN, TEXT, close, frame, header, ping, text};

#[test]
fn the_client_closes() {
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        let mut peer = Peer::new();
        peer.send(text("a")).send(close(code, "bye"));
        peer.expect_text("a");
        peer.expect_disconnected(code, "bye", false);
        peer.expect_frames(&[&format!("close {code} \"bye\"")]);
        assert_eq!(peer.close(), Close::Flush);
        assert_eq!(peer.deadline(), None);
    }
}

#[test]
fn the_client_closes_without_a_code() {
    let mut peer = Peer::new();
    peer.send(frame(FIN | CLOSE, ""));
    peer.expect_disconnected(1005, "", false);
    assert_eq!(peer.wire(), b"\x88\x00");
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn the_longest_reason() {
    let mut peer = Peer::new();
    let reason = "*".repeat(123);
    peer.send(close(1000, &reason));
    peer.expect_disconnected(1000, &reason, false);
    peer.expect_frames(&[&format!("close 1000 {reason:?}")]);
}

#[test]
fn codes_that_must_not_be_sent() {
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
    ] {
        let mut peer = Peer::new();
        peer.send(close(code, ""));
        peer.expect_failure(1002, "invalid status code");
    }
}

#[test]
fn half_a_code() {
    let mut peer = Peer::new();
    peer.send(frame(FIN | CLOSE, [3]));
    peer.expect_failure(1002, "close frame too short");
}

#[test]
fn a_reason_that_is_not_text() {
    let mut peer = Peer::new();
    peer.send(frame(
        FIN | CLOSE,
        b"\x03\xe8\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80",
    ));
    peer.expect_failure(1007, "");
}

#[test]
fn what_comes_behind_the_clients_close_frame_is_dropped() {
    let mut peer = Peer::new();
    peer.send([close(1000, ""), text("a"), ping("")].concat());
    peer.expect_disconnected(1000, "", false);
    peer.expect_frames(&["close 1000 \"\""]);
    assert_eq!(peer.close(), Close::Linger);
    assert_eq!(peer.waiting(), 0);
}

#[test]
fn the_application_closes() {
    let mut peer = Peer::new();
    peer.send_close(4001, "done");
    peer.expect_disconnected(4001, "done", false);
    peer.expect_frames(&["close 4001 \"done\""]);
    assert_eq!(peer.close(), Close::Open);
    assert_eq!(peer.deadline(), Some(Duration::from_secs(10)));
    peer.send(close(4001, "done"));
    peer.expect_nothing();
    peer.expect_frames(&[]);
    assert_eq!(peer.close(), Close::Flush);
    assert_eq!(peer.deadline(), None);
}

#[test]
fn a_reason_is_cut_between_characters() {
    let mut peer = Peer::new();
    peer.send_close(1000, &"\u{20ac}".repeat(50));
    peer.expect_frames(&[&format!("close 1000 {:?}", "\u{20ac}".repeat(41))]);
}

#[test]
fn messages_that_cross_our_close_frame_are_skipped() {
    let mut peer = Peer::new();
    peer.send(&header(FIN | TEXT, 10)[..]);
    peer.send_close(1000, "");
    peer.expect_disconnected(1000, "", false);
    peer.expect_frames(&["close 1000 \"\""]);
    peer.send([0xff; 10])
        .send(text("a"))
        .send(ping("p"))
        .send(frame(TEXT, b"\xff"));
    peer.expect_nothing();
    // Only the client's close frame ends the duty to answer pings (RFC 6455, section 5.5.2).
    peer.expect_frames(&["pong \"p\""]);
    assert_eq!(peer.close(), Close::Open);
    peer.send(close(1000, ""));
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn the_client_does_not_answer_our_close_frame() {
    let mut peer = Peer::new();
    peer.send_close(1000, "");
    peer.expire();
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn time_for_the_answer_begins_when_the_frame_is_sent() {
    let mut peer = Peer::new();
    peer.stall();
    peer.send_binary([0; 1000]);
    peer.send_close(1000, "");
    assert_eq!(peer.deadline(), None);
    peer.write(1007);
    assert_eq!(peer.deadline(), None);
    peer.write(1);
    assert_eq!(peer.deadline(), Some(Duration::from_secs(10)));
}

#[test]
fn the_client_breaks_the_protocol_after_our_close_frame() {
    let mut peer = Peer::new();
    peer.send_close(1000, "");
    peer.expect_disconnected(1000, "", false);
    peer.wire();
    peer.send([0xff; 10]);
    peer.expect_nothing();
    peer.expect_frames(&[]);
    assert_eq!(peer.close(), Close::Linger);
}

#[test]
fn closing_twice_is_closing_once() {
    let mut peer = Peer::new();
    peer.send_close(1000, "");
    peer.send_close(1001, "");
    peer.send_text("too late");
    peer.drain();
    peer.expect_disconnected(1000, "", false);
    peer.expect_frames(&["close 1000 \"\""]);
}

#[test]
fn the_server_stops() {
    let mut peer = Peer::new();
    peer.send_text("a");
    peer.drain();
    assert!(matches!(
        peer.event(),
        Some(smolcorn::ws::WsEvent::Sent { bytes: 64 })
    ));
    peer.expect_disconnected(1012, "", false);
    peer.expect_frames(&["text \"a\"", "close 1012 \"\""]);
    assert_eq!(peer.close(), Close::Open);
    assert_eq!(peer.deadline(), Some(Duration::from_secs(10)));
    peer.send(close(1012, ""));
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn the_client_leaves_without_a_word() {
    let mut peer = Peer::new();
    peer.send(text("a")).send(&text("b")[..3]);
    peer.half_close();
    peer.expect_text("a");
    peer.expect_disconnected(1006, "", true);
    peer.expect_frames(&[]);
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn the_client_leaves_instead_of_answering() {
    let mut peer = Peer::new();
    peer.send_close(1000, "");
    peer.half_close();
    peer.expect_disconnected(1000, "", false);
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn the_connection_breaks() {
    let mut peer = Peer::new();
    peer.lose();
    peer.expect_disconnected(1006, "", true);
    peer.lose();
    peer.expect_nothing();
}

#[test]
fn the_application_cuts_the_connection() {
    let mut peer = Peer::new();
    peer.command(WsCommand::Abort);
    peer.expect_disconnected(1006, "", true);
    peer.expect_frames(&[]);
    assert_eq!(peer.close(), Close::Abort);
}
