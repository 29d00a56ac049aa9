//! A scripted client, kernel and application around one machine: what the connection actor does,
//! without sockets or time.

use std::time::Duration;

use smolcorn::config::{DefaultHeaders, HttpConfig, HttpLimits};
use smolcorn::http::response::ResponseHead;
use smolcorn::http::{HttpCommand, HttpEvent, Request, StreamId, Warning};
use smolcorn_actors::outbox::{Next, Outbox, Payload};
use smolcorn_actors::protocol::{Close, DeadlineChange, Io, Protocol};

use crate::{Machine, machine};

/// Sunday, 6 November 1994, 08:49:37 GMT.
pub const NOW_UNIX_SECONDS: u64 = 784_111_777;

pub struct Peer {
    machine: Machine,
    outbox: Outbox,
    events: std::collections::VecDeque<HttpEvent>,
    deadline: Option<Duration>,
    close: Close,
    /// Sent by the client, not yet read by the actor.
    socket: Vec<u8>,
    /// Read by the actor, not yet taken by the machine.
    shown: Vec<u8>,
    eof: bool,
    eof_shown: bool,
    /// Written to the client, not yet looked at by the test.
    wire: Vec<u8>,
    /// While set, the kernel takes nothing.
    stalled: bool,
}

impl Peer {
    /// Without `date` and `server`, so that the tests can spell whole responses.
    pub fn new() -> Peer {
        Peer::with_limits(|_| ())
    }

    pub fn with_limits(change: impl FnOnce(&mut HttpLimits)) -> Peer {
        let mut limits = HttpLimits::default();
        change(&mut limits);
        let headers = DefaultHeaders {
            date: false,
            server: false,
            extra: Vec::new(),
        };
        Peer::with_config(HttpConfig {
            limits,
            headers,
            ..HttpConfig::default()
        })
    }

    pub fn with_config(config: HttpConfig) -> Peer {
        let mut peer = Peer {
            machine: machine(config),
            outbox: Outbox::new(),
            events: std::collections::VecDeque::new(),
            deadline: None,
            close: Close::Open,
            socket: Vec::new(),
            shown: Vec::new(),
            eof: false,
            eof_shown: false,
            wire: Vec::new(),
            stalled: false,
        };
        peer.call(|machine, io| machine.begin(io));
        peer
    }

    fn call<T>(&mut self, act: impl FnOnce(&mut Machine, &mut Io<'_, HttpEvent>) -> T) -> T {
        let mut events = Vec::new();
        let mut deadline = DeadlineChange::Keep;
        let result = act(
            &mut self.machine,
            &mut Io {
                outbox: &mut self.outbox,
                events: &mut events,
                deadline: &mut deadline,
                close: &mut self.close,
                unix_seconds: NOW_UNIX_SECONDS,
            },
        );
        self.events.extend(events);
        match deadline {
            DeadlineChange::Keep => {}
            DeadlineChange::Clear => self.deadline = None,
            DeadlineChange::Set(after) => self.deadline = Some(after),
        }
        result
    }

    /// Calls the machine, then goes on as the actor would: writes, and shows input again.
    fn act(&mut self, act: impl FnOnce(&mut Machine, &mut Io<'_, HttpEvent>)) {
        let wanted = self.machine.wants_input();
        self.call(act);
        self.go_on(wanted);
    }

    fn go_on(&mut self, wanted_before: bool) {
        let mut show = !wanted_before;
        loop {
            if !self.stalled {
                self.write(u64::MAX);
            }
            if self.close == Close::Abort || !self.machine.wants_input() {
                return;
            }
            if !self.socket.is_empty() {
                self.shown.append(&mut self.socket);
                show = true;
            }
            if show && !self.shown.is_empty() {
                show = false;
                let shown = std::mem::take(&mut self.shown);
                let used = self.call(|machine, io| machine.receive(&shown, io));
                assert!(used <= shown.len(), "the machine took more than there was");
                self.shown = shown[used..].to_vec();
                continue;
            }
            if self.eof && !self.eof_shown {
                self.eof_shown = true;
                let unused = self.shown.len();
                let wanted = self.machine.wants_input();
                self.call(|machine, io| machine.receive_eof(unused, io));
                show = !wanted;
                continue;
            }
            return;
        }
    }

    /// Lets the kernel take up to `max` bytes.
    pub fn write(&mut self, max: u64) {
        let mut left = max;
        while left > 0 && !self.outbox.is_empty() {
            let mut slices = [std::io::IoSlice::new(&[])];
            let taken = match self.outbox.next(&mut slices) {
                Next::Empty => return,
                Next::Slices(_) => {
                    let len = slices[0]
                        .len()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.wire.extend_from_slice(&slices[0][..len]);
                    len as u64
                }
                Next::File {
                    file,
                    offset,
                    left: in_file,
                } => {
                    use std::io::{Read, Seek, SeekFrom};
                    let len = in_file.min(left);
                    let mut file = file.try_clone().unwrap();
                    file.seek(SeekFrom::Start(offset)).unwrap();
                    file.take(len).read_to_end(&mut self.wire).unwrap();
                    len
                }
            };
            left -= taken;
            self.outbox.advance(taken);
            let wanted = self.machine.wants_input();
            self.call(|machine, io| machine.sent(taken, io));
            if !wanted && self.machine.wants_input() && !self.shown.is_empty() {
                let shown = std::mem::take(&mut self.shown);
                let used = self.call(|machine, io| machine.receive(&shown, io));
                self.shown = shown[used..].to_vec();
            }
        }
    }

    // The client.

    /// Sends `bytes`, unless the client has said that it sends nothing more.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Peer {
        if !self.eof {
            self.socket.extend_from_slice(bytes.as_ref());
        }
        self.go_on(true);
        self
    }

    /// The client says that it sends nothing more.
    pub fn half_close(&mut self) {
        self.eof = true;
        self.go_on(true);
    }

    /// The connection breaks.
    pub fn lose(&mut self) {
        self.act(|machine, io| machine.lost(io));
    }

    /// What the client has got since the last call.
    pub fn wire(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.wire)).into_owned()
    }

    // The kernel and the clock.

    pub fn stall(&mut self) {
        self.stalled = true;
    }

    pub fn resume(&mut self) {
        self.stalled = false;
        self.go_on(self.machine.wants_input());
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The deadline passes.
    pub fn expire(&mut self) {
        assert!(self.deadline.take().is_some(), "no deadline is set");
        self.act(|machine, io| machine.deadline(io));
    }

    pub fn close(&self) -> Close {
        self.close
    }

    pub fn wants_input(&self) -> bool {
        self.machine.wants_input()
    }

    /// Bytes that the client has sent and the machine has not taken.
    pub fn waiting(&self) -> usize {
        self.socket.len() + self.shown.len()
    }

    pub fn unsent(&self) -> u64 {
        self.outbox.len_bytes()
    }

    // The server and the application.

    pub fn drain(&mut self) {
        self.act(|machine, io| machine.drain(io));
    }

    pub fn command(&mut self, command: HttpCommand) {
        self.act(|machine, io| machine.command(command, io));
    }

    pub fn respond(&mut self, stream: StreamId, head: ResponseHead, body: &[u8], end: bool) {
        let body = Payload::Owned(body.to_vec());
        self.command(HttpCommand::Respond {
            stream,
            head: Box::new(head),
            body,
            end,
        });
    }

    /// The whole of a small response.
    pub fn answer(&mut self, stream: StreamId, body: &str) {
        let length = body.len().to_string();
        self.respond(
            stream,
            head(200, &[("content-length", &length)]),
            body.as_bytes(),
            true,
        );
    }

    pub fn body(&mut self, stream: StreamId, data: impl AsRef<[u8]>, end: bool) {
        let data = Payload::Owned(data.as_ref().to_vec());
        self.command(HttpCommand::Body { stream, data, end });
    }

    pub fn event(&mut self) -> Option<HttpEvent> {
        self.events.pop_front()
    }

    #[track_caller]
    pub fn request(&mut self) -> Box<Request> {
        match self.event() {
            Some(HttpEvent::Request(request)) => request,
            other => panic!("no request but {}", describe(other.as_ref())),
        }
    }

    #[track_caller]
    pub fn expect(&mut self, event: &str) {
        assert_eq!(describe(self.event().as_ref()), event);
    }

    #[track_caller]
    pub fn expect_refusal(&mut self, status: u16) {
        self.expect(&format!("warning: invalid request {status}"));
        self.expect("nothing");
        let wire = self.wire();
        assert!(wire.starts_with(&format!("HTTP/1.1 {status} ")), "{wire}");
        assert!(wire.contains("\r\nconnection: close\r\n"), "{wire}");
        assert_eq!(self.close(), Close::Linger);
    }
}

/// An event in one line.
pub fn describe(event: Option<&HttpEvent>) -> String {
    match event {
        None => "nothing".to_owned(),
        Some(HttpEvent::Request(request)) => format!(
            "request {}: {} {} {} {:?}{}{}",
            request.stream,
            request.head.method(),
            String::from_utf8_lossy(request.head.path()),
            request.head.version().as_str(),
            String::from_utf8_lossy(&request.body),
            if request.body_complete {
                ""
            } else {
                " and more"
            },
            if request.expects_continue {
                ", expects continue"
            } else {
                ""
            },
        ),
        Some(HttpEvent::Body { stream, data, last }) => format!(
            "body {stream}: {:?}{}",
            String::from_utf8_lossy(data),
            if *last { "" } else { " and more" }
        ),
        Some(HttpEvent::Disconnect { stream, gone }) => {
            format!("disconnect {stream}{}", if *gone { ": gone" } else { "" })
        }
        Some(HttpEvent::Sent { stream, bytes }) => format!("sent {stream}: {bytes}"),
        Some(HttpEvent::Warning(Warning::InvalidRequest(status))) => {
            format!("warning: invalid request {status}")
        }
        Some(HttpEvent::Warning(Warning::UnsupportedUpgrade)) => {
            "warning: unsupported upgrade".to_owned()
        }
        Some(HttpEvent::Warning(Warning::WebSocketsOff)) => "warning: websockets off".to_owned(),
        Some(HttpEvent::Warning(Warning::InvalidHandshake(status))) => {
            format!("warning: invalid handshake {status}")
        }
        Some(HttpEvent::Handshake(handshake)) => format!(
            "handshake {}: {} {:?}",
            handshake.stream,
            String::from_utf8_lossy(handshake.head.path()),
            handshake.subprotocols,
        ),
        Some(HttpEvent::WebSocket { stream, event }) => format!("websocket {stream}: {event:?}"),
        Some(HttpEvent::Warning(Warning::UnwritableResponse(status))) => {
            format!("warning: unwritable response {status}")
        }
    }
}

/// A response head.
pub fn head(status: u16, headers: &[(&str, &str)]) -> ResponseHead {
    let mut head = ResponseHead::new(status);
    for (name, value) in headers {
        head.push(name.as_bytes(), value.as_bytes()).unwrap();
    }
    head
}
