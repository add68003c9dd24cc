//! What the tests share: frames written by hand, and drivers that cut a
//! stream in every way.

#![allow(dead_code, unreachable_pub)]

pub mod duplex;

use sansocket::frame::{Decoder, Header, MaskingKey, Opcode, Part};
use sansocket::{
    Agreement, Config, Connection, ConnectionError, Entropy, Event, Fragment, Input, Message,
    MessageRef, Role,
};

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The nonce and all masking keys that `config` draws.
pub const FIXED: u8 = 0x2a;

/// The defaults, with fixed randomness: transcripts are the same in each run.
pub fn config() -> Config {
    Config::new().with_entropy(Entropy::new(|bytes| {
        bytes.fill(FIXED);
        Ok(())
    }))
}

/// A connection whose handshake is over.
pub fn open(role: Role, config: &Config) -> Connection {
    Connection::upgraded(role, Agreement::default(), config)
}

/// Frames as they stand on the wire, from a peer of the given role: a
/// client's are masked.
#[derive(Clone, Debug)]
pub struct Wire {
    from: Role,
    bytes: Vec<u8>,
}

/// Frames from a peer of this role.
pub fn wire(from: Role) -> Wire {
    Wire {
        from,
        bytes: Vec::new(),
    }
}

impl Wire {
    pub fn text(self, text: &str) -> Self {
        self.frame(Opcode::Text, true, text.as_bytes())
    }

    pub fn binary(self, bytes: &[u8]) -> Self {
        self.frame(Opcode::Binary, true, bytes)
    }

    pub fn ping(self, payload: &[u8]) -> Self {
        self.frame(Opcode::Ping, true, payload)
    }

    pub fn pong(self, payload: &[u8]) -> Self {
        self.frame(Opcode::Pong, true, payload)
    }

    pub fn close(self, code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        self.frame(Opcode::Close, true, &payload)
    }

    /// Any frame, of whatever bytes.
    pub fn frame(self, opcode: Opcode, fin: bool, payload: &[u8]) -> Self {
        let header = Header {
            fin,
            ..Header::new(opcode, payload.len() as u64)
        };
        self.with_header(header, payload)
    }

    /// A frame with this header, masked if the peer is a client.
    pub fn with_header(mut self, mut header: Header, payload: &[u8]) -> Self {
        let key = MaskingKey::from(KEY);
        header.masking_key = (self.from == Role::Client).then_some(key);
        header.write(&mut self.bytes);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        if self.from == Role::Client {
            key.apply(&mut self.bytes[start..]);
        }
        self
    }

    /// Bytes that may be no frame at all.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

pub const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// The other role.
pub fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// The frames in these bytes, unmasked.
pub fn frames(bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    let mut decoder = Decoder::new();
    let mut frames: Vec<(Header, Vec<u8>)> = Vec::new();
    while let Some(part) = decoder.decode(&mut input).expect("well-formed frames") {
        match part {
            Part::Header(header) => frames.push((header, Vec::new())),
            Part::Payload(bytes) => {
                let (header, payload) = frames.last_mut().unwrap();
                header.masking_key.inspect(|key| key.apply(bytes));
                payload.extend_from_slice(bytes);
            }
        }
    }
    assert!(decoder.is_between_frames(), "exactly header and payload");
    frames
}

/// What came out of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    pub events: Vec<Event<'static>>,
    pub out: Vec<u8>,
}

impl Transcript {
    /// The error that ended it.
    pub fn error(&self) -> Option<ConnectionError> {
        match self.events.last() {
            Some(Event::Failed(error)) => Some(*error),
            _ => None,
        }
    }

    /// The messages that were received.
    pub fn messages(&self) -> Vec<Message> {
        let message = |event: &Event<'static>| match event {
            Event::Message(message) => Some(message.clone().into_owned()),
            _ => None,
        };
        self.events.iter().filter_map(message).collect()
    }

    /// Joins the pieces of each message, as their borders depend on the cuts.
    pub fn joined(mut self) -> Self {
        let mut events: Vec<Event<'static>> = Vec::new();
        for event in self.events.drain(..) {
            match (events.last_mut(), event) {
                (
                    Some(Event::Fragment(Fragment {
                        payload,
                        fin: fin @ false,
                    })),
                    Event::Fragment(next),
                ) => {
                    *fin = next.fin;
                    *payload = join(payload, &next.payload).into();
                }
                (_, event) => events.push(event),
            }
        }
        self.events = events;
        self
    }
}

/// One message of two pieces.
fn join(first: &MessageRef<'_>, second: &MessageRef<'_>) -> Message {
    assert_eq!(first.kind(), second.kind());
    match first.as_text().zip(second.as_text()) {
        Some((first, second)) => [first, second].concat().into(),
        None => [first.as_bytes(), second.as_bytes()].concat().into(),
    }
}

/// Hands over the bytes in pieces; accepts every request.
pub fn feed<'p>(ws: &mut Connection, pieces: impl IntoIterator<Item = &'p [u8]>) -> Transcript {
    let mut transcript = Transcript::default();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = Input::new(&mut piece);
        while let Some(event) = ws.receive(&mut input, &mut transcript.out) {
            if let Event::Request(request) = &event {
                ws.respond(request.accept(), &mut transcript.out)
                    .expect("a request");
            }
            transcript.events.push(event.into_owned());
        }
    }
    transcript
}

/// The end of the stream.
pub const END: &[u8] = &[];

/// Runs the bytes whole, byte by byte and cut in two at every place, each time
/// on a connection of its own; asserts that all transcripts are the same up to
/// the borders of fragments, and gives back that of the whole.
pub fn every_cut(start: impl Fn() -> Connection, bytes: &[u8]) -> Transcript {
    let whole = feed(&mut start(), [bytes]);
    let expected = whole.clone().joined();
    let bytewise = feed(&mut start(), bytes.chunks(1)).joined();
    assert_eq!(bytewise, expected, "byte by byte: {}", bytes.escape_ascii());
    for cut in 1..bytes.len() {
        let (first, second) = bytes.split_at(cut);
        let halves = feed(&mut start(), [first, second]).joined();
        assert_eq!(halves, expected, "cut at {cut}: {}", bytes.escape_ascii());
    }
    whole
}
