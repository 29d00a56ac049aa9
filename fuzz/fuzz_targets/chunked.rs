//! A chunked body: decoded alike in one piece and in many.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smolcorn::http::body::ChunkedDecoder;
use smolcorn::http::refusal::Refusal;

fuzz_target!(|input: &[u8]| {
    let Some((step, input)) = input.split_first() else {
        return;
    };
    let whole = decode([input].into_iter());
    assert_eq!(decode(input.chunks(usize::from(*step).max(1))), whole);
    assert_eq!(decode(input.chunks(1)), whole);
});

/// The decoded bytes, how many were taken, and whether that was all.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, usize, Result<bool, Refusal>) {
    let mut decoder = ChunkedDecoder::new(Some(1 << 20));
    let mut body = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        match decoder.decode(piece, &mut |data| body.extend_from_slice(data)) {
            Ok(len) => taken += len,
            // How much of the last piece was taken is not said.
            Err(refusal) => return (body, 0, Err(refusal)),
        }
        if decoder.is_complete() {
            break;
        }
    }
    (body, taken, Ok(decoder.is_complete()))
}
