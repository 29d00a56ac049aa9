//! A peer that takes nothing for too long loses its connection; the others keep theirs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::{Read, Write};
use std::time::Duration;

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use support::lines::{Tell, Told};
use support::{Server, expect, in_each_placement};

fn echo(line: &str) -> Option<Tell> {
    Some(Tell::write(format!("{line}\n")))
}

#[test]
fn a_peer_that_does_not_read_is_reset() {
    in_each_placement(|kind| {
        let limits = Limits {
            write_timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let server = Server::with(kind, limits, echo);
        let (mut idle, _idle_peer) = server.connect();
        let (mut stuck, stuck_peer) = server.connect();
        stuck_peer.tell(Tell::write(vec![b'x'; 64 * 1024 * 1024]));
        server.until_told(&stuck_peer, &Told::Lost);
        assert_eq!(server.until_closed(&stuck_peer), StopReason::WriteTimeout);
        let mut got = Vec::new();
        assert!(stuck.read_to_end(&mut got).is_err(), "an ordinary end");

        idle.write_all(b"still here\n").unwrap();
        expect(&mut idle, b"still here\n");
    });
}
