//! Answers clients while the application does not run, without Python: actors on a thread of
//! their own, and a dispatch actor that gives every request the same page.
//!
//! It accepts only what has come while it runs. When it stops, it leaves what waits to whoever
//! accepts next, and ends once it has answered those whom it has accepted.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use async_io::block_on;
use smolcorn_actors::actor::ConnectionId;
use smolcorn_actors::dispatch::DispatchMailbox;
use smolcorn_actors::limits::Limits;
use smolcorn_actors::mailbox::{Address, mailbox};
use smolcorn_actors::messages::{ToConnection, ToDispatch};
use smolcorn_actors::outbox::Payload;
use smolcorn_actors::placement::Placement;
use smolcorn_actors::placement::threads::IoThreads;
use smolcorn_actors::pool::Pooled;
use smolcorn_actors::server::{self, Running};
use smolcorn_actors::thread;
use smolcorn_actors::tls::TlsAcceptance;
use socket2::Socket;

use crate::config::Config;
use crate::http::factory::HttpFactory;
use crate::http::field::BadHeader;
use crate::http::head::RequestHead;
use crate::http::machine::HttpMachine;
use crate::http::response::ResponseHead;
use crate::http::{HttpCommand, HttpEvent, Request};
use crate::reload::Answering;
use crate::reload::page::{Failure, Page, names_html};
use crate::tls::{PLAINTEXT_ANSWER, TlsServer};

/// Service Unavailable (RFC 9110, section 15.6.4).
const STATUS: u16 = 503;
/// How long connections on which nothing has been asked may go on at the end: what was sent before
/// their clients could know must have come.
const IDLE_TIMEOUT: Duration = Duration::from_millis(50);

/// [`Responder::start`], as the reloader calls it.
///
/// # Errors
/// The same.
pub fn start(
    sockets: Vec<Socket>,
    config: &Config,
    failure: Failure,
) -> io::Result<Box<dyn Answering>> {
    Ok(Box::new(Responder::start(sockets, config, failure)?))
}

/// Something that answers.
pub struct Responder {
    running: Running,
    threads: IoThreads,
    dispatch: JoinHandle<()>,
}

impl Responder {
    /// Begins to accept from `sockets`, and answers with the page of `failure`.
    ///
    /// # Errors
    /// The system's: no thread, no descriptor. Certificates that cannot be used.
    pub fn start(sockets: Vec<Socket>, config: &Config, failure: Failure) -> io::Result<Responder> {
        let mut limits = Limits {
            write_timeout: config.output.write_timeout,
            ..Limits::default()
        };
        let mut tls = None;
        if let Some(config) = &config.tls {
            limits.handshake_timeout = config.handshake_timeout;
            let server = TlsServer::load(config, None).map_err(io::Error::other)?;
            tls = Some(TlsAcceptance {
                chooser: Arc::new(server),
                plaintext_answer: PLAINTEXT_ANSWER.into(),
            });
        }
        let threads = IoThreads::start(1)?;
        let (dispatch, mail): (_, DispatchMailbox<HttpMachine>) = mailbox();
        let listeners = sockets.len();
        let running = server::start(
            Placement::Threads(&threads),
            sockets,
            &HttpFactory::new(config.http.clone(), config.http_engine),
            &dispatch,
            &limits,
            tls.as_ref(),
        )?;
        let actor = Dispatch {
            failure: Arc::new(failure),
            listeners,
            replies: HashMap::new(),
        };
        let dispatch = thread::spawn("smolcorn-responder", move || block_on(actor.run(mail)))?;
        Ok(Responder {
            running,
            threads,
            dispatch,
        })
    }
}

impl Answering for Responder {
    fn stop(self: Box<Self>) {
        let responder = *self;
        responder.running.retire();
        let end = move || {
            sleep(IDLE_TIMEOUT);
            responder.running.stop();
            // It has panicked only if this program has a defect; nothing depends on it.
            let _ = responder.dispatch.join();
            drop(responder.threads);
        };
        // Without a thread to wait on, the connections are cut.
        let _ = thread::spawn("smolcorn-responder-end", end);
    }
}

/// The dispatch actor.
struct Dispatch {
    failure: Arc<Failure>,
    /// Those that have not ended.
    listeners: usize,
    replies: HashMap<ConnectionId, Address<ToConnection<HttpCommand>>>,
}

impl Dispatch {
    /// Runs until all listeners have ended, and so all connections.
    async fn run(mut self, mailbox: DispatchMailbox<HttpMachine>) {
        poll_fn(move |context| {
            mailbox.wake_with(context.waker());
            for message in mailbox.drain() {
                self.handle(message);
            }
            if self.listeners == 0 {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    fn handle(&mut self, message: ToDispatch<HttpMachine>) {
        match message {
            ToDispatch::Opened {
                connection, reply, ..
            } => {
                self.replies.insert(connection, reply);
            }
            ToDispatch::Event {
                connection,
                event: HttpEvent::Request(request),
            } => self.answer(connection, &request),
            ToDispatch::Closed { connection, .. } => {
                self.replies.remove(&connection);
            }
            ToDispatch::ListenerStopped { .. } => self.listeners -= 1,
            // The machine drops the rest of a body whose request has been answered.
            ToDispatch::Event { .. }
            | ToDispatch::Secured { .. }
            | ToDispatch::HandshakeFailed { .. }
            | ToDispatch::AcceptFailed { .. }
            | ToDispatch::Trace(_) => {}
        }
    }

    fn answer(&self, connection: ConnectionId, request: &Request) {
        let Some(reply) = self.replies.get(&connection) else {
            return;
        };
        let page = self.failure.page(wants_html(&request.head));
        let stream = request.stream;
        let command = match head(&page) {
            Ok(head) => HttpCommand::Respond {
                stream,
                head,
                body: Payload::Owned(page.body.into_bytes()),
                end: true,
            },
            Err(_) => HttpCommand::Abort { stream },
        };
        // Refused only where the client has gone.
        let _ = reply.send(ToConnection::Command(command));
    }
}

/// Whether a client wants HTML.
fn wants_html(head: &RequestHead) -> bool {
    head.headers().any(|(name, value)| {
        name.eq_ignore_ascii_case(b"accept") && names_html(&String::from_utf8_lossy(value))
    })
}

fn head(page: &Page) -> Result<Pooled<ResponseHead>, BadHeader> {
    let mut head = ResponseHead::new(STATUS);
    head.push(b"content-type", page.content_type.as_bytes())?;
    head.push(b"content-length", page.body.len().to_string().as_bytes())?;
    head.push(b"cache-control", b"no-store")?;
    // The next request is the application's.
    head.push(b"connection", b"close")?;
    Ok(head)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn start(listener: &TcpListener) -> Responder {
        let failure = Failure {
            summary: "It does not start.".to_owned(),
            details: "because".to_owned(),
        };
        let socket = Socket::from(listener.try_clone().unwrap());
        Responder::start(vec![socket], &Config::default(), failure).unwrap()
    }

    fn ask(listener: &TcpListener, request: &str) -> TcpStream {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client
    }

    fn answer(mut client: TcpStream) -> String {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn every_request_gets_the_page() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let responder = start(&listener);
        let plain = answer(ask(&listener, "GET /any HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(
            plain.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{plain}"
        );
        assert!(plain.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"));
        assert!(plain.contains("\r\ncache-control: no-store\r\n"));
        assert!(plain.contains("\r\nconnection: close\r\n"));
        assert!(plain.ends_with("\n\nbecause\n"));
        let html = "POST / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nContent-Length: 2\r\n\r\nhi";
        assert!(answer(ask(&listener, html)).contains("<pre>because</pre>"));
        let head = answer(ask(&listener, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(head.ends_with("\r\n\r\n"));
        Box::new(responder).stop();
    }

    #[test]
    fn it_ends_and_leaves_the_socket_to_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let responder = start(&listener);
        responder.running.retire();
        responder.dispatch.join().unwrap();
        let mut client = ask(&listener, "x");
        listener.set_nonblocking(false).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.write_all(b"mine").unwrap();
        drop(accepted);
        let mut said = [0; 4];
        client.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"mine");
    }
}
