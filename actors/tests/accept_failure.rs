//! A process without descriptors says so once, and accepts again when it has some. This test
//! has its own process: it uses up all descriptors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::fs::File;
use std::io::Write;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use support::lines::Told;
use support::{Seen, Server, in_each_placement};

#[test]
fn accepting_goes_on_when_there_are_descriptors_again() {
    let limit = Rlimit {
        current: Some(256),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    in_each_placement(|kind| {
        let server = Server::start(kind);
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }
        client.connect(&server.address.into()).unwrap();
        server.until(|seen| match seen {
            Seen::AcceptFailed(1, error) => {
                assert_eq!(error.raw_os_error(), Some(24), "EMFILE");
                Some(())
            }
            _ => None,
        });
        drop(hoard);
        let peer = server.accepted();
        (&client).write_all(b"hello\n").unwrap();
        server.until(|seen| match seen {
            Seen::Told(id, Told::Line(line)) => {
                assert_eq!((id, line.as_str()), (peer.id, "hello"));
                Some(())
            }
            Seen::AcceptFailed(..) => panic!("said twice"),
            _ => None,
        });
    });
}
