//! Scopes, in a Python of the bench's own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use divan::{Bencher, black_box};
use pyo3::prelude::*;
use smolcorn::asgi::access::AccessLogger;
use smolcorn::asgi::border::{Border, BorderConfig};
use smolcorn::asgi::connection::ConnectionRecord;
use smolcorn::asgi::log::ServerLog;
use smolcorn::asgi::scope::ScopeMaker;
use smolcorn::config::HttpConfig;
use smolcorn_actors::actor::ConnectionId;
use smolcorn_actors::mailbox::mailbox;
use smolcorn_actors::messages::{End, Ends};

use crate::http::{head_of, parsed};

/// What does it cost to make the scope of a request, and to let it go again?
#[divan::bench(args = ["short", "browser"])]
fn make_scope(bencher: Bencher, name: &str) {
    Python::initialize();
    Python::attach(|py| {
        let border = Arc::new(border(py).unwrap());
        let end = End::Inet(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)));
        let ends = Ends {
            local: end.clone(),
            peer: end,
        };
        let (address, _mailbox) = mailbox();
        let connection =
            ConnectionRecord::new(py, &border, ConnectionId(1), &ends, address).unwrap();
        let head = parsed(head_of(name), &HttpConfig::default().limits).head;
        bencher.bench_local(|| {
            let scope = border
                .scopes
                .make(py, &connection, black_box(&head))
                .unwrap();
            drop(scope.dict);
        });
    });
}

/// The Python side of a server that serves nothing.
fn border(py: Python<'_>) -> PyResult<Border> {
    let event_loop = py
        .import("asyncio")?
        .call_method0("new_event_loop")?
        .unbind();
    let config = BorderConfig {
        write_buffer_max: 64 * 1024,
        ws_unread_max: 16,
        concurrency_max: None,
        requests_max: None,
        empty_context: false,
    };
    let (released, _) = mailbox();
    Border::new(
        py,
        event_loop,
        py.None(),
        config,
        ScopeMaker::new(py, "3.0", "", None, None)?,
        released,
        ServerLog::new(py)?,
        AccessLogger::new(py, false, "")?,
        py.None(),
        py.None(),
    )
}
