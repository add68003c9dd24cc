//! The first two bytes of a frame (RFC 6455 §5.2), between messages and within a
//! fragmented one.

use super::{config, failure};
use crate::drive::{Transcript, feed, open};
use crate::wire::{KEY, peer_of, wire};
use sansocket::frame::Opcode;
use sansocket::{
    Close, CloseCode, Config, ConnectionError, Event, LimitError, Message, ProtocolError, Role,
};

/// The limit on messages, above the longest payload that is sent.
const MAX_MESSAGE_LEN: u64 = 0x2_0000;

/// The payload of the fragment before the frame, if a message has begun.
const BEGINNING: &str = "ab";

/// The payload of the fragment after the frame, if the message is incomplete.
const ENDING: &str = "yz";

/// A frame given by its first two bytes, and its length.
#[derive(Debug)]
struct RawFrame {
    first: u8,
    second: u8,
    len: u64,
}

impl RawFrame {
    /// The frames with these first two bytes: more than one if the length is in
    /// the bytes that follow.
    fn all(first: u8, second: u8) -> Vec<Self> {
        let short = [u64::from(second & 0x7F)];
        let lens: &[u64] = match second & 0x7F {
            126 => &[0, 125, 126, 0xFFFF],
            127 => &[0, 0xFFFF, 0x1_0000, MAX_MESSAGE_LEN + 1, 1 << 63, u64::MAX],
            _ => &short,
        };
        let frame = |&len: &u64| Self { first, second, len };
        lens.iter().map(frame).collect()
    }

    fn fin(&self) -> bool {
        self.first & 0x80 != 0
    }

    fn opcode(&self) -> u8 {
        self.first & 0x0F
    }

    fn is_control(&self) -> bool {
        self.first & 0x08 != 0
    }

    fn is_masked(&self) -> bool {
        self.second & 0x80 != 0
    }

    /// The payload before masking, apart from the status code of a close frame. Empty
    /// if the length alone fails the connection.
    fn payload(&self) -> String {
        let len = Some(self.len).filter(|len| *len <= MAX_MESSAGE_LEN);
        "p".repeat(len.unwrap_or(0) as usize)
    }

    fn header(&self) -> Vec<u8> {
        let mut header = vec![self.first, self.second];
        match self.second & 0x7F {
            126 => header.extend((self.len as u16).to_be_bytes()),
            127 => header.extend(self.len.to_be_bytes()),
            _ => {}
        }
        if self.is_masked() {
            header.extend(KEY);
        }
        header
    }

    fn masked_payload(&self) -> Vec<u8> {
        let mut payload = self.payload().into_bytes();
        if self.opcode() == 0x8 && payload.len() >= 2 {
            payload[..2].copy_from_slice(&1000_u16.to_be_bytes());
        }
        if self.is_masked() {
            let pairs = payload.iter_mut().zip(KEY.iter().cycle());
            pairs.for_each(|(byte, key)| *byte ^= key);
        }
        payload
    }

    /// The least length that has no shorter encoding than this one.
    fn min_len(&self) -> u64 {
        match self.second & 0x7F {
            126 => 126,
            127 => 0x1_0000,
            _ => 0,
        }
    }

    /// The rules of RFC 6455 that this frame breaks.
    fn faults(&self, role: Role, is_message_begun: bool) -> Vec<ConnectionError> {
        use ProtocolError::*;
        let (opcode, len) = (self.opcode(), self.len);
        let rules = [
            // §5.2: "MUST be 0 unless an extension is negotiated".
            (self.first & 0x70 != 0, ReservedBits),
            // §5.2: %x3-7 and %xB-F are reserved.
            (matches!(opcode, 0x3..=0x7 | 0xB..=0xF), ReservedOpcode),
            // §5.2: "the minimal number of bytes MUST be used".
            (len < self.min_len(), NonMinimalLength),
            // §5.2: "the most significant bit MUST be 0".
            (len >= 1 << 63, LengthOverflow),
            // §5.1: a client masks all frames, a server none.
            (role == Role::Server && !self.is_masked(), MissingMask),
            (role == Role::Client && self.is_masked(), UnexpectedMask),
            // §5.4: a message begins with another opcode, and goes on with this one.
            (opcode == 0x0 && !is_message_begun, UnexpectedContinuation),
            (
                matches!(opcode, 0x1 | 0x2) && is_message_begun,
                ExpectedContinuation,
            ),
            // §5.5: "a payload length of 125 bytes or less and MUST NOT be fragmented".
            (
                self.is_control() && self.second & 0x7F > 125,
                ControlFrameTooLong,
            ),
            (self.is_control() && !self.fin(), FragmentedControlFrame),
            // §5.5.1: the first two bytes of a body are the status code.
            (opcode == 0x8 && len == 1, TruncatedCloseCode),
        ];
        let broken = rules.into_iter().filter(|(is_broken, _)| *is_broken);
        let mut faults: Vec<_> = broken.map(|(_, fault)| fault.into()).collect();
        // §10.4: a limit of the implementation, for what is a length at all.
        if !self.is_control() && len > MAX_MESSAGE_LEN && len < 1 << 63 {
            faults.push(LimitError::MessageTooLong.into());
        }
        faults
    }

    /// Whether a message is incomplete after this frame.
    fn leaves_message(&self, is_message_begun: bool) -> bool {
        match self.opcode() {
            0x8 => false,
            _ if self.is_control() => is_message_begun,
            _ => !self.fin(),
        }
    }

    /// What this frame leads to if it breaks no rule.
    fn success(&self, role: Role, is_message_begun: bool) -> Transcript {
        let payload = self.payload();
        let (mut events, mut out) = (Vec::new(), wire(role));
        match self.opcode() {
            0x8 if payload.is_empty() => {
                events.push(close_event(CloseCode::NO_STATUS, ""));
                out = out.frame(Opcode::Close, true, b"");
            }
            0x8 => {
                events.push(close_event(CloseCode::NORMAL, &payload[2..]));
                out = out.close(1000, "");
            }
            0x9 => {
                out = out.pong(payload.as_bytes());
                events.push(Event::Ping(payload.into_bytes().into()));
            }
            0xA => events.push(Event::Pong(payload.into_bytes().into())),
            _ => events.push(self.message(&payload, is_message_begun)),
        }
        if self.is_control() && self.leaves_message(is_message_begun) {
            events.push(self.message("", true));
        }
        let out = out.bytes();
        Transcript { events, out }
    }

    /// The message that contains this payload.
    fn message(&self, payload: &str, is_message_begun: bool) -> Event<'static> {
        let begin = if is_message_begun { BEGINNING } else { "" };
        let end = if self.leaves_message(is_message_begun) {
            ENDING
        } else {
            ""
        };
        let text = [begin, payload, end].concat();
        let message = match self.opcode() {
            0x2 => Message::from(text.into_bytes()),
            _ => Message::from(text),
        };
        Event::Message(message.into())
    }
}

fn close_event(code: CloseCode, reason: &str) -> Event<'static> {
    let reason = reason.into();
    Event::Close(Close { code, reason })
}

/// Every transcript that the RFC allows: it does not say which of several faults to
/// report.
fn verdicts(frame: &RawFrame, role: Role, is_message_begun: bool) -> Vec<Transcript> {
    let faults = frame.faults(role, is_message_begun);
    if faults.is_empty() {
        return vec![frame.success(role, is_message_begun)];
    }
    faults
        .into_iter()
        .map(|fault| failure(role, fault))
        .collect()
}

/// Asserts the verdict on a frame, received at once and with its header byte by byte.
fn assert_verdict(frame: &RawFrame, role: Role, is_message_begun: bool, config: &Config) {
    let peer = || wire(peer_of(role));
    let beginning = peer()
        .frame(Opcode::Text, false, BEGINNING.as_bytes())
        .bytes();
    let ending = peer()
        .frame(Opcode::Continuation, true, ENDING.as_bytes())
        .bytes();
    let (header, payload) = (frame.header(), frame.masked_payload());
    let whole = [&*header, &payload].concat();
    // An empty piece would be the end of the stream.
    let payload = Some(&*payload).filter(|payload| !payload.is_empty());
    let expected = verdicts(frame, role, is_message_begun);
    for pieces in [vec![&*whole], header.chunks(1).chain(payload).collect()] {
        let before = is_message_begun.then_some(&*beginning);
        let after = frame.leaves_message(is_message_begun).then_some(&*ending);
        let pieces = before.into_iter().chain(pieces).chain(after);
        let transcript = feed(&mut open(role, config), pieces);
        assert!(
            expected.contains(&transcript),
            "{role:?} {is_message_begun} {frame:02x?}: {transcript:?} is none of {expected:?}"
        );
    }
}

fn assert_every_verdict(role: Role, is_message_begun: bool) {
    let config = config().with_max_message_len(MAX_MESSAGE_LEN as usize);
    for bytes in 0..=u16::MAX {
        let [first, second] = bytes.to_be_bytes();
        for frame in RawFrame::all(first, second) {
            assert_verdict(&frame, role, is_message_begun, &config);
        }
    }
}

#[test]
fn client_judges_every_first_two_bytes_between_messages() {
    assert_every_verdict(Role::Client, false);
}

#[test]
fn client_judges_every_first_two_bytes_within_a_message() {
    assert_every_verdict(Role::Client, true);
}

#[test]
fn server_judges_every_first_two_bytes_between_messages() {
    assert_every_verdict(Role::Server, false);
}

#[test]
fn server_judges_every_first_two_bytes_within_a_message() {
    assert_every_verdict(Role::Server, true);
}
