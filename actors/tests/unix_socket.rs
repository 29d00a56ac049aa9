//! Everything works over a unix socket as it does over tcp.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::messages::End;
use smolcorn_actors::protocol::Close;
use socket2::{Domain, SockAddr, Socket, Type};
use support::lines::{Tell, Told};
use support::{Kind, PATIENCE, Peer, Seen, Server, in_each_placement};

struct Bench {
    server: Server,
    path: PathBuf,
}

impl Bench {
    fn start(kind: Kind, name: &str) -> Bench {
        let name = format!("smolcorn-{}-{name}-{kind:?}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(16).unwrap();
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let answer = |line: &str| Some(Tell::write(format!("{line}\n")));
        let server = Server::on(kind, vec![socket], nowhere, Limits::default(), answer);
        Bench { server, path }
    }

    fn connect(&self) -> (UnixStream, Peer) {
        let client = UnixStream::connect(&self.path).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        (client, self.server.accepted())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn lines_go_both_ways() {
    in_each_placement(|kind| {
        let bench = Bench::start(kind, "echo");
        let (mut client, peer) = bench.connect();
        bench.server.until(|seen| match seen {
            Seen::Opened(id, ends) => {
                assert_eq!(id, peer.id);
                assert_eq!(ends.local, End::Unix(Some(bench.path.clone())));
                assert_eq!(ends.peer, End::Unix(None));
                Some(())
            }
            _ => None,
        });
        client.write_all(b"one\ntwo\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        bench.server.until_told(&peer, &Told::Eof { unused: 0 });
        peer.tell(Tell::Close(Close::Flush));
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"one\ntwo\n");
    });
}

#[test]
fn more_than_the_buffers_hold_arrives_whole() {
    in_each_placement(|kind| {
        let bench = Bench::start(kind, "large");
        let (mut client, peer) = bench.connect();
        let bytes: Vec<u8> = (0..8_000_000u32).map(|at| (at % 249) as u8).collect();
        peer.tell(Tell::write(bytes.clone()));
        peer.tell(Tell::Close(Close::Flush));
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert!(got == bytes);
    });
}

#[test]
fn a_peer_that_leaves_is_noticed_while_paused() {
    in_each_placement(|kind| {
        let bench = Bench::start(kind, "leave");
        let (mut client, peer) = bench.connect();
        client.write_all(b"!pause\nunread\n").unwrap();
        bench.server.until_told(&peer, &Told::Line("!pause".into()));
        drop(client);
        bench.server.until_told(&peer, &Told::Lost);
        assert_eq!(bench.server.until_closed(&peer), StopReason::PeerGone);
    });
}
