//! The chunked decoder against a slow and simple reading of RFC 9112, section 7.1.

use proptest::prelude::*;
use smolcorn::http::body::ChunkedDecoder;

#[derive(Debug, PartialEq)]
enum Outcome {
    /// The decoded body, and the length of its encoding.
    Complete(Vec<u8>, usize),
    Incomplete,
    Bad,
}

/// Reads line by line, with everything in memory.
fn oracle(input: &[u8]) -> Outcome {
    let mut body = Vec::new();
    let mut rest = input;
    let line = |rest: &mut &[u8]| -> Option<Vec<u8>> {
        let at = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = rest[..at].to_vec();
        *rest = &rest[at + 2..];
        Some(line)
    };
    let text = |bytes: &[u8]| {
        bytes
            .iter()
            .all(|byte| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..))
    };
    loop {
        let Some(size_line) = line(&mut rest) else {
            return Outcome::Incomplete;
        };
        let digits = size_line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let (number, extension) = size_line.split_at(digits);
        if !(1..=16).contains(&digits) || !text(extension) {
            return Outcome::Bad;
        }
        if !extension.is_empty() && extension.trim_ascii_start().first() != Some(&b';') {
            return Outcome::Bad;
        }
        let size = u64::from_str_radix(std::str::from_utf8(number).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        let Ok(size) = usize::try_from(size) else {
            return Outcome::Incomplete;
        };
        let Some((data, behind)) = rest.split_at_checked(size) else {
            return Outcome::Incomplete;
        };
        body.extend_from_slice(data);
        match behind {
            [b'\r', b'\n', behind @ ..] => rest = behind,
            [] | [b'\r'] => return Outcome::Incomplete,
            _ => return Outcome::Bad,
        }
    }
    loop {
        let Some(trailer) = line(&mut rest) else {
            return Outcome::Incomplete;
        };
        if trailer.is_empty() {
            return Outcome::Complete(body, input.len() - rest.len());
        }
        let Some(colon) = trailer.iter().position(|byte| *byte == b':') else {
            return Outcome::Bad;
        };
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if colon == 0 || !trailer[..colon].iter().all(token) || !text(&trailer[colon + 1..]) {
            return Outcome::Bad;
        }
    }
}

fn decode(pieces: &[&[u8]]) -> Outcome {
    let mut decoder = ChunkedDecoder::new(None);
    let mut body = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        match decoder.decode(piece, &mut |data| body.extend_from_slice(data)) {
            Ok(len) => {
                assert!(len == piece.len() || decoder.is_complete());
                taken += len;
            }
            Err(_) => return Outcome::Bad,
        }
        if decoder.is_complete() {
            return Outcome::Complete(body, taken);
        }
    }
    Outcome::Incomplete
}

const FRAGMENTS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "a",
    "F",
    "00",
    "10",
    ";",
    ";x",
    "=\"y\"",
    " ",
    "\t",
    "\r\n",
    "\r",
    "\n",
    "ab",
    "abc",
    "x",
    ":",
    "T: u\r\n",
    "1\r\na\r\n",
    "3;x\r\nabc\r\n",
    "0\r\n\r\n",
    "0\r\nT: u\r\n\r\n",
    "\0",
    "-",
    "g",
    "\u{e4}",
];

fn streams() -> impl Strategy<Value = Vec<u8>> {
    let pieces = |fragments: &'static [&'static str]| {
        prop::collection::vec(prop::sample::select(fragments), 0..10)
            .prop_map(|fragments| fragments.concat().into_bytes())
    };
    let well_formed = prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5)
        .prop_map(|chunks| {
            let mut stream = Vec::new();
            for chunk in chunks {
                stream.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                stream.extend_from_slice(&chunk);
                stream.extend_from_slice(b"\r\n");
            }
            stream.extend_from_slice(b"0\r\n\r\nrest");
            stream
        });
    let damaged = (
        well_formed.clone(),
        any::<prop::sample::Index>(),
        any::<u8>(),
    )
        .prop_map(|(mut stream, at, byte)| {
            let at = at.index(stream.len());
            stream[at] = byte;
            stream
        });
    prop_oneof![4 => pieces(FRAGMENTS), 1 => well_formed, 2 => damaged]
}

proptest! {
    #![proptest_config(crate::cases(3000))]

    #[test]
    fn agrees_with_the_oracle(stream in streams(), cut in any::<prop::sample::Index>()) {
        let expected = oracle(&stream);
        let (head, tail) = stream.split_at(cut.index(stream.len() + 1));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        for actual in [decode(&[&stream]), decode(&[head, tail]), decode(&bytes)] {
            // The decoder may see that a line is bad before the line ends.
            if expected == Outcome::Incomplete {
                prop_assert!(matches!(actual, Outcome::Incomplete | Outcome::Bad));
            } else {
                prop_assert_eq!(&actual, &expected);
            }
        }
    }

    #[test]
    fn what_is_refused_early_could_not_become_good(stream in streams()) {
        if oracle(&stream) == Outcome::Incomplete && decode(&[&stream]) == Outcome::Bad {
            for end in ["\r\n", "\n", "0\r\n\r\n", "\r\n0\r\n\r\n", "x\r\n0\r\n\r\n", ": x\r\n\r\n", "a\n\r\n\r\n"] {
                let whole = [&stream[..], end.as_bytes()].concat();
                prop_assert!(!matches!(oracle(&whole), Outcome::Complete(..)), "{:?}", end);
            }
        }
    }
}

#[test]
fn the_oracle_itself() {
    assert_eq!(
        oracle(b"3;x\r\nabc\r\n0\r\nT: u\r\n\r\nrest"),
        Outcome::Complete(b"abc".to_vec(), 21)
    );
    assert_eq!(oracle(b"3\r\nab"), Outcome::Incomplete);
    assert_eq!(oracle(b"3\r\nabcd\r\n"), Outcome::Bad);
    assert_eq!(oracle(b"3 \r\nabc\r\n"), Outcome::Bad);
}
