//! What can be asked of every actor from any thread, at any time: its state, its age, what it has
//! read and written, what waits in its mailbox.
//!
//! An actor stores into its own cell and reads nothing from it. Whoever shows a table reads all
//! cells, without a word to the actors: so an actor that hangs is shown too.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::actor::ActorName;
use crate::messages::End;

static CELLS: Mutex<BTreeMap<u64, Arc<ActorCell>>> = Mutex::new(BTreeMap::new());
static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

/// How far an actor has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ActorState {
    /// It has not run yet.
    New,
    /// A TLS handshake goes on.
    Handshake,
    /// It does its work: a connection in both directions.
    Open,
    /// The peer has said that it sends no more.
    ReadClosed,
    /// Everything is written; the peer gets time to read it.
    Lingering,
    /// A listener that accepts no more, and waits for its connections.
    Closing,
    /// It has ended.
    Ended,
}

impl ActorState {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            ActorState::New => "new",
            ActorState::Handshake => "in its TLS handshake",
            ActorState::Open => "open",
            ActorState::ReadClosed => "half closed by its peer",
            ActorState::Lingering => "lingering",
            ActorState::Closing => "closing",
            ActorState::Ended => "ended",
        }
    }

    fn from_number(number: u8) -> ActorState {
        [
            ActorState::New,
            ActorState::Handshake,
            ActorState::Open,
            ActorState::ReadClosed,
            ActorState::Lingering,
            ActorState::Closing,
        ]
        .into_iter()
        .find(|state| *state as u8 == number)
        .unwrap_or(ActorState::Ended)
    }
}

/// What an actor shows of itself. Only the actor stores into it.
pub struct ActorCell {
    name: ActorName,
    peer: Option<End>,
    begun: Instant,
    state: AtomicU8,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    /// The number of the connection that it works for; 0: it does not.
    work_connection: AtomicU64,
    work_stream: AtomicU32,
    work_since: AtomicU64,
    waiting: Box<dyn Fn() -> usize + Send + Sync>,
}

/// An actor's place in the table, for as long as this lives.
pub struct Place {
    key: u64,
    cell: Arc<ActorCell>,
}

impl std::ops::Deref for Place {
    type Target = ActorCell;

    fn deref(&self) -> &ActorCell {
        &self.cell
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let cell = cells().remove(&self.key);
        drop(cell);
    }
}

/// Puts an actor into the table. `waiting` says how many messages are in its mailbox.
pub fn register(
    name: ActorName,
    peer: Option<End>,
    begun: Instant,
    waiting: impl Fn() -> usize + Send + Sync + 'static,
) -> Place {
    let cell = Arc::new(ActorCell {
        name,
        peer,
        begun,
        state: AtomicU8::new(ActorState::New as u8),
        read_bytes: AtomicU64::new(0),
        written_bytes: AtomicU64::new(0),
        work_connection: AtomicU64::new(0),
        work_stream: AtomicU32::new(0),
        work_since: AtomicU64::new(0),
        waiting: Box::new(waiting),
    });
    let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
    cells().insert(key, Arc::clone(&cell));
    Place { key, cell }
}

fn cells() -> MutexGuard<'static, BTreeMap<u64, Arc<ActorCell>>> {
    CELLS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ActorCell {
    /// It has come to another state.
    pub fn set_state(&self, state: ActorState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// It has read so many bytes more.
    pub fn add_read(&self, bytes: u64) {
        // One thread stores: an exchange of its own would cost more.
        let before = self.read_bytes.load(Ordering::Relaxed);
        self.read_bytes.store(before + bytes, Ordering::Relaxed);
    }

    /// It has written so many bytes more.
    pub fn add_written(&self, bytes: u64) {
        let before = self.written_bytes.load(Ordering::Relaxed);
        self.written_bytes.store(before + bytes, Ordering::Relaxed);
    }

    /// Bytes read and written so far.
    pub fn bytes(&self) -> (u64, u64) {
        (
            self.read_bytes.load(Ordering::Relaxed),
            self.written_bytes.load(Ordering::Relaxed),
        )
    }

    /// It is at work since `since`, nanoseconds (see [`now`](super::now)).
    pub fn set_busy_since(&self, since: u64) {
        self.work_since.store(since.max(1), Ordering::Relaxed);
    }

    /// Whether it is at work.
    pub fn is_busy(&self) -> bool {
        self.work_since.load(Ordering::Relaxed) != 0
    }

    /// It works for a request of that connection.
    pub fn set_work(&self, connection: u64, stream: u32) {
        self.work_stream.store(stream, Ordering::Relaxed);
        self.work_connection.store(connection, Ordering::Relaxed);
    }

    /// It works for no request any more.
    pub fn clear_work(&self) {
        self.work_connection.store(0, Ordering::Relaxed);
    }

    /// It waits.
    pub fn set_idle(&self) {
        self.work_since.store(0, Ordering::Relaxed);
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose.
    pub name: ActorName,
    /// The other end of a connection.
    pub peer: Option<End>,
    /// When it began.
    pub begun: Instant,
    /// How far it has come.
    pub state: ActorState,
    /// Bytes read from the socket.
    pub read_bytes: u64,
    /// Bytes written to it.
    pub written_bytes: u64,
    /// Messages in its mailbox.
    pub waiting: usize,
    /// The connection and the request that it works for.
    pub work: Option<(u64, u32)>,
    /// Since when it is at work, nanoseconds.
    pub busy_since: Option<u64>,
}

/// All actors, in the order in which they began.
pub fn rows() -> Vec<Row> {
    // Addresses of mailboxes are asked when nobody waits for the lock.
    let all: Vec<Arc<ActorCell>> = cells().values().cloned().collect();
    all.iter().map(|cell| cell.row()).collect()
}

impl ActorCell {
    fn row(&self) -> Row {
        let connection = self.work_connection.load(Ordering::Relaxed);
        let stream = self.work_stream.load(Ordering::Relaxed);
        let since = self.work_since.load(Ordering::Relaxed);
        Row {
            name: self.name,
            peer: self.peer.clone(),
            begun: self.begun,
            state: ActorState::from_number(self.state.load(Ordering::Relaxed)),
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
            waiting: (self.waiting)(),
            work: (connection != 0).then_some((connection, stream)),
            busy_since: (since != 0).then_some(since),
        }
    }
}
