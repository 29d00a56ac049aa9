//! A connection's bytes: the same responses in one piece and in many.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/h1_machine/echo.rs"]
mod echo;
#[path = "../../tests/h1_machine/peer.rs"]
mod peer;

use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use smolcorn::config::HttpConfig;
use smolcorn::http::h1::H1;
use smolcorn::http::shared::Shared;

/// What is under test.
type Machine = H1;

fn machine(config: HttpConfig) -> Machine {
    H1::new(Rc::new(Shared::new(config)))
}

fuzz_target!(|input: &[u8]| {
    let Some((step, input)) = input.split_first() else {
        return;
    };
    let cuts: Vec<usize> = (1..input.len())
        .step_by(usize::from(*step).max(1))
        .collect();
    assert_eq!(echo::run(input, &cuts), echo::run(input, &[]));
});
