//! Whatever the client, the application and the network do, in whatever order: the machine does
//! not panic, does not loop, and keeps its word.

use proptest::prelude::*;
use smolcorn::ws::{WsCommand, WsEvent};
use smolcorn_actors::outbox::unsent_weight;
use smolcorn_actors::protocol::Close;

use crate::cuts::fragments;
use crate::peer::Peer;
use crate::wire::describe;

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Text(u16),
    Binary(u16),
    Consumed(u8),
    Close(u16, u8),
    Abort,
    Drain,
    HalfClose,
    Stall,
    Resume,
    Write(u16),
    Expire,
    Vanish,
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => fragments().prop_map(Step::Send),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Send),
        4 => (0..20_000_u16).prop_map(Step::Text),
        4 => (0..20_000_u16).prop_map(Step::Binary),
        4 => (0..4_u8).prop_map(Step::Consumed),
        1 => (1000..1015_u16, any::<u8>()).prop_map(|(code, reason)| Step::Close(code, reason)),
        1 => Just(Step::Abort),
        1 => Just(Step::Drain),
        1 => Just(Step::HalfClose),
        1 => Just(Step::Stall),
        1 => Just(Step::Resume),
        2 => any::<u16>().prop_map(Step::Write),
        2 => Just(Step::Expire),
        1 => Just(Step::Vanish),
        1 => Just(Step::Lose),
    ]
}

fn take(peer: &mut Peer, step: Step) {
    match step {
        Step::Send(bytes) => {
            peer.send(bytes);
        }
        Step::Text(len) => peer.send_text(&"x".repeat(len.into())),
        Step::Binary(len) => peer.send_binary(vec![0; len.into()]),
        Step::Consumed(messages) => peer.consume(messages.into()),
        Step::Close(code, reason) => peer.send_close(code, &"r".repeat(reason.into())),
        Step::Abort => peer.command(WsCommand::Abort),
        Step::Drain => peer.drain(),
        Step::HalfClose => peer.half_close(),
        Step::Stall => peer.stall(),
        Step::Resume => peer.resume(),
        Step::Write(max) => peer.write(max.into()),
        Step::Expire if peer.deadline().is_some() => peer.expire(),
        Step::Expire => {}
        Step::Vanish => {
            peer.vanish();
        }
        Step::Lose => peer.lose(),
    }
}

proptest! {
    #![proptest_config(crate::cases(2000))]

    #[test]
    fn any_bytes(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6)) {
        let mut peer = Peer::new();
        for piece in pieces {
            peer.send(piece);
        }
    }

    #[test]
    fn any_order_of_things(steps in prop::collection::vec(step(), 0..40)) {
        let mut peer = Peer::with(|config| {
            config.queue_messages_max = 3;
            config.message_bytes_max = 200;
            config.unsent_bytes_max = 1000;
        });
        let (mut given, mut credited, mut ended, mut lost) = (0, 0, false, false);
        for step in steps {
            match &step {
                Step::Text(len) | Step::Binary(len) => given += unsent_weight(u64::from(*len)),
                Step::Lose => lost = true,
                _ => {}
            }
            take(&mut peer, step);
            while let Some(event) = peer.event() {
                prop_assert!(!ended, "{:?} after the end", event);
                match event {
                    WsEvent::Unreachable => {}
                    WsEvent::Disconnected { .. } => ended = true,
                    WsEvent::Sent { bytes } => credited += bytes,
                    WsEvent::Text(text) => prop_assert!(text.len() <= 200),
                    WsEvent::Binary(bytes) => prop_assert!(bytes.len() <= 200),
                }
            }
            prop_assert!(credited <= given);
            prop_assert!(ended || peer.close() == Close::Open, "an end without a word");
            prop_assert!(!lost || ended);
            // What is not taken is the beginning of a frame.
            prop_assert!(peer.waiting() < 140 || !peer.wants_input());
        }
        peer.write(u64::MAX);
        let frames = describe(&peer.wire());
        let mut frames_after_close = frames.iter().skip_while(|frame| !frame.starts_with("close")).skip(1);
        prop_assert!(frames_after_close.all(|frame| frame.starts_with("pong")), "{:?}", frames);
    }
}
