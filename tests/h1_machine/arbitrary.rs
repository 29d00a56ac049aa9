//! Whatever the client, the application and the network do, in whatever order: the machine does
//! not panic, does not loop, and keeps its word.

use proptest::prelude::*;
use smolcorn::http::{HttpCommand, HttpEvent};
use smolcorn_actors::protocol::Close;

use crate::cuts::fragments;
use crate::peer::{Peer, head};

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Respond {
        length: Option<u8>,
        body: u8,
        end: bool,
        trailers: bool,
    },
    Body {
        len: u16,
        end: bool,
    },
    Trailers,
    EarlyHint,
    Continue,
    Consumed(u8),
    Abort,
    Retire,
    Drain,
    HalfClose,
    Stall,
    Write(u16),
    Expire,
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => fragments().prop_map(Step::Send),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Send),
        6 => (prop::option::of(0..6_u8), 0..6_u8, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
            |(length, body, end, trailers)| Step::Respond { length, body, end, trailers }
        ),
        4 => (0..20_000_u16, any::<bool>()).prop_map(|(len, end)| Step::Body { len, end }),
        1 => Just(Step::Trailers),
        1 => Just(Step::EarlyHint),
        1 => Just(Step::Continue),
        1 => any::<u8>().prop_map(Step::Consumed),
        1 => Just(Step::Abort),
        1 => Just(Step::Retire),
        1 => Just(Step::Drain),
        1 => Just(Step::HalfClose),
        1 => Just(Step::Stall),
        2 => any::<u16>().prop_map(Step::Write),
        2 => Just(Step::Expire),
        1 => Just(Step::Lose),
    ]
}

/// What was promised about events.
#[derive(Default)]
struct Promises {
    stream: u32,
    body_complete: bool,
    disconnected: bool,
    gone: bool,
}

impl Promises {
    fn check(&mut self, event: &HttpEvent) {
        match event {
            HttpEvent::Request(request) => {
                assert_eq!(request.stream, self.stream + 1, "requests are numbered");
                assert!(!self.gone, "no request comes after the end");
                *self = Promises {
                    stream: request.stream,
                    body_complete: request.body_complete,
                    ..Promises::default()
                };
            }
            HttpEvent::Body { stream, data, last } => {
                assert_eq!(*stream, self.stream);
                assert!(!self.body_complete && !self.disconnected && !self.gone);
                assert!(*last || !data.is_empty());
                self.body_complete = *last;
            }
            HttpEvent::Handshake(_) | HttpEvent::WebSocket { .. } => {
                panic!("no WebSocket was asked for")
            }
            HttpEvent::Disconnect { stream, gone } => {
                assert_eq!(*stream, self.stream);
                assert!(
                    !self.gone && (*gone || !self.disconnected),
                    "each is told once"
                );
                self.gone |= gone;
                self.disconnected = true;
            }
            HttpEvent::Sent { stream, bytes } => {
                assert!(*stream == self.stream && *bytes > 0);
            }
            HttpEvent::Warning(_) => {}
        }
    }
}

fn take(peer: &mut Peer, step: Step, stream: u32) {
    match step {
        Step::Send(bytes) => {
            peer.send(bytes);
        }
        Step::Respond {
            length,
            body,
            end,
            trailers,
        } => {
            let length = length.map(|length| length.to_string());
            let headers: Vec<_> = length
                .iter()
                .map(|length| ("content-length", length.as_str()))
                .collect();
            let mut head = head(200, &headers);
            if trailers {
                head.expect_trailers();
            }
            peer.respond(stream, head, &vec![b'x'; usize::from(body)], end);
        }
        Step::Body { len, end } => peer.body(stream, vec![b'y'; usize::from(len)], end),
        Step::Trailers => peer.command(HttpCommand::Trailers {
            stream,
            lines: b"a: b\r\n".to_vec(),
        }),
        Step::EarlyHint => peer.command(HttpCommand::EarlyHint {
            stream,
            links: vec![b"</>".to_vec()],
        }),
        Step::Continue => peer.command(HttpCommand::Continue { stream }),
        Step::Consumed(bytes) => peer.command(HttpCommand::Consumed {
            stream,
            bytes: bytes.into(),
        }),
        Step::Abort => peer.command(HttpCommand::Abort { stream }),
        Step::Retire => peer.command(HttpCommand::Retire),
        Step::Drain => peer.drain(),
        Step::HalfClose => peer.half_close(),
        Step::Stall => peer.stall(),
        Step::Write(max) => peer.write(max.into()),
        Step::Expire if peer.deadline().is_some() => peer.expire(),
        Step::Expire => {}
        Step::Lose => peer.lose(),
    }
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn any_bytes(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6)) {
        let mut peer = Peer::new();
        for piece in pieces {
            peer.send(piece);
        }
    }

    #[test]
    fn any_order_of_things(steps in prop::collection::vec(step(), 0..40)) {
        let mut peer = Peer::with_limits(|limits| {
            limits.body_unread_max = 100;
            limits.drain_bytes_max = 50;
            limits.body_bytes_max = Some(1000);
            limits.head_bytes_max = 300;
        });
        let mut promises = Promises::default();
        for step in steps {
            take(&mut peer, step, promises.stream);
            while let Some(event) = peer.event() {
                promises.check(&event);
            }
            prop_assert!(peer.waiting() == 0 || peer.close() != Close::Open || !peer.wants_input() || peer.waiting() <= 300);
        }
    }
}
