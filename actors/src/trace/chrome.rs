//! A trace file in Chrome's trace event format, JSON array form, for Perfetto and
//! chrome://tracing.
//!
//! Actors append events as text to a bounded buffer; a thread writes it out. When the buffer is
//! full, because the disk is slow, events are dropped and counted: actors never wait. After each
//! piece the file is a whole JSON array, so it can be loaded while it grows and however the
//! process ends.
//!
//! Format: "Trace Event Format" (catapult project). An event is a span (`X`), an instant (`i`), a
//! counter (`C`), the start or the end of an arrow (`s`, `f`), or the name of a track (`M`). Times
//! are microseconds.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{About, Arg, Event, Filter, Sink, What};
use crate::actor::ActorName;
use crate::thread;

/// So much text may wait to be written.
const BUFFER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// With so much the thread writes at once; with less it waits for more.
const BATCH_BYTES: usize = 256 * 1024;
/// How long it waits. So much of a trace is lost when the process is killed.
const BATCH_DELAY: Duration = Duration::from_millis(20);
/// What stands at the end of the file, and is written over by the next piece.
const END: &[u8] = b"\n]\n";

/// Track numbers: the process as a whole, the dispatch actor, listeners, lanes of the application,
/// connections.
const TRACK_PROCESS: u64 = 0;
const TRACK_DISPATCH: u64 = 1;
const TRACK_LISTENERS: u64 = 10;
const TRACK_LANES: u64 = 10_000;
const TRACK_CONNECTIONS: u64 = 1_000_000;

/// The sink that fills a trace file.
pub struct TraceFile {
    process: u32,
    /// The same as the subscription's; says which ends of an arrow are there.
    filter: Filter,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    /// Events, each with a comma and a line's end before it.
    text: Vec<u8>,
    /// Tracks that have their names.
    named: HashSet<u64>,
    arrows: u64,
    /// Events for which there was no room.
    dropped: u64,
    dropped_in_all: u64,
    closing: bool,
}

impl TraceFile {
    /// Makes the file, or empties it, and starts the thread that writes it.
    ///
    /// # Errors
    /// The system's: the file cannot be written, or there is no thread to be had.
    pub fn create(path: &Path, filter: Filter) -> io::Result<TraceFile> {
        let mut file = File::create(path)?;
        let process = std::process::id();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = unix.map_or(0.0, |time| time.as_secs_f64()) - super::now() as f64 / 1e9;
        write!(
            file,
            "[\n{{\"ph\":\"M\",\"pid\":{process},\"tid\":0,\"name\":\"process_name\",\
             \"args\":{{\"name\":\"smolcorn\"}}}},\n\
             {{\"ph\":\"M\",\"pid\":{process},\"tid\":0,\"name\":\"process_labels\",\
             \"args\":{{\"labels\":\"time 0 is {unix:.6} unix time\"}}}}"
        )?;
        file.write_all(END)?;
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let writer = thread::spawn("smolcorn-trace", move || write_out(&theirs, &mut file))?;
        Ok(TraceFile {
            process,
            filter,
            shared,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Writes out what is left, and says how many events were dropped. Events that come later go
    /// nowhere.
    ///
    /// # Errors
    /// The system's, from writing, now or before.
    pub fn finish(&self) -> io::Result<u64> {
        let mut pending = self.shared.lock();
        pending.closing = true;
        let dropped = pending.dropped_in_all;
        drop(pending);
        self.shared.changed.notify_one();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result.map(|()| dropped),
            Some(Err(_)) => Err(io::Error::other("the thread that writes it has panicked")),
            None => Ok(dropped),
        }
    }

    /// Appends an event, or counts it as dropped.
    fn append(&self, event: impl FnOnce(&mut Encoder<'_>)) {
        let mut pending = self.shared.lock();
        if pending.closing {
            return;
        }
        let was_empty = pending.text.is_empty();
        if pending.text.len() >= BUFFER_BYTES_MAX {
            pending.dropped += 1;
            pending.dropped_in_all += 1;
            return;
        }
        let process = self.process;
        let mut encoder = Encoder {
            process,
            pending: &mut pending,
        };
        encoder.tell_of_dropped();
        event(&mut encoder);
        let is_batch = pending.text.len() >= BATCH_BYTES;
        drop(pending);
        if was_empty || is_batch {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        // Whoever wants to know of errors has called it.
        let _ = self.finish();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece, as soon as there is one; `None` at the end.
    fn next_piece(&self, reuse: Vec<u8>) -> Option<Vec<u8>> {
        let mut pending = self.lock();
        while pending.text.is_empty() {
            if pending.closing {
                return None;
            }
            let woken = self.changed.wait(pending);
            pending = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if pending.text.len() < BATCH_BYTES && !pending.closing {
            let woken = self
                .changed
                .wait_timeout_while(pending, BATCH_DELAY, |pending| {
                    pending.text.len() < BATCH_BYTES && !pending.closing
                });
            pending = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(std::mem::replace(&mut pending.text, reuse))
    }
}

/// The thread: writes pieces until the end.
fn write_out(shared: &Shared, file: &mut File) -> io::Result<()> {
    let mut spare = Vec::new();
    let mut result = Ok(());
    while let Some(mut piece) = shared.next_piece(spare) {
        piece.extend_from_slice(END);
        // After an error there is nobody to ask what to do: what comes is taken and dropped.
        if result.is_ok() {
            let back = -(END.len() as i64);
            result = file
                .seek(SeekFrom::End(back))
                .and_then(|_| file.write_all(&piece));
        }
        piece.clear();
        spare = piece;
    }
    result
}

impl Sink for TraceFile {
    fn record(&self, event: &Event<'_>) {
        let (at, actor) = (event.at, event.actor);
        match event.what {
            What::Started => self.append(|to| to.instant(actor, at, "started", &[])),
            What::Accepted => {
                let other = event.about.unwrap_or(actor);
                self.append(|to| {
                    to.instant(actor, at, "accepted", &[("actor", Arg::Actor(other))])
                });
            }
            What::Stopped(reason) => self.append(|to| {
                let reason = reason.map(|reason| reason.to_string());
                let reason = reason.as_deref().unwrap_or("done");
                to.instant(actor, at, "stopped", &[("reason", Arg::Text(reason))]);
                to.forget(actor);
            }),
            What::State(state) => self.append(|to| to.instant(actor, at, state, &[])),
            What::Timer(what) => {
                self.append(|to| to.instant(actor, at, "timer", &[("for", Arg::Text(what))]));
            }
            // The span of its handling shows both.
            What::Sent(_) | What::Taken { .. } => {}
            What::Handled {
                message,
                sent,
                begun,
            } => {
                let from = event.about.unwrap_or(actor);
                let has_arrow = self.filter.wants_actor(from);
                self.append(|to| {
                    to.message(actor, from, message, [sent, begun, at]);
                    if has_arrow {
                        to.arrow(from, sent, actor, begun);
                    }
                });
            }
            What::Mailbox(length) => self.append(|to| {
                to.counter(at, format_args!("mailbox of {actor}"), length);
            }),
            What::Count(what, count) => {
                self.append(|to| to.counter(at, format_args!("{what}"), count));
            }
            What::Span { name, begun, args } => {
                self.append(|to| {
                    let track = to.track(actor);
                    to.span(track, name, [begun, at], args);
                });
            }
            What::Work {
                lane,
                name,
                begun,
                args,
            } => self.append(|to| {
                let track = TRACK_LANES + u64::from(lane);
                to.name(track, format_args!("application {lane}"));
                to.span(track, name, [begun, at], args);
            }),
        }
    }
}

/// Appends events to the buffer.
struct Encoder<'a> {
    process: u32,
    pending: &'a mut Pending,
}

impl Encoder<'_> {
    /// The number of the actor's track, which has its name from now on.
    fn track(&mut self, actor: ActorName) -> u64 {
        let track = match actor {
            ActorName::Dispatch => TRACK_DISPATCH,
            ActorName::Listener(number) => TRACK_LISTENERS + u64::from(number),
            ActorName::Connection(id) => TRACK_CONNECTIONS + id.0,
        };
        self.name(track, format_args!("{actor}"));
        track
    }

    fn name(&mut self, track: u64, name: std::fmt::Arguments<'_>) {
        if !self.pending.named.insert(track) {
            return;
        }
        for (what, value) in [
            ("thread_name", format!("\"name\":\"{name}\"")),
            ("thread_sort_index", format!("\"sort_index\":{track}")),
        ] {
            self.begin("M", track);
            self.text(format_args!(",\"name\":\"{what}\",\"args\":{{{value}}}}}"));
        }
    }

    /// The actor has ended: its track's name need not be kept in mind.
    fn forget(&mut self, actor: ActorName) {
        if let ActorName::Connection(id) = actor {
            self.pending.named.remove(&(TRACK_CONNECTIONS + id.0));
        }
    }

    fn text(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = self.pending.text.write_fmt(text);
    }

    fn begin(&mut self, phase: &str, track: u64) {
        let process = self.process;
        self.text(format_args!(
            ",\n{{\"ph\":\"{phase}\",\"pid\":{process},\"tid\":{track}"
        ));
    }

    fn time(&mut self, key: &str, nanos: u64) {
        self.text(format_args!(
            ",\"{key}\":{}.{:03}",
            nanos / 1000,
            nanos % 1000
        ));
    }

    fn span(&mut self, track: u64, name: &str, [begun, ended]: [u64; 2], args: &[(&str, Arg<'_>)]) {
        self.begin("X", track);
        self.time("ts", begun);
        self.time("dur", ended.saturating_sub(begun));
        self.named_with(name, args);
    }

    fn instant(&mut self, actor: ActorName, at: u64, name: &str, args: &[(&str, Arg<'_>)]) {
        let track = self.track(actor);
        self.begin("i", track);
        self.text(format_args!(",\"s\":\"t\""));
        self.time("ts", at);
        self.named_with(name, args);
    }

    /// The handling of a message.
    fn message(
        &mut self,
        actor: ActorName,
        from: ActorName,
        message: About,
        [sent, begun, ended]: [u64; 3],
    ) {
        let mut args = vec![
            ("from", Arg::Actor(from)),
            ("waited_us", Arg::Nanos(begun.saturating_sub(sent))),
        ];
        if message.number > 0 {
            args.push(("request", Arg::Number(message.number.into())));
        }
        if message.bytes > 0 {
            args.push(("bytes", Arg::Number(message.bytes)));
        }
        let track = self.track(actor);
        self.span(track, message.kind, [begun, ended], &args);
    }

    /// From one mailbox to another. Both ends are written together, so that none is without the
    /// other.
    fn arrow(&mut self, from: ActorName, sent: u64, to: ActorName, taken: u64) {
        let (source, target) = (self.track(from), self.track(to));
        self.pending.arrows += 1;
        let arrow = self.pending.arrows;
        for (phase, track, at, more) in [
            ("s", source, sent, ""),
            ("f", target, taken, ",\"bp\":\"e\""),
        ] {
            self.begin(phase, track);
            self.time("ts", at);
            self.text(format_args!(
                ",\"id\":{arrow},\"cat\":\"m\",\"name\":\"m\"{more}}}"
            ));
        }
    }

    fn counter(&mut self, at: u64, name: std::fmt::Arguments<'_>, value: usize) {
        self.begin("C", TRACK_PROCESS);
        self.time("ts", at);
        self.text(format_args!(
            ",\"name\":\"{name}\",\"args\":{{\"n\":{value}}}}}"
        ));
    }

    /// Name and arguments, which end an event.
    fn named_with(&mut self, name: &str, args: &[(&str, Arg<'_>)]) {
        self.text(format_args!(",\"name\":"));
        quote(&mut self.pending.text, name);
        if !args.is_empty() {
            for (index, (key, value)) in args.iter().enumerate() {
                let before = if index == 0 { ",\"args\":{" } else { "," };
                self.text(format_args!("{before}\"{key}\":"));
                match value {
                    Arg::Number(number) => self.text(format_args!("{number}")),
                    Arg::Nanos(nanos) => {
                        self.text(format_args!("{}.{:03}", nanos / 1000, nanos % 1000));
                    }
                    Arg::Text(text) => quote(&mut self.pending.text, text),
                    Arg::Actor(actor) => self.text(format_args!("\"{actor}\"")),
                }
            }
            self.text(format_args!("}}"));
        }
        self.text(format_args!("}}"));
    }

    /// What was left out since the last event that found room.
    fn tell_of_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.pending.dropped);
        if dropped == 0 {
            return;
        }
        self.begin("i", TRACK_DISPATCH);
        self.text(format_args!(",\"s\":\"g\""));
        self.time("ts", super::now());
        self.named_with("events dropped", &[("count", Arg::Number(dropped))]);
    }
}

/// A JSON string (RFC 8259, section 7).
fn quote(to: &mut Vec<u8>, text: &str) {
    to.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => to.extend_from_slice(&[b'\\', byte]),
            0..0x20 | 0x7f => {
                let _ = write!(to, "\\u{byte:04x}");
            }
            _ => to.push(byte),
        }
    }
    to.push(b'"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::actor::ConnectionId;

    const CONNECTION: ActorName = ActorName::Connection(ConnectionId(7));

    struct Temporary(std::path::PathBuf);

    impl Temporary {
        fn new(name: &str) -> Temporary {
            let name = format!("smolcorn-trace-{}-{name}.json", std::process::id());
            Temporary(std::env::temp_dir().join(name))
        }

        fn text(&self) -> String {
            std::fs::read_to_string(&self.0).unwrap()
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn handled() -> Event<'static> {
        Event {
            at: 3_000,
            actor: ActorName::Dispatch,
            about: Some(CONNECTION),
            what: What::Handled {
                message: About {
                    kind: "request",
                    number: 1,
                    bytes: 5,
                },
                sent: 1_500,
                begun: 2_001,
            },
        }
    }

    #[test]
    fn a_message_is_a_span_and_both_ends_of_an_arrow() {
        let path = Temporary::new("message");
        let file = TraceFile::create(&path.0, Filter::default()).unwrap();
        file.record(&handled());
        assert_eq!(file.finish().unwrap(), 0);
        let text = path.text();
        let pid = std::process::id();
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.trim_end_matches(','))
            .collect();
        assert_eq!((lines.first(), lines.last()), (Some(&"["), Some(&"]")));
        for line in [
            format!(
                "{{\"ph\":\"M\",\"pid\":{pid},\"tid\":1,\"name\":\"thread_name\",\"args\":{{\"name\":\"dispatch\"}}}}"
            ),
            format!(
                "{{\"ph\":\"X\",\"pid\":{pid},\"tid\":1,\"ts\":2.001,\"dur\":0.999,\"name\":\"request\",\"args\":{{\"from\":\"connection#7\",\"waited_us\":0.501,\"request\":1,\"bytes\":5}}}}"
            ),
            format!(
                "{{\"ph\":\"s\",\"pid\":{pid},\"tid\":1000007,\"ts\":1.500,\"id\":1,\"cat\":\"m\",\"name\":\"m\"}}"
            ),
            format!(
                "{{\"ph\":\"f\",\"pid\":{pid},\"tid\":1,\"ts\":2.001,\"id\":1,\"cat\":\"m\",\"name\":\"m\",\"bp\":\"e\"}}"
            ),
        ] {
            assert!(lines.contains(&line.as_str()), "{line} in {text}");
        }
    }

    #[test]
    fn an_arrow_whose_other_end_is_left_out_is_not_there() {
        let path = Temporary::new("arrow");
        let filter = Filter {
            actors: vec!["dispatch".parse().unwrap()],
            share: None,
        };
        let file = TraceFile::create(&path.0, filter).unwrap();
        file.record(&handled());
        file.finish().unwrap();
        assert!(path.text().contains("\"name\":\"request\""));
        assert!(!path.text().contains("\"ph\":\"s\""));
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told() {
        // Nobody writes: what waits stays.
        let file = TraceFile {
            process: 1,
            filter: Filter::default(),
            shared: Arc::new(Shared {
                pending: Mutex::default(),
                changed: Condvar::new(),
            }),
            writer: Mutex::new(None),
        };
        let started = Event {
            at: 1,
            actor: CONNECTION,
            about: None,
            what: What::Started,
        };
        file.shared.lock().text = vec![b' '; BUFFER_BYTES_MAX];
        file.record(&started);
        file.record(&started);
        assert_eq!(file.shared.lock().text.len(), BUFFER_BYTES_MAX);
        file.shared.lock().text.clear();
        file.record(&started);
        let text = String::from_utf8(file.shared.lock().text.clone()).unwrap();
        let told = "\"name\":\"events dropped\",\"args\":{\"count\":2}";
        assert!(text.contains(told), "{text}");
        assert!(text.contains("\"name\":\"started\""), "{text}");
        assert_eq!(file.finish().unwrap(), 2);
    }

    #[test]
    fn names_are_valid_json_whatever_is_in_them() {
        let mut text = Vec::new();
        quote(&mut text, "a\"b\\c\nd\u{e9}");
        assert_eq!(text, "\"a\\\"b\\\\c\\u000ad\u{e9}\"".as_bytes());
    }
}
