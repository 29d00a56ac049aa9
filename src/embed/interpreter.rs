//! The interpreter inside this process: started as `python` would start it, ended as it would
//! end.
//!
//! It is configured like the environment's own command and not as an isolated one: `PYTHON*`
//! variables count, standard streams are buffered alike, and the interpreter's signal handlers
//! are installed, so that Ctrl-C raises KeyboardInterrupt wherever Python code runs and
//! `signal.signal` works. This file has the only `unsafe` code of the binary.

use std::ffi::{CStr, CString, OsStr, OsString, c_char};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::path::Path;

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::ffi;
use pyo3::prelude::*;

use super::{BUILT_FOR, complain, package};

/// Exit code when the interpreter cannot write out its buffers at the end, as `python`'s.
const EXIT_UNFLUSHED: i32 = 120;

/// Exit code after a KeyboardInterrupt that nobody caught, as a shell reports it.
const EXIT_INTERRUPTED: i32 = 130;

/// A running interpreter. The thread that started it stays attached to it.
pub struct Interpreter {
    /// Python ends on the thread on which it began.
    same_thread: PhantomData<*mut ()>,
}

impl Interpreter {
    /// Starts Python as `python` would start, with the package importable from `program`, which
    /// is this binary. `argv` becomes `sys.argv`.
    ///
    /// # Errors
    /// One line, when Python does not start: mostly a damaged or a foreign installation.
    pub fn start(python: &Path, program: &Path, argv: &[OsString]) -> Result<Interpreter, String> {
        // Python's handlers of signals want more room than the stack that Rust has set aside for
        // its own. No handler runs here, so it can be given up.
        #[cfg(unix)]
        let _ = smolcorn_actors::thread::handle_on_own_stack();
        register_core()
            .and_then(|()| initialize(python, argv))
            .and_then(|()| Python::attach(|py| prepare(py, program)))
            .map(|()| Interpreter {
                same_thread: PhantomData,
            })
            .map_err(|why| {
                format!(
                    "Python {BUILT_FOR} does not start as {}: {why}",
                    python.display()
                )
            })
    }

    /// Runs `main` and returns the exit code. An exception that comes out of it is treated as
    /// `python` treats one at top level.
    pub fn run(&self, main: impl FnOnce(Python<'_>) -> PyResult<i32>) -> i32 {
        Python::attach(|py| main(py).unwrap_or_else(|error| exit_code(py, &error)))
    }

    /// Ends Python: joins its threads, runs `atexit` functions, writes out its streams. Returns
    /// the exit code, which a failure to write changes.
    pub fn finish(self, exit_code: i32) -> i32 {
        // SAFETY: `self` says that this thread has initialised the interpreter and is attached
        // to it; it is gone after this, and so nobody calls Python again.
        match unsafe { ffi::Py_FinalizeEx() } {
            0 => exit_code,
            _ => EXIT_UNFLUSHED,
        }
    }
}

/// The name and version of the libpython that is loaded, as `CPython 3.13.0`.
pub fn interpreter_name() -> String {
    // SAFETY: may be called at any time; the text is a constant that ends with a NUL.
    let version = unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy();
    let number = version.split(' ').next().unwrap_or(BUILT_FOR);
    format!("CPython {number}")
}

/// Makes the extension module one of the interpreter's built-in ones.
fn register_core() -> Result<(), String> {
    // SAFETY: nothing has initialised Python yet, the name is a constant, and the function is
    // the one by which an interpreter loads the same module from a wheel.
    let status = unsafe {
        ffi::PyImport_AppendInittab(
            c"smolcorn._core".as_ptr(),
            Some(smolcorn::python::module::core_module::__pyo3_init),
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err("out of memory".to_owned())
    }
}

/// Initialises Python.
fn initialize(python: &Path, argv: &[OsString]) -> Result<(), String> {
    let python = text(python.as_os_str())?;
    let argv: Vec<CString> = argv.iter().map(|arg| text(arg)).collect::<Result<_, _>>()?;
    let mut configuration = Configuration::new();
    configuration.set_interpreter(&python)?;
    configuration.set_arguments(&argv)?;
    configuration.initialize()
}

/// Checks what the interpreter has found, and makes the package importable.
fn prepare(py: Python<'_>, program: &Path) -> Result<(), String> {
    // Distributions differ in which modules they build into the interpreter. One that is built
    // into the environment's and not into ours is nowhere, and no server runs without these.
    for name in ["math", "select", "_socket"] {
        py.import(name).map_err(|error| {
            format!(
                "{error}; its standard library was made for another build of Python {BUILT_FOR} \
                 than the one that this binary was linked with: build smolcorn with that Python, \
                 or install it there as a wheel"
            )
        })?;
    }
    package::install(py, program).map_err(|error| error.to_string())
}

/// A `PyConfig`; frees what it holds.
struct Configuration(ffi::PyConfig);

impl Configuration {
    /// That of the command `python`, but for the command line, which is not Python's to read.
    fn new() -> Configuration {
        let mut config = MaybeUninit::<ffi::PyConfig>::zeroed();
        // SAFETY: all fields are numbers and pointers, for which zero is a value, and the
        // function sets them in the memory that it is given.
        let mut config = unsafe {
            ffi::PyConfig_InitPythonConfig(config.as_mut_ptr());
            config.assume_init()
        };
        config.parse_argv = 0;
        config.install_signal_handlers = 1;
        Configuration(config)
    }

    /// Names the interpreter as which this process is to find its prefix and packages.
    fn set_interpreter(&mut self, python: &CStr) -> Result<(), String> {
        let config = &raw mut self.0;
        // SAFETY: `config` is initialised, each field belongs to it, and the text, which ends
        // with a NUL, is copied. The locale is set up by the first of these calls.
        let statuses = unsafe {
            [
                &raw mut (*config).program_name,
                &raw mut (*config).executable,
            ]
            .map(|field| ffi::PyConfig_SetBytesString(config, field, python.as_ptr()))
        };
        statuses.iter().try_for_each(check)
    }

    /// Sets `sys.argv`.
    fn set_arguments(&mut self, argv: &[CString]) -> Result<(), String> {
        let mut items: Vec<*const c_char> = argv.iter().map(|arg| arg.as_ptr()).collect();
        let count = ffi::Py_ssize_t::try_from(items.len()).map_err(|error| error.to_string())?;
        // SAFETY: the configuration is initialised; `items` has `count` pointers to texts that
        // end with a NUL and live until the call, which copies them, is over.
        check(&unsafe { ffi::PyConfig_SetBytesArgv(&mut self.0, count, items.as_mut_ptr()) })
    }

    /// Starts the interpreter.
    fn initialize(&self) -> Result<(), String> {
        // SAFETY: the configuration is initialised and is only read; this thread is the only
        // one, and Python is not initialised.
        check(&unsafe { ffi::Py_InitializeFromConfig(&self.0) })
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        // SAFETY: `new` has initialised it; what it holds is its own.
        unsafe { ffi::PyConfig_Clear(&mut self.0) }
    }
}

/// Turns a `PyStatus` into its message.
fn check(status: &ffi::PyStatus) -> Result<(), String> {
    // SAFETY: it only looks at the value.
    if unsafe { ffi::PyStatus_Exception(*status) } == 0 {
        return Ok(());
    }
    if status.err_msg.is_null() {
        return Err(format!("it wants to exit with {}", status.exitcode));
    }
    // SAFETY: not null; Python's messages are constants that end with a NUL.
    let message = unsafe { CStr::from_ptr(status.err_msg) };
    Err(message.to_string_lossy().into_owned())
}

/// For Python's C functions.
fn text(text: &OsStr) -> Result<CString, String> {
    CString::new(text.as_encoded_bytes()).map_err(|error| error.to_string())
}

/// What `python` exits with when this exception reaches its top level; prints what it prints.
fn exit_code(py: Python<'_>, error: &PyErr) -> i32 {
    if !error.is_instance_of::<PySystemExit>(py) {
        error.print(py);
        let interrupted = error.is_instance_of::<PyKeyboardInterrupt>(py);
        return if interrupted { EXIT_INTERRUPTED } else { 1 };
    }
    let Ok(code) = error.value(py).getattr("code") else {
        return 1;
    };
    if code.is_none() {
        return 0;
    }
    code.extract().unwrap_or_else(|_| {
        complain(&code.to_string());
        1
    })
}
