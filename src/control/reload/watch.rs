//! The thread that watches: by the system's events where there are any, else by looking.
//!
//! Events come from the crate `notify`, which is asked for single folders only, so that no folder
//! is watched that is pruned. Where the system watches whole trees at no cost (macOS, Windows) it
//! is asked for the roots, and events from pruned folders are dropped. When the system can watch
//! no more folders, or a folder is on a file system that tells nothing, the thread looks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use smolcorn_actors::thread;

use super::burst::{Burst, Quiet};
use super::filter::Filter;
use super::plan::Plan;
use super::poll::Poller;
use super::tree::{Change, Tree, Watcher, What};

/// The system watches a folder with all that is below it, at no cost for each of them.
const RECURSES: bool = cfg!(any(target_os = "macos", windows));

/// A watched root that has gone away is looked for again so often.
const MISSING_ROOT_INTERVAL: Duration = Duration::from_millis(500);

/// How often the files are looked at, at most.
const POLL_INTERVAL_MIN: Duration = Duration::from_millis(50);

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The system tells.
    Events,
    /// By looking.
    Polling,
}

impl Means {
    /// Its name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Means::Events => "FileEvents",
            Means::Polling => "FilePolling",
        }
    }
}

/// What the thread has to tell.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// A burst of changes is over.
    Changes(Vec<PathBuf>),
    /// From now on the files are looked at, because of this.
    PollingInstead(String),
}

/// What to watch, and how.
#[derive(Clone, Debug)]
pub struct Watching {
    /// The folders and patterns.
    pub plan: Plan,
    /// How long it must be quiet after a change.
    pub quiet: Quiet,
    /// Between two looks, where looking is needed.
    pub poll_interval: Duration,
    /// Look, whatever the system can do.
    pub always_poll: bool,
}

/// Whom the thread tells; false: nobody listens any more.
type Tell = Box<dyn FnMut(Seen) -> bool + Send>;

/// Begins to watch, and starts the thread. What changes after the return is noticed.
///
/// Returns how it is watched, and if by looking though it was not asked for, why.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    watching: Watching,
    tell: impl FnMut(Seen) -> bool + Send + 'static,
) -> io::Result<(Means, Option<String>)> {
    let filter = Filter::new(&watching.plan);
    let tell: Tell = Box::new(tell);
    let (events, why) = match reason_to_poll(&watching) {
        Some(why) => (None, why),
        None => match Events::begin(&watching.plan, &filter) {
            Ok(events) => (Some(events), None),
            Err(why) => (None, Some(why)),
        },
    };
    let means = match events {
        Some(_) => Means::Events,
        None => Means::Polling,
    };
    let poller = match events {
        Some(_) => None,
        None => Some(Poller::new(filter.clone(), watching.plan.folders.clone())),
    };
    let watcher = WatchThread {
        watching,
        filter,
        tell,
    };
    thread::spawn("smolcorn-watch", move || watcher.run(events, poller))?;
    Ok((means, why))
}

/// `Some` if the files are to be looked at; inside, why, if the user does not know.
fn reason_to_poll(watching: &Watching) -> Option<Option<String>> {
    if watching.always_poll {
        return Some(None);
    }
    let silent = watching
        .plan
        .folders
        .iter()
        .find(|folder| is_silent(folder))?;
    let why = format!(
        "{} is on a file system that reports no changes",
        silent.display()
    );
    Some(Some(why))
}

/// Whether `folder` is on a file system where others make changes that this system does not see.
#[cfg(target_os = "linux")]
fn is_silent(folder: &Path) -> bool {
    // From linux/magic.h and the file systems' own headers.
    const SILENT: &[u64] = &[
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB 2
        0x0102_1997, // 9P: Windows' drives under WSL 2, shared folders of virtual machines
        0x6573_5546, // FUSE: sshfs, virtiofs, shared folders of containers on a desktop
        0x786f_4256, // VirtualBox' shared folders
        0x5346_414f, // AFS
        0x7375_7245, // Coda
        0x00c3_6400, // Ceph
    ];
    rustix::fs::statfs(folder).is_ok_and(|about| {
        // The field is signed on some machines, and has 32 bits on some.
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
        let kind = about.f_type as u64 & 0xffff_ffff;
        SILENT.contains(&kind)
    })
}

#[cfg(not(target_os = "linux"))]
fn is_silent(_folder: &Path) -> bool {
    false
}

struct WatchThread {
    watching: Watching,
    filter: Filter,
    tell: Tell,
}

impl WatchThread {
    fn run(mut self, events: Option<Events>, poller: Option<Poller>) {
        if let Some(events) = events {
            let Some(why) = self.follow(events) else {
                return;
            };
            if !(self.tell)(Seen::PollingInstead(why)) {
                return;
            }
        }
        let roots = self.watching.plan.folders.clone();
        let poller = poller.unwrap_or_else(|| Poller::new(self.filter.clone(), roots));
        self.look(poller);
    }

    /// Follows the system's events. Returns why it cannot go on; `None`: nobody listens.
    fn follow(&mut self, mut events: Events) -> Option<String> {
        let mut burst = Burst::new(self.watching.quiet);
        loop {
            let now = Instant::now();
            let over = burst
                .over_at()
                .map(|over| over.saturating_duration_since(now));
            let missing = events.root_is_missing().then_some(MISSING_ROOT_INTERVAL);
            let changes = match events.wait(over.into_iter().chain(missing).min()) {
                Ok(changes) => changes,
                Err(why) => return Some(why),
            };
            for change in changes {
                burst.add(change.path, change.was_there, Instant::now());
            }
            let mut changed = burst.take(Instant::now(), Path::exists);
            changed.retain(|path| events.tree.holds(path));
            if !changed.is_empty() && !(self.tell)(Seen::Changes(changed)) {
                return None;
            }
        }
    }

    /// Looks again and again.
    fn look(mut self, mut poller: Poller) {
        let mut burst = Burst::new(self.watching.quiet);
        let interval = self.watching.poll_interval.max(POLL_INTERVAL_MIN);
        let mut next_look = Instant::now() + interval;
        loop {
            let wake = burst
                .over_at()
                .map_or(next_look, |over| over.min(next_look));
            sleep(wake.saturating_duration_since(Instant::now()));
            if Instant::now() >= next_look {
                for change in poller.changes() {
                    burst.add(change.path, change.was_there, Instant::now());
                }
                next_look = Instant::now() + interval;
            }
            let changed = burst.take(Instant::now(), Path::exists);
            if !changed.is_empty() && !(self.tell)(Seen::Changes(changed)) {
                return;
            }
        }
    }
}

/// The system's events, and the folders that they are about.
struct Events {
    tree: Tree<NativeWatcher>,
    incoming: Receiver<notify::Result<Event>>,
    roots: Vec<PathBuf>,
}

impl Events {
    /// Watches what `plan` says. The error says why that is not to be had.
    fn begin(plan: &Plan, filter: &Filter) -> Result<Events, String> {
        let (sender, incoming) = mpsc::channel();
        // Who receives has ended with the program.
        let watcher = notify::recommended_watcher(move |event| drop(sender.send(event)))
            .map_err(|error| describe(&error))?;
        let watcher = NativeWatcher {
            watcher,
            roots: plan.folders.clone(),
        };
        Ok(Events {
            tree: Tree::new(watcher, filter.clone(), plan.folders.clone())?,
            incoming,
            roots: plan.folders.clone(),
        })
    }

    fn root_is_missing(&self) -> bool {
        self.roots.iter().any(|root| !self.tree.watches(root))
    }

    /// Waits for an event, but not longer than `timeout`, and takes all that have come. The error
    /// says why there will be no more.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<Change>, String> {
        let gone = || "its events have ended".to_owned();
        let mut event = match timeout {
            None => Some(self.incoming.recv().map_err(|_| gone())?),
            Some(timeout) => match self.incoming.recv_timeout(timeout) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            },
        };
        let mut changes = Vec::new();
        if event.is_none() && self.root_is_missing() {
            for root in self.roots.clone() {
                if !self.tree.watches(&root) {
                    changes.extend(self.tree.apply(&root, What::Changed)?);
                }
            }
        }
        while let Some(came) = event {
            changes.extend(self.handle(&came.map_err(|error| describe(&error))?)?);
            event = self.incoming.try_recv().ok();
        }
        Ok(changes)
    }

    fn handle(&mut self, event: &Event) -> Result<Vec<Change>, String> {
        if event.need_rescan() {
            let mut changes = self.tree.start_over()?;
            if changes.is_empty() {
                // Whatever was written, somebody was busy: the application is started anew.
                changes.extend(self.roots.first().map(|root| Change {
                    path: root.clone(),
                    was_there: true,
                }));
            }
            return Ok(changes);
        }
        let mut changes = Vec::new();
        for path in &event.paths {
            if let Some(what) = what(&event.kind, path) {
                changes.extend(self.tree.apply(path, what)?);
            }
        }
        Ok(changes)
    }
}

/// What an event says of `path`; `None` for those that change nothing.
fn what(kind: &EventKind, path: &Path) -> Option<What> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(What::Changed),
        EventKind::Access(_) => None,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
            Some(What::Gone)
        }
        EventKind::Modify(ModifyKind::Name(RenameMode::Any | RenameMode::Both)) => {
            Some(if path.symlink_metadata().is_ok() {
                What::Changed
            } else {
                What::Gone
            })
        }
        _ => Some(What::Changed),
    }
}

/// The crate's watcher.
struct NativeWatcher {
    watcher: RecommendedWatcher,
    roots: Vec<PathBuf>,
}

impl Watcher for NativeWatcher {
    fn watch(&mut self, folder: &Path) -> Result<(), String> {
        let mode = if RECURSES {
            if !self.roots.iter().any(|root| root == folder) {
                return Ok(());
            }
            RecursiveMode::Recursive
        } else {
            RecursiveMode::NonRecursive
        };
        match self.watcher.watch(folder, mode) {
            Ok(()) => Ok(()),
            Err(error) if concerns_one_folder(&error) => Ok(()),
            Err(error) => Err(describe(&error)),
        }
    }

    fn unwatch(&mut self, folder: &Path) {
        // The crate has mostly seen for itself that the folder is gone.
        let _ = self.watcher.unwatch(folder);
    }
}

/// The folder is gone again, or closed to us: the others are watched all the same.
fn concerns_one_folder(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::NotADirectory
        ),
        _ => false,
    }
}

fn describe(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the system's limit on watched directories is reached (fs.inotify.max_user_watches)"
                .to_owned()
        }
        ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::fs;

    use super::*;
    use crate::reload::plan::Asked;
    use crate::reload::testing::Folder;

    /// It only ends hopeless waits.
    const DEADLINE: Duration = Duration::from_secs(20);

    fn watch(folder: &Folder, always_poll: bool) -> (Means, Receiver<Seen>) {
        let (sender, seen) = mpsc::channel();
        let watching = Watching {
            plan: Plan::new(&Asked::default(), folder.root()),
            quiet: Quiet::UpTo(Duration::from_millis(100)),
            poll_interval: Duration::from_millis(50),
            always_poll,
        };
        let (means, why) = start(watching, move |what| sender.send(what).is_ok()).unwrap();
        assert_eq!(why, None);
        (means, seen)
    }

    fn next(folder: &Folder, seen: &Receiver<Seen>) -> Vec<String> {
        match seen.recv_timeout(DEADLINE).unwrap() {
            Seen::Changes(paths) => paths
                .iter()
                .map(|path| {
                    path.strip_prefix(folder.root())
                        .unwrap()
                        .display()
                        .to_string()
                })
                .collect(),
            Seen::PollingInstead(why) => panic!("{why}"),
        }
    }

    fn changes_are_told(always_poll: bool) {
        let folder = Folder::new();
        folder.write("old.py", "");
        let (means, seen) = watch(&folder, always_poll);
        let expected = if always_poll {
            Means::Polling
        } else {
            Means::Events
        };
        assert_eq!(means, expected);
        folder.write("a/b/new.py", "1");
        assert_eq!(next(&folder, &seen), ["a/b/new.py"]);
        folder.write("node_modules/x.py", "1");
        fs::rename(folder.path("a/b/new.py"), folder.path("a/b/newer.py")).unwrap();
        assert_eq!(next(&folder, &seen), ["a/b/new.py", "a/b/newer.py"]);
        fs::remove_file(folder.path("old.py")).unwrap();
        assert_eq!(next(&folder, &seen), ["old.py"]);
    }

    #[test]
    fn changes_are_told_by_events() {
        if cfg!(target_os = "linux") {
            changes_are_told(false);
        }
    }

    #[test]
    fn changes_are_told_by_looking() {
        changes_are_told(true);
    }

    #[test]
    fn opening_and_reading_change_nothing() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        for kind in [open, read] {
            assert_eq!(what(&kind, Path::new("x.py")), None);
        }
    }
}
