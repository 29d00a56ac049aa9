//! Compression both ways: whatever bytes a client calls compressed inflate alike in one piece and
//! in many and never beyond the limit; and what we compress inflates to what it was.
#![no_main]

use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use smolcorn::ws::close::Failure;
use smolcorn::ws::deflate::Deflate;
use smolcorn::ws::deflate::compress::Compressors;
use smolcorn::ws::deflate::inflate::Inflater;

const BYTES_MAX: usize = 1 << 16;

const DEFLATE: Deflate = Deflate {
    server_window_bits: 10,
    client_window_bits: Some(10),
    server_no_context_takeover: false,
    client_no_context_takeover: false,
};

fuzz_target!(|input: &[u8]| {
    let Some((step, input)) = input.split_first() else {
        return;
    };
    let step = usize::from(*step).max(1);
    assert_eq!(inflate(input.chunks(step)), inflate([input].into_iter()));

    let mut compressors = Compressors::default();
    let owner = compressors.new_owner();
    let mut inflater = Inflater::new(&DEFLATE, Rc::default());
    for message in input.chunks(step * 64) {
        if let Some(wire) = compressors.compress(message, owner, &DEFLATE) {
            assert!(wire.len() < message.len());
            let mut out = Vec::new();
            inflater
                .inflate(wire, &mut out, BYTES_MAX)
                .expect("our own data");
            inflater.finish(&mut out, BYTES_MAX).expect("our own data");
            assert_eq!(out, message);
        }
    }
});

/// Two messages of the same bytes, so that the second may refer to the first.
fn inflate<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Result<Vec<Vec<u8>>, Failure> {
    let mut inflater = Inflater::new(&DEFLATE, Rc::default());
    let mut messages = Vec::new();
    for _ in 0..2 {
        let mut out = Vec::new();
        for piece in pieces.clone() {
            inflater.inflate(piece, &mut out, BYTES_MAX)?;
            assert!(out.len() <= BYTES_MAX);
        }
        inflater.finish(&mut out, BYTES_MAX)?;
        messages.push(out);
    }
    Ok(messages)
}
