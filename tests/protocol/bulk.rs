//! Payload that is read into the memory of its message: the same messages as through a
//! read buffer, wherever the stream is cut.

use bytes::BufMut;
use sansocket::frame::{Header, MaskingKey, Opcode};
use sansocket::{
    Agreement, Config, Connection, Delivery, Event, Fragment, Input, LimitError, Message, Role,
};

const KIB: usize = 1024;

/// A frame of a client.
fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let key = MaskingKey::from([0x37, 0xfa, 0x21, 0x3d]);
    let mut header = Header::new(opcode, payload.len() as u64);
    (header.fin, header.masking_key) = (fin, Some(key));
    let mut wire = Vec::new();
    header.write(&mut wire);
    let start = wire.len();
    wire.extend_from_slice(payload);
    key.apply(&mut wire[start..]);
    wire
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// A driver that reads into messages where it can.
struct Reader<'s> {
    ws: Connection,
    stream: &'s [u8],
    events: Vec<Event<'static>>,
    /// How many bytes went into a message without `receive`.
    bulk_len: usize,
}

impl<'s> Reader<'s> {
    fn new(config: &Config, stream: &'s [u8]) -> Self {
        Self {
            ws: Connection::upgraded(Role::Server, Agreement::default(), config),
            stream,
            events: Vec::new(),
            bulk_len: 0,
        }
    }

    /// Reads at most `len` bytes.
    fn read(&mut self, len: usize) {
        let stream = &mut self.stream;
        let read = self
            .ws
            .receive_into_message(len, |memory: &mut dyn BufMut| {
                assert!((1..=len).contains(&memory.remaining_mut()));
                let len = memory.remaining_mut().min(stream.len());
                memory.put_slice(stream.split_off(..len).unwrap());
                len
            });
        if let Some(len) = read {
            self.bulk_len += len;
            return;
        }
        let len = len.min(self.stream.len());
        let mut buf = self.stream.split_off(..len).unwrap().to_vec();
        let mut input = Input::new(&mut buf);
        while let Some(event) = self.ws.receive(&mut input, &mut Vec::new()) {
            self.events.push(event.into_owned());
        }
    }

    fn read_all(&mut self, len: usize) {
        while !self.stream.is_empty() {
            self.read(len);
        }
    }
}

#[test]
fn reads_the_same_messages_as_through_a_buffer() {
    let payload = payload(300 * KIB);
    let mut stream = Vec::new();
    stream.extend(frame(Opcode::Binary, true, &payload));
    stream.extend(frame(Opcode::Ping, true, b"between"));
    // A large frame after a short one, and one that is followed by others.
    stream.extend(frame(Opcode::Binary, false, &payload[..5]));
    stream.extend(frame(Opcode::Continuation, false, &payload[5..200_000]));
    stream.extend(frame(Opcode::Ping, true, b"within"));
    stream.extend(frame(Opcode::Continuation, true, &payload[200_000..]));
    let message = || Event::Message(Message::from(payload.clone()).into());
    let ping = |payload: &'static [u8]| Event::Ping(payload.into());
    let expected = [message(), ping(b"between"), ping(b"within"), message()];

    for len in [1500, 16 * KIB, 64 * KIB - 1, 64 * KIB, 100_001, 256 * KIB] {
        let mut reader = Reader::new(&Config::new(), &stream);
        reader.read_all(len);
        assert!(reader.events == expected, "reads of {len}");
        assert_eq!(reader.ws.counters().received.bytes, stream.len() as u64);
        assert!(reader.bulk_len > 0, "reads of {len}");
    }
}

#[test]
fn memory_is_twice_what_was_received() {
    let stream = frame(Opcode::Binary, true, &payload(1024 * KIB));
    let mut reader = Reader::new(&Config::new(), &stream);
    while !reader.stream.is_empty() {
        reader.read(50_000);
        let received = stream.len() - reader.stream.len();
        let held = reader.ws.memory_usage();
        assert!(held <= 2 * received + KIB, "{held} for {received}");
    }
    assert!(reader.bulk_len > 500 * KIB, "{}", reader.bulk_len);
}

#[test]
fn text_and_fragments_are_received_from_a_buffer() {
    let text = "a".repeat(200 * KIB);
    let stream = frame(Opcode::Text, true, text.as_bytes());
    let mut reader = Reader::new(&Config::new(), &stream);
    reader.read_all(64 * KIB);
    assert_eq!(reader.events, [Event::Message(text.into())]);
    assert_eq!(reader.bulk_len, 0);

    let stream = frame(Opcode::Binary, true, &payload(200 * KIB));
    let config = Config::new().with_delivery(Delivery::Fragments);
    let mut reader = Reader::new(&config, &stream);
    reader.read_all(150 * KIB);
    let is_last = |event: &Event<'_>| matches!(event, Event::Fragment(Fragment { fin: true, .. }));
    assert!(reader.events.last().is_some_and(is_last));
    assert_eq!(reader.bulk_len, 0);
}

// The budget shrinks while the message is read into.
#[test]
fn message_that_is_too_large_by_now_fails() {
    let config = Config::new().with_max_total_memory(800 * KIB);
    let stream = frame(Opcode::Binary, true, &payload(300 * KIB));
    let mut reader = Reader::new(&config, &stream);
    while reader.bulk_len == 0 {
        reader.read(150 * KIB);
    }
    let others: Vec<_> = (0..5)
        .map(|_| {
            let mut other = Reader::new(&config, &stream);
            other.read(70 * KIB);
            other
        })
        .collect();
    reader.read_all(150 * KIB);
    let failed = Event::Failed(LimitError::TooMuchMemory.into());
    assert_eq!(reader.events, [failed]);
    drop(others);
}

#[test]
fn nothing_is_read_into_a_message_after_a_failure() {
    let stream = frame(Opcode::Binary, true, &payload(300 * KIB));
    let mut reader = Reader::new(&Config::new(), &stream);
    reader.read(100 * KIB);
    let end = &mut [][..];
    assert!(
        reader
            .ws
            .receive(&mut Input::new(end), &mut Vec::new())
            .is_some()
    );
    let read = reader.ws.receive_into_message(KIB, |_| ());
    assert_eq!(read, None);
}

// A driver may read until nothing is left, and ask for room where there is none.
#[test]
fn memory_does_not_grow_while_it_is_read_into() {
    let stream = frame(Opcode::Binary, true, &payload(300 * KIB));
    let mut reader = Reader::new(&Config::new(), &stream);
    reader.read(100 * KIB);
    let before = reader.ws.memory_usage();
    let read = reader.ws.receive_into_message(usize::MAX, |memory| {
        memory.put_bytes(0, memory.remaining_mut());
        assert_eq!(memory.chunk_mut().len(), 0);
    });
    assert_eq!(read, Some(()));
    assert_eq!(reader.ws.memory_usage(), before);
}

// A driver would take it for the end of the stream.
#[test]
fn memory_is_never_empty() {
    let stream = frame(Opcode::Binary, true, &payload(300 * KIB));
    let mut reader = Reader::new(&Config::new(), &stream);
    reader.read(100 * KIB);
    let read = reader.ws.receive_into_message(0, |_| ());
    assert_eq!(read, None);
    let room_len = |memory: &mut dyn BufMut| memory.remaining_mut();
    assert_eq!(reader.ws.receive_into_message(1, room_len), Some(1));
}
