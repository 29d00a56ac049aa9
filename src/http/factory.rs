//! Makes the HTTP machines of a server's connections.

use std::rc::Rc;

use smolcorn_actors::server::{Maker, ProtocolFactory};

use super::h1::H1;
use super::shared::Shared;
use crate::config::HttpConfig;

/// Makes [`H1`] machines; those of one thread share their settings and the cached date.
#[derive(Clone, Debug)]
pub struct H1Factory {
    config: HttpConfig,
}

impl H1Factory {
    /// For connections with these settings.
    pub fn new(config: HttpConfig) -> H1Factory {
        H1Factory { config }
    }
}

impl ProtocolFactory for H1Factory {
    type Protocol = H1;

    fn local(&self) -> Maker<H1> {
        let shared = Rc::new(Shared::new(self.config.clone()));
        Rc::new(move |_ends| H1::new(Rc::clone(&shared)))
    }
}
