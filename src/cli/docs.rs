//! Writes `docs/options.md` from the table, and holds the file against it.
//!
//! `REGENERATE=1 cargo test docs_options` writes the file anew.

use super::options::{OptionSpec, Origin, Status};
use super::table::SECTIONS;

const HEAD: &str = "\
<!-- Made from src/cli/table.rs by `REGENERATE=1 cargo test docs_options`. Edit there. -->

# Options

    smolcorn [OPTIONS] APP

APP is the import string of an ASGI application, `module:attribute`. It may also come from
`SMOLCORN_APP` or `UVICORN_APP`.

- `--name value` and `--name=value` are the same. Options stand before or after APP; `--` ends
  them. There are no short options and no abbreviations.
- Of an option given several times the last one counts, unless it is marked as repeatable.
- Every option may be set by an environment variable. The command line wins over `SMOLCORN_*`,
  and that over `UVICORN_*`. An empty variable counts as unset. Repeatable options take several
  values from one variable, with blanks between.
- Booleans are `1 t true y yes on` and `0 f false n no off`, in small or large letters.
- Sizes are in bytes, times in seconds. The timeouts that uvicorn does not have take fractions,
  down to 0.001.
- `WEB_CONCURRENCY` and `FORWARDED_ALLOW_IPS` are read last, when `--env-file` has been loaded.
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

#[test]
fn docs_options_are_those_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
    let expected = markdown();
    if std::env::var_os("REGENERATE").is_some() {
        assert!(
            std::fs::write(path, &expected).is_ok(),
            "cannot write {path}"
        );
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/options.md differs from src/cli/table.rs; write it anew with \
         `REGENERATE=1 cargo test docs_options`"
    );
}
