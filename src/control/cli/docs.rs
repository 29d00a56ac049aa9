//! Writes `docs/options.md` and `python/smolcorn/options.py` from the table, and holds the files
//! against it.
//!
//! `REGENERATE=1 cargo test --workspace docs_options` writes them anew.

use super::options::{self, Kind, OptionSpec, Origin, Status};
use super::table::SECTIONS;

const HEAD: &str = "\
<!-- Made from src/control/cli/table.rs by `REGENERATE=1 cargo test --workspace docs_options`. Edit there. -->

# Options

    smolcorn [OPTIONS] APP

APP is the import string of an ASGI application, `module:attribute`. It may also come from
`SMOLCORN_APP` or `UVICORN_APP`.

- `--name value` and `--name=value` are the same. Options stand before or after APP; `--` ends
  them. There are no short options and no abbreviations.
- Of an option given several times the last one counts, unless it is marked as repeatable.
- Every option may be set by an environment variable, and in the table `[tool.smolcorn]` of the
  `pyproject.toml` in the working directory. The command line wins over `SMOLCORN_*`, that over
  `UVICORN_*`, and that over the table. `smolcorn --print-config` shows what came of it.
- An empty variable counts as unset. Repeatable options take several values from one variable,
  with blanks between.
- The table has the names of the options, with `-` or `_`, and `app`:
  `app = \"main:app\"`, `port = 9000`, `access-log = false`, `header = [\"x-a:1\"]`.
- Booleans are `1 t true y yes on` and `0 f false n no off`, in small or large letters.
- Sizes are in bytes, times in seconds. The timeouts that uvicorn does not have take fractions,
  down to 0.001.
- `WEB_CONCURRENCY` and `FORWARDED_ALLOW_IPS` are read last, when `--env-file` has been loaded.
- A variable that begins with `SMOLCORN_` and is none of these is a warning.
- A usage error ends the program with status 2 and a message on stderr. So does an option whose
  capability is not there yet: no option is silently ignored.
";

const ASYNC_H1: &str = "
## The engine async-h1

`--http async-h1` speaks through the crate async-h1, for comparison. It is there only in a build
with `cargo build --features async-h1`, and it has limits that the built-in engine has not:

- HTTP/1.1 only: a request in HTTP/1.0 gets a 505.
- Heads shorter than 8 KiB and of at most 128 headers, whatever the options above say: above, a
  431, or a 414 when the target alone is too long.
- Only the methods that the crate knows, and no `OPTIONS *`: any other gets a 501.
- No header values beyond ASCII, and no `Host` that is empty or cannot stand in a URL: a request
  with one gets a 400.
- A response with a header value beyond ASCII, one from `--header` too, or with a status code that
  the crate does not know, becomes a 500 and a warning in the log.
- The headers of a response are sorted by name, and reason phrases are the crate's (304 is
  `Modified`).
- Trailers of a response are dropped, and a large piece of a chunked one becomes several chunks.
- Bodies are copied on their way, and a request costs many allocations.

Interim responses, refusals, chunked request bodies and files do not pass through the crate. The
build has some 75 crates more; of the threads that they could start none is.
";

/// The whole file.
fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        text.push_str(&format!("\n## {}\n", section.title));
        for spec in section.options {
            text.push_str(&entry(spec));
        }
    }
    text.push_str(ASYNC_H1);
    text
}

fn entry(spec: &OptionSpec) -> String {
    let mut text = format!("\n### `{}`\n\n{}\n", spec.usage(), spec.help);
    if !spec.notes.is_empty() {
        text.push_str(&format!("\n{}\n", spec.notes));
    }
    let facts = facts(spec);
    if !facts.is_empty() {
        text.push_str(&format!("\n- {}\n", facts.join("\n- ")));
    }
    text
}

fn facts(spec: &OptionSpec) -> Vec<String> {
    let mut facts = Vec::new();
    match spec.status {
        Status::Ready => {}
        Status::Partly(missing) => facts.push(format!("Not available yet: {missing}.")),
        Status::Planned => facts.push("Not available yet.".to_owned()),
    }
    if let Some(default) = spec.shown_default() {
        facts.push(format!("Default: `{default}`"));
    }
    if spec.repeatable {
        facts.push("Repeatable".to_owned());
    }
    let variables: Vec<String> = spec
        .variables()
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    if !variables.is_empty() {
        facts.push(format!("Environment: {}", variables.join(", ")));
    }
    if spec.origin == Origin::Smolcorn {
        facts.push("Not an option of uvicorn".to_owned());
    }
    facts
}

const PYTHON_HEAD: &str = "\
# Made from src/control/cli/table.rs by `REGENERATE=1 cargo test --workspace docs_options`. Edit there.
\"\"\"The options that `smolcorn.Config` and `smolcorn.run` take by name.\"\"\"

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from configparser import RawConfigParser
from typing import IO, Any, TypeAlias, TypedDict

StrPath: TypeAlias = \"str | os.PathLike[str]\"


class Options(TypedDict, total=False):
    \"\"\"Everything but the first parameters. None: as if it were not given.\"\"\"

    timeout_notify: int
    \"\"\"Seconds between two calls of `callback_notify`.\"\"\"
    callback_notify: Callable[..., Any] | None
    \"\"\"Awaited every so often while the server runs.\"\"\"
";

/// Parameters that stand in the signature itself, because they are given by position.
const POSITIONAL: &[&str] = &["host", "port", "uds", "fd", "loop", "http", "http2", "ws"];

/// The whole Python module.
fn python() -> String {
    let mut text = PYTHON_HEAD.to_owned();
    for spec in options::settable() {
        if POSITIONAL.contains(&spec.name) || spec.name == "python" {
            continue;
        }
        text.push_str(&format!(
            "    {}: {}\n",
            spec.parameter(),
            python_type(spec)
        ));
    }
    text
}

/// What Python programs may give.
fn python_type(spec: &OptionSpec) -> &'static str {
    match (spec.name, spec.kind) {
        ("header", _) => "Sequence[tuple[str | bytes, str | bytes] | str] | None",
        ("log-config", _) => "StrPath | Mapping[str, Any] | RawConfigParser | IO[Any] | None",
        ("log-level", _) => "str | int | None",
        ("uds-mode", _) => "int | str | None",
        ("forwarded-allow-ips", _) => "Sequence[str] | str | None",
        ("uds" | "ssl-keyfile" | "ssl-certfile" | "ssl-ca-certs", _) => "StrPath | None",
        (_, Kind::Path) if spec.repeatable => "Sequence[StrPath] | StrPath | None",
        (_, Kind::Path) => "StrPath | None",
        (_, Kind::Boolean | Kind::Flag | Kind::Pair(_)) => "bool | None",
        (_, Kind::Integer) => "int | None",
        (_, Kind::Float) => "float | None",
        _ if spec.repeatable => "Sequence[str] | str | None",
        _ => "str | None",
    }
}

#[test]
fn docs_options_are_those_of_the_table() {
    for (name, expected) in [
        ("docs/options.md", markdown()),
        ("python/smolcorn/options.py", python()),
    ] {
        let path = format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("REGENERATE").is_some() {
            assert!(
                std::fs::write(&path, &expected).is_ok(),
                "cannot write {path}"
            );
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "{name} differs from src/control/cli/table.rs; write it anew with \
             `REGENERATE=1 cargo test --workspace docs_options`"
        );
    }
}
