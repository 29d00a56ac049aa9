//! Heads of requests and responses, without sockets and without Python.

use std::rc::Rc;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use smolcorn::config::{HttpConfig, HttpLimits};
use smolcorn::http::h1::H1;
use smolcorn::http::head::{HeadScanner, Parsed, Scan, parse};
use smolcorn::http::response::ResponseHead;
use smolcorn::http::shared::Shared;
use smolcorn::http::{HttpCommand, HttpEvent};
use smolcorn_actors::outbox::{Outbox, Payload};
use smolcorn_actors::pool::Pooled;
use smolcorn_actors::protocol::{Close, DeadlineChange, Io, Protocol};

/// As a load generator sends it.
pub const SHORT: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";

/// As a browser sends it.
pub const BROWSER: &[u8] = b"GET /catalogue/tea?page=2&sort=price HTTP/1.1\r\n\
    Host: shop.example.org\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.8,de;q=0.5,fr;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://shop.example.org/catalogue/tea?page=1\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0f8fad5bd9cb469fa16570867728950e; theme=dark; consent=1\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-User: ?1\r\n\
    Priority: u=0, i\r\n\r\n";

const HEADS: [&str; 2] = ["short", "browser"];
const UNIX_SECONDS: u64 = 784_111_777;

/// The head of that name.
pub fn head_of(name: &str) -> &'static [u8] {
    if name == "short" { SHORT } else { BROWSER }
}

/// A head, taken apart.
pub fn parsed(bytes: &[u8], limits: &HttpLimits) -> Parsed {
    let Ok(Scan::Complete { len, lines }) = HeadScanner::default().scan(bytes, limits) else {
        unreachable!("the head is whole");
    };
    parse(&bytes[..len], lines, limits).unwrap()
}

/// What does it cost to find the end of a head?
#[divan::bench(args = HEADS)]
fn scan_head(bencher: Bencher, name: &str) {
    let (bytes, config) = (head_of(name), HttpConfig::default());
    bencher
        .counter(BytesCount::of_slice(bytes))
        .bench(|| HeadScanner::default().scan(black_box(bytes), &config.limits));
}

/// What does it cost to take a head apart and to judge it, its end being known?
#[divan::bench(args = HEADS)]
fn parse_head(bencher: Bencher, name: &str) {
    let (bytes, config) = (head_of(name), HttpConfig::default());
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() - 1;
    bencher
        .counter(BytesCount::of_slice(bytes))
        .bench(|| parse(black_box(bytes), lines, &config.limits));
}

/// What does it cost to check what an application sends as the head of a response?
#[divan::bench]
fn build_response_head() -> Pooled<ResponseHead> {
    response_head()
}

fn response_head() -> Pooled<ResponseHead> {
    let mut head = ResponseHead::new(black_box(200));
    head.push(b"content-type", b"text/plain; charset=utf-8")
        .unwrap();
    head.push(b"content-length", b"10").unwrap();
    head
}

/// What does a whole request cost in the protocol machine: bytes in, event out, command in, bytes
/// out?
#[divan::bench(args = HEADS)]
fn machine_round(bencher: Bencher, name: &str) {
    let bytes = head_of(name);
    let mut connection = Connection::new();
    bencher.bench_local(|| {
        let stream = connection.request(black_box(bytes));
        connection.respond(stream, response_head());
        connection.flush()
    });
}

/// What does it cost to write a response, its head being built?
#[divan::bench]
fn encode_response(bencher: Bencher) {
    bencher
        .with_inputs(|| {
            let mut connection = Connection::new();
            let stream = connection.request(SHORT);
            // A connection that is in use has a buffer.
            connection.outbox.push_bytes(b"x");
            (connection, stream, response_head())
        })
        .bench_local_values(|(mut connection, stream, head)| {
            connection.respond(stream, head);
            connection
        });
}

/// A protocol machine, and what its actor would hold.
struct Connection {
    machine: H1,
    outbox: Outbox,
    events: Vec<HttpEvent>,
    deadline: DeadlineChange,
    close: Close,
    stream: u32,
}

impl Connection {
    fn new() -> Connection {
        Connection {
            machine: H1::new(Rc::new(Shared::new(HttpConfig::default()))),
            outbox: Outbox::new(),
            events: Vec::with_capacity(4),
            deadline: DeadlineChange::Keep,
            close: Close::Open,
            stream: 0,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut H1, &mut Io<'_, HttpEvent>) -> T) -> T {
        let mut io = Io {
            outbox: &mut self.outbox,
            events: &mut self.events,
            deadline: &mut self.deadline,
            close: &mut self.close,
            unix_seconds: UNIX_SECONDS,
        };
        act(&mut self.machine, &mut io)
    }

    /// Shows the machine a whole request; returns its number.
    fn request(&mut self, bytes: &[u8]) -> u32 {
        let used = self.with(|machine, io| machine.receive(bytes, io));
        assert_eq!(used, bytes.len());
        assert!(matches!(self.events.pop(), Some(HttpEvent::Request(_))));
        self.stream += 1;
        self.stream
    }

    fn respond(&mut self, stream: u32, head: Pooled<ResponseHead>) {
        let command = HttpCommand::Respond {
            stream,
            head,
            body: Payload::copy_of(b"Hello, you"),
            end: true,
        };
        self.with(|machine, io| machine.command(command, io));
    }

    /// As if the kernel had taken all; returns how much.
    fn flush(&mut self) -> u64 {
        let bytes = self.outbox.len_bytes();
        self.outbox.advance(bytes);
        self.with(|machine, io| machine.sent(bytes, io));
        bytes
    }
}
