//! A defect in a protocol machine costs the connection that met it, and no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::{Read, Write};

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use support::lines::Tell;
use support::{Server, expect, in_each_placement};

fn panic_or_echo(line: &str) -> Option<Tell> {
    match line {
        "panic later" => Some(Tell::Panic),
        _ => Some(Tell::write(format!("{line}\n"))),
    }
}

#[test]
fn the_others_go_on() {
    in_each_placement(|kind| {
        let server = Server::with(kind, Limits::default(), panic_or_echo);
        let (mut steady, _steady_peer) = server.connect();
        for fatal in [&b"!panic\n"[..], b"panic later\n"] {
            let (mut client, peer) = server.connect();
            client.write_all(b"before\n").unwrap();
            expect(&mut client, b"before\n");
            client.write_all(fatal).unwrap();
            assert_eq!(server.until_closed(&peer), StopReason::Panicked);
            assert!(matches!(client.read(&mut [0; 8]), Ok(0) | Err(_)));
            steady.write_all(b"still\n").unwrap();
            expect(&mut steady, b"still\n");
        }
        let (mut after, _after_peer) = server.connect();
        after.write_all(b"new\n").unwrap();
        expect(&mut after, b"new\n");
    });
}
