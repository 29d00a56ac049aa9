//! What the options mean.

use std::time::Duration;

use super::super::options::{self, Kind, OptionSpec, Status};
use super::*;
use crate::config::{
    CertificateFiles, ClientCertificates, EventLoop, HttpEngine, Interface, Lifespan, LogLevel,
    Placement, Secret, TlsConfig, TlsVersion, WebSockets,
};

#[test]
fn without_options_every_setting_has_its_default() {
    assert_eq!(
        config(&["m:a"]),
        Config {
            app: "m:a".to_owned(),
            ..Config::default()
        }
    );
}

#[test]
fn the_defaults_that_the_table_shows_are_the_defaults() {
    let default = config(&["m:a"]);
    for spec in options::all().filter(|spec| spec.status != Status::Planned) {
        let Some(value) = spec.default else { continue };
        let option = match spec.kind {
            Kind::Pair(_) => format!("--{}", spec.name),
            _ => format!("--{}={value}", spec.name),
        };
        assert_eq!(config(&[&option, "m:a"]), default, "{option}");
    }
}

/// A value that is not the default; `None` for what has no other value in every build.
fn other_value(spec: &OptionSpec) -> Option<&'static str> {
    Some(match (spec.name, spec.kind) {
        ("http", _) => return None,
        ("bind", _) => "x:1",
        ("health-path", _) => "/healthz",
        ("interface", _) => "asgi2",
        ("loop", _) => "asyncio",
        ("trace-sample", _) => "0.5",
        ("trace-actors", _) => "connection#42",
        ("workers", _) => "1",
        ("ws", _) => "none",
        ("ssl-version", _) => "5",
        ("ssl-cert-reqs", _) => "2",
        (_, Kind::Action(_)) => return None,
        (_, Kind::Boolean | Kind::Pair(_)) => "false",
        (_, Kind::Choice(words) | Kind::ChoiceOrImport(words)) => words.last()?,
        (_, Kind::Flag) => "true",
        (_, Kind::Integer | Kind::Float | Kind::Octal) => "123",
        (_, Kind::Path) => env!("CARGO_MANIFEST_DIR"),
        (_, Kind::Text("NAME:VALUE")) => "x-a:1",
        (_, Kind::Text(_)) => "text",
    })
}

#[test]
fn every_option_that_is_ready_changes_a_setting() {
    // Some need another one to mean anything.
    let needed = [
        ("SMOLCORN_UDS", "/x"),
        ("SMOLCORN_SSL_CERTFILE", "c"),
        ("SMOLCORN_SSL_CA_CERTS", "ca"),
        ("SMOLCORN_TRACE_FILE", "trace.json"),
    ];
    let default = config_with(&["m:a"], &needed);
    for spec in options::all().filter(|spec| spec.status != Status::Planned) {
        let Some(value) = other_value(spec) else {
            continue;
        };
        let variable = spec.variables().into_iter().next().unwrap();
        // The first of two values for one variable counts. `--bind` is alone.
        let given = [(variable.as_str(), value)];
        let env = match spec.name {
            "bind" => given.to_vec(),
            _ => [&given, &needed[..]].concat(),
        };
        assert_ne!(config_with(&["m:a"], &env), default, "{}", spec.name);
    }
}

#[test]
fn the_application() {
    let config = config(&[
        "--app-dir=src",
        "--factory",
        "--interface=asgi2",
        "--lifespan=on",
        "--root-path=/api",
        "--reset-contextvars",
        "m:a",
    ]);
    assert_eq!(config.app, "m:a");
    assert_eq!(config.app_dir.as_deref(), Some("src"));
    assert!(config.factory);
    assert_eq!(config.interface, Interface::Asgi2);
    assert_eq!(config.lifespan, Lifespan::On);
    assert_eq!(config.root_path, "/api");
    assert!(config.reset_contextvars);
}

#[test]
fn tls() {
    let found = config(&[
        "--ssl-certfile=a.pem",
        "--ssl-keyfile=a.key",
        "--ssl-certfile=b.pem",
        "--ssl-keyfile=b.key",
        "--ssl-keyfile-password=secret",
        "--ssl-version=17",
        "--ssl-min-version=1.3",
        "--ssl-cert-reqs=1",
        "--ssl-ca-certs=ca.pem",
        "--ssl-ciphers=ECDHE+AESGCM",
        "--ssl-handshake-timeout=2.5",
        "--ssl-reload-interval=0",
        "m:a",
    ]);
    let pair = |name: &str| CertificateFiles {
        certificate: format!("{name}.pem").into(),
        key: Some(format!("{name}.key").into()),
    };
    let tls = found.tls.unwrap();
    assert_eq!(
        tls,
        TlsConfig {
            certificates: vec![pair("a"), pair("b")],
            key_password: Some(Secret("secret".to_owned())),
            version_min: TlsVersion::Tls13,
            version_max: TlsVersion::Tls13,
            client_certificates: ClientCertificates::Optional,
            ca_certs: Some("ca.pem".into()),
            ciphers: Some("ECDHE+AESGCM".to_owned()),
            handshake_timeout: Duration::from_millis(2500),
            reload_interval: None,
        }
    );
    assert!(!format!("{tls:?}").contains("secret"));
    let names: Vec<_> = tls
        .files()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(names, ["a.pem", "a.key", "b.pem", "b.key", "ca.pem"]);
}

#[test]
fn tls_as_uvicorn_is_told_of_it() {
    assert_eq!(
        config(&["--ssl-certfile=", "--ssl-keyfile=", "m:a"]).tls,
        None
    );
    let (version, list) = ("--ssl-version=2", "--ssl-ciphers=TLSv1");
    assert_eq!(
        config(&[version, list, "--ssl-cert-reqs=0", "m:a"]).tls,
        None
    );
    let one = config(&["--ssl-certfile=all.pem", list, version, "m:a"])
        .tls
        .unwrap();
    let expected = TlsConfig {
        certificates: vec![CertificateFiles {
            certificate: "all.pem".into(),
            key: None,
        }],
        ..TlsConfig::default()
    };
    assert_eq!(one, expected);
}

#[test]
fn several_certificates_in_one_variable() {
    let separator = if cfg!(windows) { ";" } else { ":" };
    let text = ["/etc/a cert.pem", "b.pem"].join(separator);
    let tls = config_with(&["m:a"], &[("UVICORN_SSL_CERTFILE", &text)])
        .tls
        .unwrap();
    let names: Vec<_> = tls
        .files()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(names, ["/etc/a cert.pem", "b.pem"]);
}

#[test]
fn an_empty_app_is_left_for_the_importer_to_complain_of() {
    assert_eq!(config(&[""]).app, "");
}

#[test]
fn sockets() {
    let config = config(&[
        "m:a",
        "--host=",
        "--port=0",
        "--uds=/run/a.sock",
        "--uds-mode=660",
        "--fd=3",
        "--backlog=10",
    ]);
    assert_eq!((config.host.as_str(), config.port), ("", 0));
    assert_eq!(config.uds, Some("/run/a.sock".into()));
    assert_eq!(self::config(&["--uds=", "m:a"]).uds, None);
    assert_eq!(
        (config.uds_mode, config.fd, config.backlog),
        (Some(0o660), Some(3), 10)
    );
}

#[test]
fn headers_of_every_response() {
    let config = config(&[
        "m:a",
        "--header=X-A: b",
        "--header",
        "server:me",
        "--no-server-header",
        "--no-date-header",
    ]);
    let headers = &config.http.headers;
    assert_eq!(
        headers.extra,
        [
            (b"x-a".to_vec(), b" b".to_vec()),
            (b"server".to_vec(), b"me".to_vec())
        ]
    );
    assert!(!headers.server && !headers.date);
}

#[test]
fn limits_and_timeouts() {
    let config = config(&[
        "m:a",
        "--limit-head-size=1000",
        "--limit-header-count=10",
        "--limit-request-body=0",
        "--limit-unread-body=2",
        "--limit-body-buffer=3",
        "--limit-write-buffer=4",
        "--timeout-keep-alive=0",
        "--timeout-head=0.5",
        "--timeout-body=6",
        "--timeout-write=7",
    ]);
    let limits = &config.http.limits;
    assert_eq!((limits.head_bytes_max, limits.header_count_max), (1000, 10));
    assert_eq!(
        (limits.body_bytes_max, limits.drain_bytes_max),
        (Some(0), 2)
    );
    assert_eq!(
        (limits.body_unread_max, config.output.unsent_bytes_max),
        (3, 4)
    );
    assert_eq!(limits.keep_alive_timeout, Duration::ZERO);
    assert_eq!(limits.head_timeout, Duration::from_millis(500));
    assert_eq!(limits.body_timeout, Duration::from_secs(6));
    assert_eq!(config.output.write_timeout, Duration::from_secs(7));
}

#[test]
fn uvicorns_limit_of_h11_is_the_limit_of_a_head() {
    let head_bytes_max = |argv: &[&str]| config(argv).http.limits.head_bytes_max;
    assert_eq!(
        head_bytes_max(&["--h11-max-incomplete-event-size=9000", "m:a"]),
        9000
    );
    assert_eq!(
        head_bytes_max(&[
            "--limit-head-size=5000",
            "--h11-max-incomplete-event-size=9000",
            "m:a"
        ]),
        5000
    );
}

#[test]
fn capacity_and_life() {
    let config = config(&[
        "m:a",
        "--limit-concurrency=5",
        "--limit-max-requests=6",
        "--limit-max-requests-jitter=7",
        "--timeout-graceful-shutdown=0",
        "--timeout-worker-healthcheck=8",
    ]);
    assert_eq!(config.limit_concurrency, Some(5));
    assert_eq!(
        (config.limit_max_requests, config.limit_max_requests_jitter),
        (Some(6), 7)
    );
    assert_eq!(config.graceful_shutdown_timeout, Duration::ZERO);
    assert_eq!(config.worker_healthcheck_timeout, Duration::from_secs(8));
}

#[test]
fn io_threads_say_the_placement() {
    let placement = |argv: &[&str]| config(argv).placement;
    for threads in [None, Some(0), Some(2)] {
        let option = threads.map(|n: u16| format!("--io-threads={n}"));
        let argv: Vec<&str> = option.as_deref().into_iter().chain(["m:a"]).collect();
        assert_eq!(placement(&argv).io_threads(), threads);
    }
    assert_eq!(placement(&["m:a"]), Placement::Auto);
    assert_eq!(placement(&["--io-threads=0", "m:a"]), Placement::Fused);
    assert_eq!(placement(&["--io-threads=2", "m:a"]), Placement::Threads(2));
}

#[test]
fn engines_and_loops() {
    let config = config(&["m:a", "--http=httptools", "--ws=none", "--loop=mine:make"]);
    assert_eq!(config.http_engine, HttpEngine::Native);
    assert_eq!(config.http.websocket.engine, WebSockets::Off);
    assert_eq!(
        config.event_loop,
        EventLoop::Factory("mine:make".to_owned())
    );
}

#[test]
fn the_names_of_engines_and_loops_mean_what_they_came_from() {
    for name in ["auto", "none", "asyncio", "uvloop", "mine:make"] {
        assert_eq!(config(&["m:a", "--loop", name]).event_loop.as_str(), name);
    }
    for name in ["auto", "none"] {
        let config = config(&["m:a", "--ws", name]);
        assert_eq!(config.http.websocket.engine.as_str(), name);
    }
    assert_eq!(config(&["m:a", "--http=auto"]).http_engine.as_str(), "auto");
}

#[test]
fn websockets() {
    let config = config(&[
        "m:a",
        "--ws-max-size=1000",
        "--ws-max-queue=4",
        "--ws-ping-interval=1.5",
        "--ws-ping-timeout=0",
        "--ws-per-message-deflate=false",
        "--limit-write-buffer=100",
    ]);
    let machine = &config.http.websocket.machine;
    assert_eq!(machine.message_bytes_max, 1000);
    assert_eq!(machine.queue_messages_max, 4);
    assert_eq!(machine.ping_interval, Duration::from_millis(1500));
    assert_eq!(machine.ping_timeout, Duration::ZERO);
    assert!(!machine.per_message_deflate);
    assert_eq!(machine.unsent_bytes_max, 100);
}

#[test]
fn logging() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let config = config(&[
        "m:a",
        "--log-config",
        file,
        "--log-level=trace",
        "--no-access-log",
        "--no-use-colors",
        "--env-file",
        file,
    ]);
    assert_eq!(
        (config.log_config, config.env_files),
        (Some(file.into()), vec![file.into()])
    );
    assert_eq!(config.log_level, Some(LogLevel::Trace));
    assert!(!config.access_log);
    assert_eq!(config.use_colors, Some(false));
}

#[test]
fn booleans_come_from_the_environment() {
    let env = [("UVICORN_ACCESS_LOG", "No"), ("UVICORN_FACTORY", "y")];
    let found = config_with(&["m:a"], &env);
    assert!(!found.access_log && found.factory);
    assert!(config_with(&["m:a", "--access-log"], &env).access_log);
}

#[test]
fn one_process_is_what_workers_below_two_mean() {
    for value in ["1", "0", "-3"] {
        assert_eq!(config(&["--workers", value, "m:a"]).workers, Some(1));
    }
}

/// Reads the late environment into what a command line gave.
fn late(argv: &[&str], env: &[(&str, &str)]) -> Result<Config, UsageError> {
    config_with(argv, env).with_late_environment(&|name| variable(env, name))
}

#[test]
fn the_late_environment_settles_workers_and_trusted_peers() {
    let config = late(&["m:a"], &[]).unwrap();
    assert_eq!(config.workers, Some(1));
    assert_eq!(config.forwarded_allow_ips.as_deref(), Some("127.0.0.1,::1"));

    let env = [
        ("WEB_CONCURRENCY", " 1 "),
        ("FORWARDED_ALLOW_IPS", "10.0.0.0/8"),
    ];
    let config = late(&["m:a"], &env).unwrap();
    assert_eq!(config.workers, Some(1));
    assert_eq!(config.forwarded_allow_ips.as_deref(), Some("10.0.0.0/8"));
}

#[test]
fn options_win_over_the_late_environment() {
    let env = [
        ("WEB_CONCURRENCY", "4"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.0/8"),
        ("UVICORN_FORWARDED_ALLOW_IPS", "*"),
    ];
    let config = late(&["--workers=0", "m:a"], &env).unwrap();
    assert_eq!(config.workers, Some(1));
    assert_eq!(config.forwarded_allow_ips.as_deref(), Some("*"));
}

#[test]
fn options_of_workers_are_dropped_where_the_machine_has_one() {
    let argv = ["--preload", "--limit-worker-age=9", "m:a"];
    let config = late(&argv, &[("WEB_CONCURRENCY", "1")]).unwrap();
    assert_eq!(config.dropped, ["--limit-worker-age", "--preload"]);
    assert_eq!((config.preload, config.worker_age_max), (false, None));

    let config = late(&argv, &[("WEB_CONCURRENCY", "2")]).unwrap();
    assert_eq!(config.dropped, [""; 0]);
    assert!(config.preload);

    let asked = ["--workers=1", "--preload", "m:a"];
    for (argv, env) in [
        (&argv[..], &[][..]),
        (&asked[..], &[("WEB_CONCURRENCY", "4")][..]),
    ] {
        let error = late(argv, env).unwrap_err();
        assert!(
            error
                .message()
                .ends_with("needs more than one worker (--workers).")
        );
    }
}

#[test]
fn an_empty_list_of_trusted_peers_trusts_nobody() {
    let config = late(&["m:a"], &[("FORWARDED_ALLOW_IPS", "")]).unwrap();
    assert_eq!(config.forwarded_allow_ips.as_deref(), Some(""));
}

#[test]
fn what_binds_says_all_about_addresses() {
    let config = config(&["--bind=:80", "--bind=unix:/x", "--uds-mode=600", "m:a"]);
    assert_eq!(config.binds.len(), 2);
    for other in ["--host=x", "--port=1", "--uds=/x", "--fd=3"] {
        let error = error_with(&["--bind=:80", other, "m:a"], &[]);
        let option = other.split('=').next().unwrap();
        assert_eq!(
            error.message(),
            format!("Option '--bind' cannot be combined with '{option}'.")
        );
    }
}

#[test]
fn a_stronger_source_says_all_about_addresses() {
    let bound = config_with(&["--bind=:80", "m:a"], &[("UVICORN_PORT", "1")]);
    assert_eq!((bound.binds.len(), bound.port), (1, 8000));
    let env = [("SMOLCORN_BINDS", ":80"), ("UVICORN_UDS", "/x")];
    let config = config_with(&["--port=1", "m:a"], &env);
    assert_eq!((config.binds.len(), config.uds, config.port), (0, None, 1));
    let env = [("SMOLCORN_BINDS", ":80"), ("SMOLCORN_PORT", "1")];
    assert_eq!(
        error_with(&["m:a"], &env).message(),
        "Option '--bind' (env var: 'SMOLCORN_BINDS') cannot be combined with '--port' (env var: \
         'SMOLCORN_PORT')."
    );
}

#[test]
fn a_health_path_is_a_path() {
    assert_eq!(
        config(&["--health-path=/healthz", "m:a"])
            .health_path
            .as_deref(),
        Some("/healthz")
    );
    assert_eq!(config(&["--health-path=", "m:a"]).health_path, None);
    for bad in ["healthz", "/a?b", "/a b", "/\u{e9}"] {
        let error = error_with(&["--health-path", bad, "m:a"], &[]);
        assert_eq!(
            error.message(),
            "Option '--health-path' needs a path that begins with '/' and has no '?'."
        );
    }
}

#[test]
fn what_only_a_supervisor_can_do_needs_one() {
    for option in [
        "--limit-worker-memory=1",
        "--limit-worker-age=1",
        "--restart-blocked-workers",
    ] {
        let name = option.split('=').next().unwrap();
        assert_eq!(
            late(&[option, "m:a"], &[]).unwrap_err().message(),
            format!("Option '{name}' needs more than one worker (--workers).")
        );
        let several = late(&[option, "m:a"], &[("WEB_CONCURRENCY", "2")]);
        assert_eq!(several.unwrap().workers, Some(2));
    }
}

#[test]
fn web_concurrency_that_cannot_be_had_is_refused() {
    let message = |value| {
        late(&["m:a"], &[("WEB_CONCURRENCY", value)])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message("abc"),
        "Invalid value for 'WEB_CONCURRENCY': 'abc' is not a valid integer."
    );
    assert_eq!(
        late(&["m:a"], &[("WEB_CONCURRENCY", "")]).unwrap().workers,
        Some(1)
    );
}

#[test]
fn help_and_version_are_printed_before_values_are_looked_at() {
    for (argv, head) in [
        (["--help", "--port=x"], "Usage: smolcorn [OPTIONS] APP\n"),
        (["--port=x", "--version"], "Running smolcorn "),
    ] {
        match parse_with(&argv, &[], &BINARY) {
            Parsed::Print { text, exit_code: 0 } => assert!(text.starts_with(head), "{text}"),
            other => panic!("{argv:?} gave {other:?}"),
        }
    }
}
