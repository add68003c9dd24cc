//! Compressed messages (RFC 7692 §6, §7.2), both roles: vectors, what is
//! refused, limits, and choices. Long runs are in `streams`.

use crate::drive::{Transcript, every_cut, feed};
use crate::wire::{ROLES, config, frames, peer_of, wire};
use flate2::{Compress, Compression, FlushCompress};
use sansocket::deflate::{self, Options, Parameters};
use sansocket::frame::{Header, Opcode};
use sansocket::{
    Agreement, CloseCode, Config, Connection, ConnectionError, Delivery, Entropy, Event, Fragment,
    Input, LimitError, Message, NoEntropy, Prepared, ProtocolError, Role, SendError,
};

/// A connection that agreed on these parameters.
fn open_with(role: Role, parameters: Parameters, config: &Config) -> Connection {
    let agreement = Agreement::default().with_deflate(parameters);
    Connection::upgraded(role, agreement, config)
}

/// A connection that agreed on keeping both windows.
fn open(role: Role, config: &Config) -> Connection {
    open_with(role, Parameters::new(), config)
}

fn in_fragments() -> Config {
    config().with_delivery(Delivery::Fragments)
}

/// The first frame of a compressed message.
fn compressed(opcode: Opcode, fin: bool, len: usize) -> Header {
    Header {
        fin,
        rsv1: true,
        ..Header::new(opcode, len as u64)
    }
}

/// A whole compressed message from a peer of this role.
fn message_from(from: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let header = compressed(opcode, true, payload.len());
    wire(from).with_header(header, payload).bytes()
}

/// As another library compresses it, without the tail.
fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut stream = flushed(payload);
    stream.truncate(stream.len() - 4);
    stream
}

fn flushed(payload: &[u8]) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut stream = Vec::with_capacity(payload.len() + 1024);
    deflate
        .compress_vec(payload, &mut stream, FlushCompress::Full)
        .unwrap();
    assert_eq!(deflate.total_in(), payload.len() as u64);
    stream
}

/// The message that the fragments of a transcript make up.
fn joined(transcript: Transcript) -> Transcript {
    let mut transcript = transcript.joined();
    for event in &mut transcript.events {
        if let Event::Fragment(Fragment { payload, fin: true }) = event {
            *event = Event::Message(payload.clone());
        }
    }
    transcript
}

/// Bytes that cannot be compressed.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 7692_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

fn is_compressed(out: &[u8]) -> bool {
    frames(out)[0].0.rsv1
}

// RFC 7692 §7.2.3: its own examples, byte for byte.
#[test]
fn examples_of_the_rfc_are_received() {
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    type Example<'e> = (&'e str, Vec<&'e [u8]>, Vec<&'e str>);
    let examples: [Example<'_>; 8] = [
        ("one block", vec![hello], vec!["Hello"]),
        (
            "shared window",
            vec![hello, b"\xf2\x00\x11\x00\x00"],
            vec!["Hello", "Hello"],
        ),
        (
            "no compression",
            vec![b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"],
            vec!["Hello"],
        ),
        (
            "final block",
            vec![b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"],
            vec!["Hello"],
        ),
        (
            "two blocks",
            vec![b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"],
            vec!["Hello"],
        ),
        ("empty", vec![b"\x00"], vec![""]),
        // Not of the RFC: what other implementations send.
        ("nothing at all", vec![b"", hello], vec!["", "Hello"]),
        (
            "final block without the byte behind it, then another",
            vec![b"\xf3\x48\xcd\xc9\xc9\x07\x00", hello],
            vec!["Hello", "Hello"],
        ),
    ];
    for role in ROLES {
        for (name, payloads, messages) in &examples {
            let from = peer_of(role);
            let bytes: Vec<u8> = payloads
                .iter()
                .flat_map(|payload| message_from(from, Opcode::Text, payload))
                .collect();
            let messages: Vec<Message> = messages.iter().map(|text| (*text).into()).collect();
            let whole = every_cut(|| open(role, &config()), &bytes);
            assert_eq!(whole.messages(), messages, "{name}");
            let pieces = every_cut(|| open(role, &in_fragments()), &bytes);
            assert_eq!(joined(pieces).messages(), messages, "{name}");
        }
    }
}

// RFC 7692 §7.2.3.1
#[test]
fn fragments_are_received_with_control_frames_between_them() {
    for role in ROLES {
        let bytes = wire(peer_of(role))
            .with_header(compressed(Opcode::Text, false, 3), b"\xf2\x48\xcd")
            .ping(b"p")
            .frame(Opcode::Continuation, false, b"")
            .pong(b"q")
            .frame(Opcode::Continuation, false, b"\xc9")
            .frame(Opcode::Continuation, true, b"\xc9\x07\x00")
            .text("plain")
            .bytes();
        let whole = every_cut(|| open(role, &config()), &bytes);
        let expected = [
            Event::Ping(b"p".into()),
            Event::Pong(b"q".into()),
            Event::Message("Hello".into()),
            Event::Message("plain".into()),
        ];
        assert_eq!(whole.events, expected);

        let mut texts = vec![String::new()];
        for event in every_cut(|| open(role, &in_fragments()), &bytes).events {
            let Event::Fragment(Fragment { payload, fin }) = event else {
                continue;
            };
            texts
                .last_mut()
                .unwrap()
                .push_str(payload.as_text().unwrap());
            if fin {
                texts.push(String::new());
            }
        }
        assert_eq!(texts, ["Hello", "plain", ""]);
    }
}

// RFC 7692 §6, §6.1; RFC 6455 §5.2
#[test]
fn reserved_bits_are_refused_where_they_mean_nothing() {
    let first = |opcode, fin| Header {
        fin,
        rsv1: true,
        ..Header::new(opcode, 1)
    };
    for role in ROLES {
        let begun = || wire(peer_of(role)).frame(Opcode::Text, false, b"a");
        let start = || wire(peer_of(role));
        let both = Header {
            rsv2: true,
            ..first(Opcode::Text, true)
        };
        let third = Header {
            rsv1: false,
            rsv3: true,
            ..first(Opcode::Text, true)
        };
        let rows = [
            start().with_header(first(Opcode::Ping, true), b"\0"),
            start().with_header(first(Opcode::Pong, true), b"\0"),
            start().with_header(first(Opcode::Close, true), b"\0"),
            begun().with_header(first(Opcode::Continuation, true), b"\0"),
            start().with_header(both, b"\0"),
            start().with_header(third, b"\0"),
        ];
        for row in rows {
            let transcript = every_cut(|| open(role, &config()), &row.bytes());
            assert_eq!(transcript.error(), Some(ProtocolError::ReservedBits.into()));
            let (close, payload) = frames(&transcript.out).pop().unwrap();
            assert_eq!(
                (close.opcode, &*payload),
                (Opcode::Close, &[0x03, 0xea][..])
            );
        }
        let compressed = message_from(peer_of(role), Opcode::Text, b"\0");
        let transcript = every_cut(|| crate::drive::open(role, &config()), &compressed);
        assert_eq!(
            transcript.error(),
            Some(ProtocolError::ReservedBits.into()),
            "not negotiated"
        );
    }
}

// RFC 7692 §7.2.2: data that cannot be decompressed is reported once, with 1007, and what
// was received before it is not lost.
#[test]
fn broken_streams_fail_the_connection() {
    let broken: [(&str, &[u8]); 11] = [
        ("reserved block type", b"\x07"),
        ("ends in a block", b"\xf2\x48\xcd"),
        (
            "ends in a block, at its last byte",
            b"\xf2\x48\xcd\xc9\xc9\x07",
        ),
        ("ends in a stored block", b"\x00\x05\x00\xfa\xffHel"),
        ("ends in the head of a stored block", b"\x00\x05"),
        (
            "stored length and its complement differ",
            b"\x00\x05\x00\xfa\xfeHello\x00",
        ),
        ("looks back behind the start", b"\xf2\x00\x11\x00\x00"),
        ("too many symbols", b"\xfc\xff\xff\xff"),
        (
            "with a tail of its own, cut",
            b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff",
        ),
        (
            "begins another block behind the end",
            b"\xf2\x48\xcd\xc9\xc9\x07\x00\xf2",
        ),
        (
            "garbage behind a final block",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x07",
        ),
    ];
    for role in ROLES {
        for (name, stream) in broken {
            let from = peer_of(role);
            let mut bytes = wire(from).text("before").bytes();
            bytes.extend(message_from(from, Opcode::Binary, stream));
            bytes.extend(wire(from).text("behind").bytes());
            let whole = every_cut(|| open(role, &config()), &bytes);
            let error = ConnectionError::from(ProtocolError::InvalidDeflate);
            assert_eq!(
                whole.events,
                [Event::Message("before".into()), Event::Failed(error)],
                "{name}"
            );
            assert_eq!(error.close_code(), Some(CloseCode::INVALID_PAYLOAD));
            let (close, payload) = frames(&whole.out).pop().unwrap();
            assert_eq!(
                (close.opcode, &*payload),
                (Opcode::Close, &[0x03, 0xef][..])
            );

            let pieces = every_cut(|| open(role, &in_fragments()), &bytes);
            assert_eq!(pieces.error(), Some(error), "{name}");
        }
    }
}

// A tail that was not removed is an empty block more: allowed.
#[test]
fn tail_that_was_left_is_harmless() {
    let stream = b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x00";
    let bytes = message_from(Role::Server, Opcode::Text, stream);
    let whole = every_cut(|| open(Role::Client, &config()), &bytes);
    assert_eq!(whole.messages(), [Message::from("Hello")]);
}

// RFC 6455 §8.1, on what was inflated: where the message is still unfinished.
#[test]
fn text_is_checked_as_it_is_inflated() {
    let texts: [(&[u8], bool); 6] = [
        (b"a\xffb", false),
        (b"a\xc3", false),
        (b"a\xed\xa0\x80", false),
        ("\u{20ac}uro".as_bytes(), true),
        ("\u{1f980}\u{1f980}".as_bytes(), true),
        (b"", true),
    ];
    for (text, is_valid) in texts {
        let bytes = message_from(Role::Client, Opcode::Text, &deflated(text));
        for config in [config(), in_fragments()] {
            let received = joined(every_cut(|| open(Role::Server, &config), &bytes));
            if is_valid {
                let text = str::from_utf8(text).unwrap();
                assert_eq!(received.messages(), [Message::from(text)]);
            } else {
                assert_eq!(received.error(), Some(ProtocolError::InvalidUtf8.into()));
            }
        }
        let lossy = config().allow_invalid_utf8(true);
        for config in [lossy.clone(), lossy.with_delivery(Delivery::Fragments)] {
            let received = joined(every_cut(|| open(Role::Server, &config), &bytes));
            let text = String::from_utf8_lossy(text);
            assert_eq!(received.messages(), [Message::from(text.into_owned())]);
        }
    }

    let unfinished = flushed(b"so far so good \xff");
    let header = compressed(Opcode::Text, false, unfinished.len());
    let bytes = wire(Role::Client).with_header(header, &unfinished).bytes();
    let whole = every_cut(|| open(Role::Server, &config()), &bytes);
    assert_eq!(whole.error(), Some(ProtocolError::InvalidUtf8.into()));
    let pieces = every_cut(|| open(Role::Server, &in_fragments()), &bytes);
    let delivered = [
        Event::Fragment(Fragment::more("so far so good ")),
        Event::Failed(ProtocolError::InvalidUtf8.into()),
    ];
    assert_eq!(pieces.events, delivered);
}

// Characters lie across the borders of what is inflated at once.
#[test]
fn text_of_any_length_is_received() {
    for len in [8190, 8191, 8192, 8193, 16_384, 50_000] {
        let text: String = "a\u{e9}\u{20ac}\u{1f980}"
            .chars()
            .cycle()
            .take(len)
            .collect();
        let bytes = message_from(Role::Client, Opcode::Text, &deflated(text.as_bytes()));
        for config in [config(), in_fragments()] {
            let whole = joined(feed(&mut open(Role::Server, &config), [&*bytes]));
            assert_eq!(whole.messages(), [Message::from(&text)]);
            let cut = joined(feed(&mut open(Role::Server, &config), bytes.chunks(7)));
            assert_eq!(cut.messages(), [Message::from(&text)]);
        }
    }
}

// Requirement 4: counted on inflated bytes, exact, with 1009.
#[test]
fn message_limit_is_exact_on_inflated_bytes() {
    for limit in [0, 1, 100, 8191, 8192, 8193, 100_000] {
        for len in [limit, limit + 1] {
            let payload = vec![b'x'; len];
            for opcode in [Opcode::Text, Opcode::Binary] {
                let bytes = message_from(Role::Client, opcode, &deflated(&payload));
                for config in [config(), in_fragments()] {
                    let config = config.with_max_message_len(limit);
                    let received = every_cut(|| open(Role::Server, &config), &bytes);
                    let received = joined(received);
                    if len == limit {
                        let messages = received.messages();
                        assert_eq!(messages[0].as_bytes(), payload);
                        continue;
                    }
                    let error = ConnectionError::from(LimitError::MessageTooLong);
                    assert_eq!(received.error(), Some(error), "{limit}");
                    assert_eq!(error.close_code(), Some(CloseCode::MESSAGE_TOO_BIG));
                    let delivered: usize = received.events.iter().map(max_sent_frame_len).sum();
                    let allowed = [0, limit];
                    assert!(allowed.contains(&delivered), "{delivered} of {limit}");
                }
            }
        }
    }
}

fn max_sent_frame_len(event: &Event<'_>) -> usize {
    match event {
        Event::Fragment(fragment) => fragment.payload.len(),
        _ => 0,
    }
}

// Requirement 4: the limit on frames is on the wire's bytes, and many empty
// frames count.
#[test]
fn limits_on_frames_hold_for_compressed_ones() {
    let stream = deflated(b"Hello Hello Hello Hello Hello");
    let bytes = message_from(Role::Client, Opcode::Binary, &stream);
    let len = stream.len();
    for (max_frame_len, is_fine) in [(len, true), (len - 1, false)] {
        let config = config().with_max_frame_len(max_frame_len);
        let received = every_cut(|| open(Role::Server, &config), &bytes);
        let error = (!is_fine).then_some(LimitError::FrameTooLong.into());
        assert_eq!(received.error(), error);
    }
    let mut bytes = wire(Role::Client)
        .with_header(compressed(Opcode::Binary, false, 0), b"")
        .bytes();
    for _ in 0..3 {
        let empty = wire(Role::Client).frame(Opcode::Continuation, false, b"");
        bytes.extend(empty.bytes());
    }
    let config = config().with_max_fragments(3);
    let received = every_cut(|| open(Role::Server, &config), &bytes);
    assert_eq!(received.error(), Some(LimitError::TooManyFragments.into()));
}

// Requirement 4: the ratio, for who allows messages of any length.
#[test]
fn bomb_is_stopped_by_its_ratio() {
    let bomb = deflated(&vec![0; 16 << 20]);
    let bytes = message_from(Role::Client, Opcode::Binary, &bomb);
    let deflate = Options::new().with_max_ratio(500);
    let config = config().with_max_message_len(usize::MAX);
    for (options, is_stopped) in [
        (Options::new(), true),
        (deflate.clone(), true),
        (deflate.with_max_ratio(1100), false),
        (Options::new().with_max_ratio(None), false),
    ] {
        let config = config.clone().with_deflate(options);
        let error = is_stopped.then_some(LimitError::RatioTooHigh.into());
        for config in [config.clone(), config.with_delivery(Delivery::Fragments)] {
            let whole = feed(&mut open(Role::Server, &config), [&*bytes]).joined();
            assert_eq!(whole.error(), error);
            let cut = feed(&mut open(Role::Server, &config), bytes.chunks(1000)).joined();
            assert!(cut == whole, "cuts do not matter");
        }
    }
    // Short messages may be as regular as they like.
    let short = message_from(Role::Client, Opcode::Binary, &deflated(&[0; 1 << 20]));
    let whole = feed(&mut open(Role::Server, &config), [&*short]);
    assert_eq!(whole.messages()[0].len(), 1 << 20);
}

// The driver's other connections have their turn meanwhile, see `Event::Yield`.
#[test]
fn message_is_inflated_in_turns() {
    const LEN: usize = 4 << 20;
    let bomb = message_from(Role::Client, Opcode::Binary, &deflated(&vec![0; LEN]));
    let mut ws = open(Role::Server, &config());
    let (mut rest, mut out, mut yields) = (bomb.clone(), Vec::new(), 0);
    let mut input = Input::new(&mut rest);
    let message = loop {
        let before = ws.memory_usage();
        match ws.receive(&mut input, &mut out).expect("an event") {
            Event::Yield => yields += 1,
            Event::Message(message) => break message.into_owned(),
            event => panic!("{event:?}"),
        }
        // The buffer doubles if it has to.
        assert!(ws.memory_usage() <= 2 * before + 128 * 1024);
        // The rest of the input, and no end of the stream.
        if input.remaining().is_empty() {
            assert!(ws.has_event());
            input = Input::none();
        }
    };
    assert_eq!(message, vec![0; LEN].into());
    assert!(!ws.has_event());
    assert!(yields >= LEN / (48 * 1024), "{yields}");
    let whole = feed(&mut open(Role::Server, &config()), [&bomb[..]]);
    assert_eq!(whole.messages(), [message]);
}

// Blocks that are nothing but their end take time and return nothing.
#[test]
fn blocks_without_data_are_taken_in_turns() {
    let blocks = b"\0\0\0\xff\xff".repeat(8 * 1024);
    let header = compressed(Opcode::Binary, false, blocks.len());
    let mut bytes = wire(Role::Client).with_header(header, &blocks).bytes();
    let (mut ws, mut out, mut yields) = (open(Role::Server, &config()), Vec::new(), 0);
    let mut input = Input::new(&mut bytes);
    loop {
        let before = input.remaining().len();
        let event = ws.receive(&mut input, &mut out);
        assert!(before - input.remaining().len() <= 8 * 1024);
        match event {
            Some(event) => assert_eq!(event, Event::Yield),
            None => break,
        }
        yields += 1;
    }
    assert!(yields >= 8, "{yields}");
}

// Requirement 3: nothing stays inside when the input is used up.
#[test]
fn all_of_a_message_comes_out_without_further_input() {
    let payload = vec![b'x'; 1 << 20];
    let stream = deflated(&payload);
    assert!(stream.len() < 1200);
    let bytes = message_from(Role::Server, Opcode::Binary, &stream);
    let whole = feed(&mut open(Role::Client, &config()), [&*bytes]);
    assert_eq!(whole.messages(), [Message::from(&payload)]);
    let pieces = joined(feed(&mut open(Role::Client, &in_fragments()), [&*bytes]));
    assert_eq!(pieces.messages(), [Message::from(&payload)]);
}

// Requirement 5
#[test]
fn threshold_and_choice_decide_what_is_compressed() {
    use deflate::Compress::{Always, Auto, Never};
    let text = |len: usize| "a".repeat(len);
    let options = Options::new().with_threshold(100);
    let with_takeover = options.clone().with_context_takeover(true);
    let rows = [
        (&options, Auto, 99, false),
        (&options, Auto, 100, true),
        (&options, Always, 99, true),
        (&options, Always, 0, true),
        (&options, Never, 1000, false),
        (&options, Auto, 0, false),
        (&with_takeover, Auto, 1, true),
        (&with_takeover, Auto, 0, false),
        (&with_takeover, Always, 0, true),
        (&with_takeover, Never, 1000, false),
    ];
    for role in ROLES {
        for (options, choice, len, expected) in &rows {
            let config = config().with_deflate((*options).clone());
            let (mut ws, mut out) = (open(role, &config), Vec::new());
            ws.send_with(text(*len), *choice, &mut out).unwrap();
            assert_eq!(is_compressed(&out), *expected, "{choice:?} {len}");
            let received = feed(&mut open(peer_of(role), &config), [&*out]);
            assert_eq!(received.messages(), [Message::from(text(*len))]);
            if *choice == Auto {
                let mut again = Vec::new();
                open(role, &config).send(text(*len), &mut again).unwrap();
                assert_eq!(again, out, "`send` is `Auto`");
            }
        }
    }
    // Not negotiated: nothing is.
    let (mut ws, mut out) = (crate::drive::open(Role::Server, &config()), Vec::new());
    ws.send_with(text(1000), Always, &mut out).unwrap();
    assert!(!is_compressed(&out));
}

// Requirement 5: what gains nothing is sent as it is, where nothing refers to
// it.
#[test]
fn message_that_gains_nothing_is_sent_as_it_is() {
    let noise = noise(400);
    assert!(deflated(&noise).len() >= noise.len());
    for (takeover, expected) in [(false, false), (true, true)] {
        let config = config().with_deflate(Options::new().with_context_takeover(takeover));
        let (mut ws, mut out) = (open(Role::Server, &config), Vec::new());
        ws.send(&noise, &mut out).unwrap();
        assert_eq!(is_compressed(&out), expected);
        ws.send(&noise, &mut out).unwrap();
        let received = feed(&mut open(Role::Client, &config), [&*out]);
        assert_eq!(
            received.messages(),
            [Message::from(&noise), Message::from(&noise)]
        );
    }
}

#[test]
fn fragments_are_sent_compressed() {
    let text = "so much to say ".repeat(20);
    let config = config().with_deflate(Options::new().with_context_takeover(true));
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config), Vec::new());
        for _ in 0..3 {
            for piece in text.as_bytes().chunks(50) {
                let piece = str::from_utf8(piece).unwrap();
                ws.send_fragment(Fragment::more(piece), &mut out).unwrap();
                ws.ping(b"between", &mut out).unwrap();
            }
            ws.send_fragment(Fragment::last(""), &mut out).unwrap();
        }
        let sent = frames(&out);
        let data = || {
            sent.iter()
                .filter(|(header, _)| !header.opcode.is_control())
        };
        assert!(data().all(|(header, _)| header.rsv1 == (header.opcode == Opcode::Text)));
        let on_the_wire: usize = data().map(|(_, payload)| payload.len()).sum();
        assert!(on_the_wire < text.len());

        let received = feed(&mut open(peer_of(role), &config), [&*out]);
        assert_eq!(
            received.messages(),
            [&text, &text, &text].map(Message::from)
        );
    }
}

#[test]
fn choice_is_made_with_the_first_fragment() {
    use deflate::Compress::{Always, Auto, Never};
    for (first, then, expected) in [(Never, Always, false), (Always, Never, true)] {
        let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
        let fragment = Fragment::more("a");
        ws.send_fragment_with(fragment, first, &mut out).unwrap();
        ws.send_fragment_with(Fragment::last("b"), then, &mut out)
            .unwrap();
        assert_eq!(is_compressed(&out), expected);
        let received = feed(&mut open(Role::Client, &config()), [&*out]);
        assert_eq!(received.messages(), [Message::from("ab")]);
    }
    let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
    ws.send_fragment_with(Fragment::last("short"), Auto, &mut out)
        .unwrap();
    assert!(!is_compressed(&out), "its length is known");
}

#[test]
fn long_messages_leave_in_frames_of_allowed_length() {
    let noise = noise(5000);
    let config = config()
        .with_max_sent_frame_len(1000)
        .with_deflate(Options::new().with_context_takeover(true));
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config), Vec::new());
        ws.send(&noise, &mut out).unwrap();
        let sent = frames(&out);
        assert!(sent.len() > 1);
        assert!(sent.iter().all(|(header, payload)| {
            payload.len() <= 1000 && header.rsv1 == (header.opcode == Opcode::Binary)
        }));
        let received = feed(&mut open(peer_of(role), &config), [&*out]);
        assert_eq!(received.messages(), [Message::from(&noise)]);
    }
}

// A refused send leaves the compressor in step with the peer (SECURITY).
#[test]
fn refused_send_does_not_put_the_window_out_of_step() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static IS_DRY: AtomicBool = AtomicBool::new(false);
    let entropy = Entropy::new(|bytes| {
        bytes.fill(7);
        if IS_DRY.load(Ordering::Relaxed) {
            Err(NoEntropy)
        } else {
            Ok(())
        }
    });
    let config = config()
        .with_entropy(entropy)
        .with_max_sent_frame_len(64)
        .with_deflate(Options::new().with_context_takeover(true));
    let (mut ws, mut out) = (open(Role::Client, &config), Vec::new());
    let texts = ["one two three ".repeat(9), "three two one ".repeat(9)];
    ws.send(&texts[0], &mut out).unwrap();
    IS_DRY.store(true, Ordering::Relaxed);
    // Keys are drawn ahead: until they are used up, sending goes on.
    let mut sent = 1;
    let refused = loop {
        match ws.send(&texts[1], &mut out) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SendError::NoEntropy);
    IS_DRY.store(false, Ordering::Relaxed);
    ws.send(&texts[0], &mut out).unwrap();
    ws.send(&texts[1], &mut out).unwrap();

    let received = feed(&mut open(Role::Server, &config), [&*out]).messages();
    assert_eq!(received.len(), sent + 2);
    assert_eq!(received[sent..], [&texts[0], &texts[1]].map(Message::from));
}

// What the compressor does not know of must not be referred to.
#[test]
fn prepared_and_plain_messages_pass_between_compressed_ones() {
    let config = config().with_deflate(
        Options::new()
            .with_context_takeover(true)
            .with_threshold(10),
    );
    let (mut ws, mut out) = (open(Role::Server, &config), Vec::new());
    let text = "again and again and again";
    let news = Prepared::new("news for all, news for all, news for all");
    let mut expected = Vec::new();
    for _ in 0..3 {
        ws.send(text, &mut out).unwrap();
        ws.send_prepared(&news, &mut out).unwrap();
        ws.send_with(text, deflate::Compress::Never, &mut out)
            .unwrap();
        out.extend_from_slice(&ws.share_prepared(&news).unwrap());
        ws.send(text, &mut out).unwrap();
        ws.release();
        let news = "news for all, news for all, news for all";
        expected.extend([text, news, text, news, text].map(Message::from));
    }
    let received = every_cut(|| open(Role::Client, &config), &out);
    assert_eq!(received.messages(), expected);
}

// Requirement 27: one compression and no copy for any number of connections.
#[test]
fn prepared_message_is_compressed_once_for_all() {
    const CONNECTIONS: usize = 10_000;
    let news = Prepared::new("news ".repeat(200));
    let options = Options::new();
    let mut addresses = Vec::new();
    let configs = [
        (config().with_deflate(options.clone()), Parameters::new()),
        (
            config().with_deflate(options.clone()),
            Parameters::new().with_server_no_context_takeover(),
        ),
        (
            config().with_deflate(options.clone().with_level(9)),
            Parameters::new(),
        ),
        (
            config().with_deflate(options),
            Parameters::new().with_server_max_window_bits(9),
        ),
    ];
    for (config, parameters) in configs {
        let first = open_with(Role::Server, parameters, &config)
            .share_prepared(&news)
            .unwrap();
        assert_eq!(first[0], 0xc1);
        for _ in 0..CONNECTIONS / 4 {
            let mut ws = open_with(Role::Server, parameters, &config);
            let shared = ws.share_prepared(&news).unwrap();
            assert_eq!(shared.as_ptr(), first.as_ptr(), "the same bytes");
        }
        let received = feed(&mut open_with(Role::Client, parameters, &config), [&*first]);
        assert_eq!(received.messages()[0].as_bytes(), news.payload());
        addresses.push(first.as_ptr());
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 3, "one form for each way to compress");

    let (mut ws, plain) = (crate::drive::open(Role::Server, &config()), news.payload());
    let shared = ws.share_prepared(&news).unwrap();
    assert!(shared.ends_with(plain) && !is_compressed(&shared));
    let mut client = Vec::new();
    let mut ws = open(Role::Client, &config());
    ws.send_prepared(&news, &mut client).unwrap();
    assert!(is_compressed(&client));
    let received = feed(&mut open(Role::Server, &config()), [&*client]);
    assert_eq!(received.messages()[0].as_bytes(), plain);
}

// Requirement 2: another library did the handshake.
#[test]
fn connection_takes_negotiated_parameters() {
    let parameters = Parameters::new().with_client_no_context_takeover();
    let agreement = Agreement::default()
        .with_deflate(parameters)
        .with_subprotocol("chat");
    let ws = Connection::upgraded(Role::Server, agreement, &config());
    assert_eq!(ws.deflate(), Some(parameters));
    assert_eq!(ws.subprotocol(), Some("chat"));
    let text = "compressed ".repeat(100);
    for role in ROLES {
        let mut out = Vec::new();
        open_with(role, parameters, &config())
            .send(&text, &mut out)
            .unwrap();
        assert!(is_compressed(&out));
        let received = feed(
            &mut open_with(peer_of(role), parameters, &config()),
            [&*out],
        );
        assert_eq!(received.messages(), [Message::from(&text)]);
    }
}

#[test]
fn connection_that_is_over_sends_and_receives_nothing_compressed() {
    let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
    let close = wire(Role::Client).close(1000, "").bytes();
    let behind = message_from(Role::Client, Opcode::Text, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    let received = feed(&mut ws, [&*close, &behind]);
    assert_eq!(received.events.len(), 1);
    assert_eq!(ws.send("late", &mut out), Err(SendError::Closed));
    assert!(out.is_empty());
}

// Empty blocks inflate to nothing: only the bytes on the wire have an end.
#[test]
fn compressed_message_is_limited_on_the_wire() {
    for role in ROLES {
        let limited = config().with_max_message_len(1024);
        let endless = compressed(Opcode::Binary, true, i64::MAX as usize);
        let bytes = wire(peer_of(role)).with_header(endless, b"").bytes();
        let told = every_cut(|| open(role, &limited), &bytes);
        assert_eq!(told.error(), Some(LimitError::MessageTooLong.into()));

        // In many frames, each of which is short.
        let (mut ws, empty) = (open(role, &limited), [0, 0, 0, 0xff, 0xff].repeat(20));
        let first = compressed(Opcode::Binary, false, empty.len());
        let mut frame = wire(peer_of(role)).with_header(first, &empty).bytes();
        let mut frames = 0;
        while feed(&mut ws, [&*frame]).error().is_none() {
            let next = wire(peer_of(role)).frame(Opcode::Continuation, false, &empty);
            (frame, frames) = (next.bytes(), frames + 1);
            assert!(frames < 100, "{} bytes", frames * empty.len());
        }

        // With fragments only if there is a limit.
        let told = feed(&mut open(role, &in_fragments()), [&*bytes]);
        assert_eq!(told.error(), None);
    }
}

// What cannot be compressed grows, and more so in small frames.
#[test]
fn message_at_its_limit_may_be_longer_on_the_wire() {
    let mut noise = 1_u64;
    let mut payload = vec![0; 64 * 1024];
    for byte in &mut payload {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        *byte = noise as u8;
    }
    for role in ROLES {
        for mem_level in [1, 8] {
            for piece_len in [1, 10, payload.len()] {
                let options = Options::new()
                    .with_context_takeover(true)
                    .with_mem_level(mem_level);
                let config = config()
                    .with_deflate(options)
                    .with_max_message_len(payload.len());
                let mut sender = open(peer_of(role), &config);
                let (mut out, mut rest) = (Vec::new(), payload.chunks(piece_len));
                while let Some(piece) = rest.next() {
                    let fragment = Fragment {
                        payload: piece.into(),
                        fin: rest.len() == 0,
                    };
                    let always = deflate::Compress::Always;
                    sender
                        .send_fragment_with(fragment, always, &mut out)
                        .unwrap();
                }
                let told = feed(&mut open(role, &config), [&*out]);
                assert_eq!(told.error(), None, "in pieces of {piece_len}");
                assert!(told.messages() == [Message::from(&payload)]);
            }
        }
    }
}
