//! When the next worker may be started after some have failed: at once after the first failure of
//! a good worker, and later and later while they go on to fail.

use std::time::{Duration, Instant};

/// The first pause.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(32);
/// A worker that has served for so long was a good one: counting begins anew.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    /// 0: no pause; n: the n-th.
    level: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// A worker has ended that should not have; it had served for `served`, `None` if it never
    /// got to serve. Returns how long to wait before the next one is started.
    pub fn failed(&mut self, now: Instant, served: Option<Duration>) -> Duration {
        if served.is_some_and(|served| served >= GOOD_AFTER) {
            self.level = 0;
        }
        let level = match served {
            Some(_) => self.level,
            None => self.level.max(1),
        };
        self.level = level.saturating_add(1);
        let pause = match level {
            0 => Duration::ZERO,
            nth => PAUSE_MIN
                .saturating_mul(1 << (nth - 1).min(16))
                .min(PAUSE_MAX),
        };
        self.until = Some(now + pause);
        pause
    }

    /// When the next may be started, if that is not now.
    pub fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, served: Option<u64>) -> u64 {
        backoff
            .failed(Instant::now(), served.map(Duration::from_secs))
            .as_secs()
    }

    #[test]
    fn pauses_grow_while_no_worker_starts() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..8).map(|_| seconds(&mut backoff, None)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32, 32]);
    }

    #[test]
    fn a_good_worker_is_replaced_at_once_every_time() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            assert_eq!(seconds(&mut backoff, Some(60)), 0);
        }
    }

    #[test]
    fn workers_that_die_young_are_replaced_later_and_later() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..4).map(|_| seconds(&mut backoff, Some(1))).collect();
        assert_eq!(pauses, [0, 1, 2, 4]);
        assert_eq!(seconds(&mut backoff, Some(60)), 0);
        assert_eq!(seconds(&mut backoff, None), 1);
    }

    #[test]
    fn the_pause_ends() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        assert_eq!(backoff.until(now), None);
        backoff.failed(now, None);
        assert_eq!(backoff.until(now), Some(now + PAUSE_MIN));
        assert_eq!(backoff.until(now + PAUSE_MIN), None);
    }
}
