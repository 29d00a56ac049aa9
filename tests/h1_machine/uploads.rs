//! Bodies that are larger than what may wait, and bodies that nobody wants.

use smolcorn::http::{HttpCommand, HttpEvent};
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

#[test]
fn the_socket_is_not_read_while_the_application_lags_behind() {
    let mut peer = Peer::with_limits(|limits| limits.body_unread_max = 10);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n0123456789");
    assert!(peer.wants_input(), "as much as the mark is not above it");
    peer.send("x");
    assert!(!peer.wants_input());
    peer.expect("request 1: POST / 1.1 \"0123456789\" and more");
    peer.expect("body 1: \"x\" and more");
    peer.send("yz");
    peer.expect("nothing");
    assert_eq!(peer.waiting(), 2);
    peer.command(HttpCommand::Consumed {
        stream: 1,
        bytes: 1,
    });
    peer.expect("body 1: \"yz\" and more");
}

#[test]
fn an_upload_of_any_size_takes_little_memory() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.request();
    let piece = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let (mut unread, mut received) = (0, 0);
    for _ in 0..1000 {
        peer.send(&piece);
        while let Some(HttpEvent::Body { data, .. }) = peer.event() {
            unread += data.len();
            received += data.len();
        }
        assert!(unread <= 64 * 1024 + 0x4000);
        if !peer.wants_input() {
            peer.command(HttpCommand::Consumed {
                stream: 1,
                bytes: unread,
            });
            unread = 0;
        }
    }
    peer.send("0\r\n\r\n");
    while let Some(HttpEvent::Body { data, .. }) = peer.event() {
        received += data.len();
    }
    assert_eq!(received, 1000 * 0x4000);
}

#[test]
fn an_unread_body_is_drained_to_keep_the_connection() {
    for body in [
        ["Content-Length: 9", "123", "456789"],
        [
            "Transfer-Encoding: chunked",
            "9\r\n123",
            "456789\r\n0\r\nT: x\r\n\r\n",
        ],
    ] {
        let mut peer = Peer::new();
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n{}",
            body[0], body[1]
        ));
        peer.expect("request 1: POST / 1.1 \"123\" and more");
        peer.answer(1, "x");
        assert_eq!(peer.wire(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
        peer.send(format!("{}GET /next HTTP/1.1\r\nHost: a\r\n\r\n", body[2]));
        peer.expect("request 2: GET /next 1.1 \"\"");
    }
}

#[test]
fn a_body_that_waited_for_the_application_is_drained() {
    let mut peer = Peer::with_limits(|limits| limits.body_unread_max = 2);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123");
    peer.send("456789GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.request();
    peer.expect("nothing");
    peer.answer(1, "x");
    peer.expect("request 2: GET /next 1.1 \"\"");
}

#[test]
fn too_much_to_drain_ends_the_connection() {
    let mut peer = Peer::with_limits(|limits| limits.drain_bytes_max = 10);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    peer.answer(1, "x");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    );
    assert_eq!(peer.close(), Close::Linger);

    // The head is gone before it is known how much is left.
    let mut peer = Peer::with_limits(|limits| limits.drain_bytes_max = 10);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
    peer.respond(1, head(200, &[("content-length", "1")]), b"", false);
    peer.body(1, "x", true);
    assert_eq!(peer.close(), Close::Linger);

    let mut peer = Peer::with_limits(|limits| limits.drain_bytes_max = 10);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.answer(1, "x");
    peer.send("5\r\nhello\r");
    assert_eq!(peer.close(), Close::Open);
    peer.send("\n1\r\n");
    assert_eq!(peer.close(), Close::Linger);
    assert!(peer.wire().ends_with("\r\n\r\nx"));
}

#[test]
fn a_broken_body_that_is_drained_ends_the_connection_silently() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.answer(1, "x");
    peer.wire();
    peer.send("z");
    assert_eq!((peer.wire().as_str(), peer.close()), ("", Close::Linger));
    peer.request();
    peer.expect("nothing");
}

#[test]
fn a_broken_body_before_the_head_is_handed_over_is_a_bad_request() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz");
    peer.expect_refusal(400);
}

#[test]
fn a_response_may_begin_before_the_body_ends() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    peer.expect("request 1: POST / 1.1 \"a\" and more");
    peer.respond(1, head(200, &[]), b"A", false);
    peer.send("1\r\nb\r\n0\r\n\r\n");
    peer.expect("sent 1: 64");
    peer.expect("body 1: \"b\"");
    peer.body(1, "B", true);
    assert!(peer.wire().ends_with("1\r\nA\r\n1\r\nB\r\n0\r\n\r\n"));
    assert_eq!(peer.close(), Close::Open);
}
