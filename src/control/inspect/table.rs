//! The table of a process's actors, as text.

use std::fmt::Write;
use std::time::{Duration, Instant};

use smolcorn_actors::actor::ActorName;
use smolcorn_actors::messages::End;
use smolcorn_actors::trace;
use smolcorn_actors::trace::cells::{self, Row};

/// So many connections are shown, those that came first.
const CONNECTIONS_SHOWN_MAX: usize = 500;

/// The actors of this process.
pub fn table() -> String {
    render(&cells::rows(), std::process::id(), Instant::now())
}

fn render(rows: &[Row], process: u32, now: Instant) -> String {
    let is_connection = |row: &&Row| matches!(row.name, ActorName::Connection(_));
    let connections = rows.iter().filter(is_connection).count();
    let mut text = format!(
        "smolcorn {}, process {process}, {connections} connections\n\
         {:<20} {:<24} {:>11} {:>7} {:>10} {:>10}  PEER\n",
        env!("CARGO_PKG_VERSION"),
        "ACTOR",
        "STATE",
        "AGE",
        "MAILBOX",
        "READ",
        "WRITTEN",
    );
    let mut shown: Vec<&Row> = rows.iter().collect();
    shown.sort_by_key(|row| rank(row.name));
    let others = shown.len() - connections;
    for row in shown.iter().take(others + CONNECTIONS_SHOWN_MAX) {
        // Writing to memory does not fail.
        let _ = writeln!(text, "{}", line(row, now).trim_end());
    }
    if let Some(more @ 1..) = connections.checked_sub(CONNECTIONS_SHOWN_MAX) {
        let _ = writeln!(text, "and {more} connections more");
    }
    for row in rows.iter().filter(|row| row.name == ActorName::Dispatch) {
        text.push_str(&doing(row, now));
    }
    text
}

fn rank(name: ActorName) -> (u8, u64) {
    match name {
        ActorName::Dispatch => (0, 0),
        ActorName::Listener(number) => (1, number.into()),
        ActorName::Connection(id) => (2, id.0),
    }
}

fn line(row: &Row, now: Instant) -> String {
    let is_connection = matches!(row.name, ActorName::Connection(_));
    let state = match (row.name, row.busy_since) {
        (ActorName::Dispatch, Some(_)) => "busy",
        (ActorName::Dispatch, None) => "waits for events",
        _ => row.state.as_str(),
    };
    let bytes = |bytes| match is_connection {
        true => size(bytes),
        false => String::new(),
    };
    let peer = match &row.peer {
        Some(End::Inet(address)) => address.to_string(),
        Some(End::Unix(_)) => "unix socket".to_owned(),
        None => String::new(),
    };
    format!(
        "{:<20} {state:<24} {:>11} {:>7} {:>10} {:>10}  {peer}",
        row.name.to_string(),
        span(now.saturating_duration_since(row.begun)),
        row.waiting,
        bytes(row.read_bytes),
        bytes(row.written_bytes),
    )
}

/// What the dispatch actor does, as a sentence.
fn doing(row: &Row, now: Instant) -> String {
    let Some(since) = row.busy_since else {
        return "dispatch runs nothing now.\n".to_owned();
    };
    let time = span(Duration::from_nanos(
        trace::nanos(now).saturating_sub(since),
    ));
    match row.work {
        Some((connection, stream)) => format!(
            "dispatch has been busy for {time}, and runs the application for request {stream} of \
             connection#{connection}.\n"
        ),
        None => format!("dispatch has been busy for {time}.\n"),
    }
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.3} s", time.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use smolcorn_actors::actor::ConnectionId;
    use smolcorn_actors::trace::cells::ActorState;

    use super::*;

    fn row(name: ActorName, begun: Instant) -> Row {
        Row {
            name,
            peer: None,
            begun,
            state: ActorState::Open,
            read_bytes: 0,
            written_bytes: 0,
            waiting: 0,
            work: None,
            busy_since: None,
        }
    }

    #[test]
    fn every_actor_has_a_line_and_dispatch_a_sentence() {
        let begun = Instant::now();
        let now = begun + Duration::from_millis(61_500);
        let connection = Row {
            peer: Some(End::Inet(([127, 0, 0, 1], 5000).into())),
            read_bytes: 148,
            written_bytes: 12_345,
            waiting: 2,
            ..row(ActorName::Connection(ConnectionId(42)), begun)
        };
        let dispatch = Row {
            work: Some((42, 3)),
            busy_since: Some(trace::nanos(now) - 5_213_000_000),
            ..row(ActorName::Dispatch, begun)
        };
        let rows = [connection, row(ActorName::Listener(1), begun), dispatch];
        let text = render(&rows, 7, now);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0][2..], ["process", "7,", "1", "connections"]);
        assert_eq!(lines[2], ["dispatch", "busy", "1", "min", "1", "s", "0"]);
        assert_eq!(lines[3], ["listener#1", "open", "1", "min", "1", "s", "0"]);
        let expected = "connection#42 open 1 min 1 s 2 148 B 12 kB 127.0.0.1:5000";
        assert_eq!(lines[4].join(" "), expected);
        assert_eq!(
            lines[5].join(" "),
            "dispatch has been busy for 5.213 s, and runs the application for request 3 of \
             connection#42."
        );
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn of_many_connections_the_first_are_shown() {
        let begun = Instant::now();
        let rows: Vec<Row> = (1..=CONNECTIONS_SHOWN_MAX as u64 + 3)
            .map(|id| row(ActorName::Connection(ConnectionId(id)), begun))
            .collect();
        let text = render(&rows, 7, begun);
        assert!(text.ends_with("and 3 connections more\n"), "{text}");
    }
}
