//! Per-actor tracing of the server: where its events go, and what is known of them beyond the
//! actors crate.
//!
//! ```text
//!   words.rs   messages of HTTP and of WebSockets, as traces name them
//!   work.rs    what the application does for a request: running, waiting
//!   this file  --log-level trace, --trace-file: opens and closes what takes the events
//! ```
//!
//! Nothing here knows Python.

mod words;
pub mod work;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use smolcorn_actors::actor::ActorName;
use smolcorn_actors::mailbox::Address;
use smolcorn_actors::messages::ToDispatch;
use smolcorn_actors::trace::chrome::TraceFile;
use smolcorn_actors::trace::{self, Event, Filter, Sink, Subscription, What};

use crate::config::TraceConfig;
use crate::http::machine::HttpMachine;

/// Trace files of this process that are being written.
static OPEN_FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// What takes the events of a server, from its start to its end.
#[derive(Default)]
pub struct Tracing {
    lines: Option<Subscription>,
    file: Option<(Subscription, Arc<TraceFile>, PathBuf)>,
}

impl Tracing {
    /// Begins to trace as the settings say. With `has_lines` each event becomes a line, which goes
    /// to the dispatch actor, for that one can log. `in_worker`: other processes have the same
    /// settings, and each needs a file of its own.
    ///
    /// # Errors
    /// The text for the user: the file cannot be written.
    pub fn start(
        config: &TraceConfig,
        has_lines: bool,
        in_worker: bool,
        dispatch: &Address<ToDispatch<HttpMachine>>,
    ) -> Result<Tracing, String> {
        let mut tracing = Tracing::default();
        let filter = filter(config);
        if has_lines {
            let lines = Lines(dispatch.clone());
            tracing.lines = Some(trace::subscribe(filter.clone(), Arc::new(lines)));
        }
        if let Some(path) = &config.file {
            let path = if in_worker {
                with_number(path, std::process::id())
            } else {
                path.clone()
            };
            let complaint = |why: &dyn std::fmt::Display| {
                format!("Cannot write the trace file '{}': {why}", path.display())
            };
            let mut open = OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner);
            if open.contains(&path) {
                return Err(complaint(&"another server of this process writes it"));
            }
            let file = TraceFile::create(&path, filter.clone()).map_err(|why| complaint(&why))?;
            let file = Arc::new(file);
            open.push(path.clone());
            drop(open);
            let subscription = trace::subscribe(filter, Arc::clone(&file) as _);
            tracing.file = Some((subscription, file, path));
        }
        Ok(tracing)
    }

    /// Ends it, and completes the file. What the operator should know of that is returned.
    pub fn finish(self) -> Option<String> {
        drop(self.lines);
        let (subscription, file, path) = self.file?;
        drop(subscription);
        let result = file.finish();
        let mut open = OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|other| *other != path);
        drop(open);
        let path = path.display();
        match result {
            Ok(0) => None,
            Ok(dropped) => Some(format!(
                "{dropped} events are missing in the trace file '{path}', which could not be \
                 written fast enough."
            )),
            Err(error) => Some(format!("The trace file '{path}' is incomplete: {error}")),
        }
    }
}

fn filter(config: &TraceConfig) -> Filter {
    Filter {
        // The command line has checked them.
        actors: config
            .actors
            .iter()
            .filter_map(|actor| actor.parse().ok())
            .collect(),
        share: config
            .share_millionths
            .map(|millionths| f64::from(millionths) / 1e6),
    }
}

/// `trace.json` becomes `trace.123.json`.
fn with_number(path: &Path, number: u32) -> PathBuf {
    match path.extension() {
        Some(extension) => {
            let mut end = std::ffi::OsString::from(format!("{number}."));
            end.push(extension);
            path.with_extension(end)
        }
        None => path.with_extension(number.to_string()),
    }
}

/// Makes events into lines of the log.
struct Lines(Address<ToDispatch<HttpMachine>>);

impl Sink for Lines {
    fn record(&self, event: &Event<'_>) {
        if let Some(line) = event.line() {
            // Refused only when the dispatch actor has ended, and then nobody reads the log.
            let _ = self.0.send(ToDispatch::Trace(line));
        }
    }
}

/// Does part of the dispatch actor's work, and lets a trace show how long that took.
#[inline]
pub fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    if !trace::enabled() {
        return work();
    }
    let entered = trace::enter(ActorName::Dispatch);
    let done = work();
    entered.finish(name, &[]);
    done
}

/// What a trace was last told of how many there are.
#[derive(Debug, Default)]
pub struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Counts {
    /// Tells how many connections are open and how many applications run, if that has changed.
    #[cold]
    pub fn tell(&self, connections: usize, requests: usize) {
        for (last, now, what) in [
            (&self.connections, connections, "connections"),
            (&self.requests, requests, "requests in flight"),
        ] {
            if last.swap(now, Ordering::Relaxed) != now {
                trace::note(ActorName::Dispatch, || What::Count(what, now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workers_file_has_its_number_before_the_extension() {
        for (path, expected) in [
            ("/a/trace.json", "/a/trace.7.json"),
            ("trace", "trace.7"),
            ("a.b/x.y.json", "a.b/x.y.7.json"),
        ] {
            assert_eq!(with_number(Path::new(path), 7), Path::new(expected));
        }
    }
}
