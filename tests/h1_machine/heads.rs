//! What a head may say, and what of it reaches the application.

use crate::peer::Peer;
use crate::peer::scripted::NOW_UNIX_SECONDS;
use smolcorn::config::{DefaultHeaders, HttpConfig};

fn refused(request: impl AsRef<[u8]>) -> Option<u16> {
    let mut peer = Peer::new();
    peer.send(request);
    let wire = peer.wire();
    let status = wire.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    status.parse().ok()
}

fn path_and_query(target: &str) -> (String, String) {
    let mut peer = Peer::new();
    peer.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let request = peer.request();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(request.head.path()), text(request.head.query()))
}

#[test]
fn targets() {
    for (target, path, query) in [
        ("/", "/", ""),
        ("/a/b%20c", "/a/b%20c", ""),
        ("/a?b=c&d", "/a", "b=c&d"),
        ("/a?", "/a", ""),
        ("/a?b?c", "/a", "b?c"),
        ("/?a", "/", "a"),
        ("/a#fragment", "/a", ""),
        ("/a?b#fragment?x", "/a", "b"),
        ("/a#?b", "/a", ""),
        ("/a/../%2e%2E//b", "/a/../%2e%2E//b", ""),
        ("//a/b", "//a/b", ""),
        ("/%zz\"<>\\^`{|}", "/%zz\"<>\\^`{|}", ""),
        ("/a:b@c", "/a:b@c", ""),
        ("*", "*", ""),
        ("http://other/scope?x", "/scope", "x"),
        ("HTTP://other:80/scope", "/scope", ""),
        ("http://other", "/", ""),
        ("http://other?x=1", "/", "x=1"),
        ("http://other?x=/y", "/", "x=/y"),
        ("http://other#f", "/", ""),
        ("http://[::1]:8000/x", "/x", ""),
        ("https://a.b/", "/", ""),
    ] {
        assert_eq!(
            path_and_query(target),
            (path.to_owned(), query.to_owned()),
            "{target}"
        );
    }
}

/// RFC 9112, section 3.2.2.
#[test]
fn the_host_of_an_absolute_target_replaces_the_header() {
    for (target, host) in [
        ("http://other/x", "other"),
        ("http://other:81?x", "other:81"),
        ("https://[::1]#f", "[::1]"),
        ("/http://other/", "a"),
        ("*", "a"),
    ] {
        let mut peer = Peer::new();
        peer.send(format!("GET {target} HTTP/1.1\r\nX: 1\r\nHOST: a\r\n\r\n"));
        let request = peer.request();
        let headers: Vec<_> = request.head.headers().collect();
        let expected: [(&[u8], &[u8]); 2] = [(b"x", b"1"), (b"host", host.as_bytes())];
        assert_eq!(headers, expected, "{target}");
    }
    for host in ["", "Host: a\r\nHost: a\r\n", "Host: a/b\r\n"] {
        let request = format!("GET http://other/x HTTP/1.1\r\n{host}\r\n");
        assert_eq!(refused(request), Some(400), "{host:?}");
    }
}

#[test]
fn bad_targets() {
    for target in [
        "",
        "a",
        "?a",
        "#a",
        "a/b",
        "http:",
        "http:/",
        "http://",
        "http:///x",
        "http://?x",
        "://a/",
        "1http://a/",
        "http://a b/",
        "http://user@a/",
        "http://a:x/",
        "http://[::1/",
        "**",
        "*?a",
        "a:80",
        "/\u{e4}",
        "/\u{7f}",
        "/a\tb",
        "/a\0b",
        "/a\x01",
        "/a /b",
    ] {
        assert_eq!(
            refused(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")),
            Some(400),
            "{target:?}"
        );
    }
    assert_eq!(refused(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), Some(400));
}

#[test]
fn methods_are_served_as_sent() {
    for method in [
        "GET",
        "get",
        "PURGE",
        "M-SEARCH",
        "x!#$%&'*+-.^_`|~9",
        "connect",
    ] {
        let mut peer = Peer::new();
        peer.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(peer.request().head.method(), method);
    }
    assert_eq!(
        refused("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Some(501)
    );
    for method in ["", "G(T", "G\u{e4}T", "GET\t", "G\0T", "\"GET\""] {
        assert_eq!(
            refused(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")),
            Some(400),
            "{method:?}"
        );
    }
}

#[test]
fn versions() {
    for (version, served_as) in [
        ("1.0", "1.0"),
        ("1.1", "1.1"),
        ("1.2", "1.1"),
        ("1.9", "1.1"),
    ] {
        let mut peer = Peer::new();
        peer.send(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
        assert_eq!(peer.request().head.version().as_str(), served_as);
    }
    for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.1"] {
        assert_eq!(
            refused(format!("GET / {version}\r\nHost: a\r\n\r\n")),
            Some(505),
            "{version}"
        );
    }
    for version in [
        "",
        "HTTP",
        "HTTP/",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/11",
        "HTTP/1.10",
        "HTTP/10.1",
        "HTTP/1.x",
        "http/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 x",
        " HTTP/1.1",
        "HTP/1.1",
        "HTTP/-1.1",
        "RTSP/1.0",
        "HTTP/1.2x",
    ] {
        assert_eq!(
            refused(format!("GET / {version}\r\nHost: a\r\n\r\n")),
            Some(400),
            "{version:?}"
        );
    }
    assert_eq!(refused("GET /\r\nHost: a\r\n\r\n"), Some(400));
    assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(505));
}

#[test]
fn hosts() {
    for host in [
        "a",
        "a.b:80",
        "a:",
        "",
        "127.0.0.1:8000",
        "[::1]",
        "[::1]:80",
        "[v1.x]",
        "a_b",
        "%41b",
        "a,b",
        "!$&'()*+,;=~-",
    ] {
        assert_eq!(
            refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")),
            None,
            "{host:?}"
        );
    }
    for host in [
        "a b", "a/b", "a@b", "a:80:80", "a:x", "[::1", "[]", "[::1]x", "a?b", "a#b", "%4", "%zz",
        "\u{e4}", "http://a", "a\\b", "<a>",
    ] {
        assert_eq!(
            refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")),
            Some(400),
            "{host:?}"
        );
    }
    for version in ["1.0", "1.1"] {
        let twice = format!("GET / HTTP/{version}\r\nHost: a\r\nHost: a\r\n\r\n");
        assert_eq!(refused(twice), Some(400));
    }
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), Some(400));
    assert_eq!(refused("GET / HTTP/1.0\r\n\r\n"), None);
}

#[test]
fn headers_keep_order_duplicates_and_bytes() {
    let mut peer = Peer::new();
    peer.send(
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nX-B:\r\nCOOKIE:b=2 \t \r\nx-b: \xff\xe4 \"\t,\" \xc3\xa4\r\n\
          X!#$%&'*+-.^_`|~9: y\r\n\r\n",
    );
    let request = peer.request();
    let headers: Vec<_> = request.head.headers().collect();
    let expected: [(&[u8], &[u8]); 6] = [
        (b"host", b"a"),
        (b"cookie", b"a=1"),
        (b"x-b", b""),
        (b"cookie", b"b=2"),
        (b"x-b", b"\xff\xe4 \"\t,\" \xc3\xa4"),
        (b"x!#$%&'*+-.^_`|~9", b"y"),
    ];
    assert_eq!(headers, expected);
}

/// Each byte at each of many places, so that no vectorised path lets one through.
#[test]
fn every_byte_in_a_value_and_in_a_name() {
    for byte in 0..=255_u8 {
        for place in [0, 1, 7, 15, 16, 31, 32, 33, 63] {
            let mut value = [b'v'; 70];
            value[place] = byte;
            let request = [
                &b"GET / HTTP/1.1\r\nHost: a\r\nName: "[..],
                &value,
                b"\r\n\r\n",
            ]
            .concat();
            let allowed = byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
            assert_eq!(
                refused(request).is_none(),
                allowed,
                "value {byte:#x} at {place}"
            );

            let mut name = [b'n'; 70];
            name[place] = byte;
            let request = [&b"GET / HTTP/1.1\r\nHost: a\r\n"[..], &name, b": v\r\n\r\n"].concat();
            let is_token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            // A colon ends the name earlier, which is another header and no error.
            let allowed = is_token || (byte == b':' && place > 0);
            assert_eq!(
                refused(request).is_none(),
                allowed,
                "name {byte:#x} at {place}"
            );
        }
    }
}

#[test]
fn every_byte_in_a_target() {
    for byte in 0..=255_u8 {
        for place in [0, 1, 14, 15, 16, 31, 32, 47] {
            let mut target = [b'/'; 50];
            target[1 + place] = byte;
            let request = [&b"GET "[..], &target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            assert_eq!(
                refused(request).is_none(),
                byte.is_ascii_graphic(),
                "{byte:#x} at {place}"
            );
        }
    }
}

#[test]
fn empty_lines_before_a_request_are_dropped() {
    let mut peer = Peer::new();
    peer.send("\r\n")
        .send("\r")
        .send("\n\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("request 1: GET /a 1.1 \"\"");
    peer.answer(1, "");
    peer.send("\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.expect("request 2: GET /b 1.1 \"\"");
    assert_eq!(refused("\r\n".repeat(9)), Some(400));
}

#[test]
fn what_is_no_http_is_refused_at_once() {
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for garbage in [
        &client_hello[..],
        b"\0",
        b"\x80",
        b" GET",
        b"{\"a\"",
        b"GE\x00",
        b"<html>",
        b"\r\r",
    ] {
        assert_eq!(refused(garbage), Some(400), "{garbage:?}");
    }
    for beginning in ["G", "GET", "GET ", "GET /\0", "\r", "SSH-2.0-x"] {
        assert_eq!(refused(beginning), None, "{beginning:?}");
    }
}

#[test]
fn refusals_to_the_byte() {
    let mut peer = Peer::with_config(HttpConfig {
        headers: DefaultHeaders::default(),
        ..HttpConfig::default()
    });
    peer.send("bad request\r\n\r\n");
    peer.expect("warning: invalid request 400");
    assert_eq!(NOW_UNIX_SECONDS, 784_111_777);
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 400 Bad Request\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nserver: smolcorn\r\n\
         content-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\nconnection: close\r\n\r\n\
         Invalid HTTP request received."
    );
    let mut peer = Peer::new();
    peer.send("GET / HTTP/2.0\r\n\r\n");
    assert_eq!(
        peer.wire(),
        "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: 26\r\nconnection: close\r\n\r\nHTTP Version Not Supported"
    );
}

#[test]
fn an_upgrade_is_served_as_an_ordinary_request() {
    let mut peer = Peer::new();
    peer.send(
        "POST /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\
         Content-Length: 4\r\n\r\nbodyGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    peer.expect("warning: unsupported upgrade");
    peer.expect("request 1: POST /ws 1.1 \"body\"");
    assert_eq!(peer.waiting(), 31, "the bytes behind it are kept");
    peer.answer(1, "");
    peer.expect("request 2: GET /next 1.1 \"\"");
    // One of the two headers alone asks for nothing, and HTTP/1.0 has no upgrades.
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ] {
        let mut peer = Peer::new();
        peer.send(request);
        peer.request();
    }
}
