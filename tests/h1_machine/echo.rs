//! An application that sends bodies back, and what becomes of a client's bytes with it.

use smolcorn::http::{HttpCommand, HttpEvent};

use crate::peer::{Peer, head};

/// Each complete request with its body, and all that was written.
#[derive(Debug, Default, PartialEq)]
pub struct Transcript {
    pub requests: Vec<String>,
    pub wire: String,
}

/// Runs `input`, cut at `cuts`, against an application that sends the body back.
pub fn run(input: &[u8], cuts: &[usize]) -> Transcript {
    let mut peer = Peer::new();
    let mut echo = Echo::default();
    let mut start = 0;
    for cut in cuts.iter().copied().chain([input.len()]) {
        if cut > start {
            peer.send(&input[start..cut]);
            start = cut;
        }
        echo.serve(&mut peer);
    }
    peer.half_close();
    echo.serve(&mut peer);
    echo.transcript.wire = peer.wire();
    echo.transcript
}

/// Answers with the body as soon as it is complete; every other response is chunked.
#[derive(Default)]
struct Echo {
    transcript: Transcript,
    line: String,
    body: Vec<u8>,
}

impl Echo {
    fn serve(&mut self, peer: &mut Peer) {
        while let Some(event) = peer.event() {
            match event {
                HttpEvent::Request(request) => {
                    self.line = format!(
                        "{} {} {:?} ? {:?} {:?}",
                        request.stream,
                        request.head.method(),
                        request.head.path(),
                        request.head.query(),
                        request.head.headers().collect::<Vec<_>>(),
                    );
                    self.body.clone_from(&request.body);
                    if request.body_complete {
                        self.answer(peer, request.stream);
                    }
                }
                HttpEvent::Body { stream, data, last } => {
                    self.body.extend_from_slice(&data);
                    let bytes = data.len();
                    peer.command(HttpCommand::Consumed { stream, bytes });
                    if last {
                        self.answer(peer, stream);
                    }
                }
                HttpEvent::Disconnect { .. }
                | HttpEvent::Sent { .. }
                | HttpEvent::Warning(_)
                | HttpEvent::Handshake(_)
                | HttpEvent::WebSocket { .. } => {}
            }
        }
    }

    fn answer(&mut self, peer: &mut Peer, stream: u32) {
        let body = std::mem::take(&mut self.body);
        self.transcript.requests.push(format!(
            "{} {:?}",
            self.line,
            String::from_utf8_lossy(&body)
        ));
        if stream.is_multiple_of(2) {
            peer.respond(stream, head(200, &[]), &body, false);
            peer.body(stream, b"", true);
        } else {
            let length = body.len().to_string();
            peer.respond(
                stream,
                head(200, &[("content-length", &length)]),
                &body,
                true,
            );
        }
    }
}
