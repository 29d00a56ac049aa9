//! With tracing on, each actor says under its name what happens to it; off, none says a word.
//! This test has its own process: the switch is one for all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use smolcorn_actors::protocol::Close;
use smolcorn_actors::trace;
use support::lines::Tell;
use support::{Kind, Seen, Server, in_each_placement, read_to_end};

/// Everything that is said about one connection's life.
fn lines(kind: Kind) -> (String, Vec<(String, String)>) {
    let server = Server::start(kind);
    let (mut client, peer) = server.connect();
    peer.tell(Tell::write("bye"));
    peer.tell(Tell::Close(Close::Flush));
    assert_eq!(read_to_end(&mut client), b"bye");
    server.running.stop();
    let name = format!("connection#{}", peer.id.0);
    let mut lines = Vec::new();
    let (mut closed, mut stopped) = (false, false);
    server.until(|seen| {
        match seen {
            Seen::Trace(actor, text) => lines.push((actor, text)),
            Seen::Closed(..) => closed = true,
            Seen::ListenerStopped(_) => stopped = true,
            _ => {}
        }
        (closed && stopped).then_some(())
    });
    (name, lines)
}

#[test]
fn actors_speak_under_their_names_when_asked_to() {
    in_each_placement(|kind| {
        assert_eq!(lines(kind).1, []);
        trace::set_enabled(true);
        let (name, lines) = lines(kind);
        trace::set_enabled(false);
        let said = |actor: &str, text: &str| {
            assert!(
                lines.iter().any(|line| line.0 == actor && line.1 == text),
                "{actor}: {text} in {lines:?}"
            );
        };
        said("listener#1", &format!("accepted {name}"));
        said("listener#1", "stop");
        said("listener#1", "stopped");
        said(&name, "started");
        said(&name, "event to dispatch");
        said(&name, "command");
        said(&name, "stopped: finished");
    });
}
