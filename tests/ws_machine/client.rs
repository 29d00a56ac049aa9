//! A client of another make: the crate async-tungstenite, with the machine at the other end of a
//! pipe in memory.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, frame::coding::CloseCode};
use async_tungstenite::tungstenite::{Error, Message};
use futures_lite::io::{AsyncRead, AsyncWrite};
use futures_lite::stream::StreamExt;
use smolcorn::ws::WsEvent;

use crate::peer::Peer;

/// The machine, as a socket of the client's.
#[derive(Clone)]
struct Server(Rc<RefCell<(Peer, Vec<u8>)>>);

impl AsyncRead for Server {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let (peer, unread) = &mut *self.0.borrow_mut();
        unread.extend(peer.wire());
        if unread.is_empty() {
            return Poll::Pending;
        }
        let len = unread.len().min(buffer.len());
        buffer[..len].copy_from_slice(&unread[..len]);
        unread.drain(..len);
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().0.send(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the client waits"),
    }
}

/// A client, and the server that it talks to.
fn connect() -> (WebSocketStream<Server>, Server) {
    let server = Server(Rc::new(RefCell::new((Peer::new(), Vec::new()))));
    let client = now(WebSocketStream::from_raw_socket(
        server.clone(),
        Role::Client,
        None,
    ));
    (client, server)
}

impl Server {
    fn peer<T>(&self, act: impl FnOnce(&mut Peer) -> T) -> T {
        act(&mut self.0.borrow_mut().0)
    }
}

#[test]
fn messages_both_ways() {
    let (mut client, server) = connect();
    for len in [0, 1, 125, 126, 65535, 65536, 1 << 20] {
        let text = "\u{e4}".repeat(len);
        now(client.send(Message::text(text.clone()))).unwrap();
        server.peer(|peer| peer.expect_text(&text));
        server.peer(|peer| peer.consume(1));
        now(client.send(Message::binary(vec![7; len]))).unwrap();
        server.peer(|peer| peer.expect_binary(&vec![7; len]));
        server.peer(|peer| peer.send_text(&text));
        assert_eq!(now(client.next()).unwrap().unwrap(), Message::text(text));
        server.peer(|peer| peer.send_binary(vec![7; len]));
        assert_eq!(
            now(client.next()).unwrap().unwrap(),
            Message::binary(vec![7; len])
        );
        server.peer(|peer| peer.consume(1));
        server.peer(Peer::events);
    }
}

#[test]
fn the_client_pings_and_is_pinged() {
    let (mut client, server) = connect();
    now(client.send(Message::Ping(b"p".to_vec().into()))).unwrap();
    assert_eq!(
        now(client.next()).unwrap().unwrap(),
        Message::Pong(b"p".to_vec().into())
    );
    let before = server.peer(|peer| peer.deadline());
    server.peer(Peer::expire);
    assert!(matches!(now(client.next()), Some(Ok(Message::Ping(_)))));
    now(client.send(Message::text("a"))).unwrap();
    server.peer(|peer| peer.expect_text("a"));
    assert_eq!(
        server.peer(|peer| peer.deadline()),
        before,
        "the pong has come"
    );
}

#[test]
fn the_client_closes() {
    let (mut client, server) = connect();
    let frame = CloseFrame {
        code: CloseCode::Away,
        reason: "bye".into(),
    };
    now(client.close(Some(frame.clone()))).unwrap();
    server.peer(|peer| peer.expect_disconnected(1001, "bye", false));
    assert_eq!(
        now(client.next()).unwrap().unwrap(),
        Message::Close(Some(frame))
    );
}

#[test]
fn the_application_closes() {
    let (mut client, server) = connect();
    server.peer(|peer| peer.send_close(4000, "enough"));
    let frame = CloseFrame {
        code: CloseCode::Library(4000),
        reason: "enough".into(),
    };
    assert_eq!(
        now(client.next()).unwrap().unwrap(),
        Message::Close(Some(frame))
    );
    // The client answers when it reads on.
    let waker = Waker::noop();
    let _ = client.poll_next(&mut Context::from_waker(waker));
    assert_eq!(
        server.peer(|peer| peer.close()),
        smolcorn_actors::protocol::Close::Flush
    );
    let events = server.peer(Peer::events);
    assert!(matches!(
        events[..],
        [WsEvent::Disconnected { code: 4000, .. }]
    ));
}

#[test]
fn the_client_is_told_what_it_did_wrong() {
    let (mut client, server) = connect();
    server.peer(|peer| {
        peer.send([0xff]);
    });
    match now(client.next()).unwrap() {
        Ok(Message::Close(Some(frame))) => {
            assert_eq!(frame.code, CloseCode::Protocol);
            assert_eq!(frame.reason.as_str(), "reserved bits must be 0");
        }
        other => panic!("{other:?}"),
    }
    assert!(!matches!(
        now(client.send(Message::text("a"))),
        Err(Error::Io(_))
    ));
}
