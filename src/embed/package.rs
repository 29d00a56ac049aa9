//! The Python sources that the binary carries, and the importer that serves them.
//!
//! The binary always runs its own version of the package, whether or not the environment has
//! the wheel installed.

use std::path::Path;

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// One Python module of the package.
struct Module {
    /// Dotted name.
    name: &'static str,
    /// Whether it has submodules.
    is_package: bool,
    /// Its text.
    source: &'static str,
}

/// Every module of the package, gathered by the build script.
const MODULES: &[Module] = include!(concat!(env!("OUT_DIR"), "/package.rs"));

/// Puts the importer before all others, so that `import smolcorn` finds the package of `program`,
/// this binary.
///
/// Tracebacks show the modules as files below `program`, the way zipimport shows an archive's.
pub(super) fn install(py: Python<'_>, program: &Path) -> PyResult<()> {
    let modules = PyDict::new(py);
    for module in MODULES {
        modules.set_item(module.name, (module.is_package, module.source))?;
    }
    let importer = PyModule::from_code(
        py,
        IMPORTER,
        c"smolcorn/embed/importer.py",
        c"_smolcorn_importer",
    )?;
    importer.getattr("install")?.call1((program, modules))?;
    Ok(())
}

/// The importer's own source.
const IMPORTER: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
    concat!(include_str!("importer.py"), "\0").as_bytes(),
) {
    Ok(source) => source,
    Err(_) => c"raise ImportError('the importer has a NUL in it')",
};
