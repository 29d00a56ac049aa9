//! Requests that do not wait for the response before them.

use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn one_after_the_other_and_in_order() {
    let mut peer = Peer::new();
    peer.send(format!(
        "{}POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz\r\n{}",
        get("/a"),
        get("/c")
    ));
    peer.expect("request 1: GET /a 1.1 \"\"");
    peer.expect("nothing");
    peer.answer(1, "one");
    peer.expect("request 2: POST /b 1.1 \"xyz\"");
    peer.expect("nothing");
    peer.respond(2, head(200, &[]), b"two", false);
    peer.expect("sent 2: 64");
    peer.expect("nothing");
    peer.body(2, "", true);
    peer.expect("request 3: GET /c 1.1 \"\"");
    peer.answer(3, "three");
    assert!(peer.wants_input());
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none\
         HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthree"
    );
}

#[test]
fn a_bad_request_is_refused_after_the_response_before_it() {
    let mut peer = Peer::new();
    peer.send(format!("{}\0", get("/a")));
    peer.expect("request 1: GET /a 1.1 \"\"");
    peer.expect("nothing");
    peer.answer(1, "one");
    let wire = peer.wire();
    assert!(wire.starts_with(
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\noneHTTP/1.1 400 Bad Request\r\n"
    ));
    assert_eq!(peer.close(), Close::Linger);
}

#[test]
fn what_follows_a_last_request_is_not_served() {
    let mut peer = Peer::new();
    peer.send(format!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n{}",
        get("/b")
    ));
    peer.expect("request 1: GET / 1.1 \"\"");
    peer.answer(1, "one");
    peer.expect("nothing");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\none"
    );
    assert_eq!(
        peer.close(),
        Close::Linger,
        "bytes are unread: an immediate end would be a reset"
    );
}

#[test]
fn commands_for_a_response_that_is_complete_are_dropped() {
    let mut peer = Peer::new();
    peer.send(get("/a")).send(get("/b"));
    peer.answer(1, "one");
    peer.body(1, "more", true);
    peer.answer(1, "again");
    assert!(peer.wire().ends_with("\r\n\r\none"));
    peer.answer(2, "two");
    assert!(peer.wire().ends_with("\r\n\r\ntwo"));
    peer.answer(3, "never asked for");
    assert_eq!(peer.wire(), "");
}

#[test]
fn a_client_that_never_reads_is_not_served_for_ever() {
    let mut peer = Peer::new();
    peer.stall();
    let page = "x".repeat(10_000);
    let mut served = 0;
    for stream in 1..100 {
        peer.send(get("/page"));
        if peer.event().is_none() {
            break;
        }
        served = stream;
        peer.answer(stream, &page);
    }
    assert_eq!(served, 7, "more than 64 KiB may wait, but not much more");
    assert!(peer.unsent() < 80_000);
    assert!(!peer.wants_input());
    peer.resume();
    peer.expect("request 8: GET /page 1.1 \"\"");
}

#[test]
fn a_client_that_has_gone_shows_while_it_waits() {
    let mut peer = Peer::new();
    peer.send(get("/a"));
    peer.request();
    assert!(peer.wants_input(), "or its leaving would go unnoticed");
    peer.send(get("/b"));
    assert!(peer.wants_input(), "or its leaving would go unnoticed");
    peer.lose();
    peer.expect("disconnect 1: gone");
    peer.expect("nothing");
}

#[test]
fn no_more_waits_than_a_head_may_have() {
    let mut peer = Peer::with_limits(|limits| limits.head_bytes_max = 100);
    peer.send(get("/a"));
    peer.request();
    peer.send("x".repeat(99));
    assert!(peer.wants_input());
    peer.send("x");
    assert!(!peer.wants_input());
}
