//! The native module `smolcorn._core`, the same in the wheel and in the binary.

use pyo3::prelude::*;

/// `smolcorn._core`: the native core of smolcorn.
///
/// It counts on the GIL: cells and counters of the border are guarded by nothing else. A
/// free-threaded Python switches its GIL on when it imports this, and warns.
#[pymodule(name = "_core", gil_used = true)]
pub mod core_module {
    use std::path::PathBuf;

    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    #[pymodule_export]
    use crate::asgi::ClientDisconnected;
    #[pymodule_export]
    use crate::python::engine::Engine;
    #[pymodule_export]
    use crate::python::pid_file::PidFile;
    #[pymodule_export]
    use crate::python::settings::NativeConfig;
    #[pymodule_export]
    use crate::python::sockets::Socket;
    #[pymodule_export]
    use crate::python::tls::Tls;
    #[cfg(unix)]
    #[pymodule_export]
    use crate::python::worker::{Template, Worker};
    #[pymodule_export]
    use crate::wsgi::call::Call;
    #[pymodule_export]
    use crate::wsgi::file::FileWrapper;
    #[pymodule_export]
    use crate::wsgi::worker::{Pool, PoolThread};

    use crate::asgi::app_call::AppCall;
    use crate::asgi::awaitable;
    use crate::asgi::receive::ReceiveCall;
    use crate::asgi::send::SendCall;
    use crate::python::options;

    /// Binds what the settings name.
    #[pyfunction]
    fn bind(settings: &Bound<'_, PyAny>) -> PyResult<Vec<Socket>> {
        crate::python::sockets::bind(settings)
    }

    /// The supervisor's worker that this process is; `None` where there is no supervisor.
    #[pyfunction]
    fn worker(py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        #[cfg(unix)]
        if let Some(worker) = crate::python::worker::current() {
            return Ok(Some(Py::new(py, worker)?.into_any()));
        }
        let _ = py;
        Ok(None)
    }

    /// The process from which workers are forked, if it is this one.
    #[pyfunction]
    fn template(py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        #[cfg(unix)]
        if let Some(template) = crate::python::worker::template() {
            return Ok(Some(Py::new(py, template)?.into_any()));
        }
        let _ = py;
        Ok(None)
    }

    /// Takes sockets that the caller has bound.
    #[pyfunction]
    fn adopt(settings: &Bound<'_, PyAny>, descriptors: Vec<i32>) -> PyResult<Vec<Socket>> {
        crate::python::sockets::adopt(settings, &descriptors)
    }

    /// The default of every option.
    #[pyfunction]
    fn defaults(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        options::defaults(py)
    }

    /// What the environment and pyproject.toml set beside the options of these names.
    #[pyfunction]
    fn surroundings(py: Python<'_>, given: Vec<String>) -> PyResult<Bound<'_, PyDict>> {
        options::surroundings(py, given)
    }

    /// Makes the settings of an application's name and options.
    #[pyfunction]
    fn settings<'py>(
        py: Python<'py>,
        app: &str,
        values: Vec<(String, Vec<String>)>,
    ) -> PyResult<Bound<'py, PyAny>> {
        options::settings(py, app, values)
    }

    /// The command line that says the same.
    #[pyfunction]
    fn command_line(app: String, values: Vec<(String, Vec<String>)>) -> PyResult<Vec<String>> {
        options::command_line(app, values)
    }

    /// Reads a file of environment variables.
    #[pyfunction]
    fn read_env_file(
        path: PathBuf,
        earlier: Vec<(String, String)>,
    ) -> PyResult<options::FileVariables> {
        options::read_env_file(path, earlier)
    }

    /// The command line: parses `argv` (without the program's name), serves, and returns the
    /// exit code. Where `may_become_other`, the process may become another program instead.
    #[pyfunction]
    #[pyo3(signature = (argv, may_become_other = false))]
    fn main(py: Python<'_>, argv: Vec<String>, may_become_other: bool) -> PyResult<i32> {
        crate::python::entry::command_line(py, &argv, may_become_other)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        awaitable::register_coroutines(
            py,
            &[
                py.get_type::<SendCall>(),
                py.get_type::<ReceiveCall>(),
                py.get_type::<AppCall>(),
            ],
        )
    }
}
