//! Times, counted in bounded memory.

use std::time::Duration;

/// How many buckets each power of two has: the longest time in a bucket is at most
/// 1/32 more than the shortest.
const BUCKETS: u64 = 32;

/// Counts durations in buckets of relative width.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; 64 * BUCKETS as usize],
            total: 0,
        }
    }

    pub(crate) fn record(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// The time that this percentage of all times is not above.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        let rank = (self.total as f64 * percent / 100.0).ceil() as u64;
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen >= rank.max(1)
        };
        let bucket = self.counts.iter().position(reached).unwrap_or(0);
        Duration::from_nanos(longest(bucket as u64))
    }
}

/// Short times have a bucket each; of longer ones, the first six bits count.
fn bucket(nanoseconds: u64) -> usize {
    let shift = (nanoseconds / BUCKETS).checked_ilog2().unwrap_or(0);
    (u64::from(shift) * BUCKETS + (nanoseconds >> shift)) as usize
}

/// The longest time in a bucket.
fn longest(bucket: u64) -> u64 {
    let shift = (bucket / BUCKETS).saturating_sub(1);
    // The end of the last bucket is 2^64.
    ((bucket - shift * BUCKETS + 1) << shift).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow() {
        let numbers = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) + 1, (1 << bit) - 1]);
        for number in numbers.chain([u64::MAX, 1000, 123_456_789]) {
            let longest = longest(bucket(number) as u64);
            assert!(longest >= number && longest - number <= number / BUCKETS);
        }
    }

    #[test]
    fn percentiles_are_those_of_the_times() {
        let mut times = Histogram::new();
        for milliseconds in 1..=100 {
            times.record(Duration::from_millis(milliseconds));
        }
        for percent in [1.0, 50.0, 99.0, 100.0] {
            let found = times.percentile(percent).as_secs_f64() * 1000.0;
            assert!((percent..percent * 1.04).contains(&found), "{found}");
        }
        assert_eq!(Histogram::new().percentile(50.0), Duration::ZERO);
    }
}
