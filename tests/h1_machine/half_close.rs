//! A client that has said all it wants to say may still read.

use std::rc::Rc;

use smolcorn::config::HttpConfig;
use smolcorn::http::h1::H1;
use smolcorn::http::machine::HttpMachine;
use smolcorn::http::readiness::Readiness;
use smolcorn::http::shared::Shared;
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
fn what_stands_behind_the_request_does_not_hide_it() {
    for behind in [
        "\r\n",
        "\r",
        "GET / HT",
        "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        for first in [
            "GET / HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n",
        ] {
            let mut peer = Peer::new();
            peer.send(format!("{first}Host: a\r\n\r\n")).send(behind);
            peer.half_close();
            peer.request();
            peer.expect("disconnect 1");
            peer.expect("nothing");
            peer.answer(1, "x");
            assert_eq!(
                peer.wire(),
                "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
                "it may be a request"
            );
            let is_request = behind.starts_with("GET /b");
            if is_request {
                peer.expect("request 2: GET /b 1.1 \"\"");
                peer.expect("disconnect 2");
                peer.answer(2, "y");
                assert_eq!(
                    peer.wire(),
                    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\ny"
                );
            }
            peer.expect("nothing");
            assert_eq!((peer.close(), peer.wire().as_str()), (Close::Flush, ""));
        }
    }
}

#[test]
fn pipelined_requests_before_it_are_served() {
    let mut peer = Peer::new();
    peer.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c");
    peer.half_close();
    peer.expect("request 1: GET /a 1.1 \"\"");
    peer.expect("disconnect 1");
    peer.answer(1, "");
    peer.expect("request 2: GET /b 1.1 \"\"");
    peer.expect("disconnect 2");
    peer.answer(2, "");
    assert_eq!(peer.close(), Close::Flush);
    assert!(!peer.wire().contains(" 400 "));
}

#[test]
fn a_health_check_before_it_is_not_the_last_request() {
    let readiness = Readiness::new(Some("/health"));
    let shared = Shared::with_readiness(HttpConfig::default(), readiness);
    let mut peer = Peer::of(HttpMachine::Native(H1::new(Rc::new(shared))));
    let check = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    peer.send([request, check, request, check].concat());
    peer.half_close();
    peer.request();
    peer.expect("disconnect 1");
    peer.answer(1, "one");
    peer.expect("request 2: GET /a 1.1 \"\"");
    peer.expect("disconnect 2");
    let wire = peer.wire();
    assert!(
        wire.contains("one") && wire.ends_with("\r\n\r\nok\n"),
        "{wire}"
    );
    assert!(!wire.contains("connection: close"), "{wire}");
    peer.answer(2, "two");
    let wire = peer.wire();
    assert!(
        wire.contains("two") && wire.ends_with("\r\n\r\nok\n"),
        "{wire}"
    );
    assert_eq!(wire.matches("connection: close").count(), 1, "{wire}");
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
