//! With tracing on, each actor says under its name what happens to it; off, none says a word.
//! This test has its own process: the switch is one for all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use smolcorn_actors::protocol::Close;
use smolcorn_actors::trace::cells::{self, ActorState};
use smolcorn_actors::trace::{self, Event, Filter, Sink, What};
use support::lines::{Tell, Told};
use support::{Kind, Seen, Server, in_each_placement, read_to_end};

#[derive(Default)]
struct Lines {
    said: Mutex<Vec<String>>,
    turns: Mutex<Vec<String>>,
}

impl Sink for Lines {
    fn record(&self, event: &Event<'_>) {
        self.said.lock().unwrap().extend(event.line());
        if let What::Span { name, .. } = event.what {
            let turn = format!("{} {name}", event.actor);
            self.turns.lock().unwrap().push(turn);
        }
    }
}

/// Lives through one connection, and says its name.
fn one_connection(kind: Kind) -> String {
    let server = Server::start(kind);
    let (mut client, peer) = server.connect();
    peer.tell(Tell::write("bye"));
    peer.tell(Tell::Close(Close::Flush));
    assert_eq!(read_to_end(&mut client), b"bye");
    server.running.stop();
    let (mut closed, mut stopped) = (false, false);
    server.until(|seen| {
        match seen {
            Seen::Closed(..) => closed = true,
            Seen::ListenerStopped(_) => stopped = true,
            _ => {}
        }
        (closed && stopped).then_some(())
    });
    format!("connection#{}", peer.id.0)
}

#[test]
fn actors_speak_under_their_names_when_asked_to() {
    in_each_placement(|kind| {
        let lines = Arc::new(Lines::default());
        let subscription = trace::subscribe(Filter::default(), Arc::clone(&lines) as _);
        let name = one_connection(kind);
        drop(subscription);
        let said = std::mem::take(&mut *lines.said.lock().unwrap());
        for line in [
            "listener#1 started".to_owned(),
            format!("listener#1 accepted {name}"),
            format!("{name} started"),
            format!("{name} is open"),
            format!("{name} -> dispatch: opened"),
            format!("{name} -> dispatch: told"),
            format!("{name} stopped: finished"),
            "dispatch -> listener#1: stop".to_owned(),
            "listener#1 is closing".to_owned(),
            "listener#1 stopped".to_owned(),
        ] {
            assert!(said.contains(&line), "{line} in {said:?}");
        }
        let taken = format!("{name} -> listener#1: closed");
        assert!(said.contains(&taken), "{said:?}");
        let waited = "listener#1 <- dispatch: stop (waited ";
        assert!(said.iter().any(|line| line.starts_with(waited)), "{said:?}");
        let turns = std::mem::take(&mut *lines.turns.lock().unwrap());
        for turn in ["listener#1 turn".to_owned(), format!("{name} turn")] {
            assert!(turns.contains(&turn), "{turn} in {turns:?}");
        }

        one_connection(kind);
        assert_eq!(*lines.said.lock().unwrap(), [""; 0]);

        table_shows_a_connection(kind);
    });
}

/// The table is there whether tracing is on or not.
fn table_shows_a_connection(kind: Kind) {
    let server = Server::start(kind);
    let (mut client, peer) = server.connect();
    client.write_all(b"hello\n").unwrap();
    server.until_told(&peer, &Told::Line("hello".to_owned()));
    let name = format!("connection#{}", peer.id.0);
    let find = || {
        let rows = cells::rows();
        rows.into_iter().find(|row| row.name.to_string() == name)
    };
    let row = find().unwrap();
    assert_eq!((row.state, row.read_bytes), (ActorState::Open, 6));
    peer.tell(Tell::write("bye"));
    // It counts before it tells.
    server.until_told(&peer, &Told::Sent(3));
    assert_eq!(find().unwrap().written_bytes, 3);
    peer.tell(Tell::Close(Close::Abort));
    server.until_closed(&peer);
    // The actor leaves the table a little after its last word.
    while find().is_some() {
        std::thread::yield_now();
    }
}
