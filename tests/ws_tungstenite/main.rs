//! The WebSocket machine on the crate async-tungstenite: those tests of the machine that it can
//! meet, and its own differences.
#![allow(missing_docs, dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../ws_machine/arbitrary.rs"]
mod arbitrary;
#[path = "../ws_machine/backpressure.rs"]
mod backpressure;
#[path = "../ws_machine/client.rs"]
mod client;
#[path = "../ws_machine/closing.rs"]
mod closing;
#[path = "../ws_machine/control.rs"]
mod control;
#[path = "../ws_machine/credit.rs"]
mod credit;
#[path = "../ws_machine/cuts.rs"]
mod cuts;
#[path = "../ws_machine/data.rs"]
mod data;
mod differences;
#[path = "../ws_machine/echo.rs"]
mod echo;
#[path = "../ws_machine/failures.rs"]
mod failures;
#[path = "../ws_machine/fragments.rs"]
mod fragments;
#[path = "../ws_machine/keepalive.rs"]
mod keepalive;
#[path = "../ws_machine/peer.rs"]
mod peer;
#[path = "../ws_machine/wire.rs"]
mod wire;

use smolcorn::ws::limits::{WsConfig, WsEngine};

/// What is under test.
fn config() -> WsConfig {
    WsConfig {
        engine: WsEngine::Tungstenite,
        ..WsConfig::default()
    }
}

/// Settings for `count` random cases. A failure prints its input, which then becomes a test.
fn cases(count: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::with_cases(count)
    }
}
