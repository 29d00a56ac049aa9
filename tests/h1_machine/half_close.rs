//! A client that has said all it wants to say may still read.

use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

#[test]
fn while_idle_it_ends_the_connection() {
    for sent in ["", "\r\n", "GET / HT"] {
        let mut peer = Peer::new();
        peer.send(sent);
        peer.half_close();
        assert_eq!(peer.close(), Close::Flush);
        assert_eq!(peer.wire(), "");
        assert_eq!(peer.deadline(), None);
        peer.expect("nothing");
    }
}

#[test]
fn behind_a_request_the_answer_is_still_written() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.half_close();
    peer.expect("request 1: GET / 1.1 \"\"");
    peer.expect("disconnect 1");
    assert_eq!(peer.close(), Close::Open);
    peer.respond(1, head(200, &[]), b"one", false);
    peer.body(1, "two", true);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
         3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    );
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn within_a_body_the_rest_never_comes() {
    for body in [
        "Content-Length: 5\r\n\r\nab",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ] {
        let mut peer = Peer::new();
        peer.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}"));
        peer.half_close();
        peer.expect("request 1: POST / 1.1 \"ab\" and more");
        peer.expect("disconnect 1");
        assert_eq!(peer.deadline(), None);
        peer.answer(1, "x");
        assert_eq!(
            peer.wire(),
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
        );
        assert_eq!(peer.close(), Close::Flush);
        peer.expect("nothing");
    }
}

#[test]
fn pipelined_requests_before_it_are_served() {
    let mut peer = Peer::new();
    peer.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c");
    peer.half_close();
    peer.expect("request 1: GET /a 1.1 \"\"");
    peer.answer(1, "");
    peer.expect("request 2: GET /b 1.1 \"\"");
    peer.answer(2, "");
    assert_eq!(peer.close(), Close::Flush);
    assert!(!peer.wire().contains(" 400 "));
}

#[test]
fn a_body_that_waits_for_the_application_is_not_lost() {
    let mut peer = Peer::with_limits(|limits| limits.body_unread_max = 4);
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    peer.expect("request 1: POST / 1.1 \"01234\" and more");
    peer.send("56789");
    peer.half_close();
    peer.expect("nothing");
    peer.command(smolcorn::http::HttpCommand::Consumed {
        stream: 1,
        bytes: 5,
    });
    peer.expect("body 1: \"56789\"");
    peer.expect("disconnect 1");
    peer.answer(1, "");
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn while_an_unwanted_body_is_drained_it_ends_the_connection() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    peer.answer(1, "");
    assert_eq!(peer.close(), Close::Open);
    peer.half_close();
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_broken_connection_tells_once_more() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.half_close();
    peer.lose();
    peer.expect("request 1: GET / 1.1 \"\"");
    peer.expect("disconnect 1");
    peer.expect("disconnect 1: gone");
    peer.answer(1, "late");
    assert_eq!(peer.wire(), "");
    peer.expect("nothing");
}

#[test]
fn of_a_client_that_cannot_be_reached_nothing_more_matters() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    peer.expect("request 1: POST / 1.1 \"\" and more");
    assert!(!peer.vanish());
    peer.expect("nothing");
}

#[test]
fn a_broken_connection_that_was_idle_tells_nothing() {
    let mut peer = Peer::new();
    peer.lose();
    peer.expect("nothing");
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.answer(1, "");
    peer.lose();
    peer.expect("request 1: GET / 1.1 \"\"");
    peer.expect("nothing");
}
