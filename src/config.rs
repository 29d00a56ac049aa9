//! What the server has been told to do: every setting with its unit and default, in one place.

use std::time::Duration;

/// Limits and timeouts of a connection's HTTP/1 machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Request line and headers together, bytes. Above: 431, or 414 when the target alone is.
    pub head_bytes_max: usize,
    /// Number of header lines. Above: 431.
    pub header_count_max: usize,
    /// A request's decoded body, bytes; `None`: no limit. Above: 413.
    pub body_bytes_max: Option<u64>,
    /// Body that the application left unread and that is read and dropped to keep the
    /// connection, bytes. Above: the connection closes.
    pub drain_bytes_max: u64,
    /// Body bytes that may wait for the application; above, the socket is not read.
    pub body_unread_max: usize,
    /// From a request's first byte to the end of its head.
    pub head_timeout: Duration,
    /// Until a connection's first byte, and between a response and the next request.
    pub keep_alive_timeout: Duration,
    /// Between two reads of a body.
    pub body_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            head_bytes_max: 64 * 1024,
            header_count_max: 256,
            body_bytes_max: None,
            drain_bytes_max: 1024 * 1024,
            body_unread_max: 64 * 1024,
            head_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(60),
        }
    }
}

/// Headers that every response carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultHeaders {
    /// Send `date` (RFC 9110, section 6.6.1) unless the application does.
    pub date: bool,
    /// Send `server: smolcorn` unless the application or `extra` does.
    pub server: bool,
    /// `--header`: names lower-cased, values as given, in order.
    pub extra: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Default for DefaultHeaders {
    fn default() -> Self {
        DefaultHeaders { date: true, server: true, extra: Vec::new() }
    }
}

/// Everything the HTTP/1 machine needs to know; shared by all connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpConfig {
    /// Limits and timeouts.
    pub limits: HttpLimits,
    /// Headers added to every response.
    pub headers: DefaultHeaders,
}
