//! What becomes of a request: our parser understands it, and what the crate takes wrongly is
//! refused before it gets there.

use smolcorn_actors::protocol::Close;

use crate::peer::Peer;

#[test]
fn the_application_sees_the_bytes_of_the_wire() {
    let mut peer = Peer::new();
    peer.send(
        "GET /a/../%2e%2e/\"<>?q=\"&r HTTP/1.1\r\nHost: a\r\nZ: 1\r\nA:  two words \r\nz: 3\r\n\
         User-Agent:x\r\n\r\n",
    );
    let request = peer.request();
    assert_eq!(request.head.path(), b"/a/../%2e%2e/\"<>");
    assert_eq!(request.head.query(), b"q=\"&r");
    let headers: Vec<_> = request.head.headers().collect();
    assert_eq!(
        headers,
        [
            (&b"host"[..], &b"a"[..]),
            (b"z", b"1"),
            (b"a", b"two words"),
            (b"z", b"3"),
            (b"user-agent", b"x"),
        ]
    );
    peer.answer(1, "");
    peer.send("POST http://b/c?d HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab");
    peer.expect("request 2: POST /c 1.1 \"ab\"");
}

#[test]
fn bodies_pass_through_the_crate() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhe");
    let request = peer.request();
    assert_eq!(request.body, b"he");
    assert_eq!(
        request.head.headers().len(),
        2,
        "the crate's own content-type is not the client's"
    );
    peer.send("ll");
    peer.expect("body 1: \"ll\" and more");
    peer.send("o.GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("body 1: \"o.\"");
    peer.answer(1, "");
    peer.expect("request 2: GET / 1.1 \"\"");

    let mut peer = Peer::new();
    let large = "x".repeat(50_000);
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n{large}"
    ));
    let request = peer.request();
    assert!(request.body == large.as_bytes() && request.body_complete);
}

#[test]
fn chunks_do_not_and_may_be_cut_and_extended() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r");
    peer.expect("request 1: POST / 1.1 \"abc\" and more");
    peer.send("\n0\r\nTrailer: 1\r\n\r");
    peer.expect("nothing");
    peer.send("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("body 1: \"\"");
    peer.answer(1, "");
    peer.expect("request 2: GET / 1.1 \"\"");
}

#[test]
fn an_unwanted_body_is_drained() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab");
    peer.request();
    peer.answer(1, "");
    assert_eq!(peer.close(), Close::Open);
    peer.send("cdefGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("request 2: GET / 1.1 \"\"");
}

#[test]
fn the_machine_asks_for_the_body_and_not_the_crate() {
    for value in ["100-continue", "100-Continue"] {
        let mut peer = Peer::new();
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: {value}\r\n\r\n"
        ));
        let request = peer.request();
        assert!(request.expects_continue);
        assert!(request.head.headers().any(|(name, _)| name == b"expect"));
        assert_eq!(peer.wire(), "");
        peer.command(smolcorn::http::HttpCommand::Continue { stream: 1 });
        assert_eq!(peer.wire(), "HTTP/1.1 100 Continue\r\n\r\n");
        peer.send("ok");
        peer.expect("body 1: \"ok\"");
    }
}

#[test]
fn http_1_0_is_refused() {
    for request in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    ] {
        Peer::new().send(request).expect_refusal(505);
    }
}

#[test]
fn methods_are_those_of_the_crate() {
    for method in ["GET", "OPTIONS", "PATCH", "PROPFIND", "MKCALENDAR"] {
        let mut peer = Peer::new();
        peer.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(peer.request().head.method(), method);
    }
    for line in [
        "PURGE /",
        "QUERY /",
        "get /",
        "Get /",
        "CONNECT a:80",
        "OPTIONS *",
    ] {
        Peer::new()
            .send(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .expect_refusal(501);
    }
}

/// http-types panics on them.
#[test]
fn values_are_ascii() {
    for byte in 0x80..=0xff_u8 {
        let mut request = b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3".to_vec();
        request.extend([byte]);
        request.extend(b"\r\n\r\n");
        Peer::new().send(&request).expect_refusal(400);
    }
}

#[test]
fn a_host_is_what_a_url_may_have() {
    for host in ["", "a/evil?z=", "a:99999", "a@b", "[::g]", "a%00b"] {
        Peer::new()
            .send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .expect_refusal(400);
    }
    for host in ["a", "a.b:8000", "127.0.0.1", "[::1]:80"] {
        let mut peer = Peer::new();
        peer.send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        peer.expect("request 1: GET /x 1.1 \"\"");
    }
}

#[test]
fn heads_are_shorter_than_8_kib() {
    let request = |len: usize| {
        let rest = "GET / HTTP/1.1\r\nHost:a\r\nX:\r\n\r\n".len();
        let value = "x".repeat(len - rest);
        format!("GET / HTTP/1.1\r\nHost:a\r\nX:{value}\r\n\r\n")
    };
    let mut peer = Peer::new();
    peer.send(request(8191));
    peer.expect("request 1: GET / 1.1 \"\"");
    Peer::new().send(request(8192)).expect_refusal(431);
    Peer::new()
        .send(format!("GET /{}", "x".repeat(8191)))
        .expect_refusal(414);
    // The limit is the option's where that is lower.
    Peer::with_limits(|limits| limits.head_bytes_max = 100)
        .send(request(101))
        .expect_refusal(431);
}

#[test]
fn heads_have_at_most_128_headers() {
    let request = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(count - 1)
        )
    };
    let mut peer = Peer::new();
    peer.send(request(128));
    assert_eq!(peer.request().head.headers().len(), 128);
    Peer::new().send(request(129)).expect_refusal(431);
}
