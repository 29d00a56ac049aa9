//! Scopes, in a Python of the bench's own.

use std::net::{Ipv4Addr, SocketAddr};

use divan::{Bencher, black_box};
use pyo3::Python;
use smolcorn::asgi::connection::ConnectionRecord;
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
        let maker = ScopeMaker::new(py, "3.0", "", None, None).unwrap();
        let end = End::Inet(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)));
        let ends = Ends {
            local: end.clone(),
            peer: end,
        };
        let (address, _mailbox) = mailbox();
        let connection = ConnectionRecord::new(py, ConnectionId(1), &ends, address, None).unwrap();
        let head = parsed(head_of(name), &HttpConfig::default().limits).head;
        bencher.bench_local(|| {
            let scope = maker.make(py, &connection, black_box(&head)).unwrap();
            drop(scope.dict);
        });
    });
}
