//! permessage-deflate (RFC 7692), by the wire.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use smolcorn::ws::deflate::Deflate;
use smolcorn::ws::limits::WsConfig;
use smolcorn_actors::protocol::Close;

use crate::echo::run;
use crate::peer::Peer;
use crate::wire::*;

pub const AGREED: Deflate = Deflate {
    server_window_bits: 12,
    client_window_bits: Some(12),
    server_no_context_takeover: false,
    client_no_context_takeover: false,
};

/// "Hello", as in section 7.2.3.1.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn peer_with(deflate: Deflate, change: impl FnOnce(&mut WsConfig)) -> Peer {
    let mut config = WsConfig {
        message_bytes_max: 100_000,
        unsent_bytes_max: 1 << 40,
        ..crate::config()
    };
    change(&mut config);
    Peer::with_deflate(config, Some(deflate))
}

fn peer() -> Peer {
    peer_with(AGREED, |_| ())
}

/// The payload of a compressed message.
fn compress(compress: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() * 2 + 100);
    compress
        .compress_vec(message, &mut out, FlushCompress::Sync)
        .unwrap();
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

fn compressed(message: &[u8]) -> Vec<u8> {
    let mut zlib = Compress::new_with_window_bits(Compression::best(), false, 12);
    compress(&mut zlib, message)
}

fn inflate(zlib: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 21);
    let wire = [payload, &[0, 0, 0xff, 0xff]].concat();
    zlib.decompress_vec(&wire, &mut out, FlushDecompress::Sync)
        .unwrap();
    out
}

#[test]
fn the_examples_of_the_rfc() {
    let mut peer = peer();
    peer.send(frame(FIN | RSV1 | TEXT, HELLO));
    peer.expect_text("Hello");
    peer.send(frame(RSV1 | TEXT, &HELLO[..3]))
        .send(frame(FIN | CONTINUATION, &HELLO[3..]));
    peer.expect_text("Hello");
    peer.send(frame(FIN | RSV1 | TEXT, b"\xf2\x00\x11\x00\x00"));
    peer.expect_text("Hello");
    peer.send(frame(
        FIN | RSV1 | TEXT,
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
    ));
    peer.expect_text("Hello");
    peer.send(frame(
        FIN | RSV1 | TEXT,
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ));
    peer.expect_text("Hello");
    peer.expect_nothing();
}

#[test]
fn compressed_and_plain_messages_mix() {
    let mut peer = peer();
    peer.send(
        [
            text("plain"),
            frame(FIN | RSV1 | TEXT, HELLO),
            binary(b"plain"),
        ]
        .concat(),
    );
    peer.expect_text("plain");
    peer.expect_text("Hello");
    peer.expect_binary(b"plain");
}

#[test]
fn empty_messages() {
    let mut peer = peer();
    peer.send(frame(FIN | RSV1 | TEXT, [0]))
        .send(frame(FIN | RSV1 | BINARY, []));
    peer.expect_text("");
    peer.expect_binary(b"");
    peer.send(frame(RSV1 | TEXT, []))
        .send(frame(FIN | CONTINUATION, HELLO));
    peer.expect_text("Hello");
    peer.send(frame(RSV1 | TEXT, HELLO))
        .send(frame(FIN | CONTINUATION, []));
    peer.expect_text("Hello");
}

#[test]
fn the_bit_is_for_the_first_frame_of_a_message() {
    for bad in [
        frame(FIN | RSV1 | CONTINUATION, HELLO),
        frame(FIN | RSV1 | PING, ""),
        frame(FIN | RSV1 | PONG, ""),
        frame(FIN | RSV1 | CLOSE, ""),
        frame(FIN | 0x20 | TEXT, ""),
        frame(FIN | 0x10 | TEXT, ""),
    ] {
        let mut peer = peer();
        peer.send(frame(RSV1 | TEXT, &HELLO[..2])).send(bad);
        peer.expect_failure(1002, "reserved bits must be 0");
    }
}

#[test]
fn what_is_no_deflate_data() {
    let mut peer = peer();
    peer.send(header(FIN | RSV1 | TEXT, 1000))
        .send(masked(b"\x07", 0));
    peer.expect_failure(1007, "invalid compressed data");
}

#[test]
fn text_is_checked_while_it_is_inflated() {
    let wrong = compressed(b"before\xff");
    let mut peer = peer();
    peer.send(frame(RSV1 | TEXT, &wrong));
    // zlib holds the last byte back until the block's end.
    peer.send(frame(FIN | CONTINUATION, ""));
    peer.expect_failure(1007, "");
}

#[test]
fn wrong_text_before_wrong_data_is_wrong_text() {
    // "Hello" with its first byte turned to 0xff, in a stored block, then a block of no kind.
    let wrong = b"\x00\x05\x00\xfa\xff\xffello\x07";
    let mut peer = peer();
    peer.send(frame(FIN | RSV1 | TEXT, wrong));
    peer.expect_failure(1007, "");
}

#[test]
fn a_bomb_is_not_inflated() {
    let bomb = compressed(&vec![0; 50_000_000]);
    assert!(bomb.len() < 60_000);
    let mut peer = peer();
    peer.send(header(FIN | RSV1 | BINARY, bomb.len() as u64));
    peer.send(masked(&bomb[..4000], 0));
    peer.expect_failure(1009, "frame exceeds limit of 100000 bytes");
}

#[test]
fn a_bomb_in_fragments() {
    let half = compressed(&vec![0; 60_000]);
    let mut peer = peer();
    peer.send(frame(RSV1 | BINARY, [&half[..], b"\0\0\xff\xff"].concat()));
    peer.expect_nothing();
    peer.send(frame(FIN | CONTINUATION, half));
    peer.expect_failure(1009, "frame exceeds limit of 100000 bytes");
}

#[test]
fn exactly_the_limit() {
    let mut peer = peer();
    peer.send(frame(FIN | RSV1 | BINARY, compressed(&[7; 100_000])));
    peer.expect_binary(&[7; 100_000]);
    peer.answer();
    peer.send(frame(FIN | RSV1 | BINARY, compressed(&[7; 100_001])));
    peer.expect_failure(1009, "frame exceeds limit of 100000 bytes");
}

#[test]
fn a_message_that_compression_makes_longer() {
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|at| {
            (at.wrapping_mul(2_654_435_761)
                .rotate_left(13)
                .wrapping_mul(at | 1)
                >> 19) as u8
        })
        .collect();
    let wire = compressed(&noise);
    assert!(wire.len() > noise.len());
    let mut peer = peer();
    peer.send(frame(FIN | RSV1 | BINARY, wire));
    peer.expect_binary(&noise);
    peer.answer();
    peer.send(header(FIN | RSV1 | BINARY, 103_000));
    peer.expect_disconnected(
        1009,
        "frame with 103000 bytes exceeds limit of 100000 bytes",
        false,
    );
}

#[test]
fn long_messages_of_ours_are_compressed_and_short_ones_are_not() {
    let mut peer = peer();
    let mut zlib = Decompress::new_with_window_bits(false, 12);
    let long = "all work and no play ".repeat(1000);
    peer.send_text("short");
    for _ in 0..3 {
        peer.send_text(&long);
    }
    let wire = peer.wire();
    let (first, payload, mut rest) = read_frame(&wire).unwrap();
    assert_eq!((first, payload), (FIN | TEXT, &b"short"[..]));
    for _ in 0..3 {
        let (first, payload, behind) = read_frame(rest).unwrap();
        assert_eq!(first, FIN | RSV1 | TEXT);
        assert!(payload.len() < 200);
        assert_eq!(inflate(&mut zlib, payload), long.as_bytes());
        rest = behind;
    }
    assert!(rest.is_empty());
}

#[test]
fn what_does_not_get_smaller_goes_as_it_is() {
    let noise: Vec<u8> = (0..1000_u32)
        .map(|at| {
            (at.wrapping_mul(2_654_435_761)
                .rotate_left(13)
                .wrapping_mul(at | 1)
                >> 19) as u8
        })
        .collect();
    let mut peer = peer();
    peer.send_binary(noise.clone());
    let wire = peer.wire();
    assert_eq!(read_frame(&wire), Some((FIN | BINARY, &noise[..], &[][..])));
}

#[test]
fn a_message_that_is_long_even_when_compressed() {
    let message: Vec<u8> = (0..400_000_u32)
        .map(|at| (at.wrapping_mul(at) % 251 + at / 1000) as u8)
        .collect();
    let mut peer = peer_with(
        Deflate {
            server_no_context_takeover: true,
            ..AGREED
        },
        |_| (),
    );
    for _ in 0..2 {
        peer.send_binary(message.clone());
        let wire = peer.wire();
        let (_, payload, _) = read_frame(&wire).unwrap();
        let mut zlib = Decompress::new_with_window_bits(false, 12);
        assert!(inflate(&mut zlib, payload) == message);
    }
}

#[test]
fn credit_counts_the_applications_bytes() {
    let mut peer = peer_with(AGREED, |config| config.unsent_bytes_max = 0);
    peer.send_text(&"x".repeat(5000));
    assert_eq!(peer.events(), [smolcorn::ws::WsEvent::Sent { bytes: 5000 }]);
}

#[test]
fn context_takeover_of_the_client() {
    for client_no_context_takeover in [false, true] {
        let mut peer = peer_with(
            Deflate {
                client_no_context_takeover,
                ..AGREED
            },
            |_| (),
        );
        let mut zlib = Compress::new_with_window_bits(Compression::best(), false, 12);
        for number in 0..20 {
            let message = format!("message {number} of the test; ").repeat(number);
            if client_no_context_takeover {
                zlib.reset();
            }
            peer.send(frame(
                FIN | RSV1 | TEXT,
                compress(&mut zlib, message.as_bytes()),
            ));
            peer.expect_text(&message);
        }
        assert_eq!(peer.close(), Close::Open);
    }
}

#[test]
fn messages_that_cross_our_close_frame_are_not_inflated() {
    let mut peer = peer();
    peer.send(frame(RSV1 | TEXT, &HELLO[..2]));
    peer.send_close(1000, "");
    peer.expect_disconnected(1000, "", false);
    peer.send(frame(FIN | CONTINUATION, b"\x07\x07\x07"));
    peer.send(frame(FIN | RSV1 | TEXT, b"\x07\x07\x07"));
    assert_eq!(peer.close(), Close::Open);
}

#[test]
fn every_cut() {
    let message = "every cut of a compressed message ".repeat(3);
    let wire = compressed(message.as_bytes());
    let stream = [
        frame(FIN | RSV1 | TEXT, HELLO),
        frame(RSV1 | TEXT, &wire[..9]),
        ping(""),
        frame(FIN | CONTINUATION, &wire[9..]),
        frame(FIN | RSV1 | TEXT, b"\xf2\x48\xcd"),
    ]
    .concat();
    let whole = run(&stream, &[], Some(AGREED)).messages;
    for cut in 1..stream.len() {
        assert_eq!(
            run(&stream, &[cut], Some(AGREED)).messages,
            whole,
            "cut at {cut}"
        );
    }
    let every: Vec<usize> = (1..stream.len()).collect();
    assert_eq!(run(&stream, &every, Some(AGREED)).messages, whole);
}

proptest::proptest! {
    #![proptest_config(crate::cases(500))]

    /// Whatever a client compresses, or claims to have compressed.
    #[test]
    fn any_bytes(
        payloads in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..60), 1..5),
        real in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
        step in 1..40_usize,
    ) {
        let mut stream = frame(FIN | RSV1 | BINARY, compressed(&real));
        for payload in payloads {
            stream.extend(frame(FIN | RSV1 | BINARY, payload));
        }
        let cuts: Vec<usize> = (1..stream.len()).step_by(step).collect();
        let whole = run(&stream, &[], Some(AGREED)).messages;
        proptest::prop_assert_eq!(whole.first(), Some(&smolcorn::ws::WsEvent::Binary(real)));
        proptest::prop_assert_eq!(run(&stream, &cuts, Some(AGREED)).messages, whole);
    }
}
