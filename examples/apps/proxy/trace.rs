//! What passes in one direction, as lines of text.

use std::fmt::Write;

use sansocket::Input;
use sansocket::frame::{Decoder, Header, Mask, Opcode, Part};

/// How many bytes of a text or binary message are shown.
const MAX_PREVIEW_LEN: usize = 60;

/// Follows the frames of one direction. Holds the start of one payload.
#[derive(Default)]
pub(crate) struct Trace {
    decoder: Decoder,
    /// The frame whose start is not complete yet.
    partial: Option<Start>,
    /// Whether the message that fragments continue is readable text.
    is_text: bool,
    /// The stream broke a rule and cannot be followed any more.
    is_lost: bool,
}

/// A frame's header, and its first bytes without the mask.
struct Start {
    header: Header,
    mask: Option<Mask>,
    payload: Vec<u8>,
}

impl Trace {
    /// A line for each frame that the bytes begin or show more of.
    pub(crate) fn lines(&mut self, bytes: &mut [u8]) -> Vec<String> {
        let (mut input, mut lines) = (Input::new(bytes), Vec::new());
        while !self.is_lost {
            match self.decoder.decode(&mut input) {
                Ok(Some(Part::Header(header))) => self.partial = Some(Start::new(header)),
                Ok(Some(Part::Payload(piece))) => {
                    if let Some(start) = &mut self.partial {
                        start.take(piece);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.is_lost = true;
                    lines.push(format!("broken frame: {error}; the rest is not shown"));
                }
            }
            if let Some(start) = self.partial.take_if(|start| start.is_complete()) {
                lines.push(self.line(&start));
            }
        }
        lines
    }

    /// Whether a frame is incomplete.
    pub(crate) fn is_within_frame(&self) -> bool {
        !self.is_lost && !self.decoder.is_between_frames()
    }

    fn line(&mut self, start: &Start) -> String {
        let Start {
            header, payload, ..
        } = start;
        let is_text = match header.opcode {
            Opcode::Text => !header.rsv1,
            Opcode::Binary | Opcode::Close => false,
            Opcode::Continuation => self.is_text,
            Opcode::Ping | Opcode::Pong => std::str::from_utf8(payload).is_ok(),
        };
        if !header.opcode.is_control() {
            self.is_text = is_text;
        }
        let shown = match (header.opcode, &payload[..]) {
            (Opcode::Close, [high, low, reason @ ..]) => {
                let code = u16::from_be_bytes([*high, *low]);
                format!("{code} {:?}", String::from_utf8_lossy(reason))
            }
            _ if payload.is_empty() => String::new(),
            _ if is_text => text(payload),
            _ => hex(payload),
        };
        let is_cut = (payload.len() as u64) < header.payload_len;
        let more = if is_cut { " ..." } else { "" };
        let line = format!(
            "{:<12} {:<14} {:>8}  {shown}{more}",
            name(header.opcode),
            flags(header),
            header.payload_len
        );
        line.trim_end().into()
    }
}

impl Start {
    fn new(header: Header) -> Self {
        Self {
            header,
            mask: header.masking_key.map(Mask::new),
            payload: Vec::new(),
        }
    }

    fn take(&mut self, piece: &[u8]) {
        let piece = &piece[..piece.len().min(self.wanted() - self.payload.len())];
        match &mut self.mask {
            Some(mask) => mask.append(piece, &mut self.payload),
            None => self.payload.extend_from_slice(piece),
        }
    }

    fn is_complete(&self) -> bool {
        self.payload.len() == self.wanted()
    }

    /// How many bytes are shown: all of a control frame.
    fn wanted(&self) -> usize {
        let Header {
            opcode,
            payload_len,
            ..
        } = self.header;
        let limit = if opcode.is_control() {
            Header::MAX_CONTROL_PAYLOAD_LEN
        } else {
            MAX_PREVIEW_LEN
        };
        usize::try_from(payload_len).map_or(limit, |len| len.min(limit))
    }
}

const fn name(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::Continuation => "continuation",
        Opcode::Text => "text",
        Opcode::Binary => "binary",
        Opcode::Close => "close",
        Opcode::Ping => "ping",
        Opcode::Pong => "pong",
    }
}

fn flags(header: &Header) -> String {
    let flags = [
        (header.fin, "fin"),
        (header.rsv1, "rsv1"),
        (header.rsv2, "rsv2"),
        (header.rsv3, "rsv3"),
    ];
    let set = flags.iter().filter(|(is_set, _)| *is_set);
    set.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
}

/// Without the last character, if it is not whole.
fn text(payload: &[u8]) -> String {
    let whole = match std::str::from_utf8(payload) {
        Err(error) if error.error_len().is_none() => &payload[..error.valid_up_to()],
        _ => payload,
    };
    format!("{:?}", String::from_utf8_lossy(whole))
}

fn hex(payload: &[u8]) -> String {
    let mut hex = String::new();
    for byte in payload.iter().take(MAX_PREVIEW_LEN / 3) {
        let _ = write!(hex, "{byte:02x} ");
    }
    hex.trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> Vec<u8> {
        let mut wire = Vec::new();
        wire.extend(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // RFC 6455 §5.7
        wire.extend(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"); // RFC 7692 §7.2.3.1
        wire.extend(b"\x01\x03Hel\x89\x00\x80\x02lo\x30\x00");
        wire.extend(b"\x82\x7e\x01\x00");
        wire.extend([7; 256]);
        wire.extend(b"\x88\x05\x03\xe8bye\x88\x00");
        wire
    }

    const LINES: [&str; 9] = [
        "text         fin                   5  \"Hello\"",
        "text         fin rsv1              7  f2 48 cd c9 c9 07 00",
        "text                               3  \"Hel\"",
        "ping         fin                   0",
        "continuation fin                   2  \"lo\"",
        "continuation rsv2 rsv3             0",
        "binary       fin                 256  \
            07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 07 ...",
        "close        fin                   5  1000 \"bye\"",
        "close        fin                   0",
    ];

    #[test]
    fn every_cut_gives_the_same_lines() {
        let wire = wire();
        for cut in 0..=wire.len() {
            let (mut trace, mut wire) = (Trace::default(), wire.clone());
            let (first, second) = wire.split_at_mut(cut);
            let lines = [trace.lines(first), trace.lines(second)].concat();
            assert_eq!(lines, LINES, "cut at {cut}");
            assert!(!trace.is_within_frame());
        }
    }

    #[test]
    fn long_frame_is_shown_as_soon_as_its_start_is_there() {
        let mut trace = Trace::default();
        let mut start = [b"\x81\x7f\0\0\0\x01\0\0\0\0".to_vec(), vec![b'a'; 60]].concat();
        let expected = format!(
            "text         fin            4294967296  \"{}\" ...",
            "a".repeat(60)
        );
        assert_eq!(trace.lines(&mut start), [expected]);
        assert_eq!(trace.lines(&mut [b'a'; 1000]), [""; 0]);
        assert!(trace.is_within_frame());
    }

    #[test]
    fn broken_frame_ends_the_trace() {
        let mut trace = Trace::default();
        let lines = trace.lines(&mut b"\x89\x00\x83\x00\x81\x00".to_vec());
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("broken frame: reserved opcode"));
        assert_eq!(trace.lines(&mut b"\x81\x00".to_vec()), [""; 0]);
    }
}
