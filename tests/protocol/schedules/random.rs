//! Random numbers that are the same in each run.

use core::time::Duration;

/// SplitMix64: a schedule is its seed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Seeds next to one another must have nothing in common.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True in this many of a hundred cases.
    pub(super) fn percent(&mut self, cases: u64) -> bool {
        self.below(100) < cases
    }

    pub(super) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    /// A number from `low` to `high`, whose order of magnitude is random.
    pub(super) fn scaled(&mut self, low: u64, high: u64) -> u64 {
        let magnitudes = u64::from((high / low.max(1)).max(1).ilog2()) + 1;
        let end = low.max(1) << self.below(magnitudes);
        low + self.below((2 * end).min(high) - low + 1)
    }

    /// A time from 1 ms to `high`, whose order of magnitude is random.
    pub(super) fn time(&mut self, high: Duration) -> Duration {
        Duration::from_micros(self.scaled(1000, high.as_micros() as u64))
    }
}
