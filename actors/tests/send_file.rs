//! A range of a file goes out whole and in its place; a file that turns out shorter than
//! promised cuts the connection.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::protocol::Close;
use support::lines::{Tell, Told};
use support::{Server, in_each_placement};

/// A file of its own for each test, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Scratch {
        let name = format!("smolcorn-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        File::create(&path).unwrap().write_all(bytes).unwrap();
        Scratch(path)
    }

    fn open(&self) -> File {
        File::open(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_range_arrives_between_head_and_tail() {
    let bytes: Vec<u8> = (0..9_000_000u32).map(|at| (at % 253) as u8).collect();
    let scratch = Scratch::new("range", &bytes);
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        let (offset, len) = (1_000_003, 7_000_001);
        peer.tell(Tell::write("head"));
        peer.tell(Tell::File {
            file: scratch.open(),
            offset,
            len,
        });
        peer.tell(Tell::write("tail"));
        peer.tell(Tell::Close(Close::Flush));
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        let range = &bytes[offset as usize..(offset + len) as usize];
        assert!(got == [b"head", range, b"tail"].concat());
    });
}

#[test]
fn a_file_that_is_too_short_cuts_the_connection() {
    let scratch = Scratch::new("short", b"only this");
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let (mut client, peer) = server.connect();
        peer.tell(Tell::File {
            file: scratch.open(),
            offset: 5,
            len: 100,
        });
        server.until_told(&peer, &Told::Lost);
        assert_eq!(server.until_closed(&peer), StopReason::Aborted);
        let mut got = Vec::new();
        assert!(client.read_to_end(&mut got).is_err(), "an ordinary end");
    });
}
