//! The machine on the crate async-h1, by the wire: what the crate makes different has tests here,
//! and the native machine's own tests hold it to the rest.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod requests;
mod responses;
mod stream;

#[path = "../h1_machine/arbitrary.rs"]
mod arbitrary;
#[path = "../h1_machine/credit.rs"]
mod credit;
#[path = "../h1_machine/cuts.rs"]
mod cuts;
#[path = "../h1_machine/echo.rs"]
mod echo;
#[path = "../h1_machine/framing.rs"]
mod framing;
#[path = "../h1_machine/peer.rs"]
mod peer;
#[path = "../h1_machine/timeouts.rs"]
mod timeouts;
#[path = "../h1_machine/websocket.rs"]
mod websocket;

use std::rc::Rc;

use smolcorn::config::HttpConfig;
use smolcorn::http::async_h1::{AsyncH1, within_limits};
use smolcorn::http::machine::HttpMachine;
use smolcorn::http::shared::Shared;

/// What is under test.
type Machine = HttpMachine;

fn machine(config: HttpConfig) -> Machine {
    let shared = Rc::new(Shared::new(within_limits(config)));
    HttpMachine::AsyncH1(Box::new(AsyncH1::new(shared)))
}

/// Settings for `count` random cases. A failure prints its input, which then becomes a test.
fn cases(count: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::with_cases(count)
    }
}
