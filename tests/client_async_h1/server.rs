//! A server with an application in Rust: actors on threads of their own, and a dispatch actor that
//! tells the client what it has understood.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle};

use smolcorn::config::{HttpConfig, HttpEngine};
use smolcorn::http::factory::HttpFactory;
use smolcorn::http::machine::HttpMachine;
use smolcorn::http::response::ResponseHead;
use smolcorn::http::{HttpCommand, HttpEvent, Request};
use smolcorn_actors::actor::ConnectionId;
use smolcorn_actors::dispatch::DispatchMailbox;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::{Address, mailbox};
use smolcorn_actors::messages::{ToConnection, ToDispatch};
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::threads::IoThreads;
use smolcorn_actors::server::{self, Running};
use socket2::{Domain, Socket, Type};

/// Those that are built in.
pub const ENGINES: &[HttpEngine] = &[
    HttpEngine::Native,
    #[cfg(feature = "async-h1")]
    HttpEngine::AsyncH1,
];

pub struct Server {
    address: SocketAddr,
    running: Running,
    threads: IoThreads,
    application: JoinHandle<()>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(engine: HttpEngine) -> Server {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .unwrap();
        socket.listen(128).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();

        let threads = IoThreads::start(1).unwrap();
        let (dispatch, mailbox): (_, DispatchMailbox<HttpMachine>) = mailbox();
        let running = server::start(
            Placement::Threads(&threads),
            vec![socket],
            &HttpFactory::new(HttpConfig::default(), engine),
            &dispatch,
            &Limits::default(),
            None,
        )
        .unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let application = Application {
            connections: HashMap::new(),
            count: Arc::clone(&connections),
        };
        Server {
            address,
            running,
            threads,
            application: thread::spawn(move || smol::block_on(application.run(mailbox))),
            connections,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many were accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Stops it, and waits for its end.
    pub fn stop(self) {
        self.running.abort();
        self.application.join().unwrap();
        assert_eq!(self.threads.stop(), []);
    }
}

/// The dispatch actor.
struct Application {
    connections: HashMap<ConnectionId, Connection>,
    count: Arc<AtomicUsize>,
}

struct Connection {
    reply: Address<ToConnection<HttpCommand>>,
    request: Option<Request>,
}

impl Application {
    async fn run(mut self, mailbox: DispatchMailbox<HttpMachine>) {
        poll_fn(move |context| {
            mailbox.wake_with(context.waker());
            for message in mailbox.drain() {
                if let ToDispatch::ListenerStopped { .. } = message {
                    return Poll::Ready(());
                }
                self.deliver(message);
            }
            Poll::Pending
        })
        .await;
    }

    fn deliver(&mut self, message: ToDispatch<HttpMachine>) {
        match message {
            ToDispatch::Opened {
                connection, reply, ..
            } => {
                self.count.fetch_add(1, Ordering::Relaxed);
                let request = None;
                let opened = Connection { reply, request };
                assert!(self.connections.insert(connection, opened).is_none());
            }
            ToDispatch::Event { connection, event } => {
                self.connections.get_mut(&connection).unwrap().event(event);
            }
            ToDispatch::Closed { connection, .. } => {
                self.connections.remove(&connection).unwrap();
            }
            ToDispatch::AcceptFailed { error, .. } => panic!("{error}"),
            ToDispatch::Secured { .. }
            | ToDispatch::HandshakeFailed { .. }
            | ToDispatch::ListenerStopped { .. }
            | ToDispatch::Trace { .. } => {}
        }
    }
}

impl Connection {
    fn event(&mut self, event: HttpEvent) {
        match event {
            HttpEvent::Request(request) => self.request = Some(request),
            HttpEvent::Body { data, last, .. } => {
                let request = self.request.as_mut().unwrap();
                let command = HttpCommand::Consumed {
                    stream: request.stream,
                    bytes: data.len(),
                };
                request.body.extend(data);
                request.body_complete = last;
                let _ = self.reply.send(ToConnection::Command(command));
            }
            HttpEvent::Sent { .. } | HttpEvent::Disconnect { .. } => {}
            HttpEvent::Warning(warning) => panic!("{warning:?}"),
            HttpEvent::Handshake(_) | HttpEvent::WebSocket { .. } => {
                panic!("nobody asked for a WebSocket")
            }
        }
        if let Some(request) = self.request.take_if(|request| request.body_complete) {
            self.answer(request);
        }
    }

    fn answer(&self, request: Request) {
        let mut body = format!(
            "{} {} {} body ",
            request.head.method(),
            String::from_utf8_lossy(request.head.path()),
            String::from_utf8_lossy(request.head.query()),
        )
        .into_bytes();
        body.extend(request.body);
        let status = match request.head.path() {
            b"/nowhere" => 404,
            b"/empty" => 204,
            _ => 200,
        };
        let mut head = ResponseHead::new(status);
        if status != 200 {
            body.clear();
        }
        let (number, length) = (request.stream.to_string(), body.len().to_string());
        head.push(b"x-request", number.as_bytes()).unwrap();
        head.push(b"content-type", b"text/plain").unwrap();
        if request.head.path() != b"/chunks" {
            head.push(b"content-length", length.as_bytes()).unwrap();
        }
        // Refused only where the client has gone.
        let _ = self.reply.send(ToConnection::Command(HttpCommand::Respond {
            stream: request.stream,
            head,
            body: Payload::Owned(body),
            end: true,
        }));
    }
}
