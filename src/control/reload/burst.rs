//! A burst of changes: an editor that saves, a checkout, a formatter. It ends when it is quiet.
//!
//! Time comes in from outside. A single save is over soon; the longer a burst has lasted, the
//! longer it must be quiet, so that a long one is one burst and a short one costs little.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So long it must be quiet at least, unless the user wants less.
pub const QUIET_MIN: Duration = Duration::from_millis(50);

/// A burst that goes on so long is handed on as it is: something writes all the time.
pub const BURST_MAX: Duration = Duration::from_secs(5);

/// How long it must be quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// As long as the burst has lasted, at least [`QUIET_MIN`] and at most so long.
    UpTo(Duration),
    /// Exactly so long.
    Exactly(Duration),
}

/// The changes of one burst.
#[derive(Debug)]
pub struct Burst {
    quiet: Quiet,
    /// The paths, and whether each was there before the burst.
    paths: BTreeMap<PathBuf, bool>,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Burst {
    /// No changes yet.
    pub fn new(quiet: Quiet) -> Burst {
        Burst {
            quiet,
            paths: BTreeMap::new(),
            first: None,
            last: None,
        }
    }

    /// A file has changed; `was_there` before.
    pub fn add(&mut self, path: PathBuf, was_there: bool, now: Instant) {
        if self.paths.is_empty() {
            // What follows closely belongs to the burst before, which just seemed to be over.
            let close = self
                .last
                .is_some_and(|last| now.saturating_duration_since(last) <= self.quiet_max());
            if !close {
                self.first = Some(now);
            }
        }
        self.last = Some(now);
        self.paths.entry(path).or_insert(was_there);
    }

    /// When the burst is over, if nothing else comes.
    pub fn over_at(&self) -> Option<Instant> {
        if self.paths.is_empty() {
            return None;
        }
        let (first, last) = (self.first?, self.last?);
        let quiet = match self.quiet {
            Quiet::Exactly(quiet) => quiet,
            Quiet::UpTo(max) => {
                let lasted = last.saturating_duration_since(first);
                lasted.clamp(QUIET_MIN.min(max), max)
            }
        };
        Some((last + quiet).min(first + BURST_MAX.max(quiet)))
    }

    /// The changes, if the burst is over: without those files that have come and gone in it.
    /// `is_there` says whether a file exists.
    pub fn take(&mut self, now: Instant, is_there: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        if self.over_at().is_none_or(|over| now < over) {
            return Vec::new();
        }
        if self.lasted_too_long(now) {
            self.first = Some(now);
        }
        std::mem::take(&mut self.paths)
            .into_iter()
            .filter(|(path, was_there)| *was_there || is_there(path))
            .map(|(path, _)| path)
            .collect()
    }

    fn lasted_too_long(&self, now: Instant) -> bool {
        self.first
            .is_some_and(|first| now.saturating_duration_since(first) >= BURST_MAX)
    }

    fn quiet_max(&self) -> Duration {
        match self.quiet {
            Quiet::Exactly(quiet) | Quiet::UpTo(quiet) => quiet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP_TO: Quiet = Quiet::UpTo(Duration::from_millis(250));

    /// A burst, and the time that a test makes.
    struct Clock {
        burst: Burst,
        begin: Instant,
    }

    impl Clock {
        fn new(quiet: Quiet) -> Clock {
            Clock {
                burst: Burst::new(quiet),
                begin: Instant::now(),
            }
        }

        fn at(&self, milliseconds: u64) -> Instant {
            self.begin + Duration::from_millis(milliseconds)
        }

        fn add(&mut self, name: &str, milliseconds: u64) {
            let now = self.at(milliseconds);
            self.burst.add(name.into(), true, now);
        }

        fn over_at(&self) -> Option<u128> {
            let over = self.burst.over_at()?;
            Some(over.duration_since(self.begin).as_millis())
        }

        fn take(&mut self, milliseconds: u64) -> Vec<PathBuf> {
            let now = self.at(milliseconds);
            self.burst.take(now, |_| true)
        }
    }

    #[test]
    fn nothing_is_never_over() {
        let mut clock = Clock::new(UP_TO);
        assert_eq!(clock.over_at(), None);
        assert!(clock.take(10_000).is_empty());
    }

    #[test]
    fn a_single_save_is_over_soon_and_only_once() {
        let mut clock = Clock::new(UP_TO);
        clock.add("a.py", 0);
        clock.add("a.py", 1);
        assert_eq!(clock.over_at(), Some(51));
        assert!(clock.take(50).is_empty());
        assert_eq!(clock.take(51), [Path::new("a.py")]);
        assert_eq!(clock.over_at(), None);
        assert!(clock.take(1000).is_empty());
    }

    #[test]
    fn a_burst_must_be_quiet_as_long_as_it_lasted() {
        let mut clock = Clock::new(UP_TO);
        for (name, time) in [("b.py", 0), ("a.py", 40), ("c.py", 80), ("d.py", 120)] {
            assert!(clock.take(time).is_empty());
            clock.add(name, time);
        }
        assert_eq!(clock.over_at(), Some(240));
        clock.add("e.py", 200);
        assert_eq!(clock.over_at(), Some(400));
        for time in (250..2000).step_by(50) {
            clock.add("f.py", time);
        }
        assert_eq!(clock.over_at(), Some(1950 + 250));
        assert_eq!(clock.take(2200).len(), 6);
    }

    #[test]
    fn what_follows_closely_belongs_to_the_burst_before() {
        let mut clock = Clock::new(UP_TO);
        clock.add("a.py", 0);
        assert_eq!(clock.take(60).len(), 1);
        clock.add("b.py", 150);
        assert_eq!(clock.over_at(), Some(300));
        assert_eq!(clock.take(300).len(), 1);
        clock.add("c.py", 1000);
        assert_eq!(clock.over_at(), Some(1050));
    }

    #[test]
    fn somebody_who_writes_all_the_time_does_not_hold_it_for_ever() {
        let mut clock = Clock::new(UP_TO);
        let mut taken = 0;
        for time in (0..20_000).step_by(40) {
            taken += usize::from(!clock.take(time).is_empty());
            clock.add("a.py", time);
        }
        assert_eq!(taken, 3);
    }

    #[test]
    fn the_users_own_time_is_kept_to() {
        let mut clock = Clock::new(Quiet::Exactly(Duration::from_secs(1)));
        clock.add("a.py", 0);
        clock.add("a.py", 900);
        assert_eq!(clock.over_at(), Some(1900));
        let mut clock = Clock::new(Quiet::Exactly(Duration::ZERO));
        clock.add("a.py", 5);
        assert_eq!(clock.over_at(), Some(5));
        assert_eq!(clock.take(5).len(), 1);
        let mut clock = Clock::new(Quiet::UpTo(Duration::from_millis(10)));
        clock.add("a.py", 0);
        assert_eq!(clock.over_at(), Some(10));
    }

    #[test]
    fn a_file_that_came_and_went_is_no_change() {
        let begin = Instant::now();
        let mut burst = Burst::new(Quiet::Exactly(Duration::ZERO));
        burst.add("new.py".into(), false, begin);
        burst.add("old.py".into(), true, begin);
        burst.add("temporary.py".into(), false, begin);
        // Seen as known by now; what counts is how it was before the burst.
        burst.add("temporary.py".into(), true, begin);
        let there = |path: &Path| path == Path::new("new.py");
        assert_eq!(
            burst.take(begin, there),
            [Path::new("new.py"), Path::new("old.py")]
        );
    }
}
