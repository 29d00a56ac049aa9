//! Responses as the crate writes them, without what it would make up.

use std::io::{Seek, Write};

use smolcorn::config::{DefaultHeaders, HttpConfig};
use smolcorn::http::HttpCommand;
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

fn ask(request_line: &str) -> Peer {
    let mut peer = Peer::new();
    peer.send(format!("{request_line} HTTP/1.1\r\nHost: a\r\n\r\n"));
    peer.request();
    peer
}

#[test]
fn headers_are_sorted_by_name() {
    let mut peer = ask("GET /");
    peer.respond(
        1,
        head(
            200,
            &[
                ("X-One", "1: 2"),
                ("Set-Cookie", "b"),
                ("Content-Length", "5"),
                ("set-cookie", "a"),
                ("Empty", ""),
            ],
        ),
        b"hello",
        true,
    );
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nempty: \r\nset-cookie: b\r\nset-cookie: a\r\n\
         x-one: 1: 2\r\n\r\nhello"
    );
    assert_eq!(peer.close(), Close::Open);
    peer.expect("nothing");
}

#[test]
fn our_headers_and_the_applications() {
    let mut peer = Peer::with_config(HttpConfig {
        headers: DefaultHeaders {
            extra: vec![(b"x-extra".to_vec(), b"1".to_vec())],
            ..DefaultHeaders::default()
        },
        ..HttpConfig::default()
    });
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.answer(1, "ok");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         server: smolcorn\r\nx-extra: 1\r\n\r\nok"
    );
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let headers = [("Date", ""), ("Server", "mine"), ("Content-Length", "0")];
    peer.respond(2, head(200, &headers), b"", true);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: \r\nserver: mine\r\nx-extra: 1\r\n\r\n"
    );
}

#[test]
fn without_a_length_a_response_is_chunked() {
    let mut peer = ask("GET /");
    peer.respond(1, head(200, &[]), b"first", false);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    );
    peer.expect("sent 1: 64");
    peer.body(1, "", false);
    assert_eq!(peer.wire(), "");
    peer.body(1, "0123456789", false);
    assert_eq!(peer.wire(), "A\r\n0123456789\r\n");
    peer.body(1, "last", true);
    assert_eq!(peer.wire(), "4\r\nlast\r\n0\r\n\r\n");

    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.respond(2, head(200, &[]), b"", true);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    );
}

#[test]
fn large_pieces_become_several_chunks() {
    let large = "x".repeat(40_000);
    let mut peer = ask("GET /");
    peer.respond(1, head(200, &[]), large.as_bytes(), true);
    let wire = peer.wire();
    let (_, mut rest) = wire.split_once("\r\n\r\n").unwrap();
    let mut sizes = Vec::new();
    while let Some((size, behind)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        assert!(behind[..size].bytes().all(|byte| byte == b'x'));
        rest = behind[size..].strip_prefix("\r\n").unwrap();
        sizes.push(size);
    }
    assert_eq!(
        (sizes.iter().sum::<usize>(), sizes.pop()),
        (40_000, Some(0))
    );
    assert!(sizes.len() > 1);
    assert_eq!(peer.close(), Close::Open);
}

#[test]
fn large_bodies_with_a_length() {
    let large = "x".repeat(100_000);
    let mut peer = ask("GET /");
    peer.respond(
        1,
        head(200, &[("content-length", "100000")]),
        &large.as_bytes()[..30_000],
        false,
    );
    peer.body(1, &large[30_000..], true);
    assert_eq!(
        peer.wire(),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{large}")
    );
}

#[test]
fn too_much_and_too_little_cut_the_connection() {
    let mut peer = ask("GET /");
    peer.respond(1, head(200, &[("content-length", "3")]), b"ab", false);
    peer.body(1, "cd", true);
    assert_eq!(peer.close(), Close::Flush);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"
    );
    let mut peer = ask("GET /");
    peer.respond(1, head(200, &[("content-length", "3")]), b"ab", true);
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn no_body_and_no_made_up_length_for_head_204_and_304() {
    for (request_line, status, headers, expected) in [
        ("HEAD /", 200, &[][..], "HTTP/1.1 200 OK\r\n\r\n"),
        (
            "HEAD /",
            200,
            &[("content-length", "4")],
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
        ),
        (
            "HEAD /",
            200,
            &[("content-length", "0")],
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ),
        ("GET /", 204, &[], "HTTP/1.1 204 No Content\r\n\r\n"),
        (
            "GET /",
            204,
            &[("content-length", "4")],
            "HTTP/1.1 204 No Content\r\n\r\n",
        ),
        (
            "GET /",
            304,
            &[("etag", "\"x\"")],
            "HTTP/1.1 304 Modified\r\netag: \"x\"\r\n\r\n",
        ),
        (
            "GET /",
            304,
            &[("content-length", "4")],
            "HTTP/1.1 304 Modified\r\ncontent-length: 4\r\n\r\n",
        ),
    ] {
        let mut peer = ask(request_line);
        peer.respond(1, head(status, headers), b"body", false);
        peer.body(1, "more", true);
        assert_eq!(peer.wire(), expected);
        peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        peer.expect("sent 1: 64");
        peer.expect("request 2: GET / 1.1 \"\"");
    }
}

/// http-types panics on them.
#[test]
fn what_the_crate_cannot_write_becomes_a_500() {
    let broken = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n\
                  content-length: 21\r\nconnection: close\r\n\r\n";
    for (status, headers) in [
        (299, &[][..]),
        (208, &[]),
        (599, &[("content-length", "2")]),
        (200, &[("x", "\u{e4}")]),
    ] {
        for (request_line, text) in [("GET /", "Internal Server Error"), ("HEAD /", "")] {
            let mut peer = ask(request_line);
            peer.respond(1, head(status, headers), b"ok", false);
            peer.body(1, "more", true);
            assert_eq!(peer.wire(), format!("{broken}{text}"));
            peer.expect(&format!("warning: unwritable response {status}"));
            peer.expect("disconnect 1: gone");
            peer.expect("nothing");
            assert_eq!(peer.close(), Close::Flush);
        }
    }
}

#[test]
fn every_status_goes_out_or_becomes_a_500() {
    for status in 200..=599 {
        let mut peer = ask("GET /");
        peer.respond(1, head(status, &[("content-length", "0")]), b"", true);
        let wire = peer.wire();
        let kept = wire.starts_with(&format!("HTTP/1.1 {status} "));
        assert!(kept || wire.starts_with("HTTP/1.1 500 "), "{wire}");
        assert_eq!(peer.close() == Close::Open, kept);
    }
}

#[test]
fn the_last_response_says_close() {
    let mut peer = ask("GET /");
    peer.drain();
    peer.answer(1, "x");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx"
    );
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn trailers_are_dropped() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
    peer.request();
    let mut announcing = head(200, &[]);
    announcing.expect_trailers();
    peer.respond(1, announcing, b"body", true);
    peer.command(HttpCommand::Trailers {
        stream: 1,
        lines: b"x-sum: 1\r\n".to_vec(),
    });
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    );
    assert_eq!(peer.close(), Close::Open);
}

#[test]
fn files_go_past_the_crate() {
    for (headers, expected) in [
        (
            &[("content-length", "4")][..],
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfile",
        ),
        (
            &[],
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfile\r\n0\r\n\r\n",
        ),
    ] {
        let mut peer = ask("GET /");
        peer.respond(1, head(200, headers), b"", false);
        peer.command(HttpCommand::File {
            stream: 1,
            file: file(b"file"),
            len_bytes: 4,
        });
        assert_eq!(peer.wire(), expected);
        assert_eq!(peer.close(), Close::Open);
    }
}

/// A file that is gone from the directory as soon as it is open.
fn file(content: &[u8]) -> std::fs::File {
    let path = std::env::temp_dir().join(format!(
        "smolcorn-async-h1-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}
