//! The option table: one record per option, in the order of the help.
//!
//! A record says everything about its option that is text. What a value means is said where it
//! is used: types in [`arguments`](super::arguments), defaults and units in
//! [`config`](crate::config).

use super::options::Kind::{
    Action as Do, Boolean, Choice, ChoiceOrImport, Flag, Float, Integer, Octal, Pair, Path, Text,
};
use super::options::{Action, OptionSpec, Section};
use super::values::{HTTP_NAMES, LOOP_NAMES, WS_NAMES};
use crate::config::{Interface, Lifespan, LogLevel, TlsVersion};

const TEXT: super::options::Kind = Text("TEXT");
const FILE: super::options::Kind = Text("FILE");

/// uvicorn's options and ours.
pub static SECTIONS: &[Section] = &[
    Section {
        title: "Application",
        options: APPLICATION,
    },
    Section {
        title: "Sockets",
        options: SOCKETS,
    },
    Section {
        title: "HTTP",
        options: HTTP,
    },
    Section {
        title: "Limits",
        options: LIMITS,
    },
    Section {
        title: "Timeouts",
        options: TIMEOUTS,
    },
    Section {
        title: "Event loop and processes",
        options: PROCESSES,
    },
    Section {
        title: "Logging",
        options: LOGGING,
    },
    Section {
        title: "WebSocket",
        options: WEBSOCKET,
    },
    Section {
        title: "TLS",
        options: TLS,
    },
    Section {
        title: "Reload",
        options: RELOAD,
    },
    Section {
        title: "General",
        options: GENERAL,
    },
];

const APPLICATION: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "app-dir",
        TEXT,
        "Directory to import APP from, put in front of sys.path. Empty: the working directory.",
    )
    .default(""),
    OptionSpec::uvicorn(
        "factory",
        Flag,
        "APP is a callable without arguments that returns the application.",
    ),
    OptionSpec::uvicorn(
        "interface",
        Choice(Interface::NAMES),
        "How the application is called. auto: as it looks.",
    )
    .default("auto")
    .notes(
        "`auto` also knows callables that return a coroutine, partials and decorated functions \
         as ASGI 3, and takes for WSGI what is called with two arguments and looks like it; see \
         [wsgi.md](wsgi.md).",
    ),
    OptionSpec::uvicorn(
        "lifespan",
        Choice(Lifespan::NAMES),
        "Tell the application of start-up and shutdown. auto: if it knows how.",
    )
    .default("auto")
    .notes(
        "With `auto`, an error raised by the application's own start-up code ends the server; \
         only an application that does not know the scope type is taken as one without lifespan.",
    ),
    OptionSpec::uvicorn(
        "env-file",
        Path,
        "File of environment variables to load before APP is imported.",
    )
    .repeatable("env_file")
    .notes(
        "Variables that are already set stay; of several files the later one wins. The format is \
         python-dotenv's, which need not be installed. `WEB_CONCURRENCY` and \
         `FORWARDED_ALLOW_IPS` may come from such a file; `SMOLCORN_*` and `UVICORN_*` have been \
         read before it. The environment variable is split at `:` (`;` on Windows).",
    ),
    OptionSpec::uvicorn(
        "root-path",
        TEXT,
        "ASGI root_path: the prefix under which a proxy serves APP.",
    )
    .default(""),
    OptionSpec::uvicorn(
        "reset-contextvars",
        Flag,
        "Run each request in an empty contextvars.Context.",
    )
    .notes(
        "Without it a request runs in a copy of the server's own clean context; in neither case \
         does it see what an earlier request has set.",
    ),
    OptionSpec::own(
        "wsgi-threads",
        Integer,
        "Threads that call a WSGI application.",
    )
    .default("10")
    .notes("An ASGI application has no use for them. See [wsgi.md](wsgi.md)."),
];

const SOCKETS: &[OptionSpec] = &[
    OptionSpec::own(
        "bind",
        Text("ADDRESS"),
        "Address to listen on: HOST:PORT, [IPV6]:PORT, unix:PATH or fd://NUMBER. In place of \
         --host, --port, --uds and --fd.",
    )
    .repeatable("binds")
    .notes(
        "Whatever of these a weaker source says does not count. An address means itself (`0.0.0.0` is IPv4, `[::]` is IPv6 only); an empty host \
         (`:8000`) means all interfaces of both families; a name means all its addresses.",
    ),
    OptionSpec::uvicorn(
        "host",
        TEXT,
        "Name or address to listen on. Empty: all interfaces.",
    )
    .default("127.0.0.1")
    .notes("A name with several addresses binds all of them."),
    OptionSpec::uvicorn("port", Integer, "Port to listen on. 0: any free one.")
        .default("8000")
        .notes("A port outside 0 to 65535 is a usage error."),
    OptionSpec::uvicorn(
        "uds",
        TEXT,
        "Unix socket to listen on, in place of host and port.",
    )
    .notes("Nothing but a socket is ever replaced or deleted."),
    OptionSpec::own(
        "uds-mode",
        Octal,
        "Permission bits of the Unix socket. Unset: those of the socket that it replaces, or 666.",
    )
    .notes("Needs `--uds` or `--bind unix:…`."),
    OptionSpec::uvicorn(
        "fd",
        Integer,
        "Descriptor of a socket to listen on. Wins over --uds and --host.",
    ),
    OptionSpec::uvicorn(
        "backlog",
        Integer,
        "Connections that the kernel holds until they are accepted.",
    )
    .default("2048"),
];

const HTTP: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "http",
        Choice(HTTP_NAMES),
        "HTTP/1 engine. auto, h11, httptools and zttp all mean the built-in one.",
    )
    .default("auto")
    .notes(
        "`async-h1` needs a build with the cargo feature `async-h1`; its limits stand at the end \
         of this page. A protocol class (`module:Class`) is a usage error.",
    ),
    OptionSpec::uvicorn("http2", Flag, "Speak HTTP/2 as well.").planned(),
    OptionSpec::own(
        "health-path",
        TEXT,
        "Path that the server answers by itself: 200, or 503 while it starts or drains.",
    )
    .notes("Only GET and HEAD. It never reaches the application, its limits or the access log."),
    OptionSpec::uvicorn(
        "header",
        Text("NAME:VALUE"),
        "Header to add to every response.",
    )
    .repeatable("headers")
    .notes(
        "Split at the first colon; the value goes out as written, blanks included. A header \
             without a colon, with bytes that no header may have, or one that belongs to the \
             server's framing (`connection`, `content-length`, `transfer-encoding`) is a usage \
             error. The environment variable is split at blanks.",
    ),
    OptionSpec::uvicorn(
        "server-header",
        Pair("no-server-header"),
        "Send `server` with every response.",
    )
    .default("true")
    .notes("A `server` header of the application replaces it."),
    OptionSpec::uvicorn(
        "date-header",
        Pair("no-date-header"),
        "Send `date` with every response.",
    )
    .default("true")
    .notes("A `date` header of the application replaces it."),
    OptionSpec::uvicorn(
        "proxy-headers",
        Pair("no-proxy-headers"),
        "Take scheme and client address from X-Forwarded-Proto and X-Forwarded-For, if a \
         trusted peer sends them.",
    )
    .default("true"),
    OptionSpec::uvicorn(
        "forwarded-allow-ips",
        TEXT,
        "Peers whose forwarded headers are trusted: addresses, networks, literals, with commas \
         between; * trusts everybody. Unset: $FORWARDED_ALLOW_IPS, else 127.0.0.1,::1.",
    )
    .notes("A network given with host bits means that network."),
];

const LIMITS: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "limit-concurrency",
        Integer,
        "Requests in flight at which the next one is answered 503.",
    )
    .notes(
        "Idle connections do not count, and N allows N requests; uvicorn allows N - 1. With 0 \
         every request is answered 503.",
    ),
    OptionSpec::own(
        "limit-head-size",
        Integer,
        "Bytes of a request line and its headers. Above: 431, or 414.",
    )
    .default("65536"),
    OptionSpec::own(
        "limit-header-count",
        Integer,
        "Headers of a request. Above: 431.",
    )
    .default("256"),
    OptionSpec::uvicorn(
        "h11-max-incomplete-event-size",
        Integer,
        "uvicorn's name for --limit-head-size, which wins if both are given.",
    )
    .notes("It applies to every request, not only to one that comes in pieces."),
    OptionSpec::own(
        "limit-request-body",
        Integer,
        "Bytes of a request body. Above: 413. Unset: no limit.",
    ),
    OptionSpec::own(
        "limit-unread-body",
        Integer,
        "Bytes of body that the application left unread and that are read and dropped to keep \
         the connection. Above: the connection closes.",
    )
    .default("1048576"),
    OptionSpec::own(
        "limit-body-buffer",
        Integer,
        "Bytes of body held for an application that does not read. Above: the socket is not \
         read.",
    )
    .default("65536"),
    OptionSpec::own(
        "limit-write-buffer",
        Integer,
        "Unsent bytes of a response. Above: send() waits.",
    )
    .default("65536"),
    OptionSpec::uvicorn(
        "limit-max-requests",
        Integer,
        "Completed requests after which the process ends, or a worker is replaced.",
    )
    .notes(
        "A worker goes on until its replacement serves, and finishes what it has begun. 0 means no \
         limit.",
    ),
    OptionSpec::uvicorn(
        "limit-max-requests-jitter",
        Integer,
        "Upper end of a random number that is added once to --limit-max-requests.",
    )
    .default("0"),
    OptionSpec::own(
        "limit-worker-memory",
        Integer,
        "MiB of resident memory at which a worker is replaced.",
    )
    .notes("Needs more than one worker, and Linux."),
    OptionSpec::own(
        "limit-worker-age",
        Integer,
        "Seconds after which a worker is replaced.",
    )
    .notes("Needs more than one worker."),
];

const TIMEOUTS: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "timeout-keep-alive",
        Integer,
        "Seconds until a connection's first byte, and between a response and the next request.",
    )
    .default("5"),
    OptionSpec::own(
        "timeout-head",
        Float,
        "Seconds from a request's first byte to the end of its headers.",
    )
    .default("30"),
    OptionSpec::own(
        "timeout-body",
        Float,
        "Seconds between two pieces of a request body.",
    )
    .default("60"),
    OptionSpec::own(
        "timeout-write",
        Float,
        "Seconds in which the peer must take some of an unsent response.",
    )
    .default("60"),
    OptionSpec::uvicorn(
        "timeout-graceful-shutdown",
        Integer,
        "Seconds that requests in flight may go on after the signal to stop.",
    )
    .default("30")
    .notes("uvicorn waits for ever by default. 0 works."),
    OptionSpec::own(
        "drain-delay",
        Float,
        "Seconds after SIGTERM or SIGINT in which connections are still accepted, while \
         --health-path answers 503.",
    )
    .default("0")
    .notes("Responses say `connection: close` meanwhile. A second signal ends it."),
    OptionSpec::uvicorn(
        "timeout-worker-healthcheck",
        Integer,
        "Seconds for which a worker's event loop may be blocked before that is reported. 0: \
         for ever.",
    )
    .default("5")
    .notes(
        "A blocked worker is not killed (see `--restart-blocked-workers`), however busy it is. \
         One whose process is frozen, so that not even its native thread answers, is. Without \
         effect in a single process, as with uvicorn.",
    ),
];

const PROCESSES: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "loop",
        ChoiceOrImport(LOOP_NAMES),
        "Event loop, or a callable without arguments that returns one. auto: uvloop where it \
         is installed.",
    )
    .default("auto")
    .partly("zuvloop"),
    OptionSpec::own(
        "io-threads",
        Integer,
        "Threads that poll the sockets. 0: the event loop's own thread. Unset: 0, or 1 where \
         the loop cannot watch a descriptor or APP is WSGI.",
    ),
    OptionSpec::uvicorn(
        "workers",
        Integer,
        "Processes that serve. Unset: $WEB_CONCURRENCY, else 1.",
    )
    .notes("0 and below mean 1. More than 1 needs Unix; see [deploying.md](deploying.md)."),
    OptionSpec::own(
        "preload",
        Flag,
        "Import the application once, and fork the workers from the process that did.",
    )
    .notes(
        "Needs more than one worker. Saves memory and start-up time; what an application may do \
         while it is imported is in [deploying.md](deploying.md#preloading).",
    ),
    OptionSpec::own(
        "restart-blocked-workers",
        Flag,
        "Replace a worker whose event loop is blocked, once that was reported.",
    )
    .notes("Needs more than one worker."),
    OptionSpec::own(
        "pid-file",
        TEXT,
        "File to write the number of the process to; with workers, that of their parent.",
    )
    .notes(
        "Of another process that runs, it ends the start with status 3. Removed at the end, if it \
         still holds that number.",
    ),
    OptionSpec::own(
        "python",
        Path,
        "Environment or interpreter to run in (smolcorn binary only). Unset: $VIRTUAL_ENV, \
         $CONDA_PREFIX, ./.venv, then python3 on PATH.",
    )
    .notes("In the wheel it is a usage error: there the interpreter runs the server."),
];

const LOGGING: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "log-config",
        Path,
        "File that configures Python's logging: .json, .yaml, .toml, else ini.",
    ),
    OptionSpec::uvicorn(
        "log-level",
        Choice(LogLevel::NAMES),
        "Level of the server's loggers.",
    )
    .notes("Unset: as the logging configuration says; the built-in one says `info`."),
    OptionSpec::uvicorn(
        "access-log",
        Pair("no-access-log"),
        "Write a line for each response.",
    )
    .default("true"),
    OptionSpec::uvicorn(
        "use-colors",
        Pair("no-use-colors"),
        "Colour the log lines. Unset: as NO_COLOR and FORCE_COLOR say, else if stdout is a terminal.",
    ),
    OptionSpec::own(
        "trace-file",
        FILE,
        "File for a trace of what every actor does, for Perfetto and chrome://tracing.",
    )
    .notes(
        "See [tracing.md](tracing.md). An existing file is overwritten. With workers or `--reload` \
         every process writes its own, with its number in the name: `trace.123.json`.",
    ),
    OptionSpec::own(
        "trace-sample",
        Float,
        "Share of connections that are traced, from 0 to 1.",
    )
    .default("1")
    .notes("Needs `--trace-file` or `--log-level trace`."),
    OptionSpec::own(
        "trace-actors",
        Text("ACTORS"),
        "Actors to trace, separated by commas: dispatch, listener, connection, connection#42. \
         Unset: all.",
    )
    .notes("Needs `--trace-file` or `--log-level trace`."),
];

const WEBSOCKET: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "ws",
        Choice(WS_NAMES),
        "WebSocket engine. none: no WebSockets.",
    )
    .default("auto")
    .notes(
        "`websockets`, `websockets-sansio` and `wsproto` mean `auto`, the engine of our own. \
         `tungstenite` is the crate async-tungstenite, for comparison: it does not compress, \
         checks text only when its frame is complete, and copies what it sends. With `none` a \
         handshake is served as an ordinary request, and the log says so.",
    ),
    OptionSpec::uvicorn("ws-max-size", Integer, "Bytes of a message.")
        .default("16777216")
        .notes(
            "Fragments are added up, and of a compressed message the inflated bytes count. A \
             larger one ends the connection with code 1009.",
        ),
    OptionSpec::uvicorn(
        "ws-max-queue",
        Integer,
        "Messages that may wait for the application.",
    )
    .default("32")
    .notes("With more, or with 1 MiB of them, no more is read from the client; 0 is like 1."),
    OptionSpec::uvicorn("ws-ping-interval", Float, "Seconds between two pings.")
        .default("20.0")
        .notes("0 or less: no pings."),
    OptionSpec::uvicorn(
        "ws-ping-timeout",
        Float,
        "Seconds in which a ping must be answered.",
    )
    .default("20.0")
    .notes("Then the connection ends with code 1011. 0 or less: no limit."),
    OptionSpec::uvicorn(
        "ws-per-message-deflate",
        Boolean,
        "Agree to compression (RFC 7692).",
    )
    .default("true"),
];

const TLS: &[OptionSpec] = &[
    OptionSpec::uvicorn("ssl-keyfile", FILE, "Private key file.")
        .repeatable("ssl_keyfile")
        .notes(
            "PEM: PKCS#8, PKCS#1 (RSA) or SEC 1 (EC); RSA, ECDSA (P-256, P-384) or Ed25519; encrypted \
             or not. Without it the key is looked for in the certificate file. Repeated, the keys \
             belong to the certificates in their order.",
        ),
    OptionSpec::uvicorn(
        "ssl-certfile",
        FILE,
        "Certificate chain file. With it, connections are TLS.",
    )
    .repeatable("ssl_certfile")
    .notes(
        "PEM, the server's own certificate first. Repeated, the certificate is chosen by the name \
         that the client asks for (SNI), and by the kinds of signature that it can check; the first \
         one is for all others. Files that have changed are read again, and so they are on SIGHUP; \
         connections that stand are not touched, and files that cannot be used are reported and left \
         alone.",
    ),
    OptionSpec::uvicorn(
        "ssl-keyfile-password",
        TEXT,
        "Password of the private keys that are encrypted.",
    )
    .notes("Rather by the environment: command lines can be seen by everybody on the machine."),
    OptionSpec::uvicorn(
        "ssl-version",
        Integer,
        "Protocol, a number of Python's ssl module.",
    )
    .default("17")
    .notes("17 and 2: TLS 1.2 and 1.3. 5: TLS 1.2 only. TLS 1.0 and 1.1 are not there any more."),
    OptionSpec::own(
        "ssl-min-version",
        Choice(TlsVersion::NAMES),
        "Oldest TLS version that is spoken.",
    )
    .default("1.2"),
    OptionSpec::uvicorn(
        "ssl-cert-reqs",
        Integer,
        "Client certificates: 0 none, 1 optional, 2 required.",
    )
    .default("0")
    .notes("The application finds them in the ASGI extension `tls`."),
    OptionSpec::uvicorn(
        "ssl-ca-certs",
        TEXT,
        "File of CAs that sign client certificates.",
    ),
    OptionSpec::uvicorn("ssl-ciphers", TEXT, "Cipher suites.").notes(
        "A list in OpenSSL's words. There are, for TLS 1.3: `TLS_AES_256_GCM_SHA384`, \
         `TLS_AES_128_GCM_SHA256`, `TLS_CHACHA20_POLY1305_SHA256`; for TLS 1.2: \
         `ECDHE-ECDSA-AES256-GCM-SHA384`, `ECDHE-ECDSA-AES128-GCM-SHA256`, \
         `ECDHE-ECDSA-CHACHA20-POLY1305`, `ECDHE-RSA-AES256-GCM-SHA384`, \
         `ECDHE-RSA-AES128-GCM-SHA256`, `ECDHE-RSA-CHACHA20-POLY1305`. Those of TLS 1.3 are kept \
         unless some of them are named. What is not there is left out with a warning; if nothing is \
         left, the server does not start.",
    ),
    OptionSpec::own(
        "ssl-handshake-timeout",
        Float,
        "Seconds in which a TLS handshake must be done.",
    )
    .default("60"),
    OptionSpec::own(
        "ssl-reload-interval",
        Float,
        "Seconds between two looks whether certificate files have changed. 0: never.",
    )
    .default("10")
    .notes(
        "Files are read when they have not changed for one interval, so that a certificate and its \
         key can be replaced one after the other. SIGHUP reads them at once.",
    ),
];

const RELOAD: &[OptionSpec] = &[
    OptionSpec::uvicorn("reload", Flag, "Restart when a file changes.").notes(
        "For development. Needs Unix. One process serves, whatever `--workers` says. Folders of \
         version control, virtual environments, `node_modules`, caches, and what `.gitignore` \
         files name are not watched.",
    ),
    OptionSpec::uvicorn(
        "reload-dir",
        Path,
        "Directory to watch. Unset: the working directory.",
    )
    .repeatable("reload_dirs")
    .notes("The environment variable is split at `:` (`;` on Windows)."),
    OptionSpec::uvicorn(
        "reload-include",
        TEXT,
        "Pattern of files to watch, beside *.py; or a directory to watch.",
    )
    .repeatable("reload_includes")
    .notes("`**` stands for any number of directories."),
    OptionSpec::uvicorn(
        "reload-exclude",
        TEXT,
        "Pattern of files to leave out; or a directory not to watch.",
    )
    .repeatable("reload_excludes")
    .notes("`.*`, `.py[cod]`, `.sw.*` and `~*` are left out unless they are included."),
    OptionSpec::uvicorn(
        "reload-delay",
        Float,
        "Seconds without another change before the restart.",
    )
    .default("0.25")
    .notes(
        "At its default a single save waits for 0.05 seconds only; any other value is kept to. It \
         is also the time between two looks at the files where the system reports no changes.",
    ),
    OptionSpec::own(
        "reload-polling",
        Flag,
        "Look at the files again and again, though the system may report changes.",
    )
    .notes(
        "For shared folders of containers and virtual machines. File systems of the network are \
         known, and looked at without it.",
    ),
];

const GENERAL: &[OptionSpec] = &[
    OptionSpec::uvicorn(
        "version",
        Do(Action::Version),
        "Print the version and exit.",
    ),
    OptionSpec::own(
        "print-config",
        Do(Action::PrintConfig),
        "Print every setting, and who set it, and exit.",
    )
    .notes("It can be pasted into pyproject.toml. APP may be left out. Passwords are not shown."),
    OptionSpec::uvicorn("help", Do(Action::Help), "Print this and exit."),
];
