//! A slow inflater that shares nothing with the backend (RFC 1951), and returns how far
//! back a stream refers.

/// The decompressed message of a payload (RFC 7692 §7.2.2), and the longest distance in
/// it.
///
/// `window` is what was inflated before; `None` if the payload is broken or
/// does not end where a block does.
pub(crate) fn inflate(payload: &[u8], window: &[u8]) -> Option<(Vec<u8>, usize)> {
    let stream = [payload, b"\x00\x00\xff\xff"].concat();
    let mut state = Inflate {
        bits: Bits {
            stream: &stream,
            at: 0,
        },
        out: window.to_vec(),
        max_distance: 0,
    };
    while state.bits.at.div_ceil(8) < stream.len() {
        state.block()?;
    }
    Some((state.out.split_off(window.len()), state.max_distance))
}

struct Inflate<'s> {
    bits: Bits<'s>,
    out: Vec<u8>,
    max_distance: usize,
}

struct Bits<'s> {
    stream: &'s [u8],
    /// In bits.
    at: usize,
}

/// How many codes there are of each length, and the symbols by their codes.
struct Codes {
    counts: [u16; 16],
    symbols: Vec<u16>,
}

const LEN_BASE: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LEN_BITS: [u32; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
/// The order of code lengths in a dynamic block.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

impl Inflate<'_> {
    fn block(&mut self) -> Option<()> {
        let _is_final = self.bits.take(1)?;
        match self.bits.take(2)? {
            0 => self.stored(),
            1 => {
                let mut lens = [8; 288];
                lens[144..256].fill(9);
                lens[256..280].fill(7);
                self.codes(&Codes::new(&lens), &Codes::new(&[5; 30]))
            }
            2 => self.dynamic(),
            _ => None,
        }
    }

    fn stored(&mut self) -> Option<()> {
        let start = self.bits.at.div_ceil(8);
        let head: [u8; 4] = self.bits.stream.get(start..start + 4)?.try_into().ok()?;
        let len = u16::from_le_bytes([head[0], head[1]]);
        if len != !u16::from_le_bytes([head[2], head[3]]) {
            return None;
        }
        let start = start + 4;
        let end = start + usize::from(len);
        self.out
            .extend_from_slice(self.bits.stream.get(start..end)?);
        self.bits.at = end * 8;
        Some(())
    }

    fn dynamic(&mut self) -> Option<()> {
        let literals = self.bits.take(5)? + 257;
        let distances = self.bits.take(5)? + 1;
        let count = self.bits.take(4)? + 4;
        let mut lens = [0; 19];
        for place in &ORDER[..count] {
            lens[*place] = self.bits.take(3)? as u8;
        }
        let codes = Codes::new(&lens);
        let mut lens: Vec<u8> = Vec::new();
        while lens.len() < literals + distances {
            let (value, times) = match codes.symbol(&mut self.bits)? {
                16 => (*lens.last()?, 3 + self.bits.take(2)?),
                17 => (0, 3 + self.bits.take(3)?),
                18 => (0, 11 + self.bits.take(7)?),
                len => (len as u8, 1),
            };
            lens.extend(std::iter::repeat_n(value, times));
        }
        let (literals, distances) = lens.split_at(literals);
        self.codes(&Codes::new(literals), &Codes::new(distances))
    }

    fn codes(&mut self, literals: &Codes, distances: &Codes) -> Option<()> {
        loop {
            let symbol = usize::from(literals.symbol(&mut self.bits)?);
            match symbol {
                0..=255 => self.out.push(symbol as u8),
                256 => return Some(()),
                _ => {
                    let index = symbol - 257;
                    let len = LEN_BASE.get(index)? + self.bits.take(LEN_BITS[index])?;
                    let symbol = usize::from(distances.symbol(&mut self.bits)?);
                    let extra = (symbol / 2).saturating_sub(1) as u32;
                    let base = match symbol {
                        0..4 => symbol + 1,
                        _ => ((2 + symbol % 2) << extra) + 1,
                    };
                    let distance = base + self.bits.take(extra)?;
                    self.max_distance = self.max_distance.max(distance);
                    let from = self.out.len().checked_sub(distance)?;
                    for index in from..from + len {
                        self.out.push(self.out[index]);
                    }
                }
            }
        }
    }
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            let byte = *self.stream.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }
}

impl Codes {
    fn new(lens: &[u8]) -> Self {
        let mut counts = [0; 16];
        let mut symbols = Vec::new();
        for len in 1..16 {
            for (symbol, _) in lens.iter().enumerate().filter(|(_, l)| **l == len) {
                symbols.push(symbol as u16);
                counts[usize::from(len)] += 1;
            }
        }
        Self { counts, symbols }
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            let count = usize::from(*count);
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}
