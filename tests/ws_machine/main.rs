//! The WebSocket machine, by the wire: literal bytes in, literal bytes out.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arbitrary;
mod backpressure;
mod client;
mod closing;
mod control;
mod credit;
mod cuts;
mod data;
mod deflate;
mod echo;
mod failures;
mod farewell;
mod fragments;
mod keepalive;
mod limits;
mod peer;
mod utf8;
mod wire;

/// What is under test.
fn config() -> smolcorn::ws::limits::WsConfig {
    smolcorn::ws::limits::WsConfig::default()
}

/// Settings for `count` random cases. A failure prints its input, which then becomes a test.
fn cases(count: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::with_cases(count)
    }
}
