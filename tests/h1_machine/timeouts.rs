//! How long a client may take.

use std::time::Duration;

use smolcorn::http::HttpCommand;
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

const HEAD: Option<Duration> = Some(Duration::from_secs(30));
const IDLE: Option<Duration> = Some(Duration::from_secs(5));
const BODY: Option<Duration> = Some(Duration::from_secs(60));

#[test]
fn a_connection_that_says_nothing_is_closed_silently() {
    let mut peer = Peer::new();
    assert_eq!(peer.deadline(), IDLE);
    peer.send("\r\n");
    assert_eq!(peer.deadline(), IDLE);
    peer.expire();
    assert_eq!((peer.wire().as_str(), peer.close()), ("", Close::Flush));
    peer.expect("nothing");
}

#[test]
fn a_head_must_come_in_time() {
    let mut peer = Peer::new();
    peer.send("G");
    assert_eq!(peer.deadline(), HEAD);
    peer.send("ET / HTTP/1.1\r\n");
    assert_eq!(peer.deadline(), HEAD);
    peer.expire();
    peer.expect_refusal(408);
}

#[test]
fn the_application_has_all_the_time() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\n").send("Host: a\r\n\r\n");
    assert_eq!(peer.deadline(), None);
    peer.respond(1, head(200, &[]), b"x", false);
    assert_eq!(peer.deadline(), None);
    peer.body(1, "", true);
    assert_eq!(peer.deadline(), IDLE);
    peer.expire();
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn an_idle_connection_waits_from_the_last_byte_of_the_response_on() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.stall();
    peer.answer(1, "slowly read");
    peer.expire();
    assert_eq!((peer.close(), peer.deadline()), (Close::Open, IDLE));
    peer.resume();
    peer.expire();
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_body_must_come_on() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    peer.request();
    assert_eq!(peer.deadline(), BODY);
    peer.send("a");
    peer.expect("body 1: \"a\" and more");
    assert_eq!(peer.deadline(), BODY);
    peer.expire();
    peer.expect("disconnect 1: gone");
    peer.expect_refusal(408);
}

#[test]
fn a_body_that_stops_cuts_a_response_that_is_begun() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    peer.request();
    peer.respond(1, head(200, &[("content-length", "9")]), b"", false);
    peer.wire();
    peer.expire();
    peer.expect("disconnect 1: gone");
    peer.expect("nothing");
    assert_eq!((peer.wire().as_str(), peer.close()), ("", Close::Linger));
}

#[test]
fn a_complete_body_needs_no_time() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
        .send("lo");
    assert_eq!(peer.deadline(), None);
}

#[test]
fn a_client_is_not_blamed_for_an_application_that_does_not_read() {
    let mut peer = Peer::with_limits(|limits| limits.body_unread_max = 4);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n01234");
    assert_eq!(peer.deadline(), None);
    peer.command(HttpCommand::Consumed {
        stream: 1,
        bytes: 1,
    });
    assert_eq!(peer.deadline(), BODY);
}

#[test]
fn an_unwanted_body_must_come_on_too() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    peer.answer(1, "x");
    assert_eq!(peer.deadline(), BODY);
    peer.expire();
    assert_eq!(peer.close(), Close::Linger);
}
