//! Where a request ends: what is ambiguous is refused, never guessed (RFC 9112, section 6).

use smolcorn_actors::protocol::Close;

use crate::peer::Peer;

/// A request with these header lines, and something that looks like another request behind it.
fn send(lines: &str) -> Peer {
    let mut peer = Peer::new();
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
    ));
    peer
}

#[test]
fn ambiguous_lengths_are_refused() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: -0\r\n",
        "Content-Length:\r\n",
        "Content-Length:  \r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5a\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 99999999999999999999999999999999\r\n",
        "Content-Length: \u{0665}\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: ,\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
    ] {
        let mut peer = send(lines);
        assert_eq!(
            peer.event().map(|_| ()),
            Some(()),
            "{lines:?} got no answer"
        );
        assert!(
            peer.wire().starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{lines:?}"
        );
        assert_eq!(peer.close(), Close::Linger, "{lines:?}");
        peer.expect("nothing");
    }
}

#[test]
fn other_codings_are_not_implemented() {
    for value in [
        "gzip",
        "gzip, chunked",
        "identity",
        "xchunked",
        "chunkedx",
        "gzip;q=1",
    ] {
        let mut peer = send(&format!("Transfer-Encoding: {value}\r\n"));
        peer.expect_refusal(501);
    }
}

#[test]
fn chunked_is_a_name_in_any_case() {
    for value in ["chunked", "Chunked", "CHUNKED", " \tchunked \t"] {
        let mut peer = Peer::new();
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:{value}\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        ));
        peer.expect("request 1: POST / 1.1 \"abc\"");
    }
}

#[test]
fn http_1_0_has_no_transfer_codings() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    peer.expect_refusal(400);
}

#[test]
fn lengths_are_decimal_numbers() {
    for (value, body) in [
        ("0", ""),
        ("3", "abc"),
        ("003", "abc"),
        ("00000000000000000000003", "abc"),
    ] {
        let mut peer = Peer::new();
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\nabc"
        ));
        peer.expect(&format!("request 1: POST / 1.1 {body:?}"));
    }
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nabc");
    peer.expect("request 1: POST / 1.1 \"abc\" and more");
}

#[test]
fn a_body_without_a_length_is_the_next_request() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\n\r\nbody");
    peer.expect("request 1: POST / 1.1 \"\"");
    peer.answer(1, "");
    peer.expect("nothing");
    peer.send("/x HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("warning: invalid request 400");
}

#[test]
fn line_ends_are_crlf() {
    for request in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n",
    ] {
        let mut peer = Peer::new();
        peer.send(request);
        assert!(peer.wire().starts_with("HTTP/1.1 400 "), "{request:?}");
    }
}

#[test]
fn a_bare_line_feed_is_refused_before_the_head_ends() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\n");
    peer.expect_refusal(400);
}

#[test]
fn header_lines_have_one_shape() {
    for line in [
        "Name : b",
        "Name\t: b",
        " Name: b",
        "\tName: b",
        "Name",
        ": b",
        "Na me: b",
        "Na\0me: b",
        "Name: a\0b",
        "Name: a\x01b",
        "Name: a\x0bb",
        "Name: a\x7fb",
        "N\u{e4}me: b",
        "(Name): b",
        "Name,: b",
        "Name: a\r\n b",
        "Name: a\r\n\tb",
        "Name: a\r\n ",
        "Content-Length : 0",
    ] {
        for request in [
            format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n"),
        ] {
            let mut peer = Peer::new();
            peer.send(&request);
            assert!(peer.wire().starts_with("HTTP/1.1 400 "), "{request:?}");
        }
    }
}

#[test]
fn chunks_have_one_shape() {
    for body in [
        "\r\n",
        "x",
        ";a\r\n",
        " 5\r\nhello",
        "-5\r\nhello",
        "+5\r\nhello",
        "0x5\r\nhello",
        "5 \r\nhello",
        "5 x\r\nhello",
        "5\nhello",
        "5\rhello",
        "5;a\nhello",
        "5;a\rb\r\nhello",
        "5;a\0b\r\n",
        "5\r\nhello\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX",
        "5\r\nhello\rX",
        "5\r\nhello\r\n\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\nhello",
        "0\r\nName\r\n",
        "0\r\nName : a\r\n",
        "0\r\n Name: a\r\n",
        "0\r\n: a\r\n",
        "0\r\nName: a\n",
        "0\r\nName: a\rb",
        "0\r\nName: \0",
        "0\r\n\n",
        "0\r\n\rX",
        "0\n\r\n",
        "g\r\n",
        "5,\r\n",
        "\u{661}\r\n",
    ] {
        let mut peer = Peer::new();
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer.expect("request 1: POST / 1.1 \"\" and more");
        peer.send(body);
        assert!(peer.wire().starts_with("HTTP/1.1 400 "), "{body:?}");
        assert_eq!(peer.close(), Close::Linger);
    }
}

#[test]
fn extensions_and_trailers_are_dropped() {
    let mut peer = Peer::new();
    peer.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         5;name=value;quoted=\"a;b\"\r\nhello\r\n1 \t;x\r\n!\r\nA;\r\n0123456789\r\n000;last\r\n\
         Trailer: value\r\nContent-Length: 7\r\nEmpty:\r\n\r\n\
         GET /next HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    peer.expect("request 1: POST / 1.1 \"hello!0123456789\"");
    peer.answer(1, "");
    peer.expect("request 2: GET /next 1.1 \"\"");
}
