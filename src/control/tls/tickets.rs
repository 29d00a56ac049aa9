//! Session tickets (RFC 5077, RFC 8446 section 4.6.1) that every process with the same secret can
//! read.
//!
//! Keys follow from the secret and the time. Each period has a key of its own, and the secret of a
//! period leads to the next one's and never back: whoever learns it cannot read the tickets of
//! the past. No process has to tell the others that a period has ended.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_rustls::rustls::server::ProducesTickets;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// How long one key makes tickets, seconds.
const PERIOD_SECONDS: u64 = 6 * 3600;
/// How long a ticket can be used at least, seconds: a key is kept for one period more.
const LIFETIME_SECONDS: u32 = PERIOD_SECONDS as u32;
/// More periods than this are never walked through: a clock has jumped.
const PERIODS_MAX: u64 = 100_000;

const SECRET_BYTES: usize = 32;
const NAME_BYTES: usize = 16;

/// What the keys of tickets follow from. Processes that have the same one accept each other's
/// tickets.
#[derive(Clone)]
pub struct TicketSecret {
    period: u64,
    secret: [u8; SECRET_BYTES],
}

impl TicketSecret {
    /// Length of the bytes that a process inherits.
    pub const INHERITED_BYTES: usize = 8 + SECRET_BYTES;

    /// A new one. `None` when the system has no random bytes.
    pub fn generate() -> Option<TicketSecret> {
        let mut secret = [0; SECRET_BYTES];
        SystemRandom::new().fill(&mut secret).ok()?;
        Some(TicketSecret {
            period: current_period(),
            secret,
        })
    }

    /// The one that another process had at [`to_inherit`](Self::to_inherit).
    pub fn from_bytes(bytes: &[u8; Self::INHERITED_BYTES]) -> TicketSecret {
        let (mut period, mut secret) = ([0; 8], [0; SECRET_BYTES]);
        let (head, tail) = bytes.split_at(8);
        period.copy_from_slice(head);
        secret.copy_from_slice(tail);
        TicketSecret {
            period: u64::from_be_bytes(period),
            secret,
        }
    }

    /// For another process, as the secret stands now: tickets of the past stay closed to it but
    /// for those of the period before.
    pub fn to_inherit(&self) -> [u8; Self::INHERITED_BYTES] {
        let mut current = self.clone();
        current.advance(current_period().saturating_sub(1));
        let mut bytes = [0; Self::INHERITED_BYTES];
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(&current.period.to_be_bytes());
        tail.copy_from_slice(&current.secret);
        bytes
    }

    /// Goes on to `period`, never back.
    fn advance(&mut self, period: u64) {
        let steps = period.saturating_sub(self.period).min(PERIODS_MAX);
        for _ in 0..steps {
            self.secret = derive(&self.secret, &[b"next"]);
        }
        self.period = self.period.max(period);
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret")
    }
}

fn current_period() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() / PERIOD_SECONDS)
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// `N` bytes that follow from `secret` for this purpose.
fn derive<const N: usize>(secret: &[u8], purpose: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    let key: Prk = Salt::new(HKDF_SHA256, b"smolcorn tickets").extract(secret);
    // It fails only for more than 255 blocks of a hash.
    let _ = key
        .expand(purpose, Bytes(N))
        .and_then(|derived| derived.fill(&mut bytes));
    bytes
}

/// The key of one period.
struct TicketKey {
    period: u64,
    name: [u8; NAME_BYTES],
    key: Option<LessSafeKey>,
}

impl TicketKey {
    fn new(secret: &TicketSecret, context: &[u8]) -> TicketKey {
        let key: [u8; 32] = derive(&secret.secret, &[b"key", context]);
        TicketKey {
            period: secret.period,
            name: derive(&secret.secret, &[b"name", context]),
            key: UnboundKey::new(&AES_256_GCM, &key)
                .ok()
                .map(LessSafeKey::new),
        }
    }

    fn seal(&self, random: &dyn SecureRandom, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        self.key
            .as_ref()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.name),
                &mut sealed,
            )
            .ok()?;
        Some([&self.name[..], &nonce, &sealed].concat())
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME_BYTES)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        if name != self.name {
            return None;
        }
        let mut bytes = sealed.to_vec();
        let plain = self
            .key
            .as_ref()?
            .open_in_place(
                Nonce::try_assume_unique_for_key(nonce).ok()?,
                Aad::from(self.name),
                &mut bytes,
            )
            .ok()?;
        Some(plain.to_vec())
    }
}

/// Makes and reads tickets.
pub struct Ticketer {
    state: Mutex<State>,
    random: SystemRandom,
    /// Tickets of another context are not read: what they vouch for was checked by other rules.
    context: Vec<u8>,
}

struct State {
    secret: TicketSecret,
    current: TicketKey,
    previous: Option<TicketKey>,
}

impl Ticketer {
    /// For tickets under `secret`. `context` is what a session depends on beside it, as the
    /// rules for client certificates.
    pub fn new(secret: TicketSecret, context: &[u8]) -> Ticketer {
        let current = TicketKey::new(&secret, context);
        Ticketer {
            state: Mutex::new(State {
                secret,
                current,
                previous: None,
            }),
            random: SystemRandom::new(),
            context: context.to_vec(),
        }
    }

    /// The state as of `period`.
    fn at(&self, period: u64) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.current.period < period {
            state.secret.advance(period.saturating_sub(1));
            let previous = TicketKey::new(&state.secret, &self.context);
            state.secret.advance(period);
            state.current = TicketKey::new(&state.secret, &self.context);
            state.previous = Some(previous);
        }
        state
    }

    fn encrypt_at(&self, period: u64, plain: &[u8]) -> Option<Vec<u8>> {
        self.at(period).current.seal(&self.random, plain)
    }

    fn decrypt_at(&self, period: u64, ticket: &[u8]) -> Option<Vec<u8>> {
        let state = self.at(period);
        let keys = [Some(&state.current), state.previous.as_ref()];
        keys.into_iter().flatten().find_map(|key| key.open(ticket))
    }
}

impl fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticketer")
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        LIFETIME_SECONDS
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.encrypt_at(current_period(), plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.decrypt_at(current_period(), cipher)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn secret(period: u64) -> TicketSecret {
        TicketSecret {
            period,
            secret: [7; SECRET_BYTES],
        }
    }

    #[test]
    fn processes_with_one_secret_read_each_others_tickets() {
        let secret = TicketSecret::generate().unwrap();
        let parent = Ticketer::new(secret.clone(), b"");
        let inherited = TicketSecret::from_bytes(&secret.to_inherit());
        let child = Ticketer::new(inherited, b"");
        let ticket = parent.encrypt(b"session").unwrap();
        assert_eq!(child.decrypt(&ticket).unwrap(), b"session");
        let ticket = child.encrypt(b"other").unwrap();
        assert_eq!(parent.decrypt(&ticket).unwrap(), b"other");
    }

    #[test]
    fn another_secret_or_another_context_reads_nothing() {
        let ticket = Ticketer::new(secret(5), b"a")
            .encrypt_at(5, b"session")
            .unwrap();
        assert!(
            Ticketer::new(secret(5), b"b")
                .decrypt_at(5, &ticket)
                .is_none()
        );
        let other = TicketSecret::generate().unwrap();
        assert!(Ticketer::new(other, b"a").decrypt(&ticket).is_none());
        assert!(
            Ticketer::new(secret(5), b"a")
                .decrypt_at(5, &ticket)
                .is_some()
        );
    }

    #[test]
    fn a_ticket_is_good_for_one_more_period() {
        let ours = Ticketer::new(secret(5), b"");
        let ticket = ours.encrypt_at(5, b"session").unwrap();
        assert_eq!(ours.decrypt_at(6, &ticket).unwrap(), b"session");
        assert_eq!(ours.decrypt_at(7, &ticket), None);
    }

    #[test]
    fn an_idle_process_keeps_step_with_a_busy_one() {
        let busy = Ticketer::new(secret(5), b"");
        let idle = Ticketer::new(secret(5), b"");
        for period in 5..12 {
            busy.encrypt_at(period, b"x").unwrap();
        }
        let before = busy.encrypt_at(12, b"before").unwrap();
        assert_eq!(idle.decrypt_at(13, &before).unwrap(), b"before");
        let now = busy.encrypt_at(13, b"now").unwrap();
        assert_eq!(idle.decrypt_at(13, &now).unwrap(), b"now");
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let ours = Ticketer::new(secret(9), b"");
        let ticket = ours.encrypt_at(9, b"x").unwrap();
        assert!(ours.decrypt_at(3, &ticket).is_some());
    }

    #[test]
    fn a_broken_ticket_is_none() {
        let ours = Ticketer::new(secret(5), b"");
        let ticket = ours.encrypt_at(5, b"session").unwrap();
        for len in 0..ticket.len() {
            assert!(ours.decrypt_at(5, &ticket[..len]).is_none());
        }
        for at in 0..ticket.len() {
            let mut broken = ticket.clone();
            broken[at] ^= 1;
            assert!(ours.decrypt_at(5, &broken).is_none());
        }
        assert!(ours.encrypt_at(5, b"session").unwrap() != ticket);
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", secret(1)), "TicketSecret");
    }
}
