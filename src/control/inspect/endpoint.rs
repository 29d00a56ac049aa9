//! The thread that answers those who look into this process.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::SigId;
use signal_hook::consts::SIGUSR1;
use smolcorn_actors::thread;

/// How long the Python stacks are waited for: whoever has the interpreter's lock may keep it.
const STACKS_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a client may take to read its answer.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the bell says: a signal has come, or nobody needs the thread any more.
const QUIT: u8 = b'q';

/// Gives the Python stacks; `None` when there is no interpreter any more. It waits for the
/// interpreter's lock, and is called on a thread of its own.
pub type Stacks = fn() -> Option<String>;

/// The one endpoint of this process, while somebody has it.
static ENDPOINT: Mutex<Weak<Endpoint>> = Mutex::new(Weak::new());

/// Answers for as long as anybody has it.
pub struct Endpoint {
    bell: UnixStream,
    signal: Mutex<Option<SigId>>,
}

impl Endpoint {
    /// The endpoint of this process.
    ///
    /// # Errors
    /// The system's: no descriptors, no thread.
    pub fn open(stacks: Stacks) -> io::Result<Arc<Endpoint>> {
        let mut known = ENDPOINT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = known.upgrade() {
            return Ok(endpoint);
        }
        let (bell, ringing) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        let door = Door::open();
        thread::spawn("smolcorn-inspect", move || serve(ringing, &door, stacks))?;
        let endpoint = Arc::new(Endpoint {
            bell,
            signal: Mutex::new(None),
        });
        *known = Arc::downgrade(&endpoint);
        Ok(endpoint)
    }

    /// Answers SIGUSR1 from now on, by a table on stderr.
    ///
    /// # Errors
    /// The system's.
    pub fn answer_signal(&self) -> io::Result<()> {
        let mut signal = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        if signal.is_none() {
            let bell = self.bell.try_clone()?;
            *signal = Some(signal_hook::low_level::pipe::register(SIGUSR1, bell)?);
        }
        Ok(())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let mut signal = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signal) = signal.take() {
            signal_hook::low_level::unregister(signal);
        }
        // A bell that is full rings already; the thread ends with its last owner.
        let _ = self.bell.write(&[QUIT]);
    }
}

/// The thread.
fn serve(mut ringing: UnixStream, door: &Door, stacks: Stacks) {
    loop {
        let bell = ringing.as_fd();
        let mut fds = vec![PollFd::from_borrowed_fd(bell, PollFlags::IN)];
        fds.extend(door.descriptor());
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        }
        let has_come = |place: usize| fds.get(place).is_some_and(|fd| !fd.revents().is_empty());
        let (is_rung, is_asked) = (has_come(0), has_come(1));
        drop(fds);
        if is_rung {
            let mut bytes = [0; 64];
            match ringing.read(&mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(len) if bytes.get(..len).is_some_and(|bytes| bytes.contains(&QUIT)) => return,
                Ok(_) => {
                    // In one piece, so that no other line comes between.
                    let _ = io::stderr().write_all(answer(stacks).as_bytes());
                }
            }
        }
        if is_asked {
            door.answer(|| answer(stacks));
        }
    }
}

/// The table, and the stacks if they are to be had in time.
fn answer(stacks: Stacks) -> String {
    let mut text = super::table();
    let (give, take) = channel();
    let asked = thread::spawn("smolcorn-stacks", move || {
        let _ = give.send(stacks());
    });
    match asked.map(|_| take.recv_timeout(STACKS_TIMEOUT)) {
        Ok(Ok(stacks)) => text.push_str(&stacks.unwrap_or_default()),
        _ => text.push_str(
            "There are no Python stacks: some code has kept the interpreter's lock for a second.\n",
        ),
    }
    text
}

#[cfg(target_os = "linux")]
use linux::Door;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    use super::*;

    /// Where clients connect. Absent when the name is taken: by a process of the same number in
    /// another container with the same network.
    pub struct Door(Option<UnixListener>);

    impl Door {
        /// Opens it.
        pub fn open() -> Door {
            let name = crate::inspect::socket_name(std::process::id());
            let address = SocketAddr::from_abstract_name(name);
            Door(
                address
                    .and_then(|address| UnixListener::bind_addr(&address))
                    .ok(),
            )
        }

        /// Readable when somebody asks.
        pub fn descriptor(&self) -> Option<PollFd<'_>> {
            let listener = self.0.as_ref()?;
            Some(PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN))
        }

        /// Lets one client in, and answers if it may ask: the process's own user, and root.
        pub fn answer(&self, answer: impl FnOnce() -> String) {
            let Some(Ok((mut client, _))) = self.0.as_ref().map(UnixListener::accept) else {
                return;
            };
            let _ = client.set_write_timeout(Some(CLIENT_TIMEOUT));
            let own = rustix::process::geteuid();
            let is_allowed = rustix::net::sockopt::socket_peercred(&client)
                .is_ok_and(|peer| peer.uid == own || peer.uid.is_root());
            if is_allowed {
                // A client that has gone needs no answer.
                let _ = client.write_all(answer().as_bytes());
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Door;

#[cfg(not(target_os = "linux"))]
impl Door {
    fn open() -> Door {
        Door
    }

    fn descriptor(&self) -> Option<PollFd<'_>> {
        None
    }

    fn answer(&self, _: impl FnOnce() -> String) {}
}
