//! TLS: from options and files to what a listener accepts by, and again when the files change.
//!
//! ```text
//!   TlsConfig --load--> files --> keys, certificates, CAs --> one configuration per certificate
//!                         ^                                            |
//!                         '--- changed? reload ------------ swapped in, all or nothing
//! ```
//!
//! Nothing here listens, knows of HTTP or of Python.

pub mod ciphers;
mod der;
pub mod error;
mod keys;
pub mod names;
pub mod pem;
mod setup;
pub mod tickets;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures_rustls::rustls::server::ClientHello;
use smolcorn_actors::tls::{TlsChoice, TlsChooser};

use crate::config::TlsConfig;
pub use error::TlsError;
use setup::Served;
use tickets::TicketSecret;
use watch::Watch;

/// What is answered in the clear to a client that speaks plain HTTP.
pub const PLAINTEXT_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    connection: close\r\n\
    content-length: 58\r\n\
    \r\n\
    This port speaks HTTPS, and the request came as plain HTTP";

/// The server's side of TLS. It stays the same while the certificates in it are replaced.
pub struct TlsServer {
    config: RwLock<Arc<TlsConfig>>,
    secret: TicketSecret,
    served: RwLock<Arc<Served>>,
    watch: Mutex<Watch>,
    /// Held by whoever reads files: the last one to ask is the last one to be served by.
    reading: Mutex<()>,
}

impl TlsServer {
    /// Reads all files. `secret` is that of the process that started this one; `None`: a new one.
    pub fn load(config: &TlsConfig, secret: Option<TicketSecret>) -> Result<TlsServer, TlsError> {
        let secret = match secret.or_else(TicketSecret::generate) {
            Some(secret) => secret,
            None => {
                return Err(TlsError::Value {
                    option: "--ssl-certfile",
                    what: "the system has no random numbers".to_owned(),
                });
            }
        };
        let watch = Watch::new(config.files());
        let served = Served::load(config, &secret)?;
        Ok(TlsServer {
            config: RwLock::new(Arc::new(config.clone())),
            secret,
            served: RwLock::new(Arc::new(served)),
            watch: Mutex::new(watch),
            reading: Mutex::new(()),
        })
    }

    /// Reads all files again. New connections are served by them; those that stand are not
    /// touched. After an error everything is as before.
    pub fn reload(&self) -> Result<(), TlsError> {
        let _one_at_a_time = self.begin_reading();
        // Before reading: what changes from now on is seen at the next look.
        self.watch().settle();
        self.serve(Served::load(&self.config(), &self.secret)?);
        Ok(())
    }

    /// The same by another configuration: from now on it is this one that is reloaded. The times
    /// in it have been settled at the start.
    pub fn reconfigure(&self, config: &TlsConfig) -> Result<(), TlsError> {
        let _one_at_a_time = self.begin_reading();
        let watch = Watch::new(config.files());
        let served = Served::load(config, &self.secret)?;
        *self.watch() = watch;
        let mut current = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(config.clone());
        self.serve(served);
        Ok(())
    }

    fn serve(&self, served: Served) {
        let mut current = self.served.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(served);
    }

    /// True when files have changed since they were read, and not since the last look: whoever
    /// writes them is done.
    pub fn has_changed(&self) -> bool {
        self.watch().look()
    }

    /// What the operator should be told.
    pub fn warning(&self) -> Option<String> {
        self.served().warning.clone()
    }

    /// What it was told to do.
    pub fn config(&self) -> Arc<TlsConfig> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }

    /// What other processes need to accept this one's session tickets.
    pub fn ticket_secret(&self) -> &TicketSecret {
        &self.secret
    }

    fn served(&self) -> Arc<Served> {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&served)
    }

    fn begin_reading(&self) -> MutexGuard<'_, ()> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsChooser for TlsServer {
    fn choose(&self, hello: &ClientHello<'_>) -> TlsChoice {
        self.served().choose(hello)
    }
}

/// Bytes from hexadecimal digits.
fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
