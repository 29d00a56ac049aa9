//! How the client's bytes are cut into pieces makes no difference.

use proptest::prelude::*;
use smolcorn::ws::WsEvent;

use crate::echo::{Seen, run};
use crate::wire::*;

/// A connection with a bit of everything.
fn stream() -> Vec<u8> {
    [
        text("Hello"),
        text(""),
        frame(TEXT, "\u{3ba}\u{1f79}".as_bytes().split_at(4).0),
        ping("between"),
        frame(CONTINUATION, ""),
        frame(
            FIN | CONTINUATION,
            "\u{3ba}\u{1f79}".as_bytes().split_at(4).1,
        ),
        pong("nobody asked"),
        binary(&[0xff; 130]),
        frame(BINARY, [1, 2, 3]),
        frame(FIN | CONTINUATION, [4; 126]),
        close(4000, "\u{20ac}"),
        text("never"),
    ]
    .concat()
}

/// What was seen, apart from when pongs came: an application answers later than the machine.
fn sorted(mut seen: Seen) -> Seen {
    let close = seen
        .frames
        .iter()
        .position(|frame| frame.starts_with("close"));
    let close = close.map(|at| seen.frames.remove(at));
    seen.frames.sort_by_key(|frame| frame.starts_with("pong"));
    seen.frames.extend(close);
    seen
}

#[test]
fn the_stream_is_understood() {
    let seen = run(&stream(), &[], None);
    assert_eq!(seen.messages.len(), 6, "{seen:#?}");
    assert_eq!(seen.messages[2], WsEvent::Text("\u{3ba}\u{1f79}".into()));
    assert!(seen.frames.contains(&"pong \"between\"".to_owned()));
}

#[test]
fn every_single_cut() {
    // Answers that come behind the close frame are lost, so all have to come before it.
    let stream = stream();
    let whole = run(&stream, &[], None);
    for cut in 1..stream.len() {
        assert_eq!(
            run(&stream, &[cut], None).messages,
            whole.messages,
            "cut at {cut}"
        );
    }
}

#[test]
fn every_pair_of_cuts() {
    let stream = [
        text("a\u{e4}"),
        frame(TEXT, "b"),
        ping("p"),
        frame(FIN | CONTINUATION, "c"),
    ]
    .concat();
    let whole = sorted(run(&stream, &[], None));
    for first in 1..stream.len() {
        for second in first + 1..stream.len() {
            let cut = sorted(run(&stream, &[first, second], None));
            assert_eq!(cut, whole, "cuts at {first} and {second}");
        }
    }
}

#[test]
fn every_byte_alone() {
    let stream = stream();
    let cuts: Vec<usize> = (1..stream.len()).collect();
    assert_eq!(
        run(&stream, &cuts, None).messages,
        run(&stream, &[], None).messages
    );
}

fn close_frame(seen: &Seen) -> Option<&String> {
    seen.frames
        .last()
        .filter(|frame| frame.starts_with("close"))
}

/// What connections, good and bad ones, are made of.
pub fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => prop::sample::select(vec!["", "a", "\u{e4}", "\u{20ac}uro", "\u{10ffff}"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => (0..300_usize).prop_map(|len| vec![b'x'; len]),
    ];
    let first = prop_oneof![
        8 => prop::sample::select(vec![TEXT, FIN | TEXT, BINARY, FIN | BINARY, CONTINUATION, FIN | CONTINUATION]),
        2 => prop::sample::select(vec![FIN | PING, FIN | PONG]),
        1 => any::<u8>(),
    ];
    let piece = prop_oneof![
        12 => (first, payload).prop_map(|(first, payload)| frame(first, payload)),
        1 => (990..1020_u16).prop_map(|code| close(code, "")),
        1 => prop::collection::vec(any::<u8>(), 0..10),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn many_cuts_through_connections_good_and_bad(
        input in fragments(),
        seeds in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = seeds.iter().map(|seed| seed.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = run(&input, &[], None);
        let cut = run(&input, &cuts, None);
        prop_assert_eq!(&cut.messages, &whole.messages);
        prop_assert_eq!(close_frame(&cut), close_frame(&whole));
        let every: Vec<usize> = (1..input.len()).collect();
        prop_assert_eq!(run(&input, &every, None).messages, whole.messages);
    }

    /// What a client writes is what the application gets, and the other way round.
    #[test]
    fn messages_come_through(
        payload in prop::collection::vec(any::<u8>(), 0..2000),
        fragment_bytes in 1..500_usize,
    ) {
        let mut stream = frame(BINARY, "");
        for fragment in payload.chunks(fragment_bytes) {
            stream.extend(frame(CONTINUATION, fragment));
        }
        stream.extend(frame(FIN | CONTINUATION, ""));
        let mut peer = crate::peer::Peer::new();
        peer.send(&stream);
        peer.expect_binary(&payload);
        peer.send_binary(payload.clone());
        let wire = peer.wire();
        prop_assert_eq!(read_frame(&wire), Some((FIN | BINARY, &payload[..], &[][..])));
    }
}
