//! Where connection actors begin: one nursery on each thread.

use std::rc::Rc;

use socket2::Socket;

use super::Connection;
use crate::actor::{ActorName, ConnectionId};
use crate::dispatch::DispatchAddress;
use crate::limits::Limits;
use crate::mailbox::{Address, Mailbox};
use crate::messages::{Ends, ToConnection, ToDispatch, ToListener};
use crate::placement::Local;
use crate::protocol::Protocol;
use crate::server::Maker;
use crate::stream::{PlainStream, Stream, TlsStream};
use crate::tls::TlsAcceptance;
use crate::trace::{self, cells};

/// What a new connection is made of, on its way from the listener to its thread.
pub(crate) struct Accepted<C> {
    pub id: ConnectionId,
    /// Connected and nonblocking.
    pub socket: Socket,
    pub ends: Ends,
    pub reply: Address<ToConnection<C>>,
    pub mailbox: Mailbox<ToConnection<C>>,
    pub listener: Address<ToListener>,
}

/// What all connections of one thread have in common.
pub(crate) struct Nursery<P: Protocol> {
    pub local: Rc<Local>,
    pub make: Maker<P>,
    pub dispatch: DispatchAddress<P>,
    pub limits: Limits,
    /// Absent: connections are in the clear.
    pub tls: Option<TlsAcceptance>,
}

impl<P: Protocol> Nursery<P> {
    /// Starts a connection actor on this thread.
    pub fn spawn(self: &Rc<Self>, accepted: Accepted<P::Command>) {
        let Accepted {
            id,
            socket,
            ends,
            reply,
            mailbox,
            listener,
        } = accepted;
        let entered = trace::enabled().then(|| trace::enter(ActorName::Connection(id)));
        let stream = match self.local.register(socket) {
            Ok(socket) => self.stream(PlainStream::new(socket)),
            Err(error) => {
                // The peer sees a close; the listener's table must not keep the number.
                let _ = listener.tell(ToListener::Failed {
                    connection: id,
                    error,
                });
                return;
            }
        };
        let protocol = (self.make)(&ends);
        let begun = self.local.clock().now();
        let mailbox_address = reply.clone();
        let place = cells::register(
            ActorName::Connection(id),
            Some(ends.peer.clone()),
            begun,
            move || mailbox_address.len(),
        );
        let _ = self.dispatch.tell(ToDispatch::Opened {
            connection: id,
            ends,
            reply,
        });
        let nursery = Rc::clone(self);
        let connection = Connection::new(id, stream, protocol, mailbox, listener, nursery, place);
        self.local.spawn(connection);
        if let Some(entered) = entered {
            entered.finish("begins", &[]);
        }
    }
    fn stream(&self, socket: PlainStream) -> Stream {
        match self.tls {
            None => Stream::Plain(socket),
            Some(_) => {
                let buffer = Rc::clone(self.local.tls_buffer());
                Stream::Tls(Box::new(TlsStream::new(socket, buffer)))
            }
        }
    }
}
