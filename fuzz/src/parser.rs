//! A second frame parser, independent of the library's. It splits bytes by the
//! layout of §5.2 alone, and accepts every value.

use sansocket::Role;

/// A frame as it stands on the wire.
#[derive(Clone, Debug)]
pub struct Frame {
    pub fin: bool,
    /// The three reserved bits, RSV1 first.
    pub rsv: u8,
    pub opcode: u8,
    pub is_masked: bool,
    /// The declared length of the payload.
    pub len: u64,
    /// Whether the length has no shorter form.
    pub is_minimal: bool,
    /// The payload that is there, unmasked.
    pub payload: Vec<u8>,
}

impl Frame {
    pub const fn is_control(&self) -> bool {
        self.opcode >= 8
    }

    /// Whether all of its payload is there.
    pub const fn is_complete(&self) -> bool {
        self.payload.len() as u64 == self.len
    }
}

/// The frames of a stream, and how many bytes of a header follow them.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    pub frames: Vec<Frame>,
    pub header_len: usize,
}

impl Frames {
    /// Whether the stream ends inside a frame.
    pub fn is_cut(&self) -> bool {
        self.header_len > 0 || self.frames.last().is_some_and(|frame| !frame.is_complete())
    }
}

/// Splits a stream into frames.
pub fn split(mut bytes: &[u8]) -> Frames {
    let mut frames = Vec::new();
    while let Some((frame, rest)) = first(bytes) {
        frames.push(frame);
        bytes = rest;
    }
    Frames {
        frames,
        header_len: bytes.len(),
    }
}

fn first(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let (head, rest) = bytes.split_at_checked(2)?;
    let (len_len, short) = match head[1] & 0x7f {
        126 => (2, 0),
        127 => (8, 0),
        len => (0, u64::from(len)),
    };
    let (len_bytes, rest) = rest.split_at_checked(len_len)?;
    let len = len_bytes
        .iter()
        .fold(short, |len, byte| (len << 8) | u64::from(*byte));
    let is_masked = head[1] & 0x80 != 0;
    let (key, rest) = rest.split_at_checked(if is_masked { 4 } else { 0 })?;
    let there = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
    let (payload, rest) = rest.split_at(there);
    let unmask = |(index, byte): (usize, &u8)| byte ^ key.get(index % 4).copied().unwrap_or(0);
    let frame = Frame {
        fin: head[0] & 0x80 != 0,
        rsv: (head[0] >> 4) & 7,
        opcode: head[0] & 0xf,
        is_masked,
        len,
        is_minimal: match len_len {
            0 => true,
            2 => len > 125,
            _ => len > 0xffff,
        },
        payload: payload.iter().enumerate().map(unmask).collect(),
    };
    Some((frame, rest))
}

/// Checks the output of an endpoint, piece by piece, against the rules for what
/// may be sent.
#[derive(Debug)]
pub struct Output {
    from: Role,
    allow_compressed: bool,
    /// The first opcode of the incomplete message, and its text so far.
    message: Option<u8>,
    text: Vec<u8>,
    is_compressed: bool,
    has_closed: bool,
}

impl Output {
    pub fn new(from: Role, allow_compressed: bool) -> Self {
        Self {
            from,
            allow_compressed,
            message: None,
            text: Vec::new(),
            is_compressed: false,
            has_closed: false,
        }
    }

    /// Takes what one call appended: whole frames. Returns them.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let Frames { frames, header_len } = split(bytes);
        assert_eq!(header_len, 0, "half a header: {}", bytes.escape_ascii());
        for frame in &frames {
            self.check(frame);
        }
        frames
    }

    fn check(&mut self, frame: &Frame) {
        assert!(frame.is_complete() && frame.is_minimal, "{frame:?}");
        // §5.1: a client masks, a server does not.
        assert_eq!(frame.is_masked, self.from == Role::Client, "{frame:?}");
        // §5.2, RFC 7692 §6.
        let may_begin = self.allow_compressed && matches!(frame.opcode, 1 | 2);
        assert!(frame.rsv == 0 || (frame.rsv == 4 && may_begin), "{frame:?}");
        // §5.5.1: no data after a close frame.
        assert!(!self.has_closed || frame.opcode == 10, "{frame:?}");
        if frame.is_control() {
            self.check_control(frame);
        } else {
            self.check_data(frame);
        }
    }

    fn check_control(&mut self, frame: &Frame) {
        // §5.5
        assert!(frame.fin && frame.len <= 125, "{frame:?}");
        assert!(matches!(frame.opcode, 8..=10), "{frame:?}");
        if frame.opcode == 8 {
            self.has_closed = true;
            assert!(close(&frame.payload).is_ok(), "{frame:?}");
        }
    }

    fn check_data(&mut self, frame: &Frame) {
        // §5.4
        assert_eq!(self.message.is_some(), frame.opcode == 0, "{frame:?}");
        assert!(frame.opcode <= 2, "{frame:?}");
        if self.message.is_none() {
            self.is_compressed = frame.rsv == 4;
        }
        let opcode = *self.message.get_or_insert(frame.opcode);
        if opcode == 1 && !self.is_compressed {
            self.text.extend(&frame.payload);
        }
        if frame.fin {
            self.message = None;
            // §5.6
            let text = std::mem::take(&mut self.text);
            assert!(std::str::from_utf8(&text).is_ok(), "{frame:?}");
        }
    }
}

/// The code and the reason of a close frame, or the code of its fault (§5.5.1,
/// §7.4, §8.1).
pub fn close(payload: &[u8]) -> Result<(u16, String), u16> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok((1005, String::new()))
        } else {
            Err(1002)
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(1002);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| 1007_u16)?;
    Ok((code, reason.into()))
}
