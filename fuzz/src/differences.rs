//! Where another library reads a stream of frames differently, and what the RFC
//! says about it. The target `differential` fails on a difference that has no row
//! in [`DIFFERENCES`].

use sansocket::{ConnectionError, ProtocolError};

use crate::model::{Seen, Verdict};
use crate::parser::{self, Frame, Frames};
use crate::peers::{MAX_LEN, Transcript};

/// The library that is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    Tungstenite,
    TokioWebsockets,
}

/// A known difference.
#[derive(Debug)]
pub struct Difference {
    pub library: Library,
    /// What the other library does.
    pub what: &'static str,
    /// What the RFC says. RFC 6455, unless another is named.
    pub rule: &'static str,
    applies: fn(&Compared<'_>) -> bool,
}

/// Two readings of the same stream.
#[derive(Debug)]
pub struct Compared<'c> {
    pub library: Library,
    pub ours: &'c Transcript,
    pub theirs: &'c Transcript,
    pub frames: &'c Frames,
}

use Library::{TokioWebsockets, Tungstenite};

/// All known differences.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        library: Tungstenite,
        what: "accepts a length that has a shorter form",
        rule: "section 5.2: the minimal number of bytes MUST be used to encode the length",
        applies: |c| {
            c.failed_with(ProtocolError::NonMinimalLength)
                || (c.failed_with(ProtocolError::ControlFrameTooLong)
                    && c.has(|frame| frame.is_control() && !frame.is_minimal && frame.len <= 125))
        },
    },
    Difference {
        library: Tungstenite,
        what: "reports a length of 2^63 and more as too large, code 1009 for 1002",
        rule: "section 5.2: the most significant bit MUST be 0",
        applies: |c| {
            c.failed_with(ProtocolError::LengthOverflow) && c.they_end_with(Verdict::Failed(1009))
        },
    },
    Difference {
        library: Tungstenite,
        what: "checks the length of a frame before its other rules, code 1009 for 1002",
        rule: "section 7.4.1: both codes apply, and no order is given",
        applies: |c| {
            c.we_end_with(Verdict::Failed(1002))
                && c.they_end_with(Verdict::Failed(1009))
                && c.has(|frame| frame.len > MAX_LEN as u64)
        },
    },
    Difference {
        library: Tungstenite,
        what: "checks a frame once its payload is complete, which is after the end of the stream",
        rule: "section 7.1.7: no time is given for failing the connection; section 8.1: \
            text may be checked while it arrives",
        applies: |c| c.we_fail() && c.they_end_with(Verdict::Eof) && c.frames.is_cut(),
    },
    Difference {
        library: Tungstenite,
        what: "answers a close code that must not be sent with 1002, but reports a close",
        rule: "section 7.4: such a code MUST NOT be used in a close frame; the wire is the same",
        applies: |c| {
            c.failed_with(ProtocolError::InvalidCloseCode)
                && matches!(c.theirs.reading.seen.last(), Some(Seen::Close(..)))
        },
    },
    Difference {
        library: Tungstenite,
        what: "reports the reason of a close frame that is not UTF-8 before its wrong code",
        rule: "sections 7.4 and 8.1: both are faults of the frame, and no order is given",
        applies: |c| {
            c.failed_with(ProtocolError::InvalidCloseCode)
                && c.they_end_with(Verdict::Failed(1007))
                && c.has(|frame| {
                    frame.opcode == 8
                        && frame
                            .payload
                            .get(2..)
                            .is_some_and(|reason| std::str::from_utf8(reason).is_err())
                })
        },
    },
    Difference {
        library: Tungstenite,
        what: "takes code 1014 for one that must not be sent",
        rule: "section 11.7: the registry of close codes has 1014 (Bad Gateway)",
        applies: |c| {
            matches!(c.ours.reading.seen.last(), Some(Seen::Close(1014, _)))
                && matches!(c.theirs.reading.seen.last(), Some(Seen::Close(1002, _)))
        },
    },
    Difference {
        library: TokioWebsockets,
        what: "reports a length of 2^63 and more as too large, code 1009 for 1002",
        rule: "section 5.2: the most significant bit MUST be 0",
        applies: |c| {
            c.failed_with(ProtocolError::LengthOverflow) && c.they_end_with(Verdict::Failed(1009))
        },
    },
    Difference {
        library: TokioWebsockets,
        what: "accepts text that ends inside a character, if the last frame is empty",
        rule: "section 8.1: the connection MUST be failed",
        applies: |c| {
            c.failed_with(ProtocolError::InvalidUtf8)
                && c.has(|frame| frame.opcode == 0 && frame.fin && frame.len == 0)
        },
    },
    Difference {
        library: TokioWebsockets,
        what: "checks reserved bits, mask and limit before the header is complete",
        rule: "section 7.1.7: no time is given for failing the connection",
        applies: |c| c.ends_early(Verdict::Failed(1002)) || c.ends_early(Verdict::Failed(1009)),
    },
    Difference {
        library: TokioWebsockets,
        what: "fails a close frame of one byte before its payload",
        rule: "section 7.1.7: no time is given for failing the connection",
        applies: |c| {
            c.we_end_with(Verdict::Eof)
                && c.they_end_with(Verdict::Failed(1002))
                && c.frames.is_cut()
                && c.has(|frame| frame.opcode == 8 && frame.len == 1)
        },
    },
    Difference {
        library: TokioWebsockets,
        what: "checks the length of a message after the frame that exceeds it",
        rule: "section 10.4: limits are up to the implementation",
        applies: |c| c.we_end_with(Verdict::Failed(1009)) && c.message_is_too_long(),
    },
];

/// The row that explains the difference, if there is one.
pub fn explain(compared: &Compared<'_>) -> Option<&'static Difference> {
    DIFFERENCES
        .iter()
        .find(|row| row.library == compared.library && (row.applies)(compared))
}

impl Compared<'_> {
    /// Whether both report the same, and have answered in the same way.
    pub fn agrees(&self) -> bool {
        self.ours.reading == self.theirs.reading
    }

    /// Whether the messages that both report are the same. Only the content of
    /// their last one may differ, if it is a close frame.
    pub fn agrees_up_to_end(&self) -> bool {
        let (ours, theirs) = (&self.ours.reading.seen, &self.theirs.reading.seen);
        let both = |(ours, theirs): (&Seen, &Seen)| {
            ours == theirs || matches!((ours, theirs), (Seen::Close(..), Seen::Close(..)))
        };
        ours.iter().zip(theirs).all(both)
    }

    /// The codes of the close frames that both wrote.
    pub fn written_close_codes(&self) -> (Option<u16>, Option<u16>) {
        (close_code(&self.ours.out), close_code(&self.theirs.out))
    }

    fn failed_with(&self, error: ProtocolError) -> bool {
        self.ours.error == Some(ConnectionError::Protocol(error))
    }

    fn has(&self, is_so: impl Fn(&Frame) -> bool) -> bool {
        self.frames.frames.iter().any(is_so)
    }

    fn we_end_with(&self, verdict: Verdict) -> bool {
        self.ours.reading.verdict == verdict
    }

    fn they_end_with(&self, verdict: Verdict) -> bool {
        self.theirs.reading.verdict == verdict
    }

    fn we_fail(&self) -> bool {
        matches!(self.ours.reading.verdict, Verdict::Failed(_))
    }

    /// Whether they fail within a header that is not complete.
    fn ends_early(&self, verdict: Verdict) -> bool {
        self.we_end_with(Verdict::Eof) && self.they_end_with(verdict) && self.frames.header_len > 0
    }

    /// Whether a message exceeds the limit, but none of its frames so far does.
    fn message_is_too_long(&self) -> bool {
        let mut len = 0;
        self.frames.frames.iter().any(|frame| {
            if matches!(frame.opcode, 1 | 2) {
                len = 0;
            }
            if !frame.is_control() {
                len += frame.len;
            }
            len > MAX_LEN as u64 && frame.len <= MAX_LEN as u64
        })
    }
}

/// The code of the close frame in an output.
fn close_code(out: &[u8]) -> Option<u16> {
    let frames = parser::split(out).frames;
    let close = frames.iter().find(|frame| frame.opcode == 8)?;
    Some(parser::close(&close.payload).map_or_else(|code| code, |(code, _)| code))
}
