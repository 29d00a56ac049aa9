//! How the client's bytes are cut into pieces makes no difference.

use proptest::prelude::*;

use crate::echo::run;
use crate::stream::STREAM;

#[test]
fn every_single_cut() {
    let whole = run(STREAM.as_bytes(), &[]);
    for cut in 1..STREAM.len() {
        assert_eq!(run(STREAM.as_bytes(), &[cut]), whole, "cut at {cut}");
    }
}

#[test]
fn every_byte_alone() {
    let cuts: Vec<usize> = (1..STREAM.len()).collect();
    assert_eq!(run(STREAM.as_bytes(), &cuts), run(STREAM.as_bytes(), &[]));
}

#[test]
fn every_pair_of_cuts() {
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n0\r\nT: u\r\n\r\n\
        GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    let whole = run(input, &[]);
    assert_eq!(whole.requests.len(), 2);
    for first in 1..input.len() {
        for second in first + 1..input.len() {
            assert_eq!(
                run(input, &[first, second]),
                whole,
                "cuts at {first} and {second}"
            );
        }
    }
}

/// What requests, good and bad ones, are made of.
const FRAGMENTS: &[&str] = &[
    "GET ",
    "POST ",
    "HEAD ",
    "CONNECT ",
    "/",
    "*",
    "http://a",
    "?",
    "#",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    " HTTP/2.0\r\n",
    "Host: a\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Expect: 100-continue\r\n",
    "Expect: x\r\n",
    "Upgrade: x\r\nConnection: upgrade\r\n",
    "TE: trailers\r\n",
    "\r\n",
    "\r",
    "\n",
    "abc",
    "3\r\nabc\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "3;x\r\n",
    "T: u\r\n",
    " ",
    ":",
    "\0",
    "\u{e4}",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
];

pub fn fragments() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(FRAGMENTS), 0..12)
        .prop_map(|fragments| fragments.concat().into_bytes())
}

proptest! {
    #![proptest_config(crate::cases(500))]

    #[test]
    fn many_cuts(cuts in prop::collection::btree_set(1..STREAM.len(), 0..40)) {
        let cuts: Vec<usize> = cuts.into_iter().collect();
        prop_assert_eq!(run(STREAM.as_bytes(), &cuts), run(STREAM.as_bytes(), &[]));
    }

    #[test]
    fn many_cuts_through_requests_good_and_bad(
        input in fragments(),
        seeds in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = seeds.iter().map(|seed| seed.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(run(&input, &cuts), run(&input, &[]));
        let every: Vec<usize> = (1..input.len()).collect();
        prop_assert_eq!(run(&input, &every), run(&input, &[]));
    }
}
