//! The server stops: what is under way is finished, nothing is begun.

use std::time::Duration;

use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

#[test]
fn an_idle_connection_closes_at_once() {
    let mut fresh = Peer::new();
    fresh.drain();
    assert_eq!(fresh.close(), Close::Flush);
    assert_eq!(fresh.deadline(), None);

    let mut used = Peer::new();
    used.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    used.answer(1, "");
    used.drain();
    assert_eq!(used.close(), Close::Flush);
}

#[test]
fn a_response_that_is_not_begun_says_close() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.drain();
    assert_eq!(peer.close(), Close::Open);
    peer.answer(1, "x");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    );
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_response_that_is_begun_is_finished() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.respond(1, head(200, &[]), b"a", false);
    peer.drain();
    assert_eq!(peer.close(), Close::Open);
    peer.body(1, "b", true);
    assert!(peer.wire().ends_with("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_request_that_is_coming_in_is_served() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Le");
    peer.drain();
    assert_eq!(peer.close(), Close::Open);
    peer.send("ngth: 4\r\n\r\nbo").send("dy");
    peer.expect("request 1: POST / 1.1 \"bo\" and more");
    peer.expect("body 1: \"dy\"");
    peer.answer(1, "x");
    assert!(peer.wire().contains("connection: close\r\n"));
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_head_that_does_not_come_on_is_not_waited_for() {
    let mut peer = Peer::new();
    peer.send("GET / HT");
    peer.drain();
    assert_eq!(peer.deadline(), Some(Duration::from_secs(1)));
    peer.send("TP/1.1\r\n").drain();
    assert_eq!(peer.deadline(), Some(Duration::from_secs(1)));
    peer.expire();
    peer.expect_refusal(408);
    assert_eq!(peer.deadline(), None);
}

#[test]
fn a_head_that_had_less_time_gets_no_more() {
    let mut peer = Peer::with_limits(|limits| limits.head_timeout = Duration::from_millis(300));
    peer.send("GET / HT");
    peer.drain();
    assert_eq!(peer.deadline(), Some(Duration::from_millis(300)));

    let mut peer = Peer::with_limits(|limits| limits.head_timeout = Duration::ZERO);
    peer.send("GET / HT");
    peer.drain();
    assert_eq!(peer.deadline(), Some(Duration::from_secs(1)));
}

#[test]
fn a_body_that_is_coming_in_has_its_own_time() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\n");
    peer.drain();
    peer.send("Content-Length: 4\r\n\r\nbo");
    peer.expect("request 1: POST / 1.1 \"bo\" and more");
    assert_eq!(peer.deadline(), Some(Duration::from_secs(60)));
    peer.send("dy");
    assert_eq!(peer.deadline(), None);
}

#[test]
fn pipelined_requests_are_not_begun() {
    let mut peer = Peer::new();
    peer.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.drain();
    peer.answer(1, "");
    peer.expect("request 1: GET /a 1.1 \"\"");
    peer.expect("nothing");
    assert_eq!(peer.close(), Close::Linger);
}

#[test]
fn an_unwanted_body_is_not_waited_for() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    peer.answer(1, "");
    assert_eq!(peer.close(), Close::Open);
    peer.drain();
    assert_eq!(peer.close(), Close::Linger);
}
