//! `Expect: 100-continue` (RFC 9110, section 10.1.1).

use smolcorn::http::HttpCommand;
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

const ASKS: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
const WAITS: &str = "request 1: POST / 1.1 \"\" and more, expects continue";

#[test]
fn the_body_is_asked_for_when_the_application_wants_it() {
    let mut peer = Peer::new();
    peer.send(ASKS);
    peer.expect(WAITS);
    assert_eq!(peer.wire(), "");
    assert_eq!(peer.deadline(), None, "the client waits for us");
    peer.command(HttpCommand::Continue { stream: 1 });
    assert_eq!(peer.wire(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(peer.deadline().is_some());
    peer.command(HttpCommand::Continue { stream: 1 });
    assert_eq!(peer.wire(), "");
    peer.send("hello");
    peer.expect("body 1: \"hello\"");
    peer.answer(1, "ok");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    );
    assert_eq!(peer.close(), Close::Open);
}

#[test]
fn in_any_case() {
    let mut peer = Peer::new();
    peer.send(ASKS.replace("100-continue", "100-Continue"));
    peer.expect(WAITS);
}

#[test]
fn an_answer_without_the_body_ends_the_connection() {
    let mut peer = Peer::new();
    peer.send(ASKS);
    peer.answer(1, "no");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"
    );
    assert_eq!(peer.close(), Close::Linger);
}

#[test]
fn nothing_is_asked_once_the_response_has_begun() {
    let mut peer = Peer::new();
    peer.send(ASKS);
    peer.respond(1, head(200, &[]), b"x", false);
    peer.wire();
    peer.command(HttpCommand::Continue { stream: 1 });
    assert_eq!(peer.wire(), "");
}

#[test]
fn a_body_that_came_unasked_is_taken() {
    let mut peer = Peer::new();
    peer.send(format!("{ASKS}hello"));
    peer.expect("request 1: POST / 1.1 \"hello\"");
    peer.command(HttpCommand::Continue { stream: 1 });
    assert_eq!(peer.wire(), "");
    peer.answer(1, "ok");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    );

    let mut peer = Peer::new();
    peer.send(ASKS).send("he");
    peer.expect(WAITS);
    peer.expect("body 1: \"he\" and more");
    peer.command(HttpCommand::Continue { stream: 1 });
    assert_eq!(peer.wire(), "");
    peer.answer(1, "ok");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    );
    peer.send("llo").send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("request 2: GET / 1.1 \"\"");
}

#[test]
fn nothing_is_expected_without_a_body_or_in_http_1_0() {
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: miracles\r\n\r\n",
    ] {
        let mut peer = Peer::new();
        peer.send(request);
        assert!(!peer.request().expects_continue);
        peer.command(HttpCommand::Continue { stream: 1 });
        assert_eq!(peer.wire(), "");
    }
}

#[test]
fn other_expectations_fail() {
    for value in ["miracles", "", "100-continue, miracles", "100-continue;x"] {
        let mut peer = Peer::new();
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: {value}\r\n\r\n"
        ));
        peer.expect_refusal(417);
    }
}

#[test]
fn too_large_a_body_is_refused_before_it_is_sent() {
    let mut peer = Peer::with_limits(|limits| limits.body_bytes_max = Some(4));
    peer.send(ASKS);
    peer.expect_refusal(413);
}
