//! A WebSocket client's bytes: the same messages, and the same close frame, in one piece and in
//! many; with and without compression.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/ws_machine/echo.rs"]
mod echo;
#[path = "../../tests/ws_machine/peer.rs"]
mod peer;
#[path = "../../tests/ws_machine/wire.rs"]
mod wire;

use libfuzzer_sys::fuzz_target;
use smolcorn::ws::deflate::Deflate;
use smolcorn::ws::limits::WsConfig;

fn config() -> WsConfig {
    WsConfig::default()
}

const DEFLATE: Deflate = Deflate {
    server_window_bits: 12,
    client_window_bits: Some(12),
    server_no_context_takeover: false,
    client_no_context_takeover: false,
};

fuzz_target!(|input: &[u8]| {
    let Some((step, input)) = input.split_first() else {
        return;
    };
    let deflate = (step & 1 == 1).then_some(DEFLATE);
    let cuts: Vec<usize> = (1..input.len())
        .step_by(usize::from(step / 2).max(1))
        .collect();
    let whole = echo::run(input, &[], deflate);
    let cut = echo::run(input, &cuts, deflate);
    assert_eq!(cut.messages, whole.messages);
    let close = |seen: &echo::Seen| {
        let last = seen
            .frames
            .last()
            .filter(|frame| frame.starts_with("close"));
        last.cloned()
    };
    assert_eq!(close(&cut), close(&whole));
});
