//! Drivers that hand a stream of bytes to a connection, cut in every way.

// The fuzz targets export these.
#![allow(unreachable_pub)]

use sansocket::{
    Agreement, Config, Connection, ConnectionError, Event, Fragment, Input, Message, MessageRef,
    Role,
};

/// A connection whose handshake is over.
pub fn open(role: Role, config: &Config) -> Connection {
    Connection::upgraded(role, Agreement::default(), config)
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
            // It depends on the cuts.
            if event != Event::Yield {
                transcript.events.push(event.into_owned());
            }
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
