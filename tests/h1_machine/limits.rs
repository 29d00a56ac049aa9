//! Everything a client can make grow has an end.

use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

#[test]
fn head_size() {
    // The smallest head in this form has 39 bytes.
    let request = |padding: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(padding)
        )
    };
    let max = request(100).len();
    for (padding, served) in [(100, true), (101, false)] {
        let mut peer = Peer::with_limits(|limits| limits.head_bytes_max = max);
        peer.send(request(padding));
        if served {
            peer.request();
        } else {
            peer.expect_refusal(431);
        }
    }
}

#[test]
fn an_endless_head_is_refused_when_the_limit_is_reached() {
    let mut peer = Peer::with_limits(|limits| limits.head_bytes_max = 1000);
    peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for sent in 0.. {
        assert!(sent < 1000);
        peer.send("x");
        if peer.close() != Close::Open {
            break;
        }
    }
    peer.expect_refusal(431);
}

#[test]
fn an_endless_target_is_refused_when_the_limit_is_reached() {
    let mut peer = Peer::with_limits(|limits| limits.head_bytes_max = 1000);
    peer.send("GET /");
    peer.send("x".repeat(994));
    assert_eq!(peer.close(), Close::Open);
    peer.send("xx");
    peer.expect_refusal(414);

    let mut peer = Peer::with_limits(|limits| limits.head_bytes_max = 1000);
    peer.send(format!(
        "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
        "x".repeat(1000)
    ));
    peer.expect_refusal(414);
}

#[test]
fn what_comes_behind_a_head_does_not_count() {
    let mut peer = Peer::with_limits(|limits| limits.head_bytes_max = 100);
    let body = "x".repeat(1000);
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{body}"
    ));
    peer.expect(&format!("request 1: POST / 1.1 {body:?}"));
}

#[test]
fn header_count() {
    for (count, served) in [(256, true), (257, false)] {
        let mut peer = Peer::new();
        let lines = "X: y\r\n".repeat(count - 1);
        peer.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        if served {
            assert_eq!(peer.request().head.headers().len(), count);
        } else {
            peer.expect_refusal(431);
        }
    }
}

#[test]
fn header_count_is_noticed_before_the_head_ends() {
    let mut peer = Peer::with_limits(|limits| limits.header_count_max = 2);
    peer.send("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n");
    assert_eq!(peer.close(), Close::Open);
    peer.send("X: y\r\n");
    peer.expect_refusal(431);
}

#[test]
fn body_size_by_its_length() {
    for (length, served) in [(10, true), (11, false)] {
        let mut peer = Peer::with_limits(|limits| limits.body_bytes_max = Some(10));
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ));
        if served {
            peer.request();
        } else {
            peer.expect_refusal(413);
        }
    }
}

#[test]
fn body_size_counted_in_chunks() {
    let start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut peer = Peer::with_limits(|limits| limits.body_bytes_max = Some(10));
    peer.send(format!("{start}6\r\nabcdef\r\n4\r\nabcd\r\n0\r\n\r\n"));
    peer.expect("request 1: POST / 1.1 \"abcdefabcd\"");

    let mut peer = Peer::with_limits(|limits| limits.body_bytes_max = Some(10));
    peer.send(start).send("6\r\nabcdef\r\n");
    peer.expect("request 1: POST / 1.1 \"\" and more");
    peer.expect("body 1: \"abcdef\" and more");
    peer.send("5\r\n");
    peer.expect("disconnect 1: gone");
    peer.expect_refusal(413);
    // What the application sends now comes too late.
    peer.answer(1, "late");
    assert_eq!(peer.wire(), "");
}

#[test]
fn too_large_a_body_cuts_a_response_that_is_begun() {
    let mut peer = Peer::with_limits(|limits| limits.body_bytes_max = Some(10));
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.respond(1, head(200, &[]), b"part", false);
    assert!(peer.wire().ends_with("4\r\npart\r\n"));
    peer.send("b\r\n");
    assert_eq!(peer.wire(), "");
    assert_eq!(peer.close(), Close::Linger);
    peer.expect("request 1: POST / 1.1 \"\" and more");
    peer.expect("sent 1: 64");
    peer.expect("disconnect 1: gone");
    peer.expect("nothing");
}

#[test]
fn chunk_extensions_are_limited_for_all_chunks_together() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..4 {
        peer.send(format!("1;{}\r\nx\r\n", "e".repeat(1023)));
    }
    assert_eq!(peer.close(), Close::Open);
    peer.send("1;");
    assert!(peer.wire().starts_with("HTTP/1.1 400 "));
}

#[test]
fn trailers_are_limited() {
    for trailers in [
        "A: b\r\n".repeat(65),
        format!("A: {}\r\n", "x".repeat(8192)),
    ] {
        let mut peer = Peer::new();
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
        peer.send(trailers);
        assert!(peer.wire().starts_with("HTTP/1.1 431 "));
    }
}
