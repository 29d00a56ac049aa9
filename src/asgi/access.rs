//! The access log: written natively while nobody has changed how it is written, through Python's
//! logging otherwise.
//!
//! Whether lines are ours to write is asked of `smolcorn.access.native_plan()`; a cheap look at
//! the same logger, once for each turn that logs, tells when to ask again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::access_log::{AccessLog, Closing, Entry, Stuck};
use crate::asgi::exchange::LoggedRequest;
use crate::asgi::log::tell_if_failed;
use crate::http::response::reason_phrase;

/// While the log's reader takes nothing, signals are looked for this often.
const SIGNALS_INTERVAL: Duration = Duration::from_millis(100);

/// So long the end waits for the last lines to be read.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes a line for each response that starts.
pub struct AccessLogger {
    /// `--access-log`.
    enabled: bool,
    root_path: String,
    /// `smolcorn.access`.
    module: Option<Py<PyAny>>,
    /// The logger `uvicorn.access`.
    logger: Option<Py<PyAny>>,
    /// The look at the logger has been taken in this turn.
    checked: AtomicBool,
    route: Mutex<Route>,
}

/// How lines are written now.
struct Route {
    /// Natively, while the logger looks like this.
    native: Option<Native>,
    /// What the logger looked like when it was decided.
    look: Option<Look>,
}

struct Native {
    log: AccessLog,
    /// When waiting lines are to be handed over.
    flush_at: Option<Instant>,
}

/// What can be seen of a logger: identities and values that change when somebody configures it.
#[derive(PartialEq)]
struct Look(Vec<usize>);

impl AccessLogger {
    /// The access log of a server.
    pub fn new(py: Python<'_>, enabled: bool, root_path: &str) -> PyResult<AccessLogger> {
        let (module, logger) = if enabled {
            let logging = py.import("logging")?;
            (
                Some(py.import("smolcorn.access")?.into_any().unbind()),
                Some(
                    logging
                        .call_method1("getLogger", ("uvicorn.access",))?
                        .unbind(),
                ),
            )
        } else {
            (None, None)
        };
        Ok(AccessLogger {
            enabled,
            root_path: root_path.to_owned(),
            module,
            logger,
            checked: AtomicBool::new(false),
            route: Mutex::new(Route {
                native: None,
                look: None,
            }),
        })
    }

    /// Whether lines are written at all.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn route(&self) -> MutexGuard<'_, Route> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a response to `client` that starts with `status`.
    pub fn response_started(
        &self,
        py: Python<'_>,
        client: &str,
        request: &LoggedRequest,
        status: u16,
    ) {
        if let (Some(module), Some(logger)) = (&self.module, &self.logger) {
            let entry = self.entry(request, client, status);
            let written = self.write(py, &entry, module, logger);
            tell_if_failed(py, written, logger);
        }
    }

    fn write(
        &self,
        py: Python<'_>,
        entry: &Entry<'_>,
        module: &Py<PyAny>,
        logger: &Py<PyAny>,
    ) -> PyResult<()> {
        if !self.checked.swap(true, Ordering::Relaxed) {
            self.choose_route(py, module, logger)?;
        }
        let pushed = self
            .route()
            .native
            .as_mut()
            .map(|native| native.log.push(entry));
        if let Some(stuck) = pushed {
            return wait_for_reader(py, stuck, Stuck::wait, None).map(drop);
        }
        module.call_method1(
            py,
            intern!(py, "log_access"),
            (
                entry.client,
                entry.method,
                entry.full_path(),
                entry.version,
                entry.status,
            ),
        )?;
        Ok(())
    }

    /// Path and query of a request as log lines show them.
    pub fn path_of(&self, request: &LoggedRequest) -> String {
        self.entry(request, "", 0).full_path()
    }

    fn entry<'a>(&'a self, request: &'a LoggedRequest, client: &'a str, status: u16) -> Entry<'a> {
        let head = &request.head;
        Entry {
            client,
            method: head.method(),
            root_path: &self.root_path,
            path: head.path(),
            query: head.query(),
            version: head.version().as_str(),
            status,
            phrase: reason_phrase(status),
        }
    }

    /// Asks again how lines are to be written, if the logger does not look as it did.
    fn choose_route(&self, py: Python<'_>, module: &Py<PyAny>, logger: &Py<PyAny>) -> PyResult<()> {
        // What does not look like a logger of the standard library is not for us to write for,
        // and the plan says so.
        let look = Look::at(logger.bind(py)).ok();
        if look.is_some() && self.route().look == look {
            return Ok(());
        }
        let plan = module.call_method0(py, intern!(py, "native_plan"))?;
        let native = if plan.is_none(py) {
            None
        } else {
            let plan = plan.bind(py);
            // What the application has printed comes before our first line.
            plan.getattr("flush")?.call0()?;
            let colours = plan.getattr("use_colors")?.extract()?;
            Some(Native {
                log: open_log(plan.getattr("fd")?.extract()?, colours)?,
                flush_at: None,
            })
        };
        let before = {
            let mut route = self.route();
            route.look = look;
            std::mem::replace(&mut route.native, native)
        };
        match before {
            Some(mut before) => {
                wait_for_reader(py, before.log.close(), Closing::wait, None).map(drop)
            }
            None => Ok(()),
        }
    }

    /// A turn is over: the next line looks at the logger again, and a batch that is due goes out.
    pub fn end_of_turn(&self, now: Instant) {
        if self.enabled {
            self.checked.store(false, Ordering::Relaxed);
            if let Some(native) = &mut self.route().native {
                native.flush_at = native.log.flush_due(now);
            }
        }
    }

    /// When the lines that wait have to go out at the latest.
    pub fn next_flush(&self) -> Option<Instant> {
        if !self.enabled {
            return None;
        }
        self.route().native.as_ref()?.flush_at
    }

    /// Writes everything that waits. False when its reader takes nothing any more: then the rest
    /// is dropped after some seconds.
    pub fn close(&self, py: Python<'_>) -> PyResult<bool> {
        let native = self.route().native.take();
        let Some(mut native) = native else {
            return Ok(true);
        };
        let end = Instant::now() + LAST_LINES_TIMEOUT;
        wait_for_reader(py, native.log.close(), Closing::wait, Some(end))
    }
}

/// Waits for whoever reads the log, and may have stopped; false if that was so until `end`. Signals
/// are heard meanwhile, or the third one could not end the process. Nothing may be locked.
fn wait_for_reader<T: Send>(
    py: Python<'_>,
    mut left: Option<T>,
    wait: impl Fn(T, Duration) -> Result<(), T> + Sync,
    end: Option<Instant>,
) -> PyResult<bool> {
    while let Some(waiting) = left {
        left = py.detach(|| wait(waiting, SIGNALS_INTERVAL)).err();
        if left.is_some() {
            py.check_signals()?;
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Only Unix has descriptors to write to; elsewhere Python's logging writes.
#[cfg(unix)]
fn open_log(fd: std::os::fd::RawFd, colours: bool) -> PyResult<AccessLog> {
    Ok(AccessLog::to_descriptor(fd, colours)?)
}

#[cfg(not(unix))]
fn open_log(_fd: i32, _colours: bool) -> PyResult<AccessLog> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
}

impl Look {
    fn at(logger: &Bound<'_, PyAny>) -> PyResult<Look> {
        let py = logger.py();
        let mut seen = vec![
            logger.getattr(intern!(py, "level"))?.extract::<usize>()?,
            usize::from(logger.getattr(intern!(py, "disabled"))?.is_truthy()?),
            usize::from(logger.getattr(intern!(py, "propagate"))?.is_truthy()?),
            logger.getattr(intern!(py, "filters"))?.len()?,
            logger
                .getattr(intern!(py, "manager"))?
                .getattr(intern!(py, "disable"))?
                .extract::<usize>()?,
        ];
        let handlers = logger.getattr(intern!(py, "handlers"))?;
        for handler in handlers.cast::<PyList>()?.iter() {
            seen.push(handler.as_ptr() as usize);
            seen.push(handler.getattr(intern!(py, "level"))?.extract::<usize>()?);
            seen.push(handler.getattr(intern!(py, "filters"))?.len()?);
            let formatter = handler.getattr(intern!(py, "formatter"))?;
            seen.push(formatter.as_ptr() as usize);
            if let Some(stream) = handler.getattr_opt(intern!(py, "stream"))? {
                seen.push(stream.as_ptr() as usize);
            }
        }
        Ok(Look(seen))
    }
}
