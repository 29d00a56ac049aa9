//! Whether a connection stays, and what the response says about it (RFC 9112, section 9.3).

use std::time::Duration;

use smolcorn::http::HttpCommand;
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

/// The `connection` line and the end of a connection for a request and a response.
fn fate(request: &str, response: &[(&str, &str)]) -> (Option<String>, Close) {
    let mut peer = Peer::new();
    peer.send(request);
    peer.respond(1, head(200, response), b"", true);
    let wire = peer.wire();
    let line = wire
        .lines()
        .find_map(|line| line.strip_prefix("connection: "))
        .map(str::to_owned);
    (line, peer.close())
}

const LENGTH: (&str, &str) = ("content-length", "0");

#[test]
fn http_1_1_stays() {
    for connection in [
        "",
        "Connection: keep-alive\r\n",
        "Connection: TE\r\n",
        "Connection: not-close\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{connection}\r\n");
        assert_eq!(fate(&request, &[LENGTH]), (None, Close::Open));
        assert_eq!(fate(&request, &[]), (None, Close::Open));
    }
}

#[test]
fn http_1_1_closes_when_one_side_says_so() {
    let close = (Some("close".to_owned()), Close::Flush);
    for connection in [
        "close",
        "CLOSE",
        "TE, Close",
        "close, keep-alive",
        "keep-alive\r\nConnection: close",
        ",, close ,",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
        assert_eq!(fate(&request, &[LENGTH]), close, "{connection}");
    }
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for connection in ["close", "Close", "x, close"] {
        assert_eq!(fate(request, &[LENGTH, ("Connection", connection)]), close);
    }
    assert_eq!(
        fate(request, &[LENGTH, ("Connection", "keep-alive")]),
        (None, Close::Open)
    );
}

#[test]
fn http_1_0_closes_unless_asked_to_stay() {
    let close = (Some("close".to_owned()), Close::Flush);
    assert_eq!(fate("GET / HTTP/1.0\r\n\r\n", &[LENGTH]), close);
    let asked = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    assert_eq!(
        fate(asked, &[LENGTH]),
        (Some("keep-alive".to_owned()), Close::Open)
    );
    assert_eq!(
        fate(asked, &[]),
        close,
        "only the end of the connection ends this response"
    );
    assert_eq!(fate(asked, &[LENGTH, ("Connection", "close")]), close);
    let both = "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n";
    assert_eq!(fate(both, &[LENGTH]), close);
    // Responses without a body need no length.
    let asked = "HEAD / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
    assert_eq!(
        fate(asked, &[]),
        (Some("keep-alive".to_owned()), Close::Open)
    );
}

#[test]
fn no_time_to_wait_means_one_response() {
    let mut peer = Peer::with_limits(|limits| limits.keep_alive_timeout = Duration::ZERO);
    assert!(peer.deadline().is_some(), "the first request has time");
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.answer(1, "");
    assert!(peer.wire().contains("connection: close\r\n"));
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_retired_connection_ends_with_what_is_under_way() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.command(HttpCommand::Retire);
    assert_eq!(peer.close(), Close::Open);
    peer.answer(1, "");
    assert!(peer.wire().contains("connection: close\r\n"));
    assert_eq!(peer.close(), Close::Flush);

    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.answer(1, "");
    peer.command(HttpCommand::Retire);
    assert_eq!(peer.close(), Close::Flush);
}
