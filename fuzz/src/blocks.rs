//! Compressed messages from parts: blocks of every type, written bit by bit
//! (RFC 1951 §3.2), with faults here and there; and an inflater of another
//! library.

use arbitrary::Arbitrary;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// A compressed message.
#[derive(Arbitrary, Debug)]
pub struct Compressed<'b> {
    blocks: Vec<(Block<'b>, Ending)>,
    /// Flips bits of a byte.
    fault: Option<(u16, u8)>,
    /// How many bytes are missing at the end.
    missing: u8,
}

#[derive(Arbitrary, Debug)]
enum Block<'b> {
    Stored(&'b [u8]),
    Fixed(Vec<Symbol>),
    /// With codes that depend on a number.
    Dynamic(u16, Vec<Symbol>),
}

#[derive(Arbitrary, Debug)]
enum Symbol {
    Literal(u8),
    Copy(u8, u16),
}

/// What follows a block.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Ending {
    Next,
    /// The empty block of a flush.
    Flush,
    /// Nothing that refers to it: the block is marked as final.
    Final,
}

/// How long the codes of the symbols are.
struct Codes {
    literals: Vec<u8>,
    distances: Vec<u8>,
}

impl Compressed<'_> {
    /// The payload, and its content if nothing is wrong with it. `window` is the
    /// content before it, to which the next message may refer afterwards.
    pub fn payload(&self, window: &mut Vec<u8>) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut bits, mut content) = (Bits::default(), Vec::new());
        for (block, ending) in &self.blocks {
            let is_final = *ending == Ending::Final;
            let start = window.len();
            block.write(is_final, &mut bits, window);
            content.extend(&window[start..]);
            match ending {
                Ending::Next => {}
                Ending::Flush => bits.stored(false, &[]),
                Ending::Final => {
                    bits.align();
                    window.clear();
                }
            }
        }
        if self
            .blocks
            .last()
            .is_none_or(|(_, ending)| *ending != Ending::Final)
        {
            // RFC 7692 §7.2.1: a flush without its last four bytes.
            bits.push(0, 3);
            bits.align();
        }
        let mut payload = bits.bytes;
        let is_whole = self.damage(&mut payload);
        (payload, is_whole.then_some(content))
    }

    /// Whether nothing was done.
    fn damage(&self, payload: &mut Vec<u8>) -> bool {
        let mut is_whole = true;
        if let Some((at, bits)) = self.fault
            && let Some(byte) = payload.get_mut(usize::from(at))
        {
            *byte ^= bits;
            is_whole = bits == 0;
        }
        // Most messages are whole.
        let missing = usize::from(self.missing.saturating_sub(224)).min(payload.len());
        payload.truncate(payload.len() - missing);
        is_whole && missing == 0
    }
}

impl Block<'_> {
    fn write(&self, is_final: bool, bits: &mut Bits, out: &mut Vec<u8>) {
        let (codes, symbols) = match self {
            Self::Stored(bytes) => {
                out.extend(*bytes);
                return bits.stored(is_final, bytes);
            }
            Self::Fixed(symbols) => {
                bits.push(is_final.into(), 1);
                bits.push(1, 2);
                (Codes::fixed(), symbols)
            }
            Self::Dynamic(number, symbols) => {
                bits.push(is_final.into(), 1);
                bits.push(2, 2);
                let codes = Codes::dynamic(*number);
                codes.write(bits);
                (codes, symbols)
            }
        };
        let (literals, distances) = (huffman(&codes.literals), huffman(&codes.distances));
        for symbol in symbols {
            symbol.write(&literals, &distances, bits, out);
        }
        bits.code(literals[256]);
    }
}

impl Symbol {
    fn write(&self, literals: &[Code], distances: &[Code], bits: &mut Bits, out: &mut Vec<u8>) {
        match *self {
            Self::Copy(len, distance) if !out.is_empty() => {
                let (len, distance) = (
                    usize::from(len) + 3,
                    usize::from(distance) % out.len().min(32_768) + 1,
                );
                let (symbol, extra, value) = len_symbol(len);
                bits.code(literals[symbol]);
                bits.push(value, extra);
                let (symbol, extra, value) = distance_symbol(distance);
                bits.code(distances[symbol]);
                bits.push(value, extra);
                for _ in 0..len {
                    out.push(out[out.len() - distance]);
                }
            }
            Self::Literal(byte) | Self::Copy(byte, _) => {
                bits.code(literals[usize::from(byte)]);
                out.push(byte);
            }
        }
    }
}

/// RFC 1951 §3.2.5: the symbol of a length, its extra bits, and their value.
fn len_symbol(len: usize) -> (usize, u32, usize) {
    match len {
        258 => (285, 0, 0),
        3..=10 => (254 + len, 0, 0),
        _ => {
            let extra = (len - 3).ilog2() - 2;
            let group = ((len - 3) >> extra) & 3;
            (
                261 + 4 * (extra as usize - 1) + group + 4,
                extra,
                (len - 3) & ((1 << extra) - 1),
            )
        }
    }
}

/// The same for a distance.
fn distance_symbol(distance: usize) -> (usize, u32, usize) {
    match distance - 1 {
        less @ 0..=3 => (less, 0, 0),
        less => {
            let extra = less.ilog2() - 1;
            let half = (less >> extra) & 1;
            (
                2 + 2 * extra as usize + half,
                extra,
                less & ((1 << extra) - 1),
            )
        }
    }
}

impl Codes {
    fn fixed() -> Self {
        let mut literals = vec![8; 288];
        literals[144..256].fill(9);
        literals[256..280].fill(7);
        let distances = vec![5; 30];
        Self {
            literals,
            distances,
        }
    }

    /// Complete codes: 226 literals and lengths of 8 bits and 60 of 9, 2
    /// distances of 4 bits and 28 of 5. The number chooses which.
    fn dynamic(number: u16) -> Self {
        let mut literals = vec![8; 286];
        literals[226..].fill(9);
        literals.rotate_left(usize::from(number) % 286);
        let mut distances = vec![5; 30];
        distances[..2].fill(4);
        distances.rotate_left(usize::from(number) % 30);
        Self {
            literals,
            distances,
        }
    }

    /// RFC 1951 §3.2.7: the lengths, in codes of two bits for the four that occur.
    fn write(&self, bits: &mut Bits) {
        const ORDER: [u8; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        bits.push(286 - 257, 5);
        bits.push(30 - 1, 5);
        bits.push(19 - 4, 4);
        let mut lens = [0; 19];
        for len in [4, 5, 8, 9] {
            lens[len] = 2;
        }
        for place in ORDER {
            bits.push(lens[usize::from(place)].into(), 3);
        }
        let codes = huffman(&lens);
        for len in self.literals.iter().chain(&self.distances) {
            bits.code(codes[usize::from(*len)]);
        }
    }
}

/// A code, and its length in bits.
type Code = (usize, u32);

/// RFC 1951 §3.2.2: the codes that these lengths give.
fn huffman(lens: &[u8]) -> Vec<Code> {
    let (mut codes, mut next) = (vec![(0, 0); lens.len()], 0);
    for len in 1..16 {
        next <<= 1;
        for (symbol, _) in lens.iter().enumerate().filter(|(_, l)| **l == len) {
            codes[symbol] = (next, u32::from(len));
            next += 1;
        }
    }
    codes
}

/// Bits, from the lowest of each byte on.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// How many bits of the last byte are free.
    free: u32,
}

impl Bits {
    fn push(&mut self, value: usize, count: u32) {
        for place in 0..count {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let bit = (value >> place & 1) as u8;
            *self.bytes.last_mut().expect("just pushed") |= bit << (8 - self.free);
            self.free -= 1;
        }
    }

    /// A code begins with its highest bit.
    fn code(&mut self, (code, len): Code) {
        for place in (0..len).rev() {
            self.push(code >> place & 1, 1);
        }
    }

    fn align(&mut self) {
        self.free = 0;
    }

    fn stored(&mut self, is_final: bool, bytes: &[u8]) {
        self.push(is_final.into(), 1);
        self.push(0, 2);
        self.align();
        let len = u16::try_from(bytes.len()).expect("short");
        self.bytes.extend(len.to_le_bytes());
        self.bytes.extend((!len).to_le_bytes());
        self.bytes.extend(bytes);
    }
}

/// miniz_oxide, with all that it has inflated: unlike its stream, which refers to
/// zeros, this way it notices a distance that is too far.
#[derive(Clone, Default)]
pub struct Inflater {
    state: Box<DecompressorOxide>,
    out: Vec<u8>,
}

impl Inflater {
    /// The content of a payload (RFC 7692 §7.2.2), or `None` if it is broken.
    pub fn inflate(&mut self, mut payload: &[u8]) -> Option<Vec<u8>> {
        let (mut content, mut is_final) = (Vec::new(), true);
        while !payload.is_empty() {
            let start = self.out.len();
            let (taken, ended) = self.run(payload)?;
            content.extend(&self.out[start..]);
            payload = &payload[taken..];
            is_final = ended;
            if ended {
                *self = Self::default();
            }
        }
        (is_final || self.end_message()).then_some(content)
    }

    /// Whether the tail ends an empty block, after which another may end the
    /// stream.
    fn end_message(&mut self) -> bool {
        let len = self.out.len();
        let tail = self.run(b"\x00\x00\xff\xff");
        if tail == Some((4, true)) && self.out.len() == len {
            *self = Self::default();
            return true;
        }
        let end = self.clone().run(b"\x01\x00\x00\xff\xff");
        tail == Some((4, false)) && end == Some((5, true)) && self.out.len() == len
    }

    /// Takes all of the bytes, or those up to the end of the stream. Returns how
    /// many it took, and whether the stream has ended.
    fn run(&mut self, bytes: &[u8]) -> Option<(usize, bool)> {
        const FLAGS: u32 = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let mut taken = 0;
        loop {
            let len = self.out.len();
            self.out.resize(len + 4096, 0);
            let (status, read, written) =
                decompress(&mut self.state, &bytes[taken..], &mut self.out, len, FLAGS);
            self.out.truncate(len + written);
            taken += read;
            match status {
                TINFLStatus::Done => return Some((taken, true)),
                TINFLStatus::NeedsMoreInput => return Some((taken, false)),
                TINFLStatus::HasMoreOutput => {}
                _ => return None,
            }
        }
    }
}
