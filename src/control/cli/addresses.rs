//! Options that say where to listen, where several sources do.
//!
//! `--bind`, `--uds`, `--fd`, and `--host` with `--port` answer one question, so what a stronger
//! source says replaces all that weaker ones say: a port that a host's environment sets must not
//! be in the way of a command line. Within one source the order is uvicorn's, but `--bind`, which
//! it does not have, says everything and stands alone.

use super::error::UsageError;
use super::normalise::{Given, Source};

/// Options of one name say the same thing together.
fn group(option: &str) -> Option<&'static str> {
    match option {
        "bind" => Some("bind"),
        "uds" => Some("uds"),
        "fd" => Some("fd"),
        "host" | "port" => Some("host"),
        _ => None,
    }
}

/// What the option says of the address, if anything.
fn group_of(given: &Given) -> Option<&'static str> {
    // An empty path is none, as with uvicorn.
    group(given.spec.name).filter(|_| given.spec.name != "uds" || !given.value.is_empty())
}

/// Takes out what a stronger source has replaced.
pub fn settle(given: &mut Vec<Given>) {
    let strongest = |given: &[Given]| {
        let addresses = given.iter().filter(|one| group_of(one).is_some());
        addresses.map(|one| one.source.rank()).min()
    };
    let Some(rank) = strongest(given) else {
        return;
    };
    let of_strongest = given.iter().filter(|one| one.source.rank() == rank);
    let groups: Vec<&str> = of_strongest.filter_map(group_of).collect();
    given.retain(|one| group_of(one).is_none_or(|group| groups.contains(&group)));
    if !given.iter().any(is_unix) {
        // The mode of a socket that has been replaced.
        given.retain(|one| one.spec.name != "uds-mode" || one.source.rank() <= rank);
    }
}

fn is_unix(given: &Given) -> bool {
    match group_of(given) {
        Some("uds") => true,
        Some("bind") => given.value.starts_with("unix:"),
        _ => false,
    }
}

/// Complains of `--bind` beside another address, naming who has set them.
pub fn refuse_mixed(given: &[Given]) -> Result<(), UsageError> {
    let bind = given.iter().find(|one| one.spec.name == "bind");
    let others = ["host", "port", "uds", "fd"].into_iter();
    let other = others
        .filter_map(|name| given.iter().find(|one| one.spec.name == name))
        .next();
    match (bind, other) {
        (Some(bind), Some(other)) => Err(UsageError::new(format!(
            "Option {} cannot be combined with {}.",
            named(bind),
            named(other)
        ))),
        _ => Ok(()),
    }
}

fn named(given: &Given) -> String {
    let name = given.spec.name;
    match &given.source {
        Source::Argument => format!("'--{name}'"),
        Source::Variable(variable) => format!("'--{name}' (env var: '{variable}')"),
        Source::Project => format!("'--{name}' (pyproject.toml)"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cli::options;

    fn given(name: &str, value: &str, source: &str) -> Given {
        let source = match source {
            "" => Source::Argument,
            "pyproject.toml" => Source::Project,
            variable => Source::Variable(variable.to_owned()),
        };
        Given {
            spec: options::find(name).unwrap().0,
            value: value.to_owned(),
            source,
        }
    }

    /// What is left, as a command line.
    fn settled(all: &[(&str, &str, &str)]) -> String {
        let mut left: Vec<Given> = all.iter().map(|(n, v, s)| given(n, v, s)).collect();
        settle(&mut left);
        let words = left
            .iter()
            .map(|one| format!("{}={}", one.spec.name, one.value));
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_strongest_source_says_all_about_addresses() {
        let port = ("port", "1", "UVICORN_PORT");
        assert_eq!(settled(&[("bind", ":80", ""), port]), "bind=:80");
        assert_eq!(settled(&[("uds", "/x", ""), port]), "uds=/x");
        assert_eq!(settled(&[("fd", "3", ""), port]), "fd=3");
        let bind = ("bind", ":80", "pyproject.toml");
        assert_eq!(settled(&[port, bind]), "port=1");
        assert_eq!(
            settled(&[("uds", "/x", "SMOLCORN_UDS"), port, bind]),
            "uds=/x"
        );
        assert_eq!(
            settled(&[("port", "2", ""), ("uds", "/x", "UVICORN_UDS")]),
            "port=2"
        );
    }

    #[test]
    fn host_and_port_may_come_from_different_sources() {
        let all = [("port", "1", ""), ("host", "::", "pyproject.toml")];
        assert_eq!(settled(&all), "port=1 host=::");
    }

    #[test]
    fn one_source_is_left_as_it_is() {
        let all = [("bind", ":80", ""), ("port", "1", ""), ("uds", "/x", "")];
        assert_eq!(settled(&all), "bind=:80 port=1 uds=/x");
    }

    #[test]
    fn an_empty_path_replaces_nothing() {
        assert_eq!(
            settled(&[("uds", "", ""), ("port", "1", "UVICORN_PORT")]),
            "uds= port=1"
        );
    }

    #[test]
    fn the_mode_goes_with_its_socket() {
        let of_project = [
            ("uds", "/x", "pyproject.toml"),
            ("uds-mode", "600", "pyproject.toml"),
        ];
        let with = |first| settled(&[&[first], &of_project[..]].concat());
        assert_eq!(with(("port", "1", "")), "port=1");
        assert_eq!(with(("bind", "unix:/y", "")), "bind=unix:/y uds-mode=600");
        assert_eq!(
            settled(&[("port", "1", ""), ("uds-mode", "600", "")]),
            "port=1 uds-mode=600"
        );
    }

    #[test]
    fn a_refusal_names_sources_other_than_the_command_line() {
        let refusal = |bind: &str, port: &str| {
            let all = [given("bind", ":80", bind), given("port", "1", port)];
            refuse_mixed(&all).unwrap_err().message().to_owned()
        };
        assert_eq!(
            refusal("", ""),
            "Option '--bind' cannot be combined with '--port'."
        );
        assert_eq!(
            refusal("SMOLCORN_BINDS", "SMOLCORN_PORT"),
            "Option '--bind' (env var: 'SMOLCORN_BINDS') cannot be combined with '--port' \
             (env var: 'SMOLCORN_PORT')."
        );
        assert_eq!(
            refusal("pyproject.toml", "pyproject.toml"),
            "Option '--bind' (pyproject.toml) cannot be combined with '--port' (pyproject.toml)."
        );
        assert!(refuse_mixed(&[given("port", "1", ""), given("uds", "/x", "")]).is_ok());
    }
}
