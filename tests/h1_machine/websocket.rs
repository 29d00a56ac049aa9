//! Requests for a WebSocket, and the machine that takes the connection over.

use smolcorn::config::{DefaultHeaders, HttpConfig, WebSocketConfig, WebSockets};
use smolcorn::http::HttpCommand;
use smolcorn::http::response::ResponseHead;
use smolcorn::ws::WsCommand;
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

const HANDSHAKE: &str = "GET /chat?a=b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
/// A text frame, `Hello`, masked (RFC 6455, section 5.7).
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

fn accept(peer: &mut Peer, headers: &[(&str, &str)]) {
    let mut head = ResponseHead::switching();
    for (name, value) in headers {
        head.push(name.as_bytes(), value.as_bytes()).unwrap();
    }
    peer.command(HttpCommand::Accept { stream: 1, head });
}

fn say(peer: &mut Peer, command: WsCommand) {
    peer.command(HttpCommand::WebSocket { stream: 1, command });
}

fn handshaking() -> Peer {
    let mut peer = Peer::new();
    peer.send(HANDSHAKE);
    peer.expect("handshake 1: /chat []");
    peer.expect("nothing");
    peer
}

#[test]
fn an_accepted_request_is_a_websocket() {
    let mut peer = handshaking();
    assert_eq!(peer.deadline(), None, "the application takes its time");
    accept(
        &mut peer,
        &[
            ("x-a", "1"),
            ("content-length", "5"),
            ("connection", "close"),
        ],
    );
    assert_eq!(peer.wire(), format!("{SWITCH}x-a: 1\r\n\r\n"));
    peer.send(HELLO);
    peer.expect("websocket 1: Text(\"Hello\")");
    say(&mut peer, WsCommand::Text(Payload::Owned(b"Hi".to_vec())));
    assert_eq!(peer.wire(), "\u{fffd}\u{2}Hi");
    assert_eq!(peer.close(), Close::Open);
}

#[test]
fn only_what_was_accepted_is_heard_out() {
    let mut peer = Peer::new();
    peer.send(HANDSHAKE);
    peer.expect("handshake 1: /chat []");
    assert!(!peer.vanish());
    accept(&mut peer, &[]);
    assert!(peer.vanish());
    peer.expect("websocket 1: Unreachable");
}

#[test]
fn frames_behind_the_handshake_are_kept_until_it_is_accepted() {
    let mut peer = Peer::new();
    peer.send([HANDSHAKE.as_bytes(), HELLO].concat());
    peer.expect("handshake 1: /chat []");
    peer.expect("nothing");
    assert_eq!(peer.waiting(), HELLO.len());
    assert!(!peer.wants_input(), "nothing more is read meanwhile");
    accept(&mut peer, &[]);
    peer.expect("websocket 1: Text(\"Hello\")");
    assert_eq!(peer.waiting(), 0);
}

#[test]
fn the_end_behind_the_handshake_is_seen_when_it_is_accepted() {
    let mut peer = Peer::new();
    peer.send([HANDSHAKE.as_bytes(), HELLO].concat());
    peer.half_close();
    peer.expect("handshake 1: /chat []");
    peer.expect("nothing");
    accept(&mut peer, &[]);
    peer.expect("websocket 1: Text(\"Hello\")");
    peer.expect("websocket 1: Disconnected { code: 1006, reason: \"\", gone: true }");
}

#[test]
fn a_client_that_sends_no_more_cannot_have_a_websocket() {
    let mut peer = handshaking();
    peer.half_close();
    peer.expect("disconnect 1");
    accept(&mut peer, &[]);
    peer.expect("websocket 1: Disconnected { code: 1006, reason: \"\", gone: true }");
}

#[test]
fn a_server_that_stops_closes_what_is_accepted_afterwards() {
    let mut peer = handshaking();
    peer.drain();
    accept(&mut peer, &[]);
    let wire = peer.wire();
    assert!(
        wire.ends_with("\r\n\r\n\u{fffd}\u{2}\u{3}\u{fffd}"),
        "{wire:?}"
    );
    peer.expect("websocket 1: Disconnected { code: 1012, reason: \"\", gone: false }");
}

#[test]
fn a_request_may_be_answered_like_others() {
    let mut peer = handshaking();
    peer.respond(1, head(403, &[("content-length", "2")]), b"no", true);
    // The engines order their headers differently.
    let wire = peer.wire();
    let (head, body) = wire.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.split("\r\n").collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "HTTP/1.1 403 Forbidden",
            "connection: close",
            "content-length: 2"
        ]
    );
    assert_eq!(body, "no");
    assert_eq!(peer.close(), Close::Flush);
    accept(&mut peer, &[]);
    assert_eq!(peer.wire(), "", "it is too late");
}

#[test]
fn a_request_cannot_be_accepted_twice_nor_one_that_did_not_ask() {
    let mut peer = handshaking();
    accept(&mut peer, &[]);
    peer.wire();
    accept(&mut peer, &[]);
    assert_eq!(peer.wire(), "");
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.request();
    accept(&mut peer, &[]);
    assert_eq!(peer.wire(), "");
    peer.answer(1, "ok");
    assert!(peer.wire().starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_client_that_goes_during_its_handshake_is_told_of() {
    let mut peer = handshaking();
    peer.lose();
    peer.expect("disconnect 1: gone");
}

#[test]
fn a_bad_handshake_is_refused() {
    let cases = [
        (
            "GET",
            "Sec-WebSocket-Version: 13\r\n",
            400,
            "",
            "missing Sec-WebSocket-Key header",
        ),
        (
            "GET",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n",
            426,
            "upgrade: websocket\r\nsec-websocket-version: 13\r\n",
            "invalid Sec-WebSocket-Version header: 8",
        ),
        (
            "POST",
            "",
            405,
            "allow: GET\r\n",
            "unsupported HTTP method: POST",
        ),
    ];
    for (method, lines, status, more, why) in cases {
        let mut peer = Peer::new();
        peer.send(format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n{lines}\r\n"
        ));
        peer.expect(&format!("warning: invalid handshake {status}"));
        let body = format!("Failed to open a WebSocket connection: {why}.\n");
        let phrase = smolcorn::http::response::reason_phrase(status);
        assert_eq!(
            peer.wire(),
            format!(
                "HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n\
                 content-length: {}\r\n{more}connection: close\r\n\r\n{body}",
                body.len()
            )
        );
        assert_eq!(peer.close(), Close::Linger);
    }
}

#[test]
fn a_handshake_has_no_body() {
    let mut peer = Peer::new();
    peer.send(HANDSHAKE.replace("Host: a", "Host: a\r\nContent-Length: 3"));
    peer.expect_refusal(400);
}

#[test]
fn where_there_are_none_it_is_an_ordinary_request() {
    let mut peer = Peer::with_config(HttpConfig {
        headers: DefaultHeaders {
            date: false,
            server: false,
            extra: Vec::new(),
        },
        websocket: WebSocketConfig {
            engine: WebSockets::Off,
            ..WebSocketConfig::default()
        },
        ..HttpConfig::default()
    });
    peer.send(HANDSHAKE);
    peer.expect("warning: websockets off");
    peer.expect("request 1: GET /chat 1.1 \"\"");
    peer.answer(1, "ok");
    assert_eq!(peer.close(), Close::Open);
}

#[test]
fn it_is_the_last_request_on_its_connection_but_not_always_the_first() {
    let mut peer = Peer::new();
    peer.send(format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{HANDSHAKE}"));
    peer.request();
    peer.answer(1, "");
    peer.wire();
    peer.expect("handshake 2: /chat []");
    peer.command(HttpCommand::Accept {
        stream: 2,
        head: ResponseHead::switching(),
    });
    assert_eq!(peer.wire(), format!("{SWITCH}\r\n"));
}
