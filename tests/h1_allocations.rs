//! What a keep-alive request costs in allocations. The count is a promise to the hot path: it may
//! go down, and goes up only for a reason.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::rc::Rc;

use smolcorn::config::HttpConfig;
use smolcorn::http::h1::H1;
use smolcorn::http::response::ResponseHead;
use smolcorn::http::shared::Shared;
use smolcorn::http::{HttpCommand, HttpEvent};
use smolcorn_actors::outbox::{Outbox, Payload};
use smolcorn_actors::protocol::{Close, DeadlineChange, Io, Protocol};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes on to the system's allocator unchanged; the counter is a plain number
// in thread-local storage without a destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.with(Cell::get);
    let result = act();
    (result, ALLOCATIONS.with(Cell::get) - before)
}

const GET: &[u8] = b"GET /path?query HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: bench\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\nCookie: session=1\r\n\r\n";

/// The first request makes what all others use again.
#[test]
fn a_keep_alive_get() {
    let mut machine = H1::new(Rc::new(Shared::new(HttpConfig::default())));
    let mut outbox = Outbox::new();
    let mut events = Vec::with_capacity(4);
    let (mut deadline, mut close) = (DeadlineChange::Keep, Close::Open);
    for stream in 1..10 {
        let mut io = Io {
            outbox: &mut outbox,
            events: &mut events,
            deadline: &mut deadline,
            close: &mut close,
            unix_seconds: 784_111_777,
        };
        let (used, request) = allocations_of(|| machine.receive(GET, &mut io));
        assert_eq!(used, GET.len());
        // Dropped here, as the dispatch actor does when the response begins.
        assert!(matches!(io.events.pop(), Some(HttpEvent::Request(_))));

        let (mut head, response) = allocations_of(|| ResponseHead::new(200));
        let (pushed, headers) = allocations_of(|| {
            head.push(b"Content-Type", b"text/plain")
                .and_then(|()| head.push(b"Content-Length", b"10"))
        });
        assert_eq!(pushed, Ok(()));
        let (body, copy) = allocations_of(|| Payload::copy_of(b"0123456789"));
        let command = HttpCommand::Respond {
            stream,
            head,
            body,
            end: true,
        };
        let ((), written) = allocations_of(|| machine.command(command, &mut io));

        let len = io.outbox.len_bytes();
        let ((), sent) = allocations_of(|| {
            io.outbox.advance(len);
            machine.sent(len, &mut io);
        });
        assert!(io.events.is_empty());
        if stream > 1 {
            assert_eq!(
                [request, response, headers, copy, written, sent],
                [0; 6],
                "request's head, response's head, its lines, body, outbox, end"
            );
        }
    }
}
