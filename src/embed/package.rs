//! The Python modules that the binary carries, and the importer that serves them.
//!
//! The binary always runs its own version of the package, whether or not the environment has
//! the wheel installed.

use std::io::{self, Read};
use std::path::Path;

use flate2::read::DeflateDecoder;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// One Python module of the package.
struct Module {
    /// Dotted name.
    name: &'static str,
    /// Whether it has submodules.
    is_package: bool,
    /// Its text, deflated.
    source: &'static [u8],
    /// What its `.pyc` file would hold, deflated; of nothing, if it has not been compiled.
    bytecode: &'static [u8],
}

/// Every module of the package, gathered by the build script, in the order of their names.
const MODULES: &[Module] = include!(concat!(env!("OUT_DIR"), "/package.rs"));

/// The modules, as the importer sees them.
#[pyclass(frozen)]
struct Package;

#[pymethods]
impl Package {
    /// The names of all modules, each with whether it has submodules.
    fn modules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let modules = PyDict::new(py);
        for module in MODULES {
            modules.set_item(module.name, module.is_package)?;
        }
        Ok(modules)
    }

    /// The text of a module.
    fn source<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &inflate(find(name)?.source)?))
    }

    /// What its `.pyc` file would hold; empty if it has not been compiled.
    fn bytecode<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &inflate(find(name)?.bytecode)?))
    }
}

fn find(name: &str) -> PyResult<&'static Module> {
    MODULES
        .binary_search_by_key(&name, |module| module.name)
        .ok()
        .and_then(|index| MODULES.get(index))
        .ok_or_else(|| PyKeyError::new_err(name.to_owned()))
}

fn inflate(deflated: &[u8]) -> io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    DeflateDecoder::new(deflated).read_to_end(&mut inflated)?;
    Ok(inflated)
}

/// Puts the importer before all others, so that `import smolcorn` finds the package of `program`,
/// this binary.
///
/// Tracebacks show the modules as files below `program`, the way zipimport shows an archive's.
pub(super) fn install(py: Python<'_>, program: &Path) -> PyResult<()> {
    let importer = PyModule::from_code(
        py,
        IMPORTER,
        c"smolcorn/embed/importer.py",
        c"_smolcorn_importer",
    )?;
    // As text: a `Path` would have Python import pathlib.
    let program = program.as_os_str();
    importer
        .getattr("install")?
        .call1((program, Bound::new(py, Package)?))?;
    Ok(())
}

/// The importer's own source.
const IMPORTER: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
    concat!(include_str!("importer.py"), "\0").as_bytes(),
) {
    Ok(source) => source,
    Err(_) => c"raise ImportError('the importer has a NUL in it')",
};
