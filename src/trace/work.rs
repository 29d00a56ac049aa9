//! What the application does for a request, as a trace shows it: when its code runs, and what it
//! waits for in between.
//!
//! A request has a lane while it is under way; requests at the same time have different ones, so
//! there are as many lanes as there were requests at a time. Only the application's own coroutine
//! is seen: what it waits for while tasks that it has started work, is its own.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smolcorn_actors::actor::{ActorName, ConnectionId};
use smolcorn_actors::trace::{self, Arg, Event, What};

use crate::http::head::RequestHead;
use crate::http::{HttpCommand, StreamId};

/// Of a request's path, so much is shown.
const PATH_BYTES_MAX: usize = 200;

/// Lanes in use, and the requests under way with the statuses of their responses.
static UNDER_WAY: Mutex<UnderWay> = Mutex::new(UnderWay {
    lanes: Vec::new(),
    statuses: None,
});

struct UnderWay {
    /// `lanes[n]`: lane `n + 1` is taken.
    lanes: Vec<bool>,
    statuses: Option<HashMap<(ConnectionId, StreamId), u16>>,
}

thread_local! {
    /// What the step that runs has come to wait for.
    static WAIT: Cell<Wait> = const { Cell::new(Wait::Own) };
}

/// What an application waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For `receive()`.
    Receive,
    /// For `send()`: the client takes its time.
    Send,
    /// For something of its own.
    Own,
}

impl Wait {
    const fn as_str(self) -> &'static str {
        match self {
            Wait::Receive => "waits in receive()",
            Wait::Send => "waits in send()",
            Wait::Own => "waits",
        }
    }
}

/// The step that runs waits for this. Does nothing while tracing is off.
pub fn waits_for(wait: Wait) {
    if trace::enabled() {
        WAIT.set(wait);
    }
}

/// Takes note of the status of a response.
#[cold]
pub fn answered(connection: ConnectionId, command: &HttpCommand) {
    let (stream, status) = match command {
        HttpCommand::Respond { stream, head, .. } => (*stream, head.status()),
        HttpCommand::Accept { stream, .. } => (*stream, 101),
        _ => return,
    };
    if let Some(known) = &mut under_way().statuses
        && let Some(place) = known.get_mut(&(connection, stream))
    {
        *place = status;
    }
}

fn under_way() -> MutexGuard<'static, UnderWay> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request, from when the application is called to its end.
pub struct Work {
    connection: ConnectionId,
    stream: StreamId,
    lane: u32,
    name: String,
    /// W3C trace context: the trace, and the caller's span in it.
    parent: Option<(String, String)>,
    begun: u64,
    running: u64,
    waiting: u64,
    /// Since when it waits, and for what; `None`: it runs, or has not begun.
    waits: Option<(u64, Wait)>,
    steps: u32,
}

impl Work {
    /// The work for a request; `None` while tracing is off.
    #[inline]
    pub fn of(
        connection: ConnectionId,
        stream: StreamId,
        head: &RequestHead,
        is_websocket: bool,
    ) -> Option<Box<Work>> {
        if !trace::enabled() {
            return None;
        }
        Some(Work::begin(connection, stream, head, is_websocket))
    }

    #[cold]
    fn begin(
        connection: ConnectionId,
        stream: StreamId,
        head: &RequestHead,
        is_websocket: bool,
    ) -> Box<Work> {
        let method = if is_websocket {
            "WebSocket"
        } else {
            head.method()
        };
        let path = head.path();
        let path = path.get(..PATH_BYTES_MAX).unwrap_or(path);
        let name = format!("{method} {}", String::from_utf8_lossy(path));
        let mut headers = head.headers();
        let parent = headers.find(|(name, _)| *name == b"traceparent");
        let mut under_way = under_way();
        let statuses = under_way.statuses.get_or_insert_default();
        statuses.insert((connection, stream), 0);
        let lane = under_way.take_lane();
        drop(under_way);
        Box::new(Work {
            connection,
            stream,
            lane,
            name,
            parent: parent.and_then(|(_, value)| trace_parent(value)),
            begun: trace::now(),
            running: 0,
            waiting: 0,
            waits: None,
            steps: 0,
        })
    }

    /// The application's code runs from now on. Returns the time.
    pub fn step_begins(&mut self) -> u64 {
        let now = trace::now();
        if let Some((since, wait)) = self.waits.take() {
            self.waiting += now - since;
            self.tell(wait.as_str(), since, now, &[]);
        }
        WAIT.set(Wait::Own);
        now
    }

    /// It has run since `begun`, and has ended or waits.
    pub fn step_ends(&mut self, begun: u64, has_ended: bool) {
        let now = trace::now();
        self.steps += 1;
        self.running += now - begun;
        let args = [
            ("connection", Arg::Number(self.connection.0)),
            ("request", Arg::Number(self.stream.into())),
        ];
        trace::emit(&Event {
            at: now,
            actor: ActorName::Dispatch,
            about: Some(ActorName::Connection(self.connection)),
            what: What::Span {
                name: &self.name,
                begun,
                args: &args,
            },
        });
        if self.steps > 1 || !has_ended {
            self.tell("runs", begun, now, &[]);
        }
        if !has_ended {
            self.waits = Some((now, WAIT.get()));
        }
    }

    fn tell(&self, name: &str, begun: u64, ended: u64, args: &[(&str, Arg<'_>)]) {
        trace::emit(&Event {
            at: ended,
            actor: ActorName::Dispatch,
            about: Some(ActorName::Connection(self.connection)),
            what: What::Work {
                lane: self.lane,
                name,
                begun,
                args,
            },
        });
    }
}

impl Drop for Work {
    /// The application has ended, or nobody lets it go on.
    fn drop(&mut self) {
        let now = trace::now();
        if let Some((since, wait)) = self.waits.take() {
            self.waiting += now - since;
            self.tell(wait.as_str(), since, now, &[]);
        }
        let mut under_way = under_way();
        under_way.leave_lane(self.lane);
        let known = under_way.statuses.as_mut();
        let status = known.and_then(|known| known.remove(&(self.connection, self.stream)));
        drop(under_way);
        let mut args = vec![
            ("actor", Arg::Actor(ActorName::Connection(self.connection))),
            ("request", Arg::Number(self.stream.into())),
            ("running_us", Arg::Nanos(self.running)),
            ("waiting_us", Arg::Nanos(self.waiting)),
        ];
        if let Some(status @ 1..) = status {
            args.push(("status", Arg::Number(status.into())));
        }
        if let Some((trace_id, span_id)) = &self.parent {
            args.push(("trace_id", Arg::Text(trace_id)));
            args.push(("span_id", Arg::Text(span_id)));
        }
        self.tell(&self.name, self.begun, now, &args);
    }
}

impl UnderWay {
    /// The lowest lane that is free.
    fn take_lane(&mut self) -> u32 {
        let free = self.lanes.iter().position(|taken| !taken);
        let place = free.unwrap_or(self.lanes.len());
        match self.lanes.get_mut(place) {
            Some(taken) => *taken = true,
            None => self.lanes.push(true),
        }
        u32::try_from(place + 1).unwrap_or(u32::MAX)
    }

    fn leave_lane(&mut self, lane: u32) {
        if let Some(taken) = self.lanes.get_mut(lane as usize - 1) {
            *taken = false;
        }
    }
}

/// Trace and span of a `traceparent` header (W3C Trace Context, section 3.2); `None` if it is not
/// well-formed.
fn trace_parent(value: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = parts.next()?;
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let is_good = is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && !is_zero(trace)
        && is_hex(span, 16)
        && !is_zero(span)
        && is_hex(flags, 2)
        // Later versions may append more.
        && (version != "00" || parts.next().is_none());
    is_good.then(|| (trace.to_owned(), span.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_parents_are_those_of_the_recommendation() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let span = "00f067aa0ba902b7";
        let parsed = Some((trace.to_owned(), span.to_owned()));
        for (header, expected) in [
            (format!("00-{trace}-{span}-01"), parsed.clone()),
            (format!("cc-{trace}-{span}-01-more"), parsed),
            (format!("00-{trace}-{span}-01-more"), None),
            (format!("ff-{trace}-{span}-01"), None),
            (format!("00-{trace}-{span}"), None),
            (format!("00-{}-{span}-01", "0".repeat(32)), None),
            (format!("00-{trace}-{}-01", "0".repeat(16)), None),
            (format!("00-{}-{span}-01", trace.to_uppercase()), None),
            (String::new(), None),
        ] {
            assert_eq!(trace_parent(header.as_bytes()), expected, "{header}");
        }
    }

    #[test]
    fn lanes_are_taken_from_below() {
        let mut lanes = UnderWay {
            lanes: Vec::new(),
            statuses: None,
        };
        assert_eq!([1, 2, 3].map(|_| lanes.take_lane()), [1, 2, 3]);
        lanes.leave_lane(2);
        lanes.leave_lane(1);
        assert_eq!([1, 2, 3].map(|_| lanes.take_lane()), [1, 2, 4]);
    }
}
