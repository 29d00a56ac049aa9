//! The router: the actor that takes requests to the pool, and tells exchanges what their
//! connections say. It runs where the connections run, and does not know Python.
//!
//! Senders: connections and listeners (see `smolcorn_actors::messages`). What is rare, and what
//! needs Python, it hands on to the dispatch actor: warnings, requests beyond
//! `--limit-concurrency`, and what the life cycle waits for.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use smolcorn_actors::actor::{ActorName, ConnectionId};
use smolcorn_actors::dispatch::{DispatchAddress, DispatchMailbox};
use smolcorn_actors::messages::{Ends, ToDispatch};

use super::connection::Connection;
use super::exchange::Exchange;
use super::service::{Job, Service};
use crate::http::machine::HttpMachine;
use crate::http::{HttpEvent, Request, StreamId, Warning};

type Message = ToDispatch<HttpMachine>;

/// The router's state.
pub struct Router {
    service: Arc<Service>,
    dispatch: DispatchAddress<HttpMachine>,
    connections: HashMap<ConnectionId, Entry>,
    /// Requests of this batch.
    jobs: Vec<Job>,
}

struct Entry {
    connection: Arc<Connection>,
    ends: Ends,
    reply: smolcorn_actors::mailbox::Address<
        smolcorn_actors::messages::ToConnection<crate::http::HttpCommand>,
    >,
    /// The last request. HTTP/1 has one at a time.
    exchange: Option<Arc<Exchange>>,
    /// The dispatch actor has been told of the connection.
    is_known: bool,
}

impl Router {
    /// A router that hands on to `dispatch`.
    pub fn new(service: Arc<Service>, dispatch: DispatchAddress<HttpMachine>) -> Router {
        Router {
            service,
            dispatch,
            connections: HashMap::new(),
            jobs: Vec::new(),
        }
    }

    /// Runs for as long as its placement.
    pub fn run(mut self, mailbox: DispatchMailbox<HttpMachine>) -> impl Future<Output = ()> {
        poll_fn(move |context| {
            mailbox.wake_with(context.waker());
            for message in mailbox.drain() {
                self.handle(message);
            }
            if !self.jobs.is_empty() {
                self.service.queue.push(self.jobs.drain(..));
            }
            Poll::Pending
        })
    }

    fn handle(&mut self, message: Message) {
        match message {
            ToDispatch::Opened {
                connection,
                ends,
                reply,
            } => {
                let entry = Entry {
                    connection: Arc::new(Connection::new(connection, &ends, reply.clone())),
                    ends,
                    reply,
                    exchange: None,
                    is_known: false,
                };
                self.trace(&entry.connection, "HTTP connection made");
                self.connections.insert(connection, entry);
                self.count_connections();
            }
            ToDispatch::Secured { connection, .. } => {
                if let Some(entry) = self.connections.get(&connection) {
                    entry.connection.secure();
                }
            }
            ToDispatch::HandshakeFailed { connection, .. } => {
                self.introduce(connection);
                self.hand_on(message);
            }
            ToDispatch::Event { connection, event } => self.event(connection, event),
            ToDispatch::Closed { connection, .. } => self.closed(connection, message),
            ToDispatch::ListenerStopped { .. }
            | ToDispatch::AcceptFailed { .. }
            | ToDispatch::Trace { .. } => self.hand_on(message),
        }
    }

    fn event(&mut self, connection: ConnectionId, event: HttpEvent) {
        match event {
            HttpEvent::Request(request) => self.request(connection, request),
            HttpEvent::Body { stream, data, last } => {
                if let Some(exchange) = self.exchange(connection, stream) {
                    exchange.body_came(data, last);
                }
            }
            HttpEvent::Disconnect { stream, gone } => {
                if let Some(exchange) = self.exchange(connection, stream) {
                    exchange.disconnected(gone);
                }
            }
            HttpEvent::Sent { stream, bytes } => {
                let low_water = self.service.border.config.write_buffer_max / 4;
                if let Some(exchange) = self.exchange(connection, stream) {
                    exchange.credited(bytes, low_water);
                }
            }
            HttpEvent::Warning(warning) => {
                // That there are no WebSockets is no setting here, and nothing to change.
                let warning = match warning {
                    Warning::WebSocketsOff => Warning::UnsupportedUpgrade,
                    warning => warning,
                };
                let event = HttpEvent::Warning(warning);
                self.hand_on(ToDispatch::Event { connection, event });
            }
            // The machine knows no WebSockets here.
            HttpEvent::Handshake(_) | HttpEvent::WebSocket { .. } => {}
        }
    }

    fn request(&mut self, connection: ConnectionId, request: Request) {
        let busy = self.service.border.config.concurrency_max;
        if busy.is_some_and(|max| self.service.in_flight() >= max) {
            // It is refused there, with log lines.
            self.introduce(connection);
            let event = HttpEvent::Request(request);
            return self.hand_on(ToDispatch::Event { connection, event });
        }
        let Some(entry) = self.connections.get_mut(&connection) else {
            return;
        };
        let exchange = Arc::new(Exchange::new(
            Arc::clone(&entry.connection),
            request.stream,
            request.body,
            request.body_complete,
            request.expects_continue,
        ));
        entry.exchange = Some(Arc::clone(&exchange));
        self.service.begins();
        self.jobs.push(Job {
            exchange,
            head: request.head,
        });
    }

    fn exchange(&self, connection: ConnectionId, stream: StreamId) -> Option<&Exchange> {
        let entry = self.connections.get(&connection)?;
        let exchange = entry.exchange.as_deref();
        exchange.filter(|exchange| exchange.stream == stream)
    }

    fn closed(&mut self, connection: ConnectionId, message: Message) {
        let Some(entry) = self.connections.remove(&connection) else {
            return;
        };
        if let Some(exchange) = &entry.exchange {
            exchange.disconnected(true);
        }
        self.count_connections();
        self.trace(&entry.connection, "HTTP connection lost");
        // The dispatch actor says that nothing is left to whoever waits for it.
        let last = self.connections.is_empty() && self.service.is_leaving();
        if entry.is_known || last {
            self.hand_on(message);
        }
    }

    fn count_connections(&self) {
        let count = self.connections.len();
        self.service.connections.store(count, Ordering::SeqCst);
    }

    /// Tells the dispatch actor of a connection of which it will hear.
    fn introduce(&mut self, connection: ConnectionId) {
        let Some(entry) = self.connections.get_mut(&connection) else {
            return;
        };
        if std::mem::replace(&mut entry.is_known, true) {
            return;
        }
        let message = ToDispatch::Opened {
            connection,
            ends: entry.ends.clone(),
            reply: entry.reply.clone(),
        };
        self.hand_on(message);
    }

    fn hand_on(&self, message: Message) {
        // Refused only when the engine is closed.
        let _ = self.dispatch.send(message);
    }

    fn trace(&self, connection: &Connection, what: &str) {
        if !smolcorn_actors::trace::enabled() {
            return;
        }
        let text = match connection.client_text.as_str() {
            "" => what.to_owned(),
            client => format!("{client} - {what}"),
        };
        let actor = ActorName::Connection(connection.id);
        self.hand_on(ToDispatch::Trace(format!("{actor} {text}")));
    }
}

impl Drop for Router {
    /// The placement has ended: nobody tells the exchanges anything any more.
    fn drop(&mut self) {
        for entry in self.connections.values() {
            if let Some(exchange) = &entry.exchange {
                exchange.disconnected(true);
            }
        }
    }
}
