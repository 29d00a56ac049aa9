//! Pings of ours.

use std::time::Duration;

use smolcorn::ws::WsEvent;
use smolcorn::ws::limits::WsConfig;
use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::{BINARY, header, pong, text};

const INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(5);

fn peer(change: impl FnOnce(&mut WsConfig)) -> Peer {
    Peer::with(|config| {
        config.ping_interval = INTERVAL;
        config.ping_timeout = TIMEOUT;
        change(config);
    })
}

/// The payload of the one ping on the wire.
#[track_caller]
fn ping_on(peer: &mut Peer) -> Vec<u8> {
    let wire = peer.wire();
    assert_eq!(wire[..2], [0x89, 4]);
    assert_eq!(wire.len(), 6);
    wire[2..].to_vec()
}

#[test]
fn a_ping_is_sent_and_answered_again_and_again() {
    let mut peer = peer(|_| ());
    let mut payloads = Vec::new();
    for _ in 0..3 {
        assert_eq!(peer.deadline(), Some(INTERVAL));
        peer.expire();
        let payload = ping_on(&mut peer);
        assert_eq!(peer.deadline(), Some(TIMEOUT));
        peer.send(pong(&payload));
        payloads.push(payload);
    }
    payloads.dedup();
    assert_eq!(payloads.len(), 3, "payloads are random");
    peer.expect_nothing();
}

#[test]
fn a_ping_is_not_answered() {
    let mut peer = peer(|_| ());
    peer.expire();
    ping_on(&mut peer);
    peer.expire();
    peer.expect_disconnected(1011, "keepalive ping timeout", false);
    peer.expect_frames(&["close 1011 \"keepalive ping timeout\""]);
    assert_eq!(peer.close(), Close::Flush);
}

#[test]
fn who_sends_something_else_lives() {
    let mut peer = peer(|_| ());
    peer.expire();
    ping_on(&mut peer);
    // The pong has to wait behind the rest of this.
    peer.send(header(BINARY, 1 << 20)).send([0; 100]);
    peer.expire();
    assert_eq!(
        (peer.close(), peer.deadline()),
        (Close::Open, Some(INTERVAL))
    );
    peer.expire();
    ping_on(&mut peer);
    peer.expire();
    peer.expect_disconnected(1011, "keepalive ping timeout", false);
}

#[test]
fn what_came_before_the_ping_is_no_answer() {
    let mut peer = peer(|_| ());
    peer.send(text("a"));
    peer.expect_text("a");
    peer.expire();
    peer.expire();
    peer.expect_disconnected(1011, "keepalive ping timeout", false);
}

#[test]
fn time_for_the_pong_begins_when_the_ping_is_sent() {
    let mut peer = peer(|_| ());
    peer.stall();
    peer.send_binary([0; 1000]);
    peer.expire();
    assert_eq!(peer.deadline(), None);
    peer.resume();
    assert_eq!(peer.deadline(), Some(TIMEOUT));
}

#[test]
fn no_pings() {
    let peer = peer(|config| config.ping_interval = Duration::ZERO);
    assert_eq!(peer.deadline(), None);
}

#[test]
fn pings_that_need_no_answer() {
    let mut peer = peer(|config| config.ping_timeout = Duration::ZERO);
    for _ in 0..3 {
        peer.expire();
        ping_on(&mut peer);
        assert_eq!(peer.deadline(), Some(INTERVAL));
    }
}

#[test]
fn no_ping_is_sent_while_the_application_lags_behind() {
    let mut peer = peer(|config| config.queue_messages_max = 1);
    peer.send(text("a"));
    assert!(!peer.wants_input());
    for _ in 0..3 {
        peer.expire();
        assert_eq!(peer.deadline(), Some(INTERVAL));
    }
    peer.expect_frames(&[]);
    peer.consume(1);
    peer.expire();
    ping_on(&mut peer);
}

#[test]
fn a_slow_application_is_not_a_dead_peer() {
    let mut peer = peer(|config| config.queue_messages_max = 1);
    peer.expire();
    let payload = ping_on(&mut peer);
    peer.send([text("a"), text("b"), pong(payload)].concat());
    peer.expire();
    assert_eq!((peer.close(), peer.deadline()), (Close::Open, None));
    // Its answer is there, behind messages that nobody has read.
    peer.consume(1);
    assert_eq!(peer.deadline(), Some(TIMEOUT));
    peer.expire();
    peer.consume(1);
    assert_eq!(peer.deadline(), Some(INTERVAL));
    assert_eq!(
        peer.events(),
        [WsEvent::Text("a".into()), WsEvent::Text("b".into())]
    );
}
