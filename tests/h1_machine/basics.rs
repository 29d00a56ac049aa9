//! One request after the other, as every client does it.

use smolcorn::config::{DefaultHeaders, HttpConfig};
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

#[test]
fn a_get_and_its_response() {
    let mut peer = Peer::new();
    peer.send("GET /path?a=1&b HTTP/1.1\r\nHost: localhost\r\nX-Name:  some value \t\r\n\r\n");
    let request = peer.request();
    assert_eq!(request.stream, 1);
    assert_eq!(request.head.method(), "GET");
    assert_eq!(request.head.path(), b"/path");
    assert_eq!(request.head.query(), b"a=1&b");
    assert_eq!(request.head.version().as_str(), "1.1");
    let headers: Vec<_> = request.head.headers().collect();
    assert_eq!(
        headers,
        [
            (&b"host"[..], &b"localhost"[..]),
            (b"x-name", b"some value")
        ]
    );
    assert!(request.body_complete && request.body.is_empty() && !request.expects_continue);

    peer.respond(
        1,
        head(
            200,
            &[("Content-Type", "text/plain"), ("Content-Length", "5")],
        ),
        b"hello",
        true,
    );
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
    );
    assert_eq!(peer.close(), Close::Open);
    peer.expect("nothing");
}

#[test]
fn default_headers_stand_in_front() {
    let extra = vec![(b"x-extra".to_vec(), b"1".to_vec())];
    let headers = DefaultHeaders {
        extra,
        ..DefaultHeaders::default()
    };
    let mut peer = Peer::with_config(HttpConfig {
        headers,
        ..HttpConfig::default()
    });
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.answer(1, "ok");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nserver: smolcorn\r\n\
         x-extra: 1\r\ncontent-length: 2\r\n\r\nok"
    );
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.respond(
        2,
        head(
            200,
            &[
                ("Date", "today"),
                ("Server", "mine"),
                ("Content-Length", "0"),
            ],
        ),
        b"",
        true,
    );
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\nx-extra: 1\r\ndate: today\r\nserver: mine\r\ncontent-length: 0\r\n\r\n"
    );
}

#[test]
fn bodies_with_a_length_and_in_chunks() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    peer.expect("request 1: POST / 1.1 \"hello\"");
    peer.answer(1, "1");
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    peer.expect("request 2: POST / 1.1 \"he\" and more");
    peer.send("ll");
    peer.expect("body 2: \"ll\" and more");
    peer.send("o");
    peer.expect("body 2: \"o\"");
    peer.answer(2, "2");
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1");
    peer.expect("request 3: POST / 1.1 \"hello\" and more");
    peer.send("0\r\n0123456789abcdef\r\n0\r\n");
    peer.expect("body 3: \"0123456789abcdef\" and more");
    peer.send("\r\n");
    peer.expect("body 3: \"\"");
    peer.answer(3, "3");
    peer.expect("nothing");
    assert_eq!(peer.close(), Close::Open);
}

#[test]
fn without_a_length_a_response_is_chunked() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.respond(1, head(200, &[]), b"first", false);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    );
    peer.body(1, "", false);
    assert_eq!(peer.wire(), "");
    peer.body(1, "0123456789abcdef", false);
    assert_eq!(peer.wire(), "10\r\n0123456789abcdef\r\n");
    peer.body(1, "last", true);
    assert_eq!(peer.wire(), "4\r\nlast\r\n0\r\n\r\n");
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.respond(2, head(200, &[]), b"all", true);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n\r\n"
    );
}
