//! Text is UTF-8, and a wrong byte is noticed when it comes (RFC 6455, section 8.1).

use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{BINARY, CONTINUATION, FIN, TEXT, frame, header, masked};

/// One of each length, and the last ones before the gaps.
const GOOD: &[&str] = &[
    "\0\u{7f}",
    "\u{80}\u{7ff}",
    "\u{800}\u{d7ff}\u{e000}\u{ffff}",
    "\u{10000}\u{10ffff}",
    "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}",
];

/// A wrong sequence, and how many bytes of it show that it is.
const BAD: &[(&[u8], usize)] = &[
    (b"\x80", 1),
    (b"\xbf", 1),
    (b"\xc0\xaf", 1),
    (b"\xc1\xbf", 1),
    (b"\xc3(", 2),
    (b"\xe0\x80\xaf", 2),
    (b"\xe0\x9f\xbf", 2),
    (b"\xe1\x80\xc0", 3),
    (b"\xed\xa0\x80", 2),
    (b"\xed\xbf\xbf", 2),
    (b"\xf0\x80\x80\xaf", 2),
    (b"\xf0\x8f\xbf\xbf", 2),
    (b"\xf1\x80\x80(", 4),
    (b"\xf4\x90\x80\x80", 2),
    (b"\xf5\x80\x80\x80", 1),
    (b"\xf8\x88\x80\x80\x80", 1),
    (b"\xfe", 1),
    (b"\xff", 1),
];

#[test]
fn good_text_in_all_kinds_of_pieces() {
    for text in GOOD {
        for fragment_bytes in 1..=text.len() {
            let mut peer = Peer::new();
            peer.send(frame(TEXT, ""));
            for fragment in text.as_bytes().chunks(fragment_bytes) {
                for byte in frame(CONTINUATION, fragment) {
                    peer.send([byte]);
                }
            }
            peer.send(frame(FIN | CONTINUATION, ""));
            peer.expect_text(text);
        }
    }
}

#[test]
fn a_wrong_byte_in_a_whole_message() {
    for (bad, _) in BAD {
        let mut peer = Peer::new();
        peer.send(frame(FIN | TEXT, [b"before", *bad, b"behind"].concat()));
        peer.expect_failure(1007, "");
    }
}

#[test]
fn a_wrong_byte_is_noticed_before_the_frame_ends() {
    for (bad, shows) in BAD {
        let mut peer = Peer::new();
        peer.send(header(FIN | TEXT, 1000));
        for (at, byte) in [b"before", &bad[..*shows]].concat().into_iter().enumerate() {
            assert_eq!(peer.close(), Close::Open, "{bad:?}");
            peer.send(masked(&[byte], at % 4));
        }
        peer.expect_failure(1007, "");
    }
}

#[test]
fn a_wrong_byte_is_noticed_before_the_message_ends() {
    for (bad, _) in BAD {
        let mut peer = Peer::new();
        peer.send(frame(TEXT, "before"))
            .send(frame(CONTINUATION, bad));
        peer.expect_failure(1007, "");
    }
}

#[test]
fn a_character_cannot_end_with_its_message() {
    for text in ["\u{e4}", "\u{20ac}", "\u{10ffff}"] {
        for len in 1..text.len() {
            let mut peer = Peer::new();
            peer.send(frame(FIN | TEXT, &text.as_bytes()[..len]));
            peer.expect_failure(1007, "");
            let mut peer = Peer::new();
            peer.send(frame(TEXT, &text.as_bytes()[..len]));
            peer.expect_nothing();
            assert_eq!(peer.close(), Close::Open);
            peer.send(frame(FIN | CONTINUATION, ""));
            peer.expect_failure(1007, "");
        }
    }
}

#[test]
fn binary_messages_are_anything() {
    for (bad, _) in BAD {
        let mut peer = Peer::new();
        peer.send(frame(FIN | BINARY, bad));
        peer.expect_binary(bad);
    }
}
