//! What the clients count, and how it is told.

use std::time::Duration;

/// Finest step of the times kept, in microseconds; times are kept to about 1 in 64.
const STEPS_PER_OCTAVE: u64 = 64;
const OCTAVES: usize = 40;

/// Messages, times and errors of one run.
pub struct Tally {
    messages: u64,
    duration: Duration,
    /// How many times fell into each step of a scale on which steps grow with the value.
    steps: Vec<u64>,
    timed: u64,
    /// Connections that the server ended, or that broke.
    read_errors: u64,
    /// Messages of a wrong length, or frames that are no messages.
    wrong: u64,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new() -> Tally {
        Tally {
            messages: 0,
            duration: Duration::ZERO,
            steps: vec![0; OCTAVES * STEPS_PER_OCTAVE as usize],
            timed: 0,
            read_errors: 0,
            wrong: 0,
        }
    }

    /// One message has come.
    pub fn message(&mut self) {
        self.messages += 1;
    }

    /// A message has taken so long, there and back.
    pub fn time(&mut self, took: Duration) {
        let step = step_of(micros(took)).min(self.steps.len() - 1);
        if let Some(count) = self.steps.get_mut(step) {
            *count += 1;
        }
        self.timed += 1;
    }

    /// A connection has ended before its time.
    pub fn read_error(&mut self) {
        self.read_errors += 1;
    }

    /// Something has come that must not.
    pub fn wrong(&mut self) {
        self.wrong += 1;
    }

    /// How long the counting has taken.
    pub fn finish(&mut self, duration: Duration) {
        self.duration = duration;
    }

    /// The time below which this share of all times is, in microseconds.
    fn percentile(&self, share: f64) -> u64 {
        let wanted = (self.timed as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (step, count) in self.steps.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return value_of(step);
            }
        }
        0
    }

    /// One line of JSON.
    pub fn line(&self) -> String {
        format!(
            "{{\"requests\":{},\"duration_us\":{},\"p50_us\":{},\"p99_us\":{},\"errors\":\
             {{\"connect\":0,\"read\":{},\"write\":0,\"timeout\":0,\"status\":{}}}}}",
            self.messages,
            micros(self.duration),
            self.percentile(0.50),
            self.percentile(0.99),
            self.read_errors,
            self.wrong,
        )
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Values below two octaves' worth of steps have a step each; above, each octave has 64.
fn step_of(value: u64) -> usize {
    let octave = u64::from(value.max(1).ilog2()).saturating_sub(STEPS_PER_OCTAVE.ilog2().into());
    (octave * STEPS_PER_OCTAVE + (value >> octave)) as usize
}

/// The least value of a step.
fn value_of(step: usize) -> u64 {
    let step = step as u64;
    let octave = (step / STEPS_PER_OCTAVE).saturating_sub(1);
    (step - octave * STEPS_PER_OCTAVE) << octave
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_values_belong_together() {
        for value in [0, 1, 63, 64, 127, 128, 129, 1000, 123_456, 30_000_000] {
            let least = value_of(step_of(value));
            assert!(least <= value, "{value}: {least}");
            assert!(
                value - least <= value / STEPS_PER_OCTAVE,
                "{value}: {least}"
            );
        }
    }

    #[test]
    fn percentiles_are_those_of_the_times() {
        let mut tally = Tally::new();
        for micros in 1..=100 {
            tally.time(Duration::from_micros(micros));
        }
        assert_eq!(tally.percentile(0.50), 50);
        assert_eq!(tally.percentile(0.99), 99);
    }
}
