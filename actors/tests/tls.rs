//! Connections under TLS, in both placements: what the machine is told, and what the peer sees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use smolcorn_actors::actor::StopReason;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::protocol::Close;

use support::lines::{Tell, Told};
use support::tls::{self, VERSIONS, connect, say};
use support::{Kind, Seen, Server, in_each_placement};

fn start(kind: Kind) -> Server {
    tls::server(kind, Limits::default(), |_| None)
}

/// With this answer, each line comes back.
fn echo(line: &str) -> Option<Tell> {
    Some(Tell::write(format!("{line}\n")))
}

fn until_failed(server: &Server) -> std::io::Error {
    server.until(|seen| match seen {
        Seen::HandshakeFailed(_, error) => Some(error),
        Seen::Told(_, told) => panic!("the machine was told {told:?}"),
        _ => None,
    })
}

#[test]
fn what_was_agreed_on_is_told_before_the_machine_begins() {
    in_each_placement(|kind| {
        for version in VERSIONS {
            let server = start(kind);
            let (_client, peer) = connect(&server, version);
            let session = server.until(|seen| match seen {
                Seen::Secured(id, session) => {
                    assert_eq!(id, peer.id);
                    Some(session)
                }
                Seen::Told(_, told) => panic!("the machine was told {told:?} before"),
                _ => None,
            });
            assert_eq!(session.version, u16::from(version.version));
            assert_eq!(session.server_name.as_deref(), Some("localhost"));
            assert_eq!(session.server_certificate, tls::certificate());
            assert!(session.client_certificates.is_empty());
            server.until_told(&peer, &Told::Begun);
        }
    });
}

#[test]
fn lines_go_both_ways() {
    in_each_placement(|kind| {
        for version in VERSIONS {
            let server = tls::server(kind, Limits::default(), echo);
            let (mut client, _peer) = connect(&server, version);
            for number in 0..50 {
                let line = format!("line {number}\n");
                say(&mut client, line.as_bytes());
                tls::expect(&mut client, line.as_bytes());
            }
        }
    });
}

#[test]
fn records_that_come_in_single_bytes_are_put_together() {
    in_each_placement(|kind| {
        let server = tls::server(kind, Limits::default(), echo);
        let (mut client, _peer) = connect(&server, VERSIONS[1]);
        client.conn.writer().write_all(b"slow\n").unwrap();
        let mut record = Vec::new();
        client.conn.write_tls(&mut record).unwrap();
        for byte in record {
            client.sock.write_all(&[byte]).unwrap();
        }
        tls::expect(&mut client, b"slow\n");
    });
}

#[test]
fn a_flood_of_lines_is_read_whole() {
    const LINES: usize = 40_000;
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = connect(&server, VERSIONS[1]);
        let flood: Vec<u8> = (0..LINES)
            .flat_map(|number| format!("{number}\n").into_bytes())
            .collect();
        client.write_all(&flood).unwrap();
        client.flush().unwrap();
        for number in 0..LINES {
            let line = server.until(|seen| match seen {
                Seen::Told(id, Told::Line(line)) if id == peer.id => Some(line),
                _ => None,
            });
            assert_eq!(line, number.to_string());
        }
    });
}

#[test]
fn a_machine_that_pauses_gets_the_rest_later() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = connect(&server, VERSIONS[1]);
        // In one record: the bytes behind the pause are decrypted and nothing more comes.
        say(&mut client, b"!pause\nlater\n");
        server.until_told(&peer, &Told::Line("!pause".to_owned()));
        say(&mut client, b"latest\n");
        peer.tell(Tell::Resume);
        server.until_told(&peer, &Told::Line("later".to_owned()));
        server.until_told(&peer, &Told::Line("latest".to_owned()));
    });
}

#[test]
fn every_byte_is_told_once_the_kernel_has_it_and_a_slow_reader_gets_them_all() {
    const LEN: usize = 8 * 1024 * 1024;
    in_each_placement(|kind| {
        for version in VERSIONS {
            let server = start(kind);
            let (mut client, peer) = connect(&server, version);
            let bytes: Vec<u8> = (0..LEN).map(|at| (at / 7) as u8).collect();
            peer.tell(Tell::Write(Payload::Owned(bytes.clone())));
            peer.tell(Tell::write("end\n"));
            let mut sent = 0;
            server.until(|seen| match seen {
                Seen::Told(id, Told::Sent(more)) if id == peer.id => {
                    sent += more;
                    Some(())
                }
                _ => None,
            });
            assert!(sent < LEN as u64, "the kernel cannot have {sent} bytes");
            let mut got = vec![0; LEN];
            client.read_exact(&mut got).unwrap();
            assert!(got == bytes);
            tls::expect(&mut client, b"end\n");
            server.until(|seen| {
                if let Seen::Told(id, Told::Sent(more)) = seen
                    && id == peer.id
                {
                    sent += more;
                }
                (sent == LEN as u64 + 4).then_some(())
            });
        }
    });
}

#[test]
fn a_file_goes_out_whole() {
    let path = std::env::temp_dir().join(format!("smolcorn-tls-file-{}", std::process::id()));
    let content: Vec<u8> = (0..300_001).map(|at| (at % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    in_each_placement(|kind| {
        for version in VERSIONS {
            let server = start(kind);
            let (mut client, peer) = connect(&server, version);
            peer.tell(Tell::write("before"));
            peer.tell(Tell::File {
                file: File::open(&path).unwrap(),
                offset: 1,
                len: 300_000,
            });
            peer.tell(Tell::write("after"));
            tls::expect(&mut client, b"before");
            let mut got = vec![0; 300_000];
            client.read_exact(&mut got).unwrap();
            assert!(got == content[1..]);
            tls::expect(&mut client, b"after");
        }
    });
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn an_orderly_end_is_announced() {
    in_each_placement(|kind| {
        for (close, version) in [Close::Flush, Close::Linger]
            .into_iter()
            .flat_map(|close| VERSIONS.map(|version| (close, version)))
        {
            let server = start(kind);
            let (mut client, peer) = connect(&server, version);
            peer.tell(Tell::Write(Payload::Owned(vec![b'x'; 500_000])));
            peer.tell(Tell::Close(close));
            assert_eq!(tls::read_to_end(&mut client).unwrap().len(), 500_000);
            client.sock.shutdown(Shutdown::Both).unwrap();
            assert_eq!(server.until_closed(&peer), StopReason::Finished);
        }
    });
}

#[test]
fn an_abort_is_no_orderly_end() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = connect(&server, VERSIONS[1]);
        peer.tell(Tell::Close(Close::Abort));
        assert!(tls::read_to_end(&mut client).is_err());
        assert_eq!(server.until_closed(&peer), StopReason::Aborted);
    });
}

#[test]
fn after_the_clients_announcement_it_can_still_be_answered() {
    in_each_placement(|kind| {
        for version in VERSIONS {
            let server = start(kind);
            let (mut client, peer) = connect(&server, version);
            say(&mut client, b"last\n");
            client.conn.send_close_notify();
            client.flush().unwrap();
            server.until_told(&peer, &Told::Line("last".to_owned()));
            server.until_told(&peer, &Told::Eof { unused: 0 });
            peer.tell(Tell::write("answer\n"));
            tls::expect(&mut client, b"answer\n");
            peer.tell(Tell::Close(Close::Flush));
            assert_eq!(tls::read_to_end(&mut client).unwrap(), b"");
        }
    });
}

#[test]
fn an_end_without_an_announcement_is_an_end() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = connect(&server, VERSIONS[1]);
        say(&mut client, b"last\n");
        client.sock.shutdown(Shutdown::Write).unwrap();
        server.until_told(&peer, &Told::Line("last".to_owned()));
        server.until_told(&peer, &Told::Eof { unused: 0 });
        peer.tell(Tell::write("answer\n"));
        tls::expect(&mut client, b"answer\n");
    });
}

#[test]
fn what_is_no_record_ends_the_connection() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = connect(&server, VERSIONS[1]);
        server.until_told(&peer, &Told::Begun);
        client.sock.write_all(&[23, 3, 3, 0, 40]).unwrap();
        client.sock.write_all(&[0; 40]).unwrap();
        server.until_told(&peer, &Told::Lost);
        assert_eq!(server.until_closed(&peer), StopReason::PeerGone);
    });
}

#[test]
fn a_peer_that_takes_nothing_is_reset() {
    in_each_placement(|kind| {
        let limits = Limits {
            write_timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let server = tls::server(kind, limits, |_| None);
        let (_client, peer) = connect(&server, VERSIONS[1]);
        peer.tell(Tell::Write(Payload::Owned(vec![0; 64 * 1024 * 1024])));
        assert_eq!(server.until_closed(&peer), StopReason::WriteTimeout);
    });
}

#[test]
fn a_client_that_resets_is_noticed_while_it_is_not_read() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = connect(&server, VERSIONS[1]);
        say(&mut client, b"!pause\n");
        server.until_told(&peer, &Told::Line("!pause".to_owned()));
        let socket = socket2::SockRef::from(&client.sock);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(server.until_closed(&peer), StopReason::PeerGone);
    });
}

// --- handshakes ---------------------------------------------------------------------------------

#[test]
fn text_is_answered_in_the_clear() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = server.connect();
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        assert_eq!(until_failed(&server).kind(), ErrorKind::InvalidData);
        // It still sends; the answer must survive that.
        client.write_all(&[b'x'; 100_000]).unwrap();
        assert_eq!(support::read_to_end(&mut client), tls::PLAINTEXT_ANSWER);
        drop(client);
        assert_eq!(server.until_closed(&peer), StopReason::Finished);
    });
}

#[test]
fn other_bytes_end_the_connection() {
    in_each_placement(|kind| {
        for said in [&b"\0"[..], b"\x80\x2e\x01", b"\x16GET / HTTP/1.1"] {
            let server = start(kind);
            let (mut client, peer) = server.connect();
            client.write_all(said).unwrap();
            until_failed(&server);
            assert_eq!(server.until_closed(&peer), StopReason::HandshakeFailed);
            drop(client);
        }
    });
}

#[test]
fn a_client_that_leaves_in_the_handshake_is_forgotten() {
    in_each_placement(|kind| {
        let server = start(kind);
        let mut hello = Vec::new();
        let (socket, peer) = server.connect();
        let mut client = tls::client(socket, VERSIONS[1]);
        client.conn.write_tls(&mut hello).unwrap();
        drop(client);
        assert_eq!(server.until_closed(&peer), StopReason::HandshakeFailed);
        for cut in [1, 60, hello.len()] {
            let (mut socket, peer) = server.connect();
            socket.write_all(&hello[..cut]).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            until_failed(&server);
            // Here it has sent an alert, and lingers until the client has gone as well.
            drop(socket);
            server.until_closed(&peer);
        }
    });
}

#[test]
fn a_handshake_has_its_time() {
    in_each_placement(|kind| {
        let limits = Limits {
            handshake_timeout: Duration::from_millis(200),
            ..Limits::default()
        };
        let server = tls::server(kind, limits, |_| None);
        let (mut silent, peer) = server.connect();
        assert_eq!(until_failed(&server).kind(), ErrorKind::TimedOut);
        assert_eq!(server.until_closed(&peer), StopReason::HandshakeFailed);
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        let (_client, peer) = connect(&server, VERSIONS[1]);
        server.until_told(&peer, &Told::Begun);
    });
}

#[test]
fn a_client_that_does_not_trust_us_tells_why() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut socket, _peer) = server.connect();
        let mut client = tls::client(socket.try_clone().unwrap(), VERSIONS[1]);
        client.conn.write_tls(&mut socket).unwrap();
        assert!(socket.read(&mut [0; 1000]).unwrap() > 0);
        // The record of a fatal alert: unknown_ca.
        socket.write_all(&[21, 3, 3, 0, 2, 2, 48]).unwrap();
        let error = until_failed(&server);
        assert!(error.to_string().contains("UnknownCA"), "{error}");
    });
}

#[test]
fn a_server_that_stops_lets_a_handshake_end() {
    in_each_placement(|kind| {
        let server = tls::server(kind, Limits::default(), echo);
        let (socket, peer) = server.connect();
        let mut client = tls::client(socket, VERSIONS[1]);
        client.conn.write_tls(&mut client.sock).unwrap();
        server.running.stop();
        client.conn.complete_io(&mut client.sock).unwrap();
        server.until_told(&peer, &Told::Drain);
        say(&mut client, b"late\n");
        tls::expect(&mut client, b"late\n");
        peer.tell(Tell::Close(Close::Flush));
        assert_eq!(tls::read_to_end(&mut client).unwrap(), b"");
        server.until(|seen| matches!(seen, Seen::ListenerStopped(1)).then_some(()));
    });
}

#[test]
fn a_server_that_stops_does_not_wait_for_those_who_say_nothing() {
    in_each_placement(|kind| {
        let limits = Limits {
            handshake_drain_timeout: Duration::from_millis(200),
            ..Limits::default()
        };
        let server = tls::server(kind, limits, |_| None);
        let (mut silent, silents) = server.connect();
        let (mut halting, haltings) = server.connect();
        halting.write_all(&[22, 3]).unwrap();
        server.running.stop();
        assert_eq!(server.until_closed(&silents), StopReason::Finished);
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        assert_eq!(server.until_closed(&haltings), StopReason::HandshakeFailed);
        assert_eq!(halting.read(&mut [0]).unwrap_or(0), 0);
        server.until(|seen| matches!(seen, Seen::ListenerStopped(1)).then_some(()));
    });
}

#[test]
fn a_server_that_ends_now_ends_handshakes() {
    in_each_placement(|kind| {
        let server = start(kind);
        let (mut client, peer) = server.connect();
        server.running.abort();
        assert_eq!(server.until_closed(&peer), StopReason::Aborted);
        assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
        let seen = server.end();
        let told = seen.iter().find(|seen| matches!(seen, Seen::Told(..)));
        assert!(told.is_none(), "{told:?}");
    });
}
