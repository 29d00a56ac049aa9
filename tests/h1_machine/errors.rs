//! Responses that cannot be completed, and commands that make no sense.

use smolcorn::http::HttpCommand;
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::protocol::Close;

use crate::peer::{Peer, head};

fn asked() -> Peer {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.request();
    peer
}

#[test]
fn an_aborted_response_ends_without_its_end() {
    let mut peer = asked();
    peer.respond(1, head(200, &[]), b"part", false);
    peer.command(HttpCommand::Abort { stream: 1 });
    assert!(peer.wire().ends_with("\r\n\r\n4\r\npart\r\n"));
    assert_eq!(peer.close(), Close::Flush);
    peer.body(1, "more", true);
    assert_eq!(peer.wire(), "");
}

#[test]
fn an_abort_before_the_response_sends_nothing() {
    let mut peer = asked();
    peer.command(HttpCommand::Abort { stream: 1 });
    assert_eq!(peer.wire(), "");
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn a_response_that_ends_with_the_connection_is_reset() {
    let mut peer = Peer::new();
    peer.send("GET / HTTP/1.0\r\n\r\n");
    peer.respond(1, head(200, &[]), b"part", false);
    peer.command(HttpCommand::Abort { stream: 1 });
    assert_eq!(
        peer.close(),
        Close::Abort,
        "an orderly end would look like the whole"
    );
}

#[test]
fn an_abort_with_an_unread_body_lingers() {
    let mut peer = Peer::new();
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    peer.command(HttpCommand::Abort { stream: 1 });
    assert_eq!(peer.close(), Close::Linger);
}

#[test]
fn never_more_than_the_length_says() {
    let mut peer = asked();
    peer.respond(1, head(200, &[("content-length", "3")]), b"ab", false);
    peer.body(1, "cd", false);
    assert!(peer.wire().ends_with("\r\n\r\nab"));
    assert_eq!(peer.close(), Close::Flush);

    let mut peer = asked();
    peer.respond(1, head(200, &[("content-length", "3")]), b"abcd", true);
    assert!(peer.wire().ends_with("\r\n\r\n"));
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn less_than_the_length_says_cuts_the_connection() {
    let mut peer = asked();
    peer.respond(1, head(200, &[("content-length", "3")]), b"ab", true);
    assert!(peer.wire().ends_with("\r\n\r\nab"));
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn commands_out_of_order_cut_the_connection() {
    let out_of_order: [fn(&mut Peer); 4] = [
        |peer| peer.body(1, "x", true),
        |peer| {
            peer.command(HttpCommand::Trailers {
                stream: 1,
                lines: Vec::new(),
            })
        },
        |peer| {
            let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
            peer.command(HttpCommand::File {
                stream: 1,
                file,
                len_bytes: 1,
            });
        },
        |peer| {
            peer.respond(1, head(200, &[]), b"", false);
            peer.wire();
            peer.respond(1, head(200, &[]), b"", false);
        },
    ];
    for act in out_of_order {
        let mut peer = asked();
        act(&mut peer);
        assert_eq!(peer.wire(), "");
        assert_eq!(peer.close(), Close::Flush);
    }
}

#[test]
fn commands_for_no_request_are_dropped() {
    let mut peer = Peer::new();
    for stream in [0, 1, 2] {
        peer.answer(stream, "x");
        peer.body(stream, "x", true);
        peer.command(HttpCommand::Continue { stream });
        peer.command(HttpCommand::Consumed {
            stream,
            bytes: usize::MAX,
        });
        peer.command(HttpCommand::EarlyHint {
            stream,
            links: vec![b"</a>".to_vec()],
        });
        peer.command(HttpCommand::Trailers {
            stream,
            lines: Vec::new(),
        });
        peer.command(HttpCommand::Abort { stream });
    }
    assert_eq!((peer.wire().as_str(), peer.close()), ("", Close::Open));
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.request();
}

#[test]
fn after_the_end_nothing_happens() {
    let mut peer = Peer::new();
    peer.send("\0");
    peer.expect_refusal(400);
    peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.answer(1, "x");
    peer.drain();
    peer.half_close();
    peer.lose();
    peer.command(HttpCommand::Respond {
        stream: 0,
        head: head(200, &[]),
        body: Payload::empty(),
        end: true,
    });
    assert_eq!(peer.wire(), "");
    assert_eq!(peer.deadline(), None);
    peer.expect("nothing");
}

#[test]
fn a_head_request_gets_no_body_even_when_refused() {
    let mut peer = Peer::new();
    peer.send("HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .send("x");
    let wire = peer.wire();
    assert!(
        wire.contains("content-length: 30\r\n") && wire.ends_with("\r\n\r\n"),
        "{wire}"
    );
}
