//! What all connections of one thread share: the settings, and the header lines that every
//! response begins with.

use std::cell::Cell;
use std::rc::Rc;

use super::date::{DATE_LEN_BYTES, http_date};
use crate::config::{HttpConfig, HttpLimits, WebSocketConfig};
use crate::ws::shared::WsShared;

const DATE_PREFIX: &[u8] = b"date: ";

/// Settings and ready-made header lines; one for each thread, behind an `Rc`.
#[derive(Debug)]
pub struct Shared {
    config: HttpConfig,
    websockets: Rc<WsShared>,
    /// The second that `date` is made for, and its text. Made anew when the second is another.
    date: Cell<(u64, [u8; DATE_LEN_BYTES])>,
    /// True when our own `date` goes out unless the application sends one.
    own_date: bool,
    /// `server` and `--header` lines, by what the application sends itself: nothing, `date`,
    /// `server`, both.
    lines: [Vec<u8>; 4],
}

impl Shared {
    /// Makes the lines that `config` asks for.
    pub fn new(config: HttpConfig) -> Shared {
        let headers = &config.headers;
        let extra_has = |wanted: &[u8]| headers.extra.iter().any(|(name, _)| name == wanted);
        let own_date = headers.date && !extra_has(b"date");
        let own_server = headers.server && !extra_has(b"server");
        let lines = [(false, false), (true, false), (false, true), (true, true)].map(
            |(app_date, app_server)| {
                let mut lines = Vec::new();
                if own_server && !app_server {
                    lines.extend_from_slice(b"server: smolcorn\r\n");
                }
                for (name, value) in &headers.extra {
                    let replaced =
                        (app_date && name == b"date") || (app_server && name == b"server");
                    if !replaced {
                        lines.extend_from_slice(name);
                        lines.extend_from_slice(b": ");
                        lines.extend_from_slice(value);
                        lines.extend_from_slice(b"\r\n");
                    }
                }
                lines
            },
        );
        Shared {
            own_date,
            lines,
            date: Cell::new((0, http_date(0))),
            websockets: Rc::new(WsShared::new(config.websocket.machine.clone())),
            config,
        }
    }

    /// Limits and timeouts.
    pub fn limits(&self) -> &HttpLimits {
        &self.config.limits
    }

    /// What the WebSocket machines of this thread share.
    pub(super) fn websockets(&self) -> &Rc<WsShared> {
        &self.websockets
    }

    /// What requests for a WebSocket lead to.
    pub fn websocket(&self) -> &WebSocketConfig {
        &self.config.websocket
    }

    /// Appends `date`, `server` and the `--header` lines, but for those that the application
    /// sends itself.
    pub(super) fn write_default_lines(
        &self,
        out: &mut Vec<u8>,
        unix_seconds: u64,
        app_has_date: bool,
        app_has_server: bool,
    ) {
        if self.own_date && !app_has_date {
            let (mut second, mut date) = self.date.get();
            if second != unix_seconds {
                (second, date) = (unix_seconds, http_date(unix_seconds));
                self.date.set((second, date));
            }
            out.extend_from_slice(DATE_PREFIX);
            out.extend_from_slice(&date);
            out.extend_from_slice(b"\r\n");
        }
        let [plain, date, server, both] = &self.lines;
        out.extend_from_slice(match (app_has_date, app_has_server) {
            (false, false) => plain,
            (true, false) => date,
            (false, true) => server,
            (true, true) => both,
        });
    }
}
