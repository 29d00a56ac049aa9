//! What the application learns of bytes that are with the kernel.

use smolcorn::http::HttpCommand;

use crate::peer::{Peer, head};

fn streaming(headers: &[(&str, &str)]) -> Peer {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.request();
    peer.stall();
    peer.respond(1, head(200, headers), b"", false);
    peer
}

#[test]
fn a_response_in_one_piece_earns_none() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.request();
    peer.answer(1, &"x".repeat(100_000));
    peer.expect("nothing");
}

#[test]
fn small_pieces_are_told_when_everything_is_sent() {
    let mut peer = streaming(&[]);
    let head_len = peer.unsent();
    peer.body(1, "one", false);
    peer.body(1, "two", false);
    peer.write(head_len + 8);
    peer.expect("nothing");
    peer.write(7);
    peer.expect("nothing");
    peer.write(1);
    peer.expect("sent 1: 128");
    peer.body(1, "three", false);
    peer.write(u64::MAX);
    peer.expect("sent 1: 64");
}

#[test]
fn much_is_told_in_portions() {
    let mut peer = streaming(&[]);
    let piece = "x".repeat(1000);
    for _ in 0..40 {
        peer.body(1, &piece, false);
    }
    let mut told = Vec::new();
    while peer.unsent() > 0 {
        peer.write(500);
        if let Some(smolcorn::http::HttpEvent::Sent { bytes, .. }) = peer.event() {
            told.push(bytes);
        }
    }
    assert_eq!(told, [17_000, 17_000, 6000]);
}

#[test]
fn every_payload_byte_is_told_once_whatever_the_framing() {
    for headers in [&[][..], &[("content-length", "150000")]] {
        let mut peer = streaming(headers);
        for len in [1, 0, 20_000, 16_384, 16_385, 50_000, 7] {
            peer.body(1, "x".repeat(len), false);
        }
        let mut told = 0;
        while peer.unsent() > 0 {
            peer.write(997);
            while let Some(event) = peer.event() {
                let smolcorn::http::HttpEvent::Sent { stream: 1, bytes } = event else {
                    panic!()
                };
                told += bytes;
            }
        }
        // The smallest two count for more than they have.
        assert_eq!(told, 102_777 - 8 + 2 * 64);
    }
}

#[test]
fn nothing_is_told_once_the_response_is_complete() {
    let mut peer = streaming(&[]);
    peer.body(1, "x".repeat(50_000), false);
    peer.body(1, "", true);
    peer.write(u64::MAX);
    peer.expect("nothing");
    peer.resume();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("request 2: GET / 1.1 \"\"");
    peer.respond(2, head(200, &[]), b"abc", false);
    peer.expect("sent 2: 64");
}

#[test]
fn nothing_is_told_of_a_response_that_was_cut() {
    let mut peer = streaming(&[]);
    peer.body(1, "x", false);
    peer.command(HttpCommand::Abort { stream: 1 });
    peer.write(u64::MAX);
    peer.expect("nothing");
}
