//! An application that sends back what it gets, and everything that was seen of a connection.

use smolcorn::ws::WsEvent;
use smolcorn::ws::deflate::Deflate;
use smolcorn::ws::limits::WsConfig;
use smolcorn_actors::protocol::Close;

use crate::peer::Peer;
use crate::wire::describe;

/// What came of a client's bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub messages: Vec<WsEvent>,
    pub frames: Vec<String>,
    pub close: Close,
}

/// Sends `input`, cut at `cuts`, then the client's end.
pub fn run(input: &[u8], cuts: &[usize], deflate: Option<Deflate>) -> Seen {
    let config = WsConfig {
        message_bytes_max: 1 << 16,
        ..crate::config()
    };
    let mut peer = Peer::with_deflate(config, deflate);
    let mut messages = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        let end = end.clamp(start, input.len());
        peer.send(&input[start..end]);
        start = end;
        answer(&mut peer, &mut messages);
    }
    peer.half_close();
    answer(&mut peer, &mut messages);
    if peer.close() == Close::Open {
        // A failure waits for answers.
        peer.expire();
        answer(&mut peer, &mut messages);
    }
    // How much came behind the last frame depends on the cuts.
    let close = match peer.close() {
        Close::Linger => Close::Flush,
        close => close,
    };
    Seen {
        messages,
        frames: describe(&peer.wire()),
        close,
    }
}

fn answer(peer: &mut Peer, messages: &mut Vec<WsEvent>) {
    while let Some(event) = peer.event() {
        match &event {
            WsEvent::Text(text) => peer.send_text(text),
            WsEvent::Binary(bytes) => peer.send_binary(bytes.clone()),
            WsEvent::Disconnected { .. } => {}
            WsEvent::Sent { .. } | WsEvent::Unreachable => continue,
        }
        if !matches!(event, WsEvent::Disconnected { .. }) {
            peer.consume(1);
        }
        messages.push(event);
    }
}
