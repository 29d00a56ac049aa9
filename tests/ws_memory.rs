//! What a WebSocket costs in memory: allocations per message, and bytes of an idle connection.
//! The figures are promises; they may go down, and go up only for a reason.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "ws_machine/wire.rs"]
#[allow(dead_code)]
mod wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::IoSlice;
use std::rc::Rc;

use flate2::{Compress, Compression, FlushCompress};
use smolcorn::ws::deflate::Deflate;
use smolcorn::ws::limits::WsConfig;
use smolcorn::ws::machine::{Plain, WsMachine};
use smolcorn::ws::shared::WsShared;
use smolcorn::ws::{WsCommand, WsEvent};
use smolcorn_actors::outbox::{Next, Outbox, Payload};
use smolcorn_actors::protocol::{Close, DeadlineChange, Io, Protocol};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(allocations: usize, bytes: isize) {
    ALLOCATIONS.with(|cell| cell.set(cell.get() + allocations));
    LIVE_BYTES.with(|cell| cell.set(cell.get() + bytes));
}

// SAFETY: every call goes on to the system's allocator unchanged; the counters are plain numbers
// in thread-local storage without a destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, new_size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

fn live_bytes() -> isize {
    LIVE_BYTES.with(Cell::get)
}

/// A machine, and what an actor keeps for it.
struct Connection {
    machine: WsMachine<Plain>,
    outbox: Outbox,
    events: Vec<WsEvent>,
}

impl Connection {
    fn new(shared: &Rc<WsShared>, deflate: Option<Deflate>) -> Connection {
        let mut connection = Connection {
            machine: WsMachine::new(Rc::clone(shared), deflate, Plain),
            outbox: Outbox::new(),
            events: Vec::new(),
        };
        connection.call(|machine, io| machine.begin(io));
        connection
    }

    fn call<T>(&mut self, act: impl FnOnce(&mut WsMachine<Plain>, &mut Io<'_, WsEvent>) -> T) -> T {
        act(
            &mut self.machine,
            &mut Io {
                outbox: &mut self.outbox,
                events: &mut self.events,
                deadline: &mut DeadlineChange::Keep,
                close: &mut Close::Open,
                unix_seconds: 0,
            },
        )
    }

    fn receive(&mut self, bytes: &[u8]) {
        let taken = self.call(|machine, io| machine.receive(bytes, io));
        assert_eq!(taken, bytes.len());
    }

    /// Sends every message back.
    fn answer(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        let messages = events.len();
        for event in events.drain(..) {
            let command = match event {
                WsEvent::Text(text) => WsCommand::Text(Payload::Owned(text.into_bytes())),
                WsEvent::Binary(bytes) => WsCommand::Binary(Payload::Owned(bytes)),
                other => panic!("{other:?}"),
            };
            self.call(|machine, io| machine.command(command, io));
        }
        self.events = events;
        self.call(|machine, io| machine.command(WsCommand::Consumed { messages }, io));
        self.write();
    }

    fn write(&mut self) {
        while !self.outbox.is_empty() {
            let mut slices = [IoSlice::new(&[])];
            let Next::Slices(1) = self.outbox.next(&mut slices) else {
                panic!("nothing to write in a full outbox");
            };
            let len = slices[0].len() as u64;
            self.outbox.advance(len);
            self.call(|machine, io| machine.sent(len, io));
        }
        self.events
            .retain(|event| !matches!(event, WsEvent::Sent { .. }));
    }
}

fn compressed(message: &[u8], window_bits: u8) -> Vec<u8> {
    let mut zlib = Compress::new_with_window_bits(Compression::best(), false, window_bits);
    let mut out = Vec::with_capacity(message.len() * 2 + 100);
    zlib.compress_vec(message, &mut out, FlushCompress::Sync)
        .unwrap();
    out.truncate(out.len() - 4);
    out
}

#[test]
fn a_message_costs_itself_and_a_write_costs_its_buffer() {
    let shared = Rc::new(WsShared::new(WsConfig::default()));
    let mut connection = Connection::new(&shared, None);
    let input = wire::text(&"x".repeat(64)).repeat(16);
    for _ in 0..3 {
        connection.receive(&input);
        connection.answer();
    }
    let before = allocations();
    connection.receive(&input);
    assert_eq!(allocations() - before, 16, "messages in");
    let before = allocations();
    connection.answer();
    // The buffer of the outbox begins with 512 bytes and grows.
    assert!(
        allocations() - before <= 4,
        "messages out: {}",
        allocations() - before
    );
}

#[test]
fn an_idle_connection_holds_next_to_nothing() {
    let shared = Rc::new(WsShared::new(WsConfig::default()));
    let before = live_bytes();
    let mut connection = Box::new(Connection::new(&shared, None));
    let new = live_bytes() - before;
    for _ in 0..100 {
        connection.receive(&wire::text(&"x".repeat(64)).repeat(30));
        connection.receive(&wire::ping("p"));
        connection.answer();
    }
    connection.receive(&wire::binary(&vec![0; 3 << 20]));
    connection.answer();
    let used = live_bytes() - before;
    let machine = size_of::<WsMachine<Plain>>();
    println!("idle: machine {machine}, with an actor's outbox {new}, after use {used} bytes");
    assert!(new < 1024 && used < 4096);
}

#[test]
fn compression_has_its_price() {
    let shared = Rc::new(WsShared::new(WsConfig::default()));
    let message = "what compresses well ".repeat(20_000);
    for (client_window_bits, bytes_max) in [(Some(12), 6_000), (None, 34_000)] {
        let deflate = Deflate {
            server_window_bits: 12,
            client_window_bits,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
        };
        let wire = compressed(message.as_bytes(), client_window_bits.unwrap_or(15));
        let mut other = Connection::new(&shared, Some(deflate));
        other.receive(&wire::frame(wire::FIN | wire::RSV1 | wire::TEXT, &wire));
        let before = live_bytes();
        let mut connection = Box::new(Connection::new(&shared, Some(deflate)));
        for _ in 0..3 {
            connection.receive(&wire::frame(wire::FIN | wire::RSV1 | wire::TEXT, &wire));
            connection.events.clear();
            connection.call(|machine, io| machine.command(WsCommand::Consumed { messages: 1 }, io));
        }
        let used = live_bytes() - before;
        println!("client window {client_window_bits:?}: {used} bytes");
        assert!(used < bytes_max, "{used}");
        let without = live_bytes();
        drop(connection);
        assert!(live_bytes() < without);
    }
}

/// However many connections compress, there are sixteen compressors.
#[test]
fn compressors_are_shared() {
    let shared = Rc::new(WsShared::new(WsConfig::default()));
    let deflate = Deflate {
        server_window_bits: 12,
        client_window_bits: Some(12),
        server_no_context_takeover: false,
        client_no_context_takeover: false,
    };
    let before = live_bytes();
    let mut connections = Vec::new();
    for number in 1..=100 {
        let mut connection = Connection::new(&shared, Some(deflate));
        let message = Payload::Owned("what compresses well ".repeat(100).into_bytes());
        connection.call(|machine, io| machine.command(WsCommand::Text(message), io));
        connection.write();
        connections.push(connection);
        if number == 1 {
            println!("one compressor: {} bytes", live_bytes() - before);
        }
    }
    let used = live_bytes() - before;
    println!("100 connections that compress: {used} bytes");
    assert!(used < 16 * 300_000 + 100 * 2048, "{used}");
}
