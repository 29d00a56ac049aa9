//! A machine's deadline comes when it was set last, once, and not after it was cleared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::Duration;

use support::lines::{Tell, Told};
use support::{Seen, Server, in_each_placement};

fn deadline(millis: u64) -> Tell {
    Tell::Deadline(Some(Duration::from_millis(millis)))
}

#[test]
fn deadlines_come_in_the_order_of_their_times() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        // In the threads placement the first and the third share a thread.
        let (_moved_client, moved) = server.connect();
        let (_cleared_client, cleared) = server.connect();
        let (_plain_client, plain) = server.connect();
        let (_earlier_client, earlier) = server.connect();
        moved.tell(deadline(100));
        moved.tell(deadline(1200));
        cleared.tell(deadline(100));
        cleared.tell(Tell::Deadline(None));
        plain.tell(deadline(400));
        earlier.tell(deadline(60_000));
        earlier.tell(deadline(300));
        let mut came = Vec::new();
        server.until(|seen| {
            if let Seen::Told(id, Told::Deadline) = seen {
                came.push(id);
            }
            (came.len() == 3).then_some(())
        });
        assert!(came.contains(&earlier.id));
        came.retain(|id| *id != earlier.id);
        assert_eq!(came, [plain.id, moved.id]);
    });
}

#[test]
fn a_deadline_of_an_idle_connection_needs_no_other_event() {
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (_client, peer) = server.connect();
        for _ in 0..3 {
            peer.tell(deadline(0));
            server.until_told(&peer, &Told::Deadline);
        }
    });
}
