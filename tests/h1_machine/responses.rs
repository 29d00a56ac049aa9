//! How responses are written.

use std::io::Write;

use smolcorn::http::HttpCommand;
use smolcorn::http::field::BadHeader;
use smolcorn::http::limits::UNSENT_BYTES_MAX;
use smolcorn::http::response::ResponseHead;
use smolcorn_actors::pool::Pooled;
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

fn ask(request_line: &str, headers: &str) -> Peer {
    let mut peer = Peer::new();
    peer.send(format!("{request_line}\r\nHost: a\r\n{headers}\r\n"));
    peer.request();
    peer
}

#[test]
fn unknown_statuses_have_an_empty_reason() {
    let mut peer = ask("GET / HTTP/1.1", "");
    peer.respond(1, head(299, &[("content-length", "0")]), b"", true);
    assert_eq!(peer.wire(), "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n");
}

#[test]
fn no_body_for_head_204_and_304() {
    for (request_line, status, headers, wire) in [
        (
            "HEAD / HTTP/1.1",
            200,
            &[("content-length", "4")][..],
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
        ),
        ("HEAD / HTTP/1.1", 200, &[][..], "HTTP/1.1 200 OK\r\n\r\n"),
        (
            "GET / HTTP/1.1",
            204,
            &[][..],
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            204,
            &[("content-length", "0")][..],
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            304,
            &[][..],
            "HTTP/1.1 304 Not Modified\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1",
            304,
            &[("content-length", "9")][..],
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        ),
    ] {
        let mut peer = ask(request_line, "");
        peer.respond(1, head(status, headers), b"body", true);
        assert_eq!(peer.wire(), wire);
        let mut peer = ask(request_line, "");
        peer.respond(1, head(status, headers), b"bo", false);
        peer.expect("sent 1: 64");
        peer.body(1, "dy", true);
        assert_eq!(peer.wire(), wire);
        assert_eq!(peer.close(), Close::Open);
    }
}

#[test]
fn http_1_0_never_gets_chunks() {
    let mut peer = ask("GET / HTTP/1.0", "Connection: keep-alive\r\n");
    peer.respond(
        1,
        head(200, &[("transfer-encoding", "chunked")]),
        b"one ",
        false,
    );
    peer.body(1, "two", true);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\none two"
    );
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn framing_is_the_servers() {
    let mut peer = ask("GET / HTTP/1.1", "");
    let headers = [
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", " 002"),
        ("content-length", "2"),
        ("CONNECTION", "keep-alive, X-Y"),
        ("X-Y", "  z "),
    ];
    peer.respond(1, head(200, &headers), b"ok", true);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-y:   z \r\n\r\nok"
    );
}

#[test]
fn bad_headers_are_refused_and_leave_no_trace() {
    let mut head = ResponseHead::new(200);
    head.push(b"content-length", b"2").unwrap();
    for name in [
        "", " ", "a b", "a:", "a\r\n", "a\0", "\u{e4}", "(a)", "a\"", "a,b", "\x7f",
    ] {
        assert_eq!(
            head.push(name.as_bytes(), b"x"),
            Err(BadHeader::Name),
            "{name:?}"
        );
    }
    for value in ["\r\nx: y", "\r", "\n", "a\0", "\x01", "\x1f", "\x7f"] {
        assert_eq!(
            head.push(b"x", value.as_bytes()),
            Err(BadHeader::Value),
            "{value:?}"
        );
        assert_eq!(head.push(b"date", value.as_bytes()), Err(BadHeader::Value));
    }
    for value in ["", "x", "3", "-2", "+2", "2,2", "99999999999999999999"] {
        assert_eq!(
            head.push(b"Content-Length", value.as_bytes()),
            Err(BadHeader::ContentLength),
            "{value:?}"
        );
    }
    head.push(b"X!#$%&'*+-.^_`|~9", b"\t \xff\xe4").unwrap();
    assert_eq!((head.status(), head.content_length()), (200, Some(2)));
    let mut peer = ask("GET / HTTP/1.1", "");
    peer.respond(1, head, b"ok", true);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx!#$%&'*+-.^_`|~9: \t \u{fffd}\u{fffd}\r\n\r\nok"
    );
}

#[test]
fn large_bodies_go_out_as_they_are() {
    let large = "x".repeat(100_000);
    let mut peer = ask("GET / HTTP/1.1", "");
    peer.respond(1, head(200, &[]), large.as_bytes(), true);
    assert_eq!(
        peer.wire(),
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n186a0\r\n{large}\r\n0\r\n\r\n"
        )
    );
}

#[test]
fn chunk_sizes_are_hexadecimal() {
    for (len, digits) in [
        (1, "1"),
        (9, "9"),
        (10, "a"),
        (15, "f"),
        (16, "10"),
        (255, "ff"),
        (256, "100"),
        (4096, "1000"),
    ] {
        let mut peer = ask("GET / HTTP/1.1", "");
        peer.respond(1, head(200, &[]), b"", false);
        peer.wire();
        peer.body(1, "x".repeat(len), false);
        assert_eq!(peer.wire(), format!("{digits}\r\n{}\r\n", "x".repeat(len)));
    }
}

#[test]
fn early_hints() {
    let links = || vec![b"</a.css>; rel=preload".to_vec(), b"</b.js>".to_vec()];
    let mut peer = ask("GET / HTTP/1.1", "");
    peer.command(HttpCommand::EarlyHint {
        stream: 1,
        links: links(),
    });
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>\r\n\r\n"
    );
    peer.command(HttpCommand::EarlyHint {
        stream: 1,
        links: Vec::new(),
    });
    assert_eq!(peer.wire(), "");
    peer.answer(1, "");
    assert_eq!(peer.wire(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");

    let mut peer = ask("GET / HTTP/1.1", "");
    peer.respond(1, head(200, &[]), b"", false);
    peer.wire();
    peer.command(HttpCommand::EarlyHint {
        stream: 1,
        links: links(),
    });
    assert_eq!(peer.wire(), "", "the final response has begun");

    let mut peer = ask("GET / HTTP/1.0", "");
    peer.command(HttpCommand::EarlyHint {
        stream: 1,
        links: links(),
    });
    assert_eq!(peer.wire(), "", "HTTP/1.0 has no interim responses");
}

#[test]
fn early_hints_that_nobody_reads_are_not_piled_up() {
    let mut peer = ask("GET / HTTP/1.1", "");
    peer.stall();
    for _ in 0..10_000 {
        peer.command(HttpCommand::EarlyHint {
            stream: 1,
            links: vec![b"</a.css>; rel=preload".to_vec()],
        });
    }
    peer.resume();
    let hints = peer.wire();
    assert!(hints.len() > UNSENT_BYTES_MAX as usize);
    assert!(hints.len() < UNSENT_BYTES_MAX as usize + 100);
    peer.answer(1, "");
    assert_eq!(peer.wire(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

fn announcing(headers: &[(&str, &str)]) -> Pooled<ResponseHead> {
    let mut head = head(200, headers);
    head.expect_trailers();
    head
}

#[test]
fn trailers_go_out_in_chunks_to_who_wants_them() {
    let trailers = || HttpCommand::Trailers {
        stream: 1,
        lines: b"x-sum: 1\r\n".to_vec(),
    };
    let start = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n";
    for (te, end) in [
        ("TE: trailers\r\n", "0\r\nx-sum: 1\r\n\r\n"),
        ("TE: deflate;q=0.5, Trailers\r\n", "0\r\nx-sum: 1\r\n\r\n"),
        ("", "0\r\n\r\n"),
        ("TE: gzip\r\n", "0\r\n\r\n"),
    ] {
        let mut peer = ask("GET / HTTP/1.1", te);
        peer.respond(1, announcing(&[]), b"body", true);
        assert_eq!(peer.wire(), start);
        peer.command(trailers());
        assert_eq!(peer.wire(), end);
        peer.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
        peer.expect("sent 1: 64");
        peer.expect("request 2: GET /next 1.1 \"\"");
    }
}

#[test]
fn trailers_that_cannot_be_carried_are_dropped() {
    let trailers = || HttpCommand::Trailers {
        stream: 1,
        lines: b"x-sum: 1\r\n".to_vec(),
    };
    for (request_line, headers) in [
        ("GET / HTTP/1.1", &[("content-length", "4")][..]),
        ("GET / HTTP/1.0", &[]),
        ("HEAD / HTTP/1.1", &[]),
    ] {
        let mut peer = ask(request_line, "TE: trailers\r\n");
        peer.respond(1, announcing(headers), b"body", true);
        peer.wire();
        peer.command(trailers());
        assert_eq!(peer.wire(), "");
        peer.body(1, "late", true);
        assert_eq!(peer.wire(), "", "the response is complete");
    }
}

/// A file that is gone from the directory as soon as it is open.
fn file(content: &[u8]) -> std::fs::File {
    let path = std::env::temp_dir().join(format!(
        "smolcorn-h1-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::File::create(&path)
        .unwrap()
        .write_all(content)
        .unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

#[test]
fn files() {
    let content = b"0123456789abcdefXX";
    for (request_line, headers, wire, close) in [
        (
            "GET / HTTP/1.1",
            &[("content-length", "16")][..],
            "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n0123456789abcdef",
            Close::Open,
        ),
        (
            "GET / HTTP/1.1",
            &[],
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
            Close::Open,
        ),
        (
            "GET / HTTP/1.0",
            &[],
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n0123456789abcdef",
            Close::Flush,
        ),
        (
            "HEAD / HTTP/1.1",
            &[],
            "HTTP/1.1 200 OK\r\n\r\n",
            Close::Open,
        ),
        (
            "GET / HTTP/1.1",
            &[("content-length", "17")],
            "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n",
            Close::Flush,
        ),
    ] {
        let mut peer = ask(request_line, "");
        peer.respond(1, head(200, headers), b"", false);
        peer.command(HttpCommand::File {
            stream: 1,
            file: file(content),
            len_bytes: 16,
        });
        assert_eq!(peer.wire(), wire);
        assert_eq!(peer.close(), close);
        peer.expect("nothing");
    }
    let mut peer = ask("GET / HTTP/1.1", "");
    peer.respond(1, head(200, &[]), b"", false);
    peer.command(HttpCommand::File {
        stream: 1,
        file: file(b""),
        len_bytes: 0,
    });
    assert!(peer.wire().ends_with("\r\n\r\n0\r\n\r\n"));
}
