//! The application hears what of its messages is with the kernel.

use smolcorn::ws::WsEvent;
use smolcorn_actors::outbox::unsent_weight;

use crate::peer::Peer;
use crate::wire::ping;

#[test]
fn credit_comes_when_a_message_is_sent_whole() {
    let mut peer = Peer::new();
    peer.stall();
    peer.send_binary([0; 100]);
    peer.send_binary([0; 10]);
    peer.write(101);
    peer.expect_nothing();
    peer.write(1);
    assert_eq!(peer.events(), [WsEvent::Sent { bytes: 100 }]);
    peer.resume();
    // A small message counts for its place in the queue.
    assert_eq!(peer.events(), [WsEvent::Sent { bytes: 64 }]);
}

#[test]
fn empty_messages_count_as_well() {
    let mut peer = Peer::new();
    peer.stall();
    peer.send_text("");
    peer.expect_nothing();
    peer.resume();
    assert_eq!(peer.events(), [WsEvent::Sent { bytes: 64 }]);
}

#[test]
fn what_the_machine_sends_itself_is_no_credit() {
    let mut peer = Peer::new();
    peer.send(ping("p"));
    peer.expire();
    peer.expect_nothing();
}

#[test]
fn small_portions_are_gathered() {
    let mut peer = Peer::with(|config| config.unsent_bytes_max = 4000);
    for _ in 0..9 {
        peer.send_binary([0; 100]);
    }
    peer.expect_nothing();
    peer.send_binary([0; 100]);
    assert_eq!(peer.events(), [WsEvent::Sent { bytes: 1000 }]);
}

/// Whatever the limits are: when all is sent, so little is untold that a waiting application
/// goes on.
#[test]
fn an_application_that_waits_always_goes_on() {
    for unsent_bytes_max in [0, 1, 3, 4, 100, 1000, 65536, 1 << 20] {
        let mut peer = Peer::with(|config| config.unsent_bytes_max = unsent_bytes_max);
        let mut unsent = 0;
        for len in [1, 7, 100, 1000, 20_000, 3, 70_000, 1, 1, 1] {
            peer.stall();
            peer.send_binary(vec![0; len]);
            unsent += unsent_weight(len as u64);
            peer.resume();
            for event in peer.events() {
                let WsEvent::Sent { bytes } = event else {
                    panic!("{event:?}");
                };
                unsent -= bytes;
            }
            assert!(unsent <= unsent_bytes_max as u64 / 4);
        }
    }
}
