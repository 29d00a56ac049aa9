//! What the user typed, as typed values: the struct that argh fills.
//!
//! Every field is what was given, or nothing. Defaults and meaning are the business of
//! `resolve`. argh sees only normalised command lines, so what it can complain
//! of is a value; its answer is put into our words here.

use argh::FromArgs;

use super::error::UsageError;
use super::normalise::{Normalised, Source};
use super::project;
use super::values::{
    Actors, Delay, ExistingPath, HeaderLine, Int, Mode, Number, SECONDS_MAX, Seconds, Share, Truth,
};
use crate::config::{
    BindTarget, EventLoop, HttpEngine, Interface, Lifespan, LogLevel, TlsVersion, WebSockets,
};

/// Any whole number.
pub type AnyInt = Int<{ i64::MIN }, { i64::MAX }>;
/// How many of something, where none is possible.
pub type Count = Int<0, { i64::MAX }>;
/// A whole number of seconds.
pub type WholeSeconds = Int<0, SECONDS_MAX>;
/// The size of something held in memory, bytes: not nothing, and at most 1 GiB.
pub type BufferSize = Int<1, 0x4000_0000>;
/// What fits a C `int`.
pub type CInt = Int<0, { i32::MAX as i64 }>;

/// the options
#[derive(Debug, FromArgs)]
#[argh(help_triggers("--help"))]
pub struct Arguments {
    /// import string of the application, and what should not be there
    #[argh(positional)]
    pub words: Vec<String>,

    /// goes in front of sys.path
    #[argh(option)]
    pub app_dir: Option<String>,
    /// app is a factory
    #[argh(option)]
    pub factory: Option<Truth>,
    /// how the application is called
    #[argh(option)]
    pub interface: Option<Interface>,
    /// start-up and shutdown messages
    #[argh(option)]
    pub lifespan: Option<Lifespan>,
    /// files of variables
    #[argh(option)]
    pub env_file: Vec<ExistingPath>,
    /// prefix of a proxy
    #[argh(option)]
    pub root_path: Option<String>,
    /// empty contexts
    #[argh(option)]
    pub reset_contextvars: Option<Truth>,
    /// threads of a WSGI application
    #[argh(option)]
    pub wsgi_threads: Option<Int<1, 1024>>,

    /// everything to listen on
    #[argh(option)]
    pub bind: Vec<BindTarget>,
    /// name or address
    #[argh(option)]
    pub host: Option<String>,
    /// port
    #[argh(option)]
    pub port: Option<Int<0, 65535>>,
    /// path of a unix socket
    #[argh(option)]
    pub uds: Option<String>,
    /// its permission bits
    #[argh(option)]
    pub uds_mode: Option<Mode>,
    /// descriptor of an open socket
    #[argh(option)]
    pub fd: Option<CInt>,
    /// connections in the kernel's queue
    #[argh(option)]
    pub backlog: Option<CInt>,

    /// engine
    #[argh(option)]
    pub http: Option<HttpEngine>,
    /// speak HTTP/2
    #[argh(option)]
    pub http2: Option<Truth>,
    /// answered by the server
    #[argh(option)]
    pub health_path: Option<String>,
    /// headers of every response
    #[argh(option)]
    pub header: Vec<HeaderLine>,
    /// send server
    #[argh(option)]
    pub server_header: Option<Truth>,
    /// send date
    #[argh(option)]
    pub date_header: Option<Truth>,
    /// believe forwarded headers
    #[argh(option)]
    pub proxy_headers: Option<Truth>,
    /// whose
    #[argh(option)]
    pub forwarded_allow_ips: Option<String>,

    /// requests in flight
    #[argh(option)]
    pub limit_concurrency: Option<Count>,
    /// bytes of a head
    #[argh(option)]
    pub limit_head_size: Option<BufferSize>,
    /// headers of a request
    #[argh(option)]
    pub limit_header_count: Option<Int<1, 65536>>,
    /// bytes of a head, by uvicorn's name
    #[argh(option)]
    pub h11_max_incomplete_event_size: Option<BufferSize>,
    /// bytes of a body
    #[argh(option)]
    pub limit_request_body: Option<Count>,
    /// bytes drained
    #[argh(option)]
    pub limit_unread_body: Option<Count>,
    /// bytes of body held
    #[argh(option)]
    pub limit_body_buffer: Option<BufferSize>,
    /// bytes of response held
    #[argh(option)]
    pub limit_write_buffer: Option<BufferSize>,
    /// resident memory
    #[argh(option)]
    pub limit_worker_memory: Option<Int<1, { i64::MAX }>>,
    /// age
    #[argh(option)]
    pub limit_worker_age: Option<Int<1, SECONDS_MAX>>,
    /// completed requests
    #[argh(option)]
    pub limit_max_requests: Option<Count>,
    /// spread of them
    #[argh(option)]
    pub limit_max_requests_jitter: Option<Count>,

    /// idle connection
    #[argh(option)]
    pub timeout_keep_alive: Option<WholeSeconds>,
    /// head of a request
    #[argh(option)]
    pub timeout_head: Option<Seconds>,
    /// between pieces of a body
    #[argh(option)]
    pub timeout_body: Option<Seconds>,
    /// between writes
    #[argh(option)]
    pub timeout_write: Option<Seconds>,
    /// requests in flight at the end
    #[argh(option)]
    pub timeout_graceful_shutdown: Option<WholeSeconds>,
    /// silent worker
    #[argh(option)]
    pub timeout_worker_healthcheck: Option<WholeSeconds>,

    /// readiness first
    #[argh(option)]
    pub drain_delay: Option<Delay>,

    /// which loop
    #[argh(option, long = "loop")]
    pub event_loop: Option<EventLoop>,
    /// threads that poll
    #[argh(option)]
    pub io_threads: Option<Int<0, 1024>>,
    /// processes
    #[argh(option)]
    pub workers: Option<AnyInt>,
    /// one import for all
    #[argh(option)]
    pub preload: Option<Truth>,
    /// replace blocked ones
    #[argh(option)]
    pub restart_blocked_workers: Option<Truth>,
    /// number of the process
    #[argh(option)]
    pub pid_file: Option<String>,
    /// environment to embed
    #[argh(option)]
    pub python: Option<ExistingPath>,

    /// file
    #[argh(option)]
    pub log_config: Option<ExistingPath>,
    /// level
    #[argh(option)]
    pub log_level: Option<LogLevel>,
    /// line for each response
    #[argh(option)]
    pub access_log: Option<Truth>,
    /// colours
    #[argh(option)]
    pub use_colors: Option<Truth>,
    /// trace
    #[argh(option)]
    pub trace_file: Option<String>,
    /// share of connections
    #[argh(option)]
    pub trace_sample: Option<Share>,
    /// actors
    #[argh(option)]
    pub trace_actors: Option<Actors>,

    /// engine
    #[argh(option)]
    pub ws: Option<WebSockets>,
    /// bytes of a message
    #[argh(option)]
    pub ws_max_size: Option<Int<1, { i64::MAX }>>,
    /// messages waiting
    #[argh(option)]
    pub ws_max_queue: Option<Int<0, { i64::MAX }>>,
    /// between pings
    #[argh(option)]
    pub ws_ping_interval: Option<Number>,
    /// until a pong
    #[argh(option)]
    pub ws_ping_timeout: Option<Number>,
    /// compression
    #[argh(option)]
    pub ws_per_message_deflate: Option<Truth>,

    /// private key
    #[argh(option)]
    pub ssl_keyfile: Vec<String>,
    /// certificates
    #[argh(option)]
    pub ssl_certfile: Vec<String>,
    /// password of the key
    #[argh(option)]
    pub ssl_keyfile_password: Option<String>,
    /// number of the protocol
    #[argh(option)]
    pub ssl_version: Option<AnyInt>,
    /// oldest version
    #[argh(option)]
    pub ssl_min_version: Option<TlsVersion>,
    /// ask for client certificates
    #[argh(option)]
    pub ssl_cert_reqs: Option<AnyInt>,
    /// who signs them
    #[argh(option)]
    pub ssl_ca_certs: Option<String>,
    /// cipher suites
    #[argh(option)]
    pub ssl_ciphers: Option<String>,
    /// time for a handshake
    #[argh(option)]
    pub ssl_handshake_timeout: Option<Seconds>,
    /// between looks at files
    #[argh(option)]
    pub ssl_reload_interval: Option<Number>,

    /// restart on change
    #[argh(option)]
    pub reload: Option<Truth>,
    /// where
    #[argh(option)]
    pub reload_dir: Vec<ExistingPath>,
    /// what
    #[argh(option)]
    pub reload_include: Vec<String>,
    /// what not
    #[argh(option)]
    pub reload_exclude: Vec<String>,
    /// how often
    #[argh(option)]
    pub reload_delay: Option<Delay>,
    /// look
    #[argh(option)]
    pub reload_polling: Option<Truth>,
}

impl Arguments {
    /// Parses every value.
    pub fn parse(normalised: &Normalised) -> Result<Arguments, UsageError> {
        let argv = normalised.argv();
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        Arguments::from_args(&["smolcorn"], &words)
            .map_err(|exit| complaint(normalised, &exit.output))
    }
}

/// argh names the option and the value in front of what the value's type complains of.
fn complaint(normalised: &Normalised, output: &str) -> UsageError {
    let output = output.trim_end_matches('\n');
    for given in &normalised.given {
        let name = format!("--{}", given.spec.name);
        let head = format!(
            "Error parsing option '{name}' with value '{}': ",
            given.value
        );
        if let Some(what) = output.strip_prefix(&head) {
            return match &given.source {
                Source::Project => project::invalid_value(given.spec, what),
                Source::Argument => UsageError::invalid_value(&name, what),
                Source::Variable(variable) => UsageError::invalid_variable(&name, variable, what),
            };
        }
    }
    UsageError::new(output)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::normalise::{Given, Source};
    use super::super::options::{self, Kind, OptionSpec};
    use super::*;

    /// A value that every option of that kind takes.
    fn sample(spec: &OptionSpec) -> String {
        let text = match spec.kind {
            Kind::Text("NAME:VALUE") => "x-a:1",
            Kind::Text("ADDRESS") => "x:1",
            Kind::Text("ACTORS") => "dispatch",
            Kind::Integer | Kind::Float | Kind::Octal => "1",
            Kind::Path => env!("CARGO_MANIFEST_DIR"),
            Kind::Boolean | Kind::Flag | Kind::Pair(_) => "true",
            Kind::Choice(words) | Kind::ChoiceOrImport(words) => words.first().copied().unwrap(),
            Kind::Text(_) | Kind::Action(_) => "text",
        };
        text.to_owned()
    }

    fn parse(name: &str, value: &str) -> Result<Arguments, UsageError> {
        let (spec, _) = options::find(name).unwrap();
        let given = vec![Given {
            spec,
            value: value.to_owned(),
            source: Source::Argument,
        }];
        Arguments::parse(&Normalised {
            given,
            positionals: vec!["m:a".to_owned()],
            ..Normalised::default()
        })
    }

    #[test]
    fn argh_knows_every_option_of_the_table() {
        for spec in options::all().filter(|spec| !matches!(spec.kind, Kind::Action(_))) {
            let arguments = parse(spec.name, &sample(spec)).unwrap();
            assert_eq!(arguments.words, ["m:a"], "{}", spec.name);
        }
    }

    #[test]
    fn every_kind_but_text_refuses_odd_values() {
        for spec in options::all() {
            let takes_any = matches!(
                spec.kind,
                Kind::Text("TEXT" | "FILE") | Kind::ChoiceOrImport(_) | Kind::Action(_)
            );
            if takes_any {
                continue;
            }
            let error = parse(spec.name, "/no/such thing").unwrap_err();
            let head = format!("Invalid value for '--{}': ", spec.name);
            assert!(error.message().starts_with(&head), "{error}");
        }
    }

    #[test]
    fn a_complaint_is_about_the_value() {
        for (name, value, message) in [
            (
                "port",
                "abc",
                "Invalid value for '--port': 'abc' is not a valid integer.",
            ),
            (
                "port",
                "",
                "Invalid value for '--port': '' is not a valid integer.",
            ),
            (
                "port",
                "': x",
                "Invalid value for '--port': \"': x\" is not a valid integer.",
            ),
            (
                "port",
                "a\n",
                "Invalid value for '--port': 'a\\n' is not a valid integer.",
            ),
            (
                "reload-delay",
                "x",
                "Invalid value for '--reload-delay': 'x' is not a valid float.",
            ),
        ] {
            assert_eq!(parse(name, value).unwrap_err(), UsageError::new(message));
        }
    }

    #[test]
    fn the_word_help_is_an_ordinary_app() {
        let positionals = vec!["help".to_owned()];
        let normalised = Normalised {
            positionals,
            ..Normalised::default()
        };
        assert_eq!(Arguments::parse(&normalised).unwrap().words, ["help"]);
    }
}
