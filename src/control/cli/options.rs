//! The shape of the option table: what one record says, and how to find it.
//!
//! The records are in [`table`](super::table). The normaliser, the help, the environment and
//! `docs/options.md` read them; nothing else knows an option's name as text except the typed
//! struct that argh fills, and a test holds that struct against the table.

use super::table::SECTIONS;

/// Options that belong together, in the order of the help.
#[derive(Debug)]
pub struct Section {
    /// Heading in the help and the docs.
    pub title: &'static str,
    /// The records.
    pub options: &'static [OptionSpec],
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Long name without the dashes.
    pub name: &'static str,
    /// What follows it.
    pub kind: Kind,
    /// The parameter's name in Python where that is not the long name with underscores.
    parameter: Option<&'static str>,
    /// May be given several times; otherwise the last one counts.
    pub repeatable: bool,
    /// Default as text that the option itself would take; `None`: unset.
    pub default: Option<&'static str>,
    /// What it does, for the help and the docs.
    pub help: &'static str,
    /// More for the docs: differences to uvicorn, and what else somebody must know.
    pub notes: &'static str,
    /// Whether the capability is there.
    pub status: Status,
    /// Who brought the option in.
    pub origin: Origin,
}

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything, described by this word.
    Text(&'static str),
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// A path that exists.
    Path,
    /// Permission bits.
    Octal,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or an import string.
    ChoiceOrImport(&'static [&'static str]),
    /// A word for true or false.
    Boolean,
    /// Nothing: the option says yes.
    Flag,
    /// Nothing: the option says yes, and the one named here says no.
    Pair(&'static str),
    /// Nothing: the program prints something and ends.
    Action(Action),
}

/// What the program does in place of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Print the help.
    Help,
    /// Print the version.
    Version,
    /// Print every setting and where it comes from.
    PrintConfig,
}

/// Whether an option's capability is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It works.
    Ready,
    /// Some values work. The text says which do not.
    Partly(&'static str),
    /// Giving it is refused.
    Planned,
}

/// Who brought an option in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// uvicorn: read from `SMOLCORN_*` and `UVICORN_*`.
    Uvicorn,
    /// This server: read from `SMOLCORN_*`.
    Smolcorn,
}

impl OptionSpec {
    /// An option of uvicorn that is ready.
    pub(super) const fn uvicorn(name: &'static str, kind: Kind, help: &'static str) -> Self {
        OptionSpec {
            name,
            kind,
            parameter: None,
            repeatable: false,
            default: None,
            help,
            notes: "",
            status: Status::Ready,
            origin: Origin::Uvicorn,
        }
    }

    /// An option of our own that is ready.
    pub(super) const fn own(name: &'static str, kind: Kind, help: &'static str) -> Self {
        OptionSpec {
            origin: Origin::Smolcorn,
            ..OptionSpec::uvicorn(name, kind, help)
        }
    }

    pub(super) const fn default(self, default: &'static str) -> Self {
        OptionSpec {
            default: Some(default),
            ..self
        }
    }

    pub(super) const fn notes(self, notes: &'static str) -> Self {
        OptionSpec { notes, ..self }
    }

    /// May be given several times; Python has the values under another name.
    pub(super) const fn repeatable(self, parameter: &'static str) -> Self {
        OptionSpec {
            repeatable: true,
            parameter: Some(parameter),
            ..self
        }
    }

    pub(super) const fn planned(self) -> Self {
        OptionSpec {
            status: Status::Planned,
            ..self
        }
    }

    pub(super) const fn partly(self, missing: &'static str) -> Self {
        OptionSpec {
            status: Status::Partly(missing),
            ..self
        }
    }

    /// The parameter's name in Python.
    pub fn parameter(&self) -> String {
        self.parameter.unwrap_or(self.name).replace('-', "_")
    }

    /// The environment variables that set it, first the one that wins.
    pub fn variables(&self) -> Vec<String> {
        if matches!(self.kind, Kind::Action(_)) {
            return Vec::new();
        }
        let parameter = self.parameter().to_uppercase();
        let prefixes: &[&str] = match self.origin {
            Origin::Uvicorn => PREFIXES,
            Origin::Smolcorn => OWN_PREFIXES,
        };
        prefixes
            .iter()
            .map(|prefix| format!("{prefix}{parameter}"))
            .collect()
    }

    /// Whether a value follows it on the command line.
    pub fn takes_value(&self) -> bool {
        !matches!(self.kind, Kind::Flag | Kind::Pair(_) | Kind::Action(_))
    }

    /// The values that one environment variable's text gives.
    pub fn split_variable(&self, text: &str) -> Vec<String> {
        match (self.repeatable, self.kind) {
            (false, _) => vec![text.to_owned()],
            (true, Kind::Path | Kind::Text("FILE")) => {
                text.split(PATH_SEPARATOR).map(str::to_owned).collect()
            }
            (true, _) => text.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// The option with what follows it, as help and docs show it.
    pub fn usage(&self) -> String {
        let name = self.name;
        match self.kind {
            Kind::Flag | Kind::Action(_) => format!("--{name}"),
            Kind::Pair(negated) => format!("--{name} / --{negated}"),
            Kind::Text(word) => format!("--{name} {word}"),
            Kind::Integer => format!("--{name} INTEGER"),
            Kind::Float => format!("--{name} FLOAT"),
            Kind::Path => format!("--{name} PATH"),
            Kind::Octal => format!("--{name} OCTAL"),
            Kind::Boolean => format!("--{name} BOOLEAN"),
            Kind::Choice(words) => format!("--{name} [{}]", words.join("|")),
            Kind::ChoiceOrImport(words) => format!("--{name} [{}|module:attr]", words.join("|")),
        }
    }

    /// The default as help and docs show it.
    pub fn shown_default(&self) -> Option<&'static str> {
        match self.default {
            Some("") => Some("\"\""),
            other => other,
        }
    }
}

/// What an environment variable's name begins with, first the one that wins.
pub const PREFIXES: &[&str] = &[OWN_PREFIX, "UVICORN_"];

/// What begins with it is ours alone.
pub const OWN_PREFIX: &str = "SMOLCORN_";

/// The same for an option that uvicorn does not have.
const OWN_PREFIXES: &[&str] = &[OWN_PREFIX];

/// What stands between the paths of a list in an environment variable.
const PATH_SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// Every record, in the order of the help.
pub fn all() -> impl Iterator<Item = &'static OptionSpec> {
    SECTIONS.iter().flat_map(|section| section.options)
}

/// The option of that long name, and false when the name is the negated one of a pair.
pub fn find(name: &str) -> Option<(&'static OptionSpec, bool)> {
    all().find_map(|spec| {
        if spec.name == name {
            return Some((spec, true));
        }
        match spec.kind {
            Kind::Pair(negated) if negated == name => Some((spec, false)),
            _ => None,
        }
    })
}

/// The option whose parameter in Python has that name.
pub fn find_parameter(name: &str) -> Option<&'static OptionSpec> {
    settable().find(|spec| spec.parameter() == name)
}

/// Every option that has a value.
pub fn settable() -> impl Iterator<Item = &'static OptionSpec> {
    all().filter(|spec| !matches!(spec.kind, Kind::Action(_)))
}

/// Every long name, the negated ones too, with its dashes.
pub fn long_names() -> Vec<String> {
    let mut names = Vec::new();
    for spec in all() {
        names.push(format!("--{}", spec.name));
        if let Kind::Pair(negated) = spec.kind {
            names.push(format!("--{negated}"));
        }
    }
    names
}
