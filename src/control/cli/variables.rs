//! Variables that look like settings and are none. A mistyped one would do nothing, in silence.

use super::error::quoted;
use super::options::{self, OWN_PREFIX};
use super::suggest::close_matches;

/// What is read under our prefix and is no option.
const NO_OPTIONS: &[&str] = &["SMOLCORN_APP"];

/// A sentence for each of `names` that has our prefix and sets nothing; `None` if there are none.
pub fn unknown(names: impl Iterator<Item = String>) -> Option<String> {
    let of_options = options::settable().flat_map(|spec| spec.variables());
    let own = of_options.filter(|name| name.starts_with(OWN_PREFIX));
    let known: Vec<String> = own
        .chain(NO_OPTIONS.iter().map(|name| (*name).to_owned()))
        .collect();
    let mut strange: Vec<String> = names
        .filter(|name| name.starts_with(OWN_PREFIX) && !known.contains(name))
        .collect();
    strange.sort();
    let sentences: Vec<String> = strange
        .iter()
        .map(|name| {
            let hint = match closest(name, &known) {
                Some(meant) => format!(" Did you mean {}?", quoted(&meant)),
                None => String::new(),
            };
            format!("The variable {} sets nothing.{hint}", quoted(name))
        })
        .collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// The prefix, which all have, is no likeness.
fn closest(name: &str, known: &[String]) -> Option<String> {
    let bare = |name: &str| name.trim_start_matches(OWN_PREFIX).to_owned();
    let names = known.iter().map(|name| bare(name)).collect();
    let meant = close_matches(&bare(name), names).into_iter().next()?;
    Some(format!("{OWN_PREFIX}{meant}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(names: &[&str]) -> Option<String> {
        unknown(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn what_is_read_is_no_mistake_nor_is_what_others_read() {
        let all = options::settable().flat_map(|spec| spec.variables());
        assert_eq!(unknown(all), None);
        let others = ["SMOLCORN_APP", "_SMOLCORN_WORKER", "UVICORN_PROT", "PATH"];
        assert_eq!(told(&others), None);
    }

    #[test]
    fn a_mistake_is_told_with_what_was_meant() {
        assert_eq!(
            told(&["SMOLCORN_PROT"]).unwrap(),
            "The variable 'SMOLCORN_PROT' sets nothing. Did you mean 'SMOLCORN_PORT'?"
        );
        assert_eq!(
            told(&["SMOLCORN_ZZQQ", "SMOLCORN_BIND"]).unwrap(),
            "The variable 'SMOLCORN_BIND' sets nothing. Did you mean 'SMOLCORN_BINDS'? The \
             variable 'SMOLCORN_ZZQQ' sets nothing."
        );
    }
}
