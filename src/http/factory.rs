//! Makes the HTTP machines of a server's connections.

use std::rc::Rc;

use smolcorn_actors::server::{Maker, ProtocolFactory};

#[cfg(feature = "async-h1")]
use super::async_h1::{self, AsyncH1};
use super::h1::H1;
use super::machine::HttpMachine;
use super::readiness::Readiness;
use super::shared::Shared;
use crate::config::{HttpConfig, HttpEngine};

/// Makes [`HttpMachine`]s; those of one thread share their settings and the cached date.
#[derive(Clone, Debug)]
pub struct HttpFactory {
    config: HttpConfig,
    engine: HttpEngine,
    readiness: Readiness,
}

impl HttpFactory {
    /// For connections with these settings, on `engine`, of a server that stays ready.
    pub fn new(config: HttpConfig, engine: HttpEngine) -> HttpFactory {
        HttpFactory {
            config,
            engine,
            readiness: Readiness::default(),
        }
    }

    /// The same for a server in the state `readiness`, which may change.
    pub fn with_readiness(self, readiness: Readiness) -> HttpFactory {
        HttpFactory { readiness, ..self }
    }
}

impl ProtocolFactory for HttpFactory {
    type Protocol = HttpMachine;

    fn local(&self) -> Maker<HttpMachine> {
        let config = self.config.clone();
        let readiness = self.readiness.clone();
        match self.engine {
            HttpEngine::Native => {
                let shared = Rc::new(Shared::with_readiness(config, readiness));
                Rc::new(move |_ends| HttpMachine::Native(H1::new(Rc::clone(&shared))))
            }
            #[cfg(feature = "async-h1")]
            HttpEngine::AsyncH1 => {
                let shared = Rc::new(Shared::with_readiness(
                    async_h1::within_limits(config),
                    readiness,
                ));
                Rc::new(move |_ends| {
                    HttpMachine::AsyncH1(Box::new(AsyncH1::new(Rc::clone(&shared))))
                })
            }
        }
    }
}
