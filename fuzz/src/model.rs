//! What a stream of frames means, read all at once and by the letter of the RFC:
//! what the library must report however the stream arrives.

use sansocket::{CloseCode, ConnectionError, Event, Role};

use crate::parser::{self, Frame, Frames};

/// What an endpoint reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was wrong when the stream ended.
    Eof,
    /// A close frame was received.
    Closed,
    /// It failed, with this close code.
    Failed(u16),
}

/// What an endpoint makes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub seen: Vec<Seen>,
    pub verdict: Verdict,
}

impl Seen {
    /// What an event reports, if it is a message or a control frame.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        Some(match event {
            Event::Message(message) => match message.as_text() {
                Some(text) => Self::Text(text.into()),
                None => Self::Binary(message.as_bytes().into()),
            },
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close(close) => Self::Close(close.code.into(), close.reason.clone()),
            _ => return None,
        })
    }
}

/// The verdict that a failure stands for.
pub fn verdict(error: ConnectionError) -> Verdict {
    match error.close_code().map(CloseCode::into) {
        Some(code) => Verdict::Failed(code),
        None => Verdict::Eof,
    }
}

/// The rules that depend on the endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The role of the endpoint that reads.
    pub role: Role,
    pub max_message_len: u64,
    pub max_frame_len: u64,
    pub max_fragments: usize,
}

/// The incomplete message.
#[derive(Default)]
struct Partial {
    opcode: u8,
    frames: usize,
    payload: Vec<u8>,
}

/// Reads a stream, to its end or to the first fault.
pub fn read(bytes: &[u8], rules: Rules) -> Reading {
    let Frames { frames, header_len } = parser::split(bytes);
    let mut seen = Vec::new();
    let mut partial = None;
    let mut verdict = Verdict::Eof;
    for frame in &frames {
        let taken = match rules.take(frame, &mut partial) {
            Ok(taken) => taken,
            Err(code) => {
                verdict = Verdict::Failed(code);
                break;
            }
        };
        let closes = matches!(taken, Some(Seen::Close(..)));
        seen.extend(taken);
        if closes {
            verdict = Verdict::Closed;
            break;
        }
    }
    let is_at_rest = verdict == Verdict::Eof && header_len > 0;
    if is_at_rest && has_faulty_start(&bytes[bytes.len() - header_len..]) {
        verdict = Verdict::Failed(1002);
    }
    Reading { seen, verdict }
}

/// What the library reports before the header is complete: what its first bytes
/// already show to be wrong, whatever the connection.
fn has_faulty_start(header: &[u8]) -> bool {
    let [first, second, len @ ..] = header else {
        return false;
    };
    let (opcode, short) = (first & 0xf, second & 0x7f);
    let is_control = opcode >= 8;
    let is_reserved = matches!(opcode, 3..=7 | 11..);
    let is_bad_control = is_control && (first & 0x80 == 0 || short > 125);
    let len_is_bad = match short {
        126 => len.get(..2).is_some_and(|len| len[0] == 0 && len[1] < 126),
        127 => len
            .get(..8)
            .is_some_and(|len| len[0] & 0x80 != 0 || len[..6] == [0; 6]),
        _ => false,
    };
    is_reserved || is_bad_control || len_is_bad
}

impl Rules {
    fn take(self, frame: &Frame, partial: &mut Option<Partial>) -> Result<Option<Seen>, u16> {
        self.check_header(frame)?;
        if frame.is_control() {
            return take_control(frame);
        }
        let expected = partial.is_some();
        if expected != (frame.opcode == 0) {
            return Err(1002); // §5.4
        }
        let message = partial.get_or_insert_with(|| Partial {
            opcode: frame.opcode,
            ..Partial::default()
        });
        self.check_limits(frame, message)?;
        message.payload.extend(&frame.payload);
        let ends = frame.fin && frame.is_complete();
        if message.opcode == 1 {
            check_text(&message.payload, ends)?;
        }
        if !ends {
            return Ok(None);
        }
        let Partial {
            opcode, payload, ..
        } = partial.take().unwrap_or_default();
        Ok(Some(match opcode {
            1 => Seen::Text(payload),
            _ => Seen::Binary(payload),
        }))
    }

    fn check_header(self, frame: &Frame) -> Result<(), u16> {
        let is_known = matches!(frame.opcode, 0..=2 | 8..=10);
        let is_control_ok = !frame.is_control() || (frame.fin && frame.len <= 125);
        let is_mask_ok = frame.is_masked == (self.role == Role::Server);
        let is_len_ok = frame.is_minimal && frame.len < 1 << 63;
        let is_ok = is_known && is_control_ok && is_mask_ok && is_len_ok && frame.rsv == 0;
        is_ok.then_some(()).ok_or(1002)
    }

    fn check_limits(self, frame: &Frame, message: &mut Partial) -> Result<(), u16> {
        message.frames += 1;
        if message.frames > self.max_fragments {
            return Err(1008);
        }
        let len = message.payload.len() as u64 + frame.len;
        if frame.len > self.max_frame_len || len > self.max_message_len {
            return Err(1009);
        }
        Ok(())
    }
}

fn take_control(frame: &Frame) -> Result<Option<Seen>, u16> {
    if !frame.is_complete() {
        return Ok(None);
    }
    let payload = frame.payload.clone();
    Ok(Some(match frame.opcode {
        8 => {
            let (code, reason) = parser::close(&payload)?;
            Seen::Close(code, reason)
        }
        9 => Seen::Ping(payload),
        _ => Seen::Pong(payload),
    }))
}

/// §8.1: text is UTF-8; a character may be incomplete until the message ends.
fn check_text(text: &[u8], ends: bool) -> Result<(), u16> {
    match std::str::from_utf8(text) {
        Err(error) if ends || error.error_len().is_some() => Err(1007),
        _ => Ok(()),
    }
}
