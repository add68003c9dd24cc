//! Streams of frames from parts: mostly valid, with faults here and there.

use arbitrary::Arbitrary;
use sansocket::Role;

/// A stream of frames.
#[derive(Arbitrary, Debug)]
pub struct Stream<'b> {
    items: Vec<(Item<'b>, Option<Fault>)>,
    key: [u8; 4],
    /// How many bytes are missing at the end.
    missing: u8,
}

/// A message or a control frame.
#[derive(Arbitrary, Debug)]
enum Item<'b> {
    Text(Text<'b>, Split),
    Binary(Filler<'b>, Split),
    Ping(Filler<'b>),
    Pong(Filler<'b>),
    Close(Code, Filler<'b>),
    /// Bytes that may be anything.
    Raw(&'b [u8]),
}

#[derive(Arbitrary, Debug)]
enum Text<'b> {
    Str(&'b str),
    /// Characters and pieces of them, see [`PIECES`].
    Pieces(&'b [u8]),
    Filler(Filler<'b>),
}

#[derive(Arbitrary, Debug)]
enum Filler<'b> {
    Bytes(&'b [u8]),
    /// This many `x`, see [`LENS`].
    Len(u8),
}

/// Lengths about which a rule or an encoding changes.
const LENS: [usize; 12] = [
    0, 1, 2, 123, 124, 125, 126, 127, 4_096, 65_535, 65_536, 66_000,
];

/// Characters, and what is none: surrogates, overlong forms, and bytes that
/// begin or continue a character.
const PIECES: [&[u8]; 16] = [
    b"a",
    "\u{e9}".as_bytes(),
    "\u{20ac}".as_bytes(),
    "\u{1f980}".as_bytes(),
    "\u{10ffff}".as_bytes(),
    "\u{d7ff}".as_bytes(),
    b"plain text",
    b"\0",
    b"\xc3",
    b"\xa9",
    b"\xe2\x82",
    b"\xf0\x9f\xa6",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\xff",
];

/// How a message is split into frames, and what comes in between.
#[derive(Arbitrary, Debug)]
struct Split {
    lens: [u8; 3],
    fragments: u8,
    ping_after: u8,
}

#[derive(Arbitrary, Debug)]
enum Code {
    Any(u16),
    Usual(u8),
    None,
}

/// Close codes at the borders of what may be sent.
const CODES: [u16; 16] = [
    999, 1000, 1001, 1003, 1004, 1005, 1006, 1007, 1011, 1014, 1015, 2999, 3000, 4999, 5000, 0,
];

/// What is wrong with a frame.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Fault {
    /// Flips bits of the first byte: the opcode, the reserved bits, FIN.
    First(u8),
    /// Masked where it must not be, or the reverse.
    Mask,
    /// The length in 16 bits, or in 64.
    LongLen(bool),
    /// Declares more, or less, than there is.
    Declared(i8),
    /// Declares a length of 64 bits.
    Huge(u64),
    /// Flips bits of a byte of the payload.
    Payload(u8, u8),
}

/// A frame to write.
struct Plain<'p> {
    first: u8,
    payload: &'p [u8],
}

impl Stream<'_> {
    /// The bytes that a peer of this role sends.
    pub fn bytes(&self, from: Role) -> Vec<u8> {
        let mut out = Vec::new();
        for (item, fault) in &self.items {
            self.write(item, *fault, from, &mut out);
        }
        // Most streams are whole.
        let missing = self.missing.saturating_sub(192);
        out.truncate(out.len().saturating_sub(missing.into()));
        out
    }

    fn write(&self, item: &Item<'_>, fault: Option<Fault>, from: Role, out: &mut Vec<u8>) {
        match item {
            Item::Text(text, split) => {
                self.write_message(1, &text.bytes(), split, fault, from, out)
            }
            Item::Binary(filler, split) => {
                self.write_message(2, &filler.bytes(), split, fault, from, out);
            }
            Item::Ping(filler) => self.write_control(9, filler.bytes(), fault, from, out),
            Item::Pong(filler) => self.write_control(10, filler.bytes(), fault, from, out),
            Item::Close(code, reason) => {
                let payload = [code.bytes(), reason.bytes()].concat();
                self.write_control(8, payload, fault, from, out);
            }
            Item::Raw(bytes) => out.extend(*bytes),
        }
    }

    /// A control frame, too long only if the fault makes it so.
    fn write_control(
        &self,
        opcode: u8,
        mut payload: Vec<u8>,
        fault: Option<Fault>,
        from: Role,
        out: &mut Vec<u8>,
    ) {
        if fault.is_none() {
            payload.truncate(125);
        }
        let first = 0x80 | opcode;
        let payload = &payload;
        self.write_frame(Plain { first, payload }, fault, from, out);
    }

    /// A message, in at most four frames. A fault is in the last one.
    fn write_message(
        &self,
        mut opcode: u8,
        mut payload: &[u8],
        split: &Split,
        fault: Option<Fault>,
        from: Role,
        out: &mut Vec<u8>,
    ) {
        let fragments = usize::from(split.fragments % 4);
        for (index, len) in split.lens.iter().enumerate().take(fragments) {
            let (piece, rest) = payload.split_at(payload.len().min(piece_len(*len)));
            let frame = Plain {
                first: opcode,
                payload: piece,
            };
            self.write_frame(frame, None, from, out);
            (opcode, payload) = (0, rest);
            if usize::from(split.ping_after % 8) == index {
                self.write_control(9, b"between".to_vec(), None, from, out);
            }
        }
        let first = 0x80 | opcode;
        self.write_frame(Plain { first, payload }, fault, from, out);
    }

    fn write_frame(&self, frame: Plain<'_>, fault: Option<Fault>, from: Role, out: &mut Vec<u8>) {
        let Plain { mut first, payload } = frame;
        let mut len = payload.len() as u64;
        let mut len_len = match len {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        let mut is_masked = from == Role::Client;
        match fault {
            Some(Fault::First(bits)) => first ^= bits,
            Some(Fault::Mask) => is_masked = !is_masked,
            Some(Fault::LongLen(is_64)) => len_len = len_len.max(if is_64 { 8 } else { 2 }),
            Some(Fault::Declared(more)) => len = len.saturating_add_signed(more.into()),
            Some(Fault::Huge(huge)) => (len, len_len) = (huge, 8),
            Some(Fault::Payload(..)) | None => {}
        }
        let short = match len_len {
            0 => (len as u8).min(125),
            2 => 126,
            _ => 127,
        };
        out.extend([first, short | if is_masked { 0x80 } else { 0 }]);
        out.extend(&len.to_be_bytes()[8 - len_len..]);
        if is_masked {
            out.extend(self.key);
        }
        let start = out.len();
        out.extend(payload);
        if let (Some(Fault::Payload(at, bits)), false) = (fault, payload.is_empty()) {
            out[start + usize::from(at) % payload.len()] ^= bits;
        }
        let keys = self
            .key
            .iter()
            .cycle()
            .take(if is_masked { usize::MAX } else { 0 });
        for (byte, key) in out[start..].iter_mut().zip(keys) {
            *byte ^= key;
        }
    }
}

/// Short pieces of any length, and some that are long.
fn piece_len(number: u8) -> usize {
    match usize::from(number) {
        len @ 0..128 => len,
        number => (number - 127) * 32,
    }
}

impl Text<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Str(text) => text.as_bytes().into(),
            Self::Pieces(pieces) => pieces
                .iter()
                // Half of them are characters, for most texts to be UTF-8.
                .flat_map(|piece| {
                    PIECES[usize::from(if *piece < 240 { piece % 8 } else { piece % 16 })]
                })
                .copied()
                .collect(),
            Self::Filler(filler) => filler.bytes(),
        }
    }
}

impl Filler<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Len(index) => vec![b'x'; LENS[usize::from(*index) % LENS.len()]],
        }
    }
}

impl Code {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Any(code) => code.to_be_bytes().into(),
            Self::Usual(index) => CODES[usize::from(index % 16)].to_be_bytes().into(),
            Self::None => Vec::new(),
        }
    }
}
