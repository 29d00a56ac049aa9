//! What the user is told, to the byte, as uvicorn 0.54 says it.

use super::*;

/// What follows `Error: ` on stderr, which must end the usual lines.
fn message(argv: &[&str], env: &[(&str, &str)]) -> String {
    let text = error_with(argv, env).text("smolcorn");
    let head = "Usage: smolcorn [OPTIONS] APP\nTry 'smolcorn --help' for help.\n\nError: ";
    let message = text.strip_prefix(head).unwrap_or_else(|| panic!("{text}"));
    message.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn the_status_is_two() {
    assert_eq!(UsageError::EXIT_CODE, 2);
}

#[test]
fn the_program_is_named_as_it_was_called() {
    assert_eq!(
        error(&[]).text("python -m smolcorn"),
        "Usage: python -m smolcorn [OPTIONS] APP\n\
         Try 'python -m smolcorn --help' for help.\n\nError: Missing argument 'APP'.\n"
    );
}

#[test]
fn words_that_are_wrong() {
    for (argv, expected) in [
        (&[][..], "Missing argument 'APP'."),
        (&["--port=1"], "Missing argument 'APP'."),
        (
            &["--nope", "m:a"],
            "No such option '--nope'. Did you mean '--loop'?",
        ),
        (&["-h"], "No such option '-h'. Did you mean '--help'?"),
        (
            &["--help", "--nope"],
            "No such option '--nope'. Did you mean '--loop'?",
        ),
        (&["m:a", "b"], "Got unexpected extra argument (b)"),
        (&["m:a", "b", "c"], "Got unexpected extra arguments (b c)"),
        (
            &["--", "--port", "m:a"],
            "Got unexpected extra argument (m:a)",
        ),
    ] {
        assert_eq!(message(argv, &[]), expected, "{argv:?}");
    }
}

#[test]
fn syntax_errors_of_an_option_stand_alone() {
    for (argv, expected) in [
        (
            ["m:a", "--port"],
            "Error: Option '--port' requires an argument.\n",
        ),
        (
            ["m:a", "--reload=1"],
            "Error: Option '--reload' does not take a value.\n",
        ),
        (
            ["m:a", "--no-access-log=1"],
            "Error: Option '--no-access-log' does not take a value.\n",
        ),
    ] {
        assert_eq!(error(&argv).text("smolcorn"), expected);
    }
}

#[test]
fn values_that_are_wrong() {
    for (option, expected) in [
        (
            "--port=abc",
            "Invalid value for '--port': 'abc' is not a valid integer.",
        ),
        (
            "--port=",
            "Invalid value for '--port': '' is not a valid integer.",
        ),
        (
            "--reload-delay=x",
            "Invalid value for '--reload-delay': 'x' is not a valid float.",
        ),
        (
            "--log-level=foo",
            "Invalid value for '--log-level': 'foo' is not one of 'critical', 'error', \
             'warning', 'info', 'debug', 'trace'.",
        ),
        (
            "--log-level=INFO",
            "Invalid value for '--log-level': 'INFO' is not one of 'critical', 'error', \
             'warning', 'info', 'debug', 'trace'.",
        ),
        (
            "--interface=x",
            "Invalid value for '--interface': 'x' is not one of 'auto', 'asgi3', 'asgi2', \
             'wsgi'.",
        ),
        (
            "--lifespan=x",
            "Invalid value for '--lifespan': 'x' is not one of 'auto', 'on', 'off'.",
        ),
        (
            "--ws-per-message-deflate=maybe",
            "Invalid value for '--ws-per-message-deflate': 'maybe' is not a valid boolean. \
             Recognized values: , 0, 1, f, false, n, no, off, on, t, true, y, yes",
        ),
    ] {
        assert_eq!(message(&[option, "m:a"], &[]), expected);
    }
}

#[test]
fn paths_that_do_not_exist() {
    for name in ["--env-file", "--log-config", "--reload-dir", "--python"] {
        assert_eq!(
            message(&[name, "/nonexist", "m:a"], &[]),
            format!("Invalid value for '{name}': Path '/nonexist' does not exist.")
        );
    }
    assert_eq!(
        message(&["--env-file=", "m:a"], &[]),
        "Invalid value for '--env-file': Path '' does not exist."
    );
}

#[test]
fn variables_that_are_wrong_are_named_with_their_option() {
    assert_eq!(
        message(&["m:a"], &[("UVICORN_PORT", "abc")]),
        "Invalid value for '--port' (env var: 'UVICORN_PORT'): 'abc' is not a valid integer."
    );
    assert_eq!(
        message(&["m:a"], &[("UVICORN_ACCESS_LOG", "maybe")]),
        "Invalid value for '--access-log' (env var: 'UVICORN_ACCESS_LOG'): 'maybe' is not a valid boolean. \
         Recognized values: , 0, 1, f, false, n, no, off, on, t, true, y, yes"
    );
    assert_eq!(
        message(&[], &[("UVICORN_PORT", "abc")]),
        "Missing argument 'APP'."
    );
}

#[test]
fn the_first_wrong_value_is_complained_of() {
    let env = [("UVICORN_HOST", "x"), ("UVICORN_PORT", "b")];
    assert!(message(&["--workers=z", "--fd=y", "m:a"], &env).contains("'--workers'"));
    assert!(message(&["--port=x", "--port=1", "--workers=z", "m:a"], &[]).contains("'--workers'"));
    assert!(message(&["--fd=x"], &[]).contains("'--fd'"));
    assert!(message(&["m:a", "b", "--fd=x"], &[]).contains("'--fd'"));
}

#[test]
fn numbers_outside_their_range_are_our_own_errors() {
    for (option, expected) in [
        (
            "--port=99999",
            "Invalid value for '--port': 99999 is not in the range 0<=x<=65535.",
        ),
        (
            "--port=-1",
            "Invalid value for '--port': -1 is not in the range 0<=x<=65535.",
        ),
        (
            "--limit-max-requests=-1",
            "Invalid value for '--limit-max-requests': -1 is not in the range x>=0.",
        ),
        (
            "--timeout-body=0",
            "Invalid value for '--timeout-body': 0 is not in the range 0.001<=x<=4294967295.",
        ),
        (
            "--uds-mode=9",
            "Invalid value for '--uds-mode': '9' is not an octal mode from 0 to 777.",
        ),
    ] {
        assert_eq!(message(&[option, "m:a"], &[]), expected);
    }
}

#[test]
fn headers_and_protocol_classes_are_our_own_errors() {
    for (option, expected) in [
        (
            "--header=foo",
            "Invalid value for '--header': 'foo' is not of the form 'Name:Value'.",
        ),
        (
            "--http=foo",
            "Invalid value for '--http': 'foo' is not one of 'auto', 'h11', 'httptools', \
             'zttp', 'async-h1'.",
        ),
        (
            "--http=m:C",
            "Invalid value for '--http': 'm:C' is a protocol class, and smolcorn has its own \
             protocols: 'auto', 'h11', 'httptools', 'zttp', 'async-h1'.",
        ),
        ("--uds-mode=660", "Option '--uds-mode' needs '--uds'."),
    ] {
        assert_eq!(message(&[option, "m:a"], &[]), expected);
    }
}

#[test]
fn what_does_not_exist_yet_is_said() {
    let yet = |subject: &str| format!("{subject} is not available in smolcorn 0.1 yet.");
    for (option, subject) in [
        ("--http2", "Option '--http2'"),
        ("--loop=zuvloop", "Invalid value for '--loop': 'zuvloop'"),
    ] {
        assert_eq!(message(&[option, "m:a"], &[]), yet(subject));
    }
}

#[test]
fn tls_options_that_mean_nothing_are_refused() {
    let needs = |name: &str| format!("Option '{name}' needs '--ssl-certfile'.");
    for (option, name) in [
        ("--ssl-keyfile=k", "--ssl-keyfile"),
        ("--ssl-keyfile-password=p", "--ssl-keyfile-password"),
        ("--ssl-ca-certs=c", "--ssl-ca-certs"),
        ("--ssl-cert-reqs=2", "--ssl-cert-reqs"),
        ("--ssl-min-version=1.3", "--ssl-min-version"),
    ] {
        assert_eq!(message(&[option, "m:a"], &[]), needs(name));
    }
    let with_certificate =
        |options: &[&str]| message(&[&["--ssl-certfile=c", "m:a"], options].concat(), &[]);
    for (options, expected) in [
        (
            &["--ssl-cert-reqs=1"][..],
            "Option '--ssl-cert-reqs' above 0 needs '--ssl-ca-certs'.",
        ),
        (
            &["--ssl-cert-reqs=5"],
            "Invalid value for '--ssl-cert-reqs': 5 is not one of 0 (none), 1 (optional), 2 \
             (required).",
        ),
        (
            &["--ssl-version=3"],
            "Invalid value for '--ssl-version': 3 is a protocol before TLS 1.2, and those are not \
             safe. There are 17 (TLS 1.2 and 1.3) and 5 (TLS 1.2).",
        ),
        (
            &["--ssl-version=16"],
            "Invalid value for '--ssl-version': 16 is for clients. A server's is 17.",
        ),
        (
            &["--ssl-version=6"],
            "Invalid value for '--ssl-version': 6 is not a protocol of Python's ssl.",
        ),
        (
            &["--ssl-version=5", "--ssl-min-version=1.3"],
            "Options '--ssl-min-version' and '--ssl-version' leave no version of TLS.",
        ),
        (
            &["--ssl-min-version=1.1"],
            "Invalid value for '--ssl-min-version': '1.1' is not one of '1.2', '1.3'.",
        ),
        (
            &["--ssl-keyfile=k", "--ssl-keyfile=l"],
            "There must be as many '--ssl-keyfile' as '--ssl-certfile', or none: there are 2 and 1.",
        ),
        (
            &["--ssl-reload-interval=-1"],
            "Invalid value for '--ssl-reload-interval': -1 is neither 0 nor in the range \
             0.01<=x<=4294967295.",
        ),
        (
            &["--ssl-handshake-timeout=0"],
            "Invalid value for '--ssl-handshake-timeout': 0 is not in the range \
             0.001<=x<=4294967295.",
        ),
    ] {
        assert_eq!(with_certificate(options), expected);
    }
}

#[test]
fn python_is_an_option_of_the_binary() {
    let directory = env!("CARGO_MANIFEST_DIR");
    assert_eq!(
        config(&["--python", directory, "m:a"]).python,
        Some(directory.into())
    );
    let wheel = Program {
        embeds_python: false,
        ..BINARY
    };
    match parse_with(&["--python", directory, "m:a"], &[], &wheel) {
        Parsed::Usage(error) => assert!(error.message().starts_with("Option '--python' is for")),
        other => panic!("{other:?}"),
    }
}
