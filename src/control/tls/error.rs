//! What can be wrong with the files and values that TLS is set up from: one line for the operator.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why TLS cannot be set up. The operator's to mend; its text is the one line for the log.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    Unreadable {
        /// Which option named it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file can be read, but what it holds is of no use.
    Unusable {
        /// Which option named it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, without a full stop.
        what: String,
    },
    /// A value is of no use.
    Value {
        /// The option.
        option: &'static str,
        /// What is wrong, without a full stop.
        what: String,
    },
}

impl TlsError {
    pub(super) fn unusable(option: &'static str, path: &Path, what: impl Into<String>) -> TlsError {
        TlsError::Unusable {
            option,
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Unreadable {
                option,
                path,
                error,
            } => write!(f, "{option}: cannot read '{}': {error}", path.display()),
            TlsError::Unusable { option, path, what } => {
                write!(f, "{option}: '{}': {what}", path.display())
            }
            TlsError::Value { option, what } => write!(f, "{option}: {what}"),
        }
    }
}

impl std::error::Error for TlsError {}
