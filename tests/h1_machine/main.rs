//! The HTTP/1 machine, by the wire: literal bytes in, literal bytes out.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arbitrary;
mod basics;
mod chunked;
mod credit;
mod cuts;
mod drain;
mod echo;
mod errors;
mod expect;
mod framing;
mod half_close;
mod heads;
mod keep_alive;
mod limits;
mod peer;
mod pipelining;
mod responses;
mod stream;
mod timeouts;
mod uploads;
mod websocket;

use std::rc::Rc;

use smolcorn::config::HttpConfig;
use smolcorn::http::h1::H1;
use smolcorn::http::machine::HttpMachine;
use smolcorn::http::shared::Shared;

/// What is under test.
type Machine = HttpMachine;

fn machine(config: HttpConfig) -> Machine {
    HttpMachine::Native(H1::new(Rc::new(Shared::new(config))))
}

/// Settings for `count` random cases. A failure prints its input, which then becomes a test.
fn cases(count: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::with_cases(count)
    }
}
