//! What the server has been told to do: every setting with its unit and default, in one place.
//!
//! A [`Config`] holds meaning, not strings: who makes one (the command line, Python's
//! `Config(...)`) has parsed and checked before. Nothing here reads arguments, files or the
//! environment.

use std::path::PathBuf;
use std::time::Duration;

use crate::reload::plan::Asked;
use crate::ws_config::WsConfig;

/// Who may set the forwarded headers when nobody was named: this machine.
pub const FORWARDED_ALLOW_IPS_DEFAULT: &str = "127.0.0.1,::1";

/// [`Config::wsgi_threads`] of which nobody has said anything else: as many as uvicorn's adapter
/// has. Idle ones cost next to nothing; database connections that frameworks keep for each thread
/// do.
pub const WSGI_THREADS_DEFAULT: u16 = 10;

/// Every setting of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the application is, `module:attribute`. Empty when the caller hands over the
    /// application itself.
    pub app: String,
    /// What to put in front of `sys.path`; `""` means the working directory, `None` nothing.
    pub app_dir: Option<String>,
    /// The application is what calling the named attribute without arguments gives.
    pub factory: bool,
    /// How the application is called.
    pub interface: Interface,
    /// Whether the application hears of start-up and shutdown.
    pub lifespan: Lifespan,
    /// Files of environment variables, loaded before the application is imported; the later one
    /// wins.
    pub env_files: Vec<PathBuf>,
    /// ASGI `root_path` of every scope.
    pub root_path: String,
    /// Run each request in an empty `contextvars.Context`, not in a copy of the server's own.
    pub reset_contextvars: bool,
    /// Threads that call a WSGI application.
    pub wsgi_threads: u16,
    /// Which asyncio event loop runs the application.
    pub event_loop: EventLoop,
    /// Which thread polls the sockets.
    pub placement: Placement,
    /// The Python environment or interpreter that the binary embeds; `None`: find one.
    pub python: Option<PathBuf>,

    /// Everything to listen on, in place of the four settings that follow; empty: as those say.
    pub binds: Vec<BindTarget>,
    /// Name or address to listen on; empty: all interfaces. See [`Config::bind`].
    pub host: String,
    /// Port to listen on; 0: any free one.
    pub port: u16,
    /// Unix socket to listen on, in place of host and port.
    pub uds: Option<PathBuf>,
    /// Permission bits of the Unix socket; `None`: those of the socket that it replaces, or 0666.
    pub uds_mode: Option<u32>,
    /// Descriptor of a socket to listen on, in place of every other address.
    pub fd: Option<i32>,
    /// Connections that the kernel holds until they are accepted.
    pub backlog: u32,
    /// Speak TLS on every connection; `None`: none.
    pub tls: Option<TlsConfig>,

    /// Which HTTP/1 engine speaks on the connections.
    pub http_engine: HttpEngine,
    /// What the HTTP machine must know: limits, timeouts, headers of every response.
    pub http: HttpConfig,
    /// Limits on what is written to a connection.
    pub output: OutputLimits,

    /// Take scheme and client address from `X-Forwarded-*`, if a trusted peer sends them.
    pub proxy_headers: bool,
    /// Comma-separated addresses, networks and literals that are trusted; `*`: everybody;
    /// `None` until the late environment has been read.
    pub forwarded_allow_ips: Option<String>,

    /// Requests in flight at which the next one is answered 503.
    pub limit_concurrency: Option<usize>,
    /// Completed requests after which the process ends.
    pub limit_max_requests: Option<u64>,
    /// Upper end of the random number that is added once to `limit_max_requests`.
    pub limit_max_requests_jitter: u64,
    /// Processes that serve; `None` until the late environment has been read.
    pub workers: Option<u32>,
    /// Options that were given, and that mean nothing with as few workers as the machine asks for.
    pub dropped: Vec<&'static str>,
    /// Import the application in one process, and fork the workers from it.
    pub preload: bool,
    /// Whether, and how, the application is started anew when files change.
    pub reload: Reload,
    /// How long a worker may be silent. One process has nobody that asks it.
    pub worker_healthcheck_timeout: Duration,
    /// How long requests in flight may go on after the first signal to stop.
    pub graceful_shutdown_timeout: Duration,

    /// How long SIGTERM leaves the server accepting, while its health path says 503.
    pub drain_delay: Duration,
    /// Path that the server answers by itself: 200, or 503 while it starts or drains.
    pub health_path: Option<String>,
    /// Resident memory at which a worker is replaced, MiB.
    pub worker_memory_max_mib: Option<u64>,
    /// Age at which a worker is replaced.
    pub worker_age_max: Option<Duration>,
    /// Replace workers whose event loop is blocked, once that was reported.
    pub restart_blocked_workers: bool,
    /// File that holds the number of the process, or of the parent of the workers.
    pub pid_file: Option<PathBuf>,

    /// File that configures Python's logging; `None`: the built-in configuration.
    pub log_config: Option<PathBuf>,
    /// Level of the server's loggers; `None`: as the logging configuration says (info).
    pub log_level: Option<LogLevel>,
    /// Write a line for each response.
    pub access_log: bool,
    /// Colour the log lines; `None`: when stdout is a terminal.
    pub use_colors: Option<bool>,
    /// What is traced of the actors, and where that goes.
    pub trace: TraceConfig,
}

/// Per-actor tracing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceConfig {
    /// File for the trace; `None`: none.
    pub file: Option<PathBuf>,
    /// The share of connections that are traced, millionths; `None`: all.
    pub share_millionths: Option<u32>,
    /// Actors that are traced, and kinds of them; empty: all.
    pub actors: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            app: String::new(),
            app_dir: Some(String::new()),
            factory: false,
            interface: Interface::Auto,
            lifespan: Lifespan::Auto,
            env_files: Vec::new(),
            root_path: String::new(),
            reset_contextvars: false,
            wsgi_threads: WSGI_THREADS_DEFAULT,
            event_loop: EventLoop::Auto,
            placement: Placement::Auto,
            python: None,
            binds: Vec::new(),
            host: "127.0.0.1".to_owned(),
            port: 8000,
            uds: None,
            uds_mode: None,
            fd: None,
            backlog: 2048,
            tls: None,
            http_engine: HttpEngine::Native,
            http: HttpConfig::default(),
            output: OutputLimits::default(),
            proxy_headers: true,
            forwarded_allow_ips: None,
            limit_concurrency: None,
            limit_max_requests: None,
            limit_max_requests_jitter: 0,
            workers: None,
            dropped: Vec::new(),
            preload: false,
            reload: Reload::default(),
            worker_healthcheck_timeout: Duration::from_secs(5),
            graceful_shutdown_timeout: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            health_path: None,
            worker_memory_max_mib: None,
            worker_age_max: None,
            restart_blocked_workers: false,
            pid_file: None,
            log_config: None,
            log_level: None,
            access_log: true,
            use_colors: None,
            trace: TraceConfig::default(),
        }
    }
}

impl Config {
    /// Where to listen: a descriptor wins over a Unix socket, and that over host and port.
    pub fn bind(&self) -> Bind<'_> {
        if let Some(fd) = self.fd {
            return Bind::Descriptor(fd);
        }
        match &self.uds {
            Some(path) => Bind::Unix {
                path,
                mode: self.uds_mode,
            },
            None => Bind::Tcp {
                host: &self.host,
                port: self.port,
            },
        }
    }
}

/// One of the things that `--bind` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindTarget {
    /// Every address of a host; an empty host means all interfaces of both families. An address
    /// means itself: `::` is IPv6 only.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// 0: any free one.
        port: u16,
    },
    /// A Unix socket to make at this path.
    Unix(PathBuf),
    /// The descriptor of a socket that somebody else has opened.
    Descriptor(i32),
}

/// The address that a server listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind<'a> {
    /// A socket that somebody else has opened.
    Descriptor(i32),
    /// A Unix socket.
    Unix {
        /// Its path.
        path: &'a std::path::Path,
        /// Its permission bits, if they were given.
        mode: Option<u32>,
    },
    /// Every address of a host.
    Tcp {
        /// Name or address; empty: all interfaces.
        host: &'a str,
        /// 0: any free one.
        port: u16,
    },
}

/// An enum whose values have names for the user.
macro_rules! named {
    (
        $(#[$about:meta])* $name:ident
        { $($(#[$about_value:meta])* $value:ident = $text:literal),* $(,)? }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$about_value])* $value),* }

        impl $name {
            /// Every name, in the order in which users are told of them.
            pub const NAMES: &'static [&'static str] = &[$($text),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$value => $text),* }
            }

            /// The value of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some($name::$value),)* _ => None }
            }
        }
    };
}

/// How TLS is spoken, and by whose certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// At least one; the first is for clients that ask for no name, or for one that none has.
    pub certificates: Vec<CertificateFiles>,
    /// Password of the private keys that are encrypted.
    pub key_password: Option<Secret>,
    /// The oldest version that is spoken.
    pub version_min: TlsVersion,
    /// The newest version that is spoken.
    pub version_max: TlsVersion,
    /// Whether clients must show certificates.
    pub client_certificates: ClientCertificates,
    /// File of the CAs that sign them.
    pub ca_certs: Option<PathBuf>,
    /// Cipher list in OpenSSL's words; `None`: all that are there.
    pub ciphers: Option<String>,
    /// From accepting a connection to the end of its handshake.
    pub handshake_timeout: Duration,
    /// Between two looks whether the files have changed; `None`: nobody looks.
    pub reload_interval: Option<Duration>,
}

impl Default for TlsConfig {
    fn default() -> Self {
        TlsConfig {
            certificates: Vec::new(),
            key_password: None,
            version_min: TlsVersion::Tls12,
            version_max: TlsVersion::Tls13,
            client_certificates: ClientCertificates::None,
            ca_certs: None,
            ciphers: None,
            handshake_timeout: Duration::from_secs(60),
            reload_interval: Some(Duration::from_secs(10)),
        }
    }
}

impl TlsConfig {
    /// Every file that is read.
    pub fn files(&self) -> Vec<PathBuf> {
        let pairs = self.certificates.iter();
        let files = pairs.flat_map(|pair| [Some(&pair.certificate), pair.key.as_ref()]);
        files
            .chain([self.ca_certs.as_ref()])
            .flatten()
            .cloned()
            .collect()
    }

    /// The password as text.
    pub fn key_password(&self) -> Option<&str> {
        self.key_password.as_ref().map(|Secret(text)| text.as_str())
    }
}

/// A certificate on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// File of the certificate and of those that it is signed by, in order.
    pub certificate: PathBuf,
    /// File of its private key; `None`: it is in the same file.
    pub key: Option<PathBuf>,
}

/// A text that does not show itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

named! {
    /// A version of TLS.
    TlsVersion {
        /// RFC 5246.
        Tls12 = "1.2",
        /// RFC 8446.
        Tls13 = "1.3",
    }
}

/// Whether clients must show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    None,
    /// They are asked; one that is shown must be good.
    Optional,
    /// Without a good one there is no connection.
    Required,
}

named! {
    /// How the application is called.
    Interface {
        /// As it looks.
        Auto = "auto",
        /// `await app(scope, receive, send)`
        Asgi3 = "asgi3",
        /// `await app(scope)(receive, send)`
        Asgi2 = "asgi2",
        /// `app(environ, start_response)`
        Wsgi = "wsgi",
    }
}

named! {
    /// Whether the application hears of start-up and shutdown.
    Lifespan {
        /// If it knows the scope type.
        Auto = "auto",
        /// Yes, and not knowing it is an error.
        On = "on",
        /// No.
        Off = "off",
    }
}

named! {
    /// The level of a log line.
    LogLevel {
        /// The server cannot go on.
        Critical = "critical",
        /// Something failed.
        Error = "error",
        /// Something is odd.
        Warning = "warning",
        /// What an operator wants to read.
        Info = "info",
        /// What a developer wants to read.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}

impl LogLevel {
    /// Its number in Python's `logging`.
    pub const fn number(self) -> u8 {
        match self {
            LogLevel::Critical => 50,
            LogLevel::Error => 40,
            LogLevel::Warning => 30,
            LogLevel::Info => 20,
            LogLevel::Debug => 10,
            LogLevel::Trace => 5,
        }
    }
}

/// Which asyncio event loop runs the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventLoop {
    /// uvloop where it is installed, else asyncio's.
    Auto,
    /// What `asyncio.new_event_loop()` gives under the policy in force.
    None,
    /// asyncio's own.
    Asyncio,
    /// uvloop's.
    Uvloop,
    /// Import string of a callable without arguments that returns a loop. Not checked: what is
    /// wrong with it is found, and said, when it is imported.
    Factory(String),
}

impl EventLoop {
    /// Its name, or the import string.
    pub fn as_str(&self) -> &str {
        match self {
            EventLoop::Auto => "auto",
            EventLoop::None => "none",
            EventLoop::Asyncio => "asyncio",
            EventLoop::Uvloop => "uvloop",
            EventLoop::Factory(import) => import,
        }
    }
}

/// Which thread polls the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The loop's own thread where the loop can watch a descriptor and the application is ASGI,
    /// else one I/O thread.
    Auto,
    /// The loop's own thread.
    Fused,
    /// So many I/O threads, at least one.
    Threads(u16),
}

impl Placement {
    /// As `--io-threads` says it: 0 for the loop's own thread, `None` for either.
    pub const fn io_threads(self) -> Option<u16> {
        match self {
            Placement::Auto => None,
            Placement::Fused => Some(0),
            Placement::Threads(threads) => Some(threads),
        }
    }
}

/// Which HTTP/1 engine speaks on the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpEngine {
    /// Our own.
    Native,
    /// The one on the crate async-h1, with its limits.
    #[cfg(feature = "async-h1")]
    AsyncH1,
}

impl HttpEngine {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            HttpEngine::Native => "auto",
            #[cfg(feature = "async-h1")]
            HttpEngine::AsyncH1 => "async-h1",
        }
    }
}

/// Whether connections may become WebSockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebSockets {
    /// Yes, on our own engine.
    Auto,
    /// Yes, on the crate async-tungstenite, which does not compress.
    #[cfg(feature = "tungstenite")]
    Tungstenite,
    /// No: an upgrade is served as an ordinary request.
    Off,
}

impl WebSockets {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            WebSockets::Auto => "auto",
            #[cfg(feature = "tungstenite")]
            WebSockets::Tungstenite => "tungstenite",
            WebSockets::Off => "none",
        }
    }
}

/// [`Reload::delay`] of which nobody has said anything else.
pub const RELOAD_DELAY_DEFAULT: Duration = Duration::from_millis(250);

/// `--reload` and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Start anew when a file changes.
    pub enabled: bool,
    /// Folders and patterns.
    pub asked: Asked,
    /// How long it must be quiet after a change. At [`RELOAD_DELAY_DEFAULT`] a short burst of
    /// changes needs less.
    pub delay: Duration,
    /// Look at the files, though the system may report changes.
    pub polling: bool,
}

impl Default for Reload {
    fn default() -> Self {
        Reload {
            enabled: false,
            asked: Asked::default(),
            delay: RELOAD_DELAY_DEFAULT,
            polling: false,
        }
    }
}

/// Limits on what is written to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Bytes of a response that may be unsent; above, `send()` waits.
    pub unsent_bytes_max: usize,
    /// Between two successful writes while something is unsent. Then the connection is cut.
    pub write_timeout: Duration,
}

impl Default for OutputLimits {
    fn default() -> Self {
        OutputLimits {
            unsent_bytes_max: 64 * 1024,
            write_timeout: Duration::from_secs(60),
        }
    }
}

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
        DefaultHeaders {
            date: true,
            server: true,
            extra: Vec::new(),
        }
    }
}

/// What requests for a WebSocket lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketConfig {
    /// Who speaks on them, if anybody.
    pub engine: WebSockets,
    /// Limits and timeouts.
    pub machine: WsConfig,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        WebSocketConfig {
            engine: WebSockets::Auto,
            machine: WsConfig::default(),
        }
    }
}

/// Everything the HTTP/1 machine needs to know; shared by all connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpConfig {
    /// Limits and timeouts.
    pub limits: HttpLimits,
    /// Headers added to every response.
    pub headers: DefaultHeaders,
    /// What requests for a WebSocket lead to.
    pub websocket: WebSocketConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_descriptor_wins_over_a_unix_socket_and_that_over_an_address() {
        let mut config = Config::default();
        assert_eq!(
            config.bind(),
            Bind::Tcp {
                host: "127.0.0.1",
                port: 8000
            }
        );
        config.uds = Some("/run/app.sock".into());
        config.uds_mode = Some(0o660);
        let path = Path::new("/run/app.sock");
        assert_eq!(
            config.bind(),
            Bind::Unix {
                path,
                mode: Some(0o660)
            }
        );
        config.fd = Some(3);
        assert_eq!(config.bind(), Bind::Descriptor(3));
    }

    #[test]
    fn names_lead_back_to_their_values() {
        for name in LogLevel::NAMES {
            assert_eq!(LogLevel::from_name(name).map(LogLevel::as_str), Some(*name));
        }
        assert_eq!(Interface::from_name("asgi2"), Some(Interface::Asgi2));
        assert_eq!(Lifespan::from_name("ON"), None);
    }

    #[test]
    fn levels_have_the_numbers_of_pythons_logging() {
        let numbers: Vec<u8> = LogLevel::NAMES
            .iter()
            .filter_map(|name| LogLevel::from_name(name))
            .map(LogLevel::number)
            .collect();
        assert_eq!(numbers, [50, 40, 30, 20, 10, 5]);
    }
}
