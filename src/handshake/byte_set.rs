//! Sets of bytes, as the grammars of heads define them.

/// A set of bytes, with a place for each, so that a test is a single load.
#[derive(Debug)]
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    /// The letters and digits of ASCII, and these bytes.
    #[expect(clippy::indexing_slicing, reason = "each byte has a place")]
    pub(super) const fn alphanumeric_and(mut others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            set[byte as usize] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        while let [first, rest @ ..] = others {
            set[*first as usize] = true;
            others = rest;
        }
        Self(set)
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)) == Some(&true)
    }
}
