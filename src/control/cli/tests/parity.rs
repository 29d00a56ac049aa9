//! The table against the options of uvicorn 0.54, written down here as they were observed.

use super::super::options::{self, Kind, Origin};

/// Long name (and negated name), default, parameter's name, kind.
///
/// Kinds: text, int, float, path, flag, pair, bool (a value), action, or a list of choices;
/// `*` behind a kind: repeatable. Default `-`: none.
const UVICORN: &[(&str, &str, &str, &str)] = &[
    ("host", "127.0.0.1", "host", "text"),
    ("port", "8000", "port", "int"),
    ("uds", "-", "uds", "text"),
    ("fd", "-", "fd", "int"),
    ("reload", "-", "reload", "flag"),
    ("reload-dir", "-", "reload_dirs", "path*"),
    ("reload-include", "-", "reload_includes", "text*"),
    ("reload-exclude", "-", "reload_excludes", "text*"),
    ("reload-delay", "0.25", "reload_delay", "float"),
    ("workers", "-", "workers", "int"),
    ("loop", "auto", "loop", "auto asyncio uvloop zuvloop none"),
    ("http", "auto", "http", "auto h11 httptools zttp"),
    ("http2", "-", "http2", "flag"),
    (
        "ws",
        "auto",
        "ws",
        "auto none websockets websockets-sansio wsproto",
    ),
    ("ws-max-size", "16777216", "ws_max_size", "int"),
    ("ws-max-queue", "32", "ws_max_queue", "int"),
    ("ws-ping-interval", "20.0", "ws_ping_interval", "float"),
    ("ws-ping-timeout", "20.0", "ws_ping_timeout", "float"),
    (
        "ws-per-message-deflate",
        "true",
        "ws_per_message_deflate",
        "bool",
    ),
    ("lifespan", "auto", "lifespan", "auto on off"),
    ("interface", "auto", "interface", "auto asgi3 asgi2 wsgi"),
    ("env-file", "-", "env_file", "path"),
    ("log-config", "-", "log_config", "path"),
    (
        "log-level",
        "-",
        "log_level",
        "critical error warning info debug trace",
    ),
    ("access-log no-access-log", "true", "access_log", "pair"),
    ("use-colors no-use-colors", "-", "use_colors", "pair"),
    (
        "proxy-headers no-proxy-headers",
        "true",
        "proxy_headers",
        "pair",
    ),
    (
        "server-header no-server-header",
        "true",
        "server_header",
        "pair",
    ),
    ("date-header no-date-header", "true", "date_header", "pair"),
    ("forwarded-allow-ips", "-", "forwarded_allow_ips", "text"),
    ("root-path", "", "root_path", "text"),
    ("limit-concurrency", "-", "limit_concurrency", "int"),
    ("backlog", "2048", "backlog", "int"),
    ("limit-max-requests", "-", "limit_max_requests", "int"),
    (
        "limit-max-requests-jitter",
        "0",
        "limit_max_requests_jitter",
        "int",
    ),
    ("timeout-keep-alive", "5", "timeout_keep_alive", "int"),
    (
        "timeout-graceful-shutdown",
        "-",
        "timeout_graceful_shutdown",
        "int",
    ),
    (
        "timeout-worker-healthcheck",
        "5",
        "timeout_worker_healthcheck",
        "int",
    ),
    ("ssl-keyfile", "-", "ssl_keyfile", "text"),
    ("ssl-certfile", "-", "ssl_certfile", "text"),
    ("ssl-keyfile-password", "-", "ssl_keyfile_password", "text"),
    ("ssl-version", "17", "ssl_version", "int"),
    ("ssl-cert-reqs", "0", "ssl_cert_reqs", "int"),
    ("ssl-ca-certs", "-", "ssl_ca_certs", "text"),
    ("ssl-ciphers", "-", "ssl_ciphers", "text"),
    ("header", "-", "headers", "text*"),
    ("version", "-", "version", "action"),
    ("app-dir", "", "app_dir", "text"),
    (
        "h11-max-incomplete-event-size",
        "-",
        "h11_max_incomplete_event_size",
        "int",
    ),
    ("reset-contextvars", "-", "reset_contextvars", "flag"),
    ("factory", "-", "factory", "flag"),
    ("help", "-", "help", "action"),
];

/// Where the table departs from uvicorn on purpose: name, our default.
const OTHER_DEFAULTS: &[(&str, &str)] = &[("timeout-graceful-shutdown", "30")];

/// Names that we take beside uvicorn's: option, name.
const OTHER_CHOICES: &[(&str, &str)] = &[("http", "async-h1"), ("ws", "tungstenite")];

/// What may be given several times here, and not there.
const REPEATABLE: &[&str] = &["env-file", "ssl-keyfile", "ssl-certfile"];

fn kind_name(kind: Kind, repeatable: bool) -> String {
    let name = match kind {
        Kind::Text(_) => "text",
        Kind::Integer => "int",
        Kind::Float => "float",
        Kind::Path => "path",
        Kind::Octal => "octal",
        Kind::Flag => "flag",
        Kind::Pair(_) => "pair",
        Kind::Boolean => "bool",
        Kind::Action(_) => "action",
        Kind::Choice(words) | Kind::ChoiceOrImport(words) => return words.join(" "),
    };
    let star = if repeatable { "*" } else { "" };
    format!("{name}{star}")
}

#[test]
fn every_option_of_uvicorn_is_in_the_table_as_it_is_there() {
    for (names, default, parameter, kind) in UVICORN {
        let name = names.split(' ').next().unwrap();
        let (spec, _) = options::find(name).unwrap_or_else(|| panic!("--{name} is missing"));
        assert_eq!(spec.origin, Origin::Uvicorn, "{name}");
        assert_eq!(spec.parameter(), *parameter, "{name}");

        let found_names = match spec.kind {
            Kind::Pair(negated) => format!("{} {negated}", spec.name),
            _ => spec.name.to_owned(),
        };
        assert_eq!(found_names, *names);

        let ours = OTHER_DEFAULTS.iter().find(|(other, _)| *other == name);
        let default = ours.map_or(*default, |(_, default)| default);
        assert_eq!(spec.default.unwrap_or("-"), default, "{name}");

        let mut kind = (*kind).to_owned();
        for (_, choice) in OTHER_CHOICES.iter().filter(|(other, _)| *other == name) {
            kind.push_str(&format!(" {choice}"));
        }
        let repeatable = spec.repeatable && !REPEATABLE.contains(&name);
        assert_eq!(kind_name(spec.kind, repeatable), kind, "{name}");
    }
}

#[test]
fn the_table_claims_no_other_option_for_uvicorn() {
    for spec in options::all().filter(|spec| spec.origin == Origin::Uvicorn) {
        let is_listed = UVICORN
            .iter()
            .any(|row| row.0.split(' ').next() == Some(spec.name));
        assert!(is_listed, "--{}", spec.name);
    }
}

#[test]
fn every_option_of_uvicorn_is_read_from_both_variables() {
    for (names, _, parameter, kind) in UVICORN {
        let name = names.split(' ').next().unwrap();
        let (spec, _) = options::find(name).unwrap();
        let parameter = parameter.to_uppercase();
        let expected = match *kind {
            "action" => Vec::new(),
            _ => vec![
                format!("SMOLCORN_{parameter}"),
                format!("UVICORN_{parameter}"),
            ],
        };
        assert_eq!(spec.variables(), expected, "{name}");
    }
}

#[test]
fn no_name_and_no_variable_means_two_things() {
    let mut names = options::long_names();
    let mut variables: Vec<String> = options::all().flat_map(|spec| spec.variables()).collect();
    for list in [&mut names, &mut variables] {
        let total = list.len();
        list.sort();
        list.dedup();
        assert_eq!(list.len(), total);
    }
}

#[test]
fn our_own_options_are_there() {
    let own: Vec<&str> = options::all()
        .filter(|spec| spec.origin == Origin::Smolcorn)
        .map(|spec| spec.name)
        .collect();
    assert_eq!(
        own,
        [
            "wsgi-threads",
            "bind",
            "uds-mode",
            "health-path",
            "limit-head-size",
            "limit-header-count",
            "limit-request-body",
            "limit-unread-body",
            "limit-body-buffer",
            "limit-write-buffer",
            "limit-worker-memory",
            "limit-worker-age",
            "timeout-head",
            "timeout-body",
            "timeout-write",
            "drain-delay",
            "io-threads",
            "preload",
            "restart-blocked-workers",
            "pid-file",
            "python",
            "trace-file",
            "trace-sample",
            "trace-actors",
            "ssl-min-version",
            "ssl-handshake-timeout",
            "ssl-reload-interval",
            "reload-polling",
            "print-config",
        ]
    );
}
