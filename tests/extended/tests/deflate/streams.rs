//! Long runs of compressed messages, against an inflater and a deflater of
//! others: windows stay in step, and look back no farther than was agreed on.

use crate::drive::feed;
use crate::wire::{ROLES, config, frames, peer_of, wire};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use sansocket::deflate::{self, Options, Parameters};
use sansocket::frame::{Header, Opcode};
use sansocket::{Agreement, Config, Connection, Delivery, Event, Fragment, Input, Message, Role};

/// The same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    /// From nothing to 1 MiB, most of them short, some alike, some noise.
    fn message(&mut self) -> Vec<u8> {
        let len = match self.below(2000) {
            0 => self.below(1 << 20),
            1..=5 => self.below(1 << 16),
            6..=1400 => self.below(300),
            _ => self.below(3000),
        };
        match self.below(4) {
            0 => (0..len).map(|_| self.below(256) as u8).collect(),
            1 => vec![b'z'; len],
            _ => {
                let words = [
                    "{\"id\":", "\"name\"", "null", ",", "[1,2]", "}", "\u{20ac}", " ",
                ];
                let mut text = String::new();
                while text.len() < len {
                    text.push_str(words[self.below(words.len())]);
                }
                text.into_bytes()
            }
        }
    }
}

fn open_with(role: Role, parameters: Parameters, config: &Config) -> Connection {
    let agreement = Agreement::default().with_deflate(parameters);
    Connection::upgraded(role, agreement, config)
}

fn both_takeovers() -> Options {
    Options::new()
        .with_context_takeover(true)
        .with_peer_context_takeover(true)
}

// Requirement 3: what we deflate, C's zlib inflates, with room for as little
// as one byte.
#[test]
fn ten_thousand_messages_are_inflated_by_another() {
    for takeover in [true, false] {
        let config = config().with_deflate(
            both_takeovers()
                .with_context_takeover(takeover)
                .with_mem_level(9),
        );
        let mut ws = open_with(Role::Server, Parameters::new(), &config);
        let mut inflate = Decompress::new(false);
        let (mut random, mut out) = (Random(1), Vec::new());
        for number in 0..10_000 {
            let message = random.message();
            out.clear();
            if random.below(2) == 0 {
                let choice = deflate::Compress::Always;
                ws.send_with(&message, choice, &mut out).unwrap();
            } else {
                send_in_fragments(&mut ws, &message, &mut random, &mut out);
            }
            let mut stream: Vec<u8> = Vec::new();
            for (header, payload) in frames(&out) {
                assert_eq!(header.rsv1, header.opcode == Opcode::Binary);
                stream.extend(payload);
            }
            stream.extend(b"\x00\x00\xff\xff");
            let room = 1 + random.below(if message.len() < 3000 { 50 } else { 5000 });
            let inflated = inflated(&mut inflate, &stream, room);
            assert!(inflated == message, "message {number}, takeover {takeover}");
            if !takeover {
                inflate.reset(false);
            }
        }
    }
}

fn send_in_fragments(ws: &mut Connection, message: &[u8], random: &mut Random, out: &mut Vec<u8>) {
    let choice = deflate::Compress::Always;
    let len = 1 + message.len() / (1 + random.below(5));
    for piece in message.chunks(len) {
        ws.send_fragment_with(Fragment::more(piece), choice, out)
            .unwrap();
    }
    ws.send_fragment_with(Fragment::last(b""), choice, out)
        .unwrap();
}

fn inflated(inflate: &mut Decompress, stream: &[u8], room: usize) -> Vec<u8> {
    let (mut message, start) = (Vec::new(), inflate.total_in());
    let mut buf = vec![0; room];
    loop {
        let taken = (inflate.total_in() - start) as usize;
        let before = inflate.total_out();
        inflate
            .decompress(&stream[taken..], &mut buf, FlushDecompress::Sync)
            .expect("a valid stream");
        let len = (inflate.total_out() - before) as usize;
        message.extend_from_slice(&buf[..len]);
        if len < room && inflate.total_in() - start == stream.len() as u64 {
            return message;
        }
    }
}

// Requirement 3: what C's zlib deflates, in any way that it can, we inflate,
// from pieces of as little as one byte.
#[test]
fn ten_thousand_messages_of_another_are_inflated() {
    for (takeover, delivery) in [
        (true, Delivery::Messages),
        (true, Delivery::Fragments),
        (false, Delivery::Messages),
    ] {
        let parameters = Parameters::new();
        let parameters = if takeover {
            parameters
        } else {
            parameters.with_server_no_context_takeover()
        };
        let config = config()
            .with_delivery(delivery)
            .with_deflate(both_takeovers().with_max_ratio(None));
        let mut ws = open_with(Role::Client, parameters, &config);
        let mut random = Random(2);
        let mut deflate = Compress::new(Compression::default(), false);
        for number in 0..10_000 {
            if number % 100 == 0 {
                // It may forget when it likes; only we may not.
                let level = Compression::new(random.below(10) as u32);
                deflate = Compress::new_with_window_bits(level, false, 9 + number as u8 % 7);
            }
            let message = random.message();
            let stream = deflated(&mut deflate, &message, &mut random);
            let wire = in_frames(&stream, &mut random);
            let pieces = if message.len() < 3000 { 40 } else { 4000 };
            let received = receive(&mut ws, &wire, 1 + random.below(pieces));
            assert!(
                received == [message],
                "message {number}, {takeover} {delivery:?}"
            );
            if !takeover {
                deflate.reset();
            }
        }
    }
}

/// A message in blocks of any kind, some flushed, without its tail.
fn deflated(deflate: &mut Compress, message: &[u8], random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::with_capacity(message.len() + message.len() / 8 + 4096);
    let mut rest = message;
    while !rest.is_empty() && random.below(3) == 0 {
        let (piece, behind) = rest.split_at(random.below(rest.len()));
        let flush = [
            FlushCompress::None,
            FlushCompress::Partial,
            FlushCompress::Sync,
            FlushCompress::Full,
        ][random.below(4)];
        // Nothing new to flush is an error of no consequence.
        let _ = deflate.compress_vec(piece, &mut stream, flush);
        rest = behind;
    }
    let _ = deflate.compress_vec(rest, &mut stream, FlushCompress::Sync);
    match stream.strip_suffix(b"\x00\x00\xff\xff") {
        Some(stripped) => stripped.to_vec(),
        // RFC 7692 §7.2.3.6: nothing was to be flushed.
        None => [&stream[..], b"\x00"].concat(),
    }
}

fn in_frames(stream: &[u8], random: &mut Random) -> Vec<u8> {
    let len = 1 + random.below(stream.len() + 1);
    let mut chunks = stream.chunks(len).enumerate().peekable();
    let mut wire = wire(Role::Server);
    while let Some((index, chunk)) = chunks.next() {
        let opcode = [Opcode::Binary, Opcode::Continuation][index.min(1)];
        let header = Header {
            fin: chunks.peek().is_none(),
            rsv1: index == 0,
            ..Header::new(opcode, chunk.len() as u64)
        };
        wire = wire.with_header(header, chunk);
    }
    wire.bytes()
}

fn receive(ws: &mut Connection, wire: &[u8], len: usize) -> Vec<Vec<u8>> {
    let (mut messages, mut begun) = (Vec::new(), Vec::new());
    for event in feed(ws, wire.chunks(len)).events {
        match event {
            Event::Message(message) => messages.push(message.as_bytes().to_vec()),
            Event::Fragment(Fragment { payload, fin }) => {
                begun.extend_from_slice(payload.as_bytes());
                if fin {
                    messages.push(std::mem::take(&mut begun));
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(begun.is_empty());
    messages
}

// Requirement 1: all four parameters, both roles. Nothing looks back farther
// than was promised, not even 8 bits.
#[test]
fn every_window_and_takeover_is_kept() {
    for role in ROLES {
        for bits in 8..=15 {
            for takeover in [true, false] {
                for (level, mem_level) in [(1, 8), (6, 8), (9, 9), (2, 1), (4, 4)] {
                    let options = both_takeovers().with_level(level).with_mem_level(mem_level);
                    let mut parameters = match role {
                        Role::Server => Parameters::new().with_server_max_window_bits(bits),
                        Role::Client => Parameters::new().with_client_max_window_bits(bits),
                    };
                    if !takeover {
                        parameters = parameters
                            .with_server_no_context_takeover()
                            .with_client_no_context_takeover();
                    }
                    let config = config().with_deflate(options);
                    let setting = format!("{role:?} {parameters} {level} {mem_level}");
                    check_window(role, parameters, &config, 1 << bits, takeover, &setting);
                }
            }
        }
    }
}

fn check_window(
    role: Role,
    parameters: Parameters,
    config: &Config,
    window_len: usize,
    takeover: bool,
    setting: &str,
) {
    let mut ws = open_with(role, parameters, config);
    let mut peer = open_with(peer_of(role), parameters, config);
    let (mut random, mut window, mut longest) = (Random(3), Vec::new(), 0);
    for _ in 0..12 {
        let (message, mut out) = (text_of(9000, &mut random), Vec::new());
        ws.send_with(&message, deflate::Compress::Always, &mut out)
            .unwrap();
        let (_, stream) = frames(&out).remove(0);
        if !takeover {
            window.clear();
        }
        let (inflated, distance) = crate::inflate::inflate(&stream, &window).expect(setting);
        assert!(inflated == message, "{setting}");
        assert!(distance <= window_len, "{distance}: {setting}");
        longest = longest.max(distance);
        window.extend_from_slice(&message);
        assert_eq!(
            feed(&mut peer, [&*out]).messages(),
            [Message::from(&message)]
        );
    }
    // The promise is not kept by looking back at nothing.
    assert!(longest > window_len.min(8192) / 4, "{longest}: {setting}");
}

/// Words that come again at all distances.
fn text_of(len: usize, random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < len {
        text.extend_from_slice(format!("w{} ", random.below(700)).as_bytes());
    }
    text
}

// Requirement 4: 1 GiB passes through the memory of one read.
#[test]
fn message_of_a_gibibyte_passes_in_fragments() {
    const MIB: usize = 1 << 20;
    let mut deflate = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(MIB);
    // What was flushed in full refers to nothing before it.
    deflate
        .compress_vec(&vec![0; MIB], &mut block, FlushCompress::Full)
        .unwrap();
    let config = config()
        .with_delivery(Delivery::Fragments)
        .with_max_message_len(usize::MAX)
        .with_deflate(Options::new().with_max_ratio(None));
    let mut ws = open_with(Role::Client, Parameters::new(), &config);
    let (mut len, mut ends, mut most) = (0, 0, 0);
    for number in 0..1024 {
        let mut payload = block.clone();
        let is_last = number == 1023;
        if is_last {
            payload.truncate(payload.len() - 4);
        }
        let opcode = [Opcode::Binary, Opcode::Continuation][number.min(1)];
        let header = Header {
            fin: is_last,
            rsv1: number == 0,
            ..Header::new(opcode, payload.len() as u64)
        };
        let mut bytes = wire(Role::Server).with_header(header, &payload).bytes();
        let (mut input, mut out) = (Input::new(&mut bytes), Vec::new());
        while let Some(event) = ws.receive(&mut input, &mut out) {
            let (payload, fin) = match event {
                Event::Fragment(Fragment { payload, fin }) => (payload, fin),
                Event::Yield => continue,
                _ => panic!("{event:?}"),
            };
            len += payload.len();
            ends += usize::from(fin);
            most = most.max(payload.len() + ws.memory_usage());
        }
    }
    assert_eq!((len, ends), (1024 * MIB, 1));
    // The window and the tables of the backend, and 64 KiB.
    assert!(most < (48 + 64) * 1024, "{most}");
}
