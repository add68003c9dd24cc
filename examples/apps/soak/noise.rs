//! Random numbers that a seed repeats.

/// The generator SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    /// Neighbouring seeds give unrelated numbers.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) const fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// From 1 to `max`, with as many numbers of each magnitude.
    pub(crate) const fn magnitude(&mut self, max: u64) -> u64 {
        let bits = max.ilog2() as u64;
        let end = 2 << self.below(bits);
        1 + self.below(end)
    }
}
