//! Puts the actors together: one listener for each socket, and a nursery of connections on each
//! thread of the placement.

use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::Poll;

use async_io::Async;
use socket2::Socket;

use crate::accept::{Acceptor, prepare};
use crate::actor::ActorName;
use crate::connection::{Accepted, Nursery};
use crate::dispatch::DispatchAddress;
use crate::limits::Limits;
use crate::listener::{Listener, Nurseries};
use crate::mailbox::{Address, Mailbox, mailbox, mailbox_of};
use crate::messages::{End, Ends, ToListener};
#[cfg(unix)]
use crate::placement::fused::Fused;
use crate::placement::threads::IoThreads;
use crate::placement::{Local, Placement};
use crate::protocol::Protocol;
use crate::socket::ReadySocket;
use crate::tls::TlsAcceptance;

/// Makes the protocol machines of one thread.
pub type Maker<P> = Rc<dyn Fn(&Ends) -> P>;

/// Makes protocol machines. It is carried to each thread of the placement and asked there, once,
/// for what makes the machines of that thread and may share things between them.
pub trait ProtocolFactory: Clone + Send + 'static {
    /// The machine.
    type Protocol: Protocol;

    /// What makes the machines of the current thread.
    fn local(&self) -> Maker<Self::Protocol>;
}

/// The addresses of a server that runs.
pub struct Running {
    /// The listeners, in the order of their sockets; the first has number 1.
    pub listeners: Vec<Address<ToListener>>,
}

impl Running {
    /// Tells all listeners to stop: accept what waits, close the sockets, drain.
    pub fn stop(&self) {
        for listener in &self.listeners {
            // Refused only by one that has ended.
            let _ = listener.tell(ToListener::Stop);
        }
    }

    /// Tells all listeners to close their sockets, which others have too, and leave the connections
    /// as they are.
    pub fn retire(&self) {
        for listener in &self.listeners {
            let _ = listener.tell(ToListener::Retire);
        }
    }

    /// Tells all listeners to drop everything now.
    pub fn abort(&self) {
        for listener in &self.listeners {
            let _ = listener.tell(ToListener::Abort);
        }
    }
}

/// Starts a listener for each of `sockets`, which are bound and listening. What the actors have
/// to say goes to `dispatch`. With `tls`, connections are TLS and nothing else. Errors: a socket
/// cannot be made nonblocking or is refused by the reactor, or an I/O thread has ended.
pub fn start<F: ProtocolFactory>(
    placement: Placement<'_>,
    sockets: Vec<Socket>,
    factory: &F,
    dispatch: &DispatchAddress<F::Protocol>,
    limits: &Limits,
    tls: Option<&TlsAcceptance>,
) -> io::Result<Running> {
    match placement {
        #[cfg(unix)]
        Placement::Fused(fused) => start_fused(fused, sockets, factory, dispatch, limits, tls),
        Placement::Threads(threads) => {
            start_threads(threads, sockets, factory, dispatch, limits, tls)
        }
    }
}

#[cfg(unix)]
fn start_fused<F: ProtocolFactory>(
    fused: &Fused,
    sockets: Vec<Socket>,
    factory: &F,
    dispatch: &DispatchAddress<F::Protocol>,
    limits: &Limits,
    tls: Option<&TlsAcceptance>,
) -> io::Result<Running> {
    let local = fused.local();
    let nursery = Rc::new(Nursery {
        local: Rc::clone(local),
        make: factory.local(),
        dispatch: dispatch.clone(),
        limits: limits.clone(),
        tls: tls.cloned(),
    });
    // All or none: nothing is started before every socket is known to be good.
    let acceptors: Vec<Acceptor> = sockets
        .into_iter()
        .map(|socket| {
            let end = prepare(&socket)?;
            Ok(Acceptor::new(local.register(socket)?, end))
        })
        .collect::<io::Result<_>>()?;
    let mut running = Running {
        listeners: Vec::new(),
    };
    for (acceptor, number) in acceptors.into_iter().zip(1..) {
        let (address, mail) = mailbox_of(ActorName::Listener(number));
        running.listeners.push(address.clone());
        local.spawn(Listener::new(
            number,
            acceptor,
            Rc::clone(local),
            Nurseries::Here(Rc::clone(&nursery)),
            dispatch.clone(),
            limits.clone(),
            (address, mail),
        ));
    }
    Ok(running)
}

fn start_threads<F: ProtocolFactory>(
    threads: &IoThreads,
    sockets: Vec<Socket>,
    factory: &F,
    dispatch: &DispatchAddress<F::Protocol>,
    limits: &Limits,
    tls: Option<&TlsAcceptance>,
) -> io::Result<Running> {
    let sockets: Vec<(Async<Socket>, Option<End>)> = sockets
        .into_iter()
        .map(|socket| {
            let end = prepare(&socket)?;
            Ok((Async::new_nonblocking(socket)?, end))
        })
        .collect::<io::Result<_>>()?;
    let mut nurseries = Vec::new();
    for index in 0..threads.count() {
        let (address, accepted) = mailbox();
        nurseries.push(address);
        let (factory, dispatch, limits) = (factory.clone(), dispatch.clone(), limits.clone());
        let tls = tls.cloned();
        run_on(threads, index, move |local| {
            let nursery = Rc::new(Nursery {
                local: Rc::clone(local),
                make: factory.local(),
                dispatch,
                limits,
                tls,
            });
            local.spawn(receive_accepted(accepted, nursery));
        })?;
    }
    let mut running = Running {
        listeners: Vec::new(),
    };
    for (((socket, end), number), index) in sockets.into_iter().zip(1..).zip(0..) {
        let (address, mail) = mailbox_of(ActorName::Listener(number));
        running.listeners.push(address.clone());
        let (dispatch, limits) = (dispatch.clone(), limits.clone());
        let nurseries = nurseries.clone();
        run_on(threads, index, move |local| {
            local.spawn(Listener::new(
                number,
                Acceptor::new(ReadySocket::portable(socket), end),
                Rc::clone(local),
                Nurseries::Threads(nurseries),
                dispatch,
                limits,
                (address, mail),
            ));
        })?;
    }
    Ok(running)
}

fn run_on(
    threads: &IoThreads,
    index: usize,
    job: impl FnOnce(&Rc<Local>) + Send + 'static,
) -> io::Result<()> {
    threads
        .spawn_on(index, Box::new(job))
        .map_err(|_| io::Error::other("an I/O thread has ended"))
}

/// Starts the connections that listeners on other threads hand over to this one.
fn receive_accepted<P: Protocol>(
    mailbox: Mailbox<Accepted<P::Command>>,
    nursery: Rc<Nursery<P>>,
) -> impl Future<Output = ()> {
    poll_fn(move |context| {
        mailbox.wake_with(context.waker());
        for accepted in mailbox.drain() {
            nursery.spawn(accepted);
        }
        Poll::Pending
    })
}
