//! The Python stacks of the servers of this process, for whoever looks into it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::prelude::*;

use crate::asgi::border::Border;

/// The servers that run: their Python sides, and their loops' threads as Python numbers them.
static SERVERS: Mutex<Vec<(Weak<Border>, u64)>> = Mutex::new(Vec::new());

/// A server runs, on the loop of this thread.
pub fn add(py: Python<'_>, border: &Arc<Border>) -> PyResult<()> {
    let thread: u64 = py
        .import("threading")?
        .call_method0("get_ident")?
        .extract()?;
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    servers.retain(|(border, _)| border.strong_count() > 0);
    servers.push((Arc::downgrade(border), thread));
    Ok(())
}

/// A server has ended.
pub fn remove(border: &Arc<Border>) {
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    servers.retain(|(other, _)| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(border)));
}

/// What the loops' threads are at, and what each request waits for. Waits for the interpreter's
/// lock. `None`: there is no interpreter any more.
pub fn all() -> Option<String> {
    Python::try_attach(|py| {
        describe(py).unwrap_or_else(|error| format!("There are no Python stacks: {error}\n"))
    })
}

fn describe(py: Python<'_>) -> PyResult<String> {
    let servers: Vec<(Arc<Border>, u64)> = {
        let servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = servers.iter();
        known
            .filter_map(|(border, thread)| Some((border.upgrade()?, *thread)))
            .collect()
    };
    let module = py.import("smolcorn.stacks")?;
    let mut text = String::new();
    for (border, thread) in servers {
        let running = border.keyed(py);
        let part: String = module
            .call_method1("describe", (thread, running))?
            .extract()?;
        text.push_str(&part);
    }
    let threads: String = module.call_method0("describe_threads")?.extract()?;
    text.push_str(&threads);
    Ok(text)
}
