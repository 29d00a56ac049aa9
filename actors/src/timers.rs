//! The clock and the timer wheel of one thread.
//!
//! The time is read once per turn. All timers of a thread share one coarse wheel; a timer is a
//! cell in it. Moving a deadline later, which is what nearly every request does, is a store: the
//! wheel's entry stays where it is and is put further ahead when it comes up too early. The wheel
//! holds a timer's waker and nothing else of its owner, and lets go of it when the timer is
//! dropped.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use slab::Slab;

/// How exact timers are: none fires early, each at most this much late (plus the driver's delay).
pub const TICK: Duration = Duration::from_millis(100);

/// Slots of the wheel; a power of two. Deadlines further ahead than this many ticks wait in the
/// last slot and are put further ahead from there.
const SLOTS: usize = 512;

/// A point in time, in ticks since the clock began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(u64);

/// What time it is for the actors of one thread.
pub struct Clock {
    origin: Instant,
    now: Cell<Instant>,
    unix_seconds: Cell<u64>,
}

impl Clock {
    /// A clock that begins now.
    pub fn new() -> Clock {
        let now = Instant::now();
        let clock = Clock {
            origin: now,
            now: Cell::new(now),
            unix_seconds: Cell::new(0),
        };
        clock.refresh();
        clock
    }

    /// Reads the system's clocks. The driver does this at the beginning of each turn.
    pub fn refresh(&self) {
        self.now.set(Instant::now());
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        self.unix_seconds
            .set(since_epoch.map_or(0, |time| time.as_secs()));
    }

    /// The time at the beginning of the turn.
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// Seconds since 1970 at the beginning of the turn.
    pub fn unix_seconds(&self) -> u64 {
        self.unix_seconds.get()
    }

    /// The last tick that has begun.
    pub fn tick(&self) -> Tick {
        let passed = self.now.get().saturating_duration_since(self.origin);
        Tick(ticks(passed))
    }

    /// The first tick at which `after` has passed since the beginning of the turn.
    pub fn tick_after(&self, after: Duration) -> Tick {
        let passed = self.now.get().saturating_duration_since(self.origin);
        let until = passed.saturating_add(after).saturating_add(TICK);
        Tick(ticks(until.saturating_sub(Duration::from_nanos(1))))
    }

    /// When `tick` begins; `None` when that is beyond what the system's clock can say.
    fn instant(&self, tick: Tick) -> Option<Instant> {
        let millis = tick.0.checked_mul(TICK.as_millis() as u64)?;
        self.origin.checked_add(Duration::from_millis(millis))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

/// Whole ticks in `time`.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}

/// All timers of one thread.
pub struct Wheel {
    state: RefCell<State>,
}

struct State {
    cells: Slab<TimerCell>,
    /// `slots[tick % SLOTS]`: keys of the cells to look at when `tick` has come.
    slots: Vec<Vec<u32>>,
    /// One bit per slot: set when the slot is not empty.
    occupied: [u64; SLOTS / 64],
    /// All ticks before this one have been dealt with.
    cursor: Tick,
}

struct TimerCell {
    deadline: Option<Tick>,
    /// Where in the wheel this cell will be looked at next. Older entries elsewhere are stale.
    entry: Option<Tick>,
    waker: Waker,
}

impl Wheel {
    /// A wheel without timers.
    pub fn new() -> Rc<Wheel> {
        Rc::new(Wheel {
            state: RefCell::new(State {
                cells: Slab::new(),
                slots: vec![Vec::new(); SLOTS],
                occupied: [0; SLOTS / 64],
                cursor: Tick(0),
            }),
        })
    }

    /// A timer that wakes `waker` when its deadline has come. It has none at first.
    pub fn timer(self: &Rc<Self>, waker: &Waker) -> Timer {
        let key = self.state.borrow_mut().cells.insert(TimerCell {
            deadline: None,
            entry: None,
            waker: waker.clone(),
        });
        Timer {
            wheel: Rc::clone(self),
            key: key as u32,
        }
    }

    /// Wakes the owners of all timers whose deadline has come.
    pub fn advance(&self, clock: &Clock) {
        let now = clock.tick();
        while let Some(waker) = self.state.borrow_mut().next_due(now) {
            waker.wake();
        }
    }

    /// When [`advance`](Self::advance) has to be called next; possibly earlier than a timer
    /// really fires, never later. `None`: no timer is set.
    pub fn next_deadline(&self, clock: &Clock) -> Option<Instant> {
        let tick = self.state.borrow().next_occupied()?;
        clock.instant(tick)
    }
}

impl State {
    /// Takes one due timer out of the wheel. Moves the cursor to behind `now` when none is left.
    fn next_due(&mut self, now: Tick) -> Option<Waker> {
        while let Some(tick) = self.next_occupied().filter(|tick| *tick <= now) {
            self.cursor = tick;
            let slot = tick.0 as usize % SLOTS;
            while let Some(key) = self.slots.get_mut(slot).and_then(Vec::pop) {
                if let Some(waker) = self.look_at(key, tick, now) {
                    return Some(waker);
                }
            }
            self.empty_slot(slot);
        }
        self.cursor = self.cursor.max(Tick(now.0 + 1));
        None
    }

    /// A cell's entry at `tick` has come up: fire it, put it further ahead, or forget it.
    fn look_at(&mut self, key: u32, tick: Tick, now: Tick) -> Option<Waker> {
        let cell = self.cells.get_mut(key as usize)?;
        if cell.entry != Some(tick) {
            return None;
        }
        cell.entry = None;
        match cell.deadline? {
            deadline if deadline <= now => {
                cell.deadline = None;
                Some(cell.waker.clone())
            }
            deadline => {
                self.insert(key, deadline);
                None
            }
        }
    }

    fn insert(&mut self, key: u32, deadline: Tick) {
        let last = Tick(self.cursor.0 + SLOTS as u64 - 1);
        let tick = deadline.clamp(self.cursor, last);
        let slot = tick.0 as usize % SLOTS;
        if let (Some(entries), Some(cell)) =
            (self.slots.get_mut(slot), self.cells.get_mut(key as usize))
        {
            entries.push(key);
            cell.entry = Some(tick);
            if let Some(word) = self.occupied.get_mut(slot / 64) {
                *word |= 1 << (slot % 64);
            }
        }
    }

    fn empty_slot(&mut self, slot: usize) {
        if let Some(entries) = self.slots.get_mut(slot)
            && entries.capacity() > 64
        {
            *entries = Vec::new();
        }
        if let Some(word) = self.occupied.get_mut(slot / 64) {
            *word &= !(1 << (slot % 64));
        }
    }

    /// The first tick from the cursor on whose slot is not empty.
    fn next_occupied(&self) -> Option<Tick> {
        let start = self.cursor.0 as usize % SLOTS;
        let words = self.occupied.len();
        // The cursor's own word comes twice: its upper part first, its lower part last.
        for step in 0..=words {
            let index = (start / 64 + step) % words;
            let mut word = self.occupied.get(index).copied().unwrap_or(0);
            if step == 0 {
                word &= u64::MAX << (start % 64);
            } else if step == words {
                word &= !(u64::MAX << (start % 64));
            }
            if word != 0 {
                let slot = index * 64 + word.trailing_zeros() as usize;
                let ahead = (slot + SLOTS - start) % SLOTS;
                return Some(Tick(self.cursor.0 + ahead as u64));
            }
        }
        None
    }
}

/// One actor's timer. Dropping it frees everything it held.
pub struct Timer {
    wheel: Rc<Wheel>,
    key: u32,
}

impl Timer {
    /// Sets the deadline, or removes it. Waking happens at most once for each time it is set.
    pub fn set(&self, deadline: Option<Tick>) {
        let mut state = self.wheel.state.borrow_mut();
        let Some(cell) = state.cells.get_mut(self.key as usize) else {
            return;
        };
        cell.deadline = deadline;
        let Some(deadline) = deadline else { return };
        if cell.entry.is_none_or(|entry| deadline < entry) {
            state.insert(self.key, deadline);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // The waker may hold the last reference to a task: it is dropped after the borrow.
        let cell = self
            .wheel
            .state
            .borrow_mut()
            .cells
            .try_remove(self.key as usize);
        drop(cell);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A wheel, its clock, and a way to let time pass.
    struct Bench {
        clock: Clock,
        wheel: Rc<Wheel>,
    }

    impl Bench {
        fn new() -> Bench {
            let bench = Bench {
                clock: Clock::new(),
                wheel: Wheel::new(),
            };
            bench.at(0);
            bench
        }

        fn at(&self, millis: u64) {
            self.clock
                .now
                .set(self.clock.origin + Duration::from_millis(millis));
            self.wheel.advance(&self.clock);
        }

        fn timer(&self) -> (Timer, Arc<Count>) {
            let count = Arc::new(Count::default());
            (self.wheel.timer(&Waker::from(Arc::clone(&count))), count)
        }

        fn set(&self, timer: &Timer, after_millis: u64) {
            let after = Duration::from_millis(after_millis);
            timer.set(Some(self.clock.tick_after(after)));
        }

        fn next_millis(&self) -> Option<u128> {
            let next = self.wheel.next_deadline(&self.clock)?;
            Some((next - self.clock.origin).as_millis())
        }
    }

    fn fired(count: &Count) -> usize {
        count.0.load(Ordering::Relaxed)
    }

    #[test]
    fn a_timer_fires_once_and_never_early() {
        let bench = Bench::new();
        let (timer, count) = bench.timer();
        bench.at(50);
        bench.set(&timer, 230);
        assert_eq!(bench.next_millis(), Some(300));
        bench.at(279);
        assert_eq!(fired(&count), 0);
        bench.at(299);
        assert_eq!(fired(&count), 0);
        bench.at(300);
        assert_eq!(fired(&count), 1);
        bench.at(1_000_000);
        assert_eq!(fired(&count), 1);
        assert_eq!(bench.next_millis(), None);
    }

    #[test]
    fn a_deadline_moved_later_keeps_its_place_until_it_comes_up() {
        let bench = Bench::new();
        let (timer, count) = bench.timer();
        bench.set(&timer, 500);
        bench.at(400);
        bench.set(&timer, 500);
        assert_eq!(bench.next_millis(), Some(500), "the old place");
        bench.at(500);
        assert_eq!(fired(&count), 0);
        assert_eq!(bench.next_millis(), Some(900));
        bench.at(900);
        assert_eq!(fired(&count), 1);
    }

    #[test]
    fn a_deadline_moved_earlier_fires_there_and_only_there() {
        let bench = Bench::new();
        let (timer, count) = bench.timer();
        bench.set(&timer, 30_000);
        bench.set(&timer, 5_000);
        assert_eq!(bench.next_millis(), Some(5_000));
        bench.at(5_000);
        assert_eq!(fired(&count), 1);
        bench.set(&timer, 60_000);
        bench.at(30_000);
        assert_eq!(fired(&count), 1, "the entry at 30 s is stale");
        bench.at(65_000);
        assert_eq!(fired(&count), 2);
    }

    #[test]
    fn a_removed_deadline_does_not_fire() {
        let bench = Bench::new();
        let (timer, count) = bench.timer();
        bench.set(&timer, 200);
        timer.set(None);
        bench.at(10_000);
        assert_eq!(fired(&count), 0);
        assert_eq!(bench.next_millis(), None);
    }

    #[test]
    fn deadlines_beyond_the_wheel_are_kept() {
        let bench = Bench::new();
        let (timer, count) = bench.timer();
        let far = 7 * 24 * 3600 * 1000;
        bench.set(&timer, far);
        let mut turns = 0;
        while fired(&count) == 0 {
            let next = bench.next_millis().unwrap();
            assert!(next <= u128::from(far));
            bench.at(next as u64);
            turns += 1;
        }
        assert_eq!(bench.next_millis(), None);
        assert!(turns <= 7 * 24 * 3600 * 10 / (SLOTS - 1) + 2);
        bench.set(&timer, u64::MAX / 1_000_000);
        bench.at(far + 1);
        assert_eq!(fired(&count), 1);
    }

    #[test]
    fn a_dropped_timer_is_forgotten_and_its_number_can_be_used_again() {
        let bench = Bench::new();
        let (timer, count) = bench.timer();
        bench.set(&timer, 300);
        drop(timer);
        assert_eq!(Arc::strong_count(&count), 1, "the waker is let go at once");
        let (second, second_count) = bench.timer();
        bench.set(&second, 1_000);
        bench.at(300);
        assert_eq!((fired(&count), fired(&second_count)), (0, 0));
        bench.at(1_000);
        assert_eq!((fired(&count), fired(&second_count)), (0, 1));
    }

    proptest::proptest! {
        /// Against a model: each timer fires in the first advance at or after its tick.
        #[test]
        fn timers_fire_when_the_model_says(
            steps in proptest::collection::vec((0usize..8, 0u64..120_000, 0u64..30_000), 1..200)
        ) {
            let bench = Bench::new();
            let timers: Vec<_> = (0..8).map(|_| bench.timer()).collect();
            let mut due: Vec<Option<Tick>> = vec![None; 8];
            let mut fires = [0; 8];
            let mut now = 0;
            for (index, after, pass) in steps {
                let tick = bench.clock.tick_after(Duration::from_millis(after));
                let tick = (after % 7 != 0).then_some(tick);
                timers[index].0.set(tick);
                due[index] = tick;
                now += pass;
                bench.at(now);
                for (index, due) in due.iter_mut().enumerate() {
                    if due.is_some_and(|tick| tick <= bench.clock.tick()) {
                        *due = None;
                        fires[index] += 1;
                    }
                    proptest::prop_assert_eq!(fired(&timers[index].1), fires[index]);
                }
                let first = due.iter().flatten().min();
                if let Some(first) = first {
                    let next = bench.wheel.next_deadline(&bench.clock).unwrap();
                    proptest::prop_assert!(next <= bench.clock.instant(*first).unwrap());
                }
            }
        }
    }
}
