//! Messages (§5.4 to §5.6, §6): however they are cut into frames and pieces,
//! with control frames between them, and what of them is refused.

use core::time::Duration;

use crate::drive::{END, every_cut, feed, open};
use crate::wire::{ROLES, Wire, config, frames, peer_of, wire};
use sansocket::frame::{Header, MaskingKey, Opcode};
use sansocket::{
    ClientRequest, CloseCode, Config, Connection, ConnectionError, Delivery, Event, Fragment,
    IoState, LimitError, Message, MessageKind, Prepared, ProtocolError, Role, SendError,
};

/// Characters of one to four bytes.
const TEXT: &str = "a\u{fc}\u{20ac}\u{1f600}b";

/// Texts that are not UTF-8, each wrong at its last byte or cut off there.
const INVALID_TEXTS: [(&str, &[u8]); 12] = [
    ("stray continuation byte", b"ok\x80"),
    ("two-byte form of ASCII", b"\xc0\xaf"),
    ("two-byte form of ASCII, high", b"\xc1"),
    ("three-byte form of two", b"\xe0\x9f"),
    ("four-byte form of three", b"\xf0\x8f"),
    ("high surrogate", b"\xed\xa0"),
    ("low surrogate", b"\xed\xbf"),
    ("above U+10FFFF", b"\xf4\x90"),
    ("byte that never occurs", b"a\xff"),
    ("five-byte form", b"\xf8"),
    ("ASCII inside a character", b"\xe2\x82A"),
    ("character inside a character", b"\xf0\x9f\xc3"),
];

/// A message in fragments with these payloads.
fn fragmented(mut wire: Wire, first: Opcode, payloads: &[&[u8]]) -> Wire {
    for (index, payload) in payloads.iter().enumerate() {
        let opcode = if index == 0 {
            first
        } else {
            Opcode::Continuation
        };
        wire = wire.frame(opcode, index + 1 == payloads.len(), payload);
    }
    wire
}

/// All the ways to cut the bytes into at most three payloads, empty ones too.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = [&[u8]; 3]> {
    (0..=bytes.len()).flat_map(move |first| {
        (first..=bytes.len())
            .map(move |second| [&bytes[..first], &bytes[first..second], &bytes[second..]])
    })
}

fn in_fragments() -> Config {
    config().with_delivery(Delivery::Fragments)
}

/// Ends with this error, close code in `out`, however the bytes are split. Returns the
/// events before it.
fn assert_fails(
    role: Role,
    config: &Config,
    bytes: &[u8],
    error: impl Into<ConnectionError>,
) -> Vec<Event<'static>> {
    let error = error.into();
    let mut told = every_cut(|| open(role, config), bytes);
    assert_eq!(told.error(), Some(error), "{}", bytes.escape_ascii());
    told.events.pop();
    let code = error.close_code().expect("a code for the peer");
    let (header, payload) = frames(&told.out).pop().expect("a close frame");
    assert_eq!(header.opcode, Opcode::Close);
    assert_eq!(payload, u16::from(code).to_be_bytes(), "{error}");
    told.events
}

#[test]
fn endpoint_receives_message_in_any_fragments() {
    let expected = [Event::Message(TEXT.into())];
    let one_fragment = [Event::Fragment(Fragment::last(TEXT))];
    for role in ROLES {
        for payloads in cuts(TEXT.as_bytes()) {
            let bytes = fragmented(wire(peer_of(role)), Opcode::Text, &payloads).bytes();
            let told = feed(&mut open(role, &config()), [&*bytes]);
            assert_eq!(told.events, expected, "{payloads:?}");
            let bytewise = feed(&mut open(role, &config()), bytes.chunks(1));
            assert_eq!(bytewise.events, expected, "{payloads:?}");
            let told = feed(&mut open(role, &in_fragments()), [&*bytes]).joined();
            assert_eq!(told.events, one_fragment, "{payloads:?}");
        }
        let each: Vec<_> = b"\xff\x00bytes".chunks(1).collect();
        let bytes = fragmented(wire(peer_of(role)), Opcode::Binary, &each).bytes();
        let told = every_cut(|| open(role, &config()), &bytes);
        assert_eq!(told.events, [Event::Message(b"\xff\x00bytes".into())]);
        let told = every_cut(|| open(role, &in_fragments()), &bytes).joined();
        assert_eq!(
            told.events,
            [Event::Fragment(Fragment::last(b"\xff\x00bytes"))]
        );
        for config in [config(), in_fragments()] {
            let bytes = fragmented(wire(peer_of(role)), Opcode::Text, &[b"", b"", b""]).bytes();
            let told = every_cut(|| open(role, &config), &bytes);
            assert_eq!(told.events.len(), 1, "{:?}", told.events);
        }
    }
}

// Requirement 26: a control frame leaves before the next fragment.
#[test]
fn endpoint_sends_control_frames_whole_between_fragments() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        ws.send_fragment(Fragment::more("one"), &mut out).unwrap();
        ws.ping(b"mine", &mut out).unwrap();
        ws.send_fragment(Fragment::more("two"), &mut out).unwrap();
        let asked = wire(peer_of(role)).ping(b"yours").bytes();
        out.extend(feed(&mut ws, [&*asked]).out);
        ws.pong(b"unasked", &mut out).unwrap();
        ws.send_fragment(Fragment::last("three"), &mut out).unwrap();
        ws.send_fragment(Fragment::more("four"), &mut out).unwrap();
        ws.close(1000, "", &mut out).unwrap();
        let sent: Vec<_> = frames(&out)
            .into_iter()
            .map(|(header, payload)| (header.opcode, header.fin, payload))
            .collect();
        let expected: [(Opcode, bool, &[u8]); 8] = [
            (Opcode::Text, false, b"one"),
            (Opcode::Ping, true, b"mine"),
            (Opcode::Continuation, false, b"two"),
            (Opcode::Pong, true, b"yours"),
            (Opcode::Pong, true, b"unasked"),
            (Opcode::Continuation, true, b"three"),
            (Opcode::Text, false, b"four"),
            (Opcode::Close, true, b"\x03\xe8"),
        ];
        assert_eq!(sent.len(), expected.len());
        for (sent, expected) in sent.iter().zip(expected) {
            assert_eq!((sent.0, sent.1, &*sent.2), expected);
        }
        // Not even the smallest fragment size cuts a control frame.
        let (mut ws, mut out) = (open(role, &config().with_max_sent_frame_len(1)), Vec::new());
        ws.ping(b"whole", &mut out).unwrap();
        ws.close(1000, "whole", &mut out).unwrap();
        assert_eq!(frames(&out).len(), 2);
    }
}

#[test]
fn endpoint_fails_interleaved_messages() {
    for role in ROLES {
        for opcode in [Opcode::Text, Opcode::Binary] {
            for fin in [false, true] {
                let bytes = wire(peer_of(role))
                    .frame(Opcode::Text, false, b"begun")
                    .frame(opcode, fin, b"other")
                    .bytes();
                let error = ProtocolError::ExpectedContinuation;
                assert_eq!(assert_fails(role, &config(), &bytes, error), []);
            }
        }
    }
}

#[test]
fn endpoint_refuses_to_interleave_messages() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        ws.send_fragment(Fragment::more(b"begun"), &mut out)
            .unwrap();
        let begun = out.clone();
        let prepared = Prepared::new("prepared");
        let refused = Err(SendError::UnfinishedMessage);
        assert_eq!(ws.send("text", &mut out), refused);
        assert_eq!(ws.send(b"binary", &mut out), refused);
        assert_eq!(ws.send_prepared(&prepared, &mut out), refused);
        assert_eq!(ws.share_prepared(&prepared).map(drop), refused);
        let header = ws.send_header(MessageKind::Binary, 1, &mut out);
        assert_eq!(header.map(drop), refused);
        assert_eq!(ws.send_fragment(Fragment::last("text"), &mut out), refused);
        assert_eq!(out, begun, "nothing was written");

        ws.send_fragment(Fragment::last(b"rest"), &mut out).unwrap();
        let frames = frames(&out);
        assert_eq!(frames[1].0.opcode, Opcode::Continuation);
        assert_eq!(ws.send("next", &mut out), Ok(()));
    }
}

#[test]
fn endpoint_handles_control_frames_between_fragments() {
    for role in ROLES {
        let bytes = wire(peer_of(role))
            .frame(Opcode::Text, false, b"one")
            .ping(b"first")
            .frame(Opcode::Continuation, false, b"two")
            .pong(b"unasked")
            .ping(b"second")
            .frame(Opcode::Continuation, true, b"three")
            .frame(Opcode::Binary, false, b"never whole")
            .close(1000, "")
            .frame(Opcode::Continuation, true, b"behind")
            .bytes();
        let told = every_cut(|| open(role, &config()), &bytes);
        let [ping, pong, second, message, close] = &told.events[..] else {
            panic!("{:?}", told.events)
        };
        assert_eq!(*ping, Event::Ping(b"first".into()));
        assert_eq!(*pong, Event::Pong(b"unasked".into()));
        assert_eq!(*second, Event::Ping(b"second".into()));
        assert_eq!(*message, Event::Message("onetwothree".into()));
        assert!(matches!(close, Event::Close(close) if close.code == CloseCode::NORMAL));
        let answers: Vec<_> = frames(&told.out)
            .into_iter()
            .map(|(_, payload)| payload)
            .collect();
        assert_eq!(answers, [&b"first"[..], b"second", b"\x03\xe8"]);

        let told = every_cut(|| open(role, &in_fragments()), &bytes).joined();
        let kinds: String = told.events.iter().map(letter).collect();
        assert_eq!(kinds, "FPFOPFFC");
    }
}

fn letter(event: &Event<'_>) -> char {
    match event {
        Event::Fragment(_) => 'F',
        Event::Ping(_) => 'P',
        Event::Pong(_) => 'O',
        Event::Close(_) => 'C',
        _ => '?',
    }
}

#[test]
fn endpoint_fails_continuation_without_message() {
    for role in ROLES {
        for fin in [false, true] {
            let error = ProtocolError::UnexpectedContinuation;
            let first = wire(peer_of(role))
                .frame(Opcode::Continuation, fin, b"x")
                .bytes();
            assert_eq!(assert_fails(role, &config(), &first, error), []);
            let behind = wire(peer_of(role))
                .frame(Opcode::Text, false, b"o")
                .frame(Opcode::Continuation, true, b"k")
                .frame(Opcode::Continuation, fin, b"x")
                .bytes();
            let told = assert_fails(role, &config(), &behind, error);
            assert_eq!(told, [Event::Message("ok".into())]);
        }
    }
}

#[test]
fn endpoint_answers_ping_until_close_frame_comes() {
    for role in ROLES {
        let pings = wire(peer_of(role)).ping(b"a").ping(b"b").bytes();
        let behind_close = wire(peer_of(role)).close(1000, "").ping(b"late").bytes();
        let payloads = |out: &[u8]| -> Vec<_> {
            let pongs = frames(out).into_iter();
            pongs
                .map(|(header, payload)| (header.opcode, payload))
                .collect()
        };
        let expected = [(Opcode::Pong, b"a".to_vec()), (Opcode::Pong, b"b".to_vec())];

        let mut ws = open(role, &config());
        let told = feed(&mut ws, [&*pings]);
        assert_eq!(payloads(&told.out), expected);
        ws.close(1000, "", &mut Vec::new()).unwrap();
        let told = feed(&mut ws, [&*pings]);
        assert_eq!(payloads(&told.out), expected, "own close frame was sent");
        let told = feed(&mut ws, [&*behind_close, &pings]);
        assert!(told.out.is_empty());
        assert_eq!(told.events.len(), 1, "{:?}", told.events);
    }
}

// Requirement 13: each ping is answered, unless that is switched off.
#[test]
fn endpoint_answers_ping_with_its_payload() {
    for role in ROLES {
        for payload in [&b""[..], b"\xff", &[0xfe; 125]] {
            let bytes = wire(peer_of(role)).ping(payload).bytes();
            let told = every_cut(|| open(role, &config()), &bytes);
            assert_eq!(told.events, [Event::Ping(payload.into())]);
            let pong = wire(role).pong(payload).bytes();
            let [(header, answer)] = &frames(&told.out)[..] else {
                panic!("{:?}", told.out)
            };
            assert_eq!((header.opcode, &**answer), (Opcode::Pong, payload));
            assert_eq!(told.out.len(), pong.len(), "masked as its role demands");

            let silent = config().with_auto_pong(false);
            let told = every_cut(|| open(role, &silent), &bytes);
            assert_eq!(told.events, [Event::Ping(payload.into())]);
            assert!(told.out.is_empty(), "the application owes it");

            let told = every_cut(
                || open(role, &config()),
                &wire(peer_of(role)).pong(payload).bytes(),
            );
            assert_eq!(told.events, [Event::Pong(payload.into())]);
            assert!(told.out.is_empty());
        }
    }
}

#[test]
fn endpoint_fails_invalid_utf8() {
    for role in ROLES {
        for (name, text) in INVALID_TEXTS {
            let error = ProtocolError::InvalidUtf8;
            for payloads in cuts(text) {
                let bytes = fragmented(wire(peer_of(role)), Opcode::Text, &payloads).bytes();
                let told = assert_fails(role, &config(), &bytes, error);
                assert_eq!(told, [], "{name}");
                let told = assert_fails(role, &in_fragments(), &bytes, error);
                let whole = |event: &Event<'_>| matches!(event, Event::Fragment(f) if f.fin);
                assert!(!told.iter().any(whole), "{name}");
            }
            let behind = [text, b" and more"].concat();
            let bytes = wire(peer_of(role))
                .frame(Opcode::Text, true, &behind)
                .bytes();
            assert_eq!(assert_fails(role, &config(), &bytes, error), [], "{name}");
        }
        // Switched off, all of them are delivered, with U+FFFD.
        let lossy = config().allow_invalid_utf8(true);
        for (name, text) in INVALID_TEXTS {
            let bytes = wire(peer_of(role)).frame(Opcode::Text, true, text).bytes();
            let told = every_cut(|| open(role, &lossy), &bytes);
            let expected = String::from_utf8_lossy(text).into();
            assert_eq!(told.events, [Event::Message(expected)], "{name}");
        }
    }
}

#[test]
fn endpoint_accepts_character_split_between_fragments() {
    for role in ROLES {
        for character in ["\u{fc}", "\u{20ac}", "\u{1f600}"] {
            for at in 1..character.len() {
                let (begun, rest) = character.as_bytes().split_at(at);
                let bytes = fragmented(wire(peer_of(role)), Opcode::Text, &[begun, b"", rest]);
                let told = every_cut(|| open(role, &config()), &bytes.bytes());
                assert_eq!(told.events, [Event::Message(character.into())]);

                let bytes = wire(peer_of(role)).frame(Opcode::Text, true, begun).bytes();
                let error = ProtocolError::InvalidUtf8;
                assert_eq!(assert_fails(role, &config(), &bytes, error), []);
                assert_eq!(assert_fails(role, &in_fragments(), &bytes, error), []);
            }
        }
    }
}

// Requirement 26: a message leaves in fragments of the size that was set.
#[test]
fn endpoint_writes_message_as_frames() {
    for role in ROLES {
        for len in [0, 1, 9, 10, 11, 20, 25] {
            let payload = vec![b'a'; len];
            let text = core::str::from_utf8(&payload).unwrap();
            for message in [Message::from(text), Message::from(&payload)] {
                let config = config().with_max_sent_frame_len(10);
                let (mut ws, mut out) = (open(role, &config), Vec::new());
                ws.send(&message, &mut out).unwrap();
                let sent = frames(&out);
                assert_eq!(sent.len(), len.div_ceil(10).max(1), "{len}");
                let first = match message.kind() {
                    MessageKind::Text => Opcode::Text,
                    MessageKind::Binary => Opcode::Binary,
                };
                for (index, (header, payload)) in sent.iter().enumerate() {
                    let is_last = index + 1 == sent.len();
                    let opcode = if index == 0 {
                        first
                    } else {
                        Opcode::Continuation
                    };
                    assert_eq!((header.opcode, header.fin), (opcode, is_last), "{len}");
                    assert!(is_last || payload.len() == 10, "{len}");
                }
                let told = every_cut(|| open(peer_of(role), &config), &out);
                assert_eq!(told.messages(), [message]);
            }
        }
    }
}

/// How a connection comes to be where nothing may be sent.
fn not_open(role: Role) -> Vec<(&'static str, Connection, SendError)> {
    let after = |bytes: &[&[u8]]| {
        let mut ws = open(role, &config());
        feed(&mut ws, bytes.iter().copied());
        ws
    };
    let peer = || wire(peer_of(role));
    let mut closed = open(role, &config());
    closed.close(1000, "", &mut Vec::new()).unwrap();
    let mut late = open(role, &config().with_idle_timeout(Duration::from_secs(1)));
    for seconds in 0..4 {
        let now = Duration::from_secs(seconds);
        late.handle_timeout(now, IoState::reading(), &mut Vec::new());
    }
    let handshake = match role {
        Role::Server => Connection::server(&config()),
        Role::Client => {
            let request = ClientRequest::to("ws://h/").unwrap();
            Connection::client(&request, &config(), &mut Vec::new()).unwrap()
        }
    };
    vec![
        ("handshake", handshake, SendError::NotOpen),
        ("own close", closed, SendError::Closed),
        (
            "peer's close",
            after(&[&peer().close(1000, "").bytes()]),
            SendError::Closed,
        ),
        (
            "failure",
            after(&[&peer().raw(b"\xff\xff").bytes()]),
            SendError::Closed,
        ),
        ("end of stream", after(&[END]), SendError::Closed),
        ("deadline", late, SendError::Closed),
    ]
}

#[test]
fn endpoint_sends_only_while_open() {
    for role in ROLES {
        for (name, mut ws, error) in not_open(role) {
            let mut out = b"before".to_vec();
            let refused = Err(error);
            assert!(!ws.is_open(), "{name}");
            assert_eq!(ws.send("text", &mut out), refused, "{name}");
            assert_eq!(
                ws.send_fragment(Fragment::last("text"), &mut out),
                refused,
                "{name}"
            );
            let header = ws.send_header(MessageKind::Text, 1, &mut out);
            assert_eq!(header.map(drop), refused, "{name}");
            assert_eq!(
                ws.send_prepared(&Prepared::new("text"), &mut out),
                refused,
                "{name}"
            );
            assert_eq!(ws.ping(b"", &mut out), refused, "{name}");
            // RFC 6455 §5.5.2: until the peer's close frame.
            if name != "own close" {
                assert_eq!(ws.pong(b"", &mut out), refused, "{name}");
            }
            assert_eq!(out, b"before", "{name}");
        }
        // The state may change in the middle of a message.
        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        ws.send_fragment(Fragment::more("begun"), &mut out).unwrap();
        feed(&mut ws, [&*wire(peer_of(role)).close(1000, "").bytes()]);
        let rest = ws.send_fragment(Fragment::last("rest"), &mut out);
        assert_eq!(rest, Err(SendError::Closed));
        assert_eq!(frames(&out).len(), 1);
    }
}

#[test]
fn endpoint_tells_kind_of_first_frame() {
    for role in ROLES {
        let wire = fragmented(wire(peer_of(role)), Opcode::Text, &[b"te", b"xt"]).binary(b"bin");
        let wire = fragmented(wire.text("text"), Opcode::Binary, &[b"bi", b"", b"n"]).text("");
        let bytes = wire.binary(b"").bytes();
        let told = every_cut(|| open(role, &config()), &bytes);
        let expected = [
            Message::from("text"),
            Message::from(b"bin"),
            Message::from("text"),
            Message::from(b"bin"),
            Message::from(""),
            Message::from(b""),
        ];
        assert_eq!(told.messages(), expected);
        let told = every_cut(|| open(role, &in_fragments()), &bytes).joined();
        let expected = expected.map(|message| Event::Fragment(Fragment::last(message)));
        assert_eq!(told.events, expected);
    }
}

#[test]
fn server_removes_masking() {
    let key = |n: usize| MaskingKey::from([n as u8, 0x55, 0xaa, !(n as u8)]);
    let masked = |opcode, fin, n, payload: &[u8]| {
        let header = Header {
            fin,
            masking_key: Some(key(n)),
            ..Header::new(opcode, payload.len() as u64)
        };
        let (mut bytes, mut payload) = (Vec::new(), payload.to_vec());
        header.write(&mut bytes);
        key(n).apply(&mut payload);
        [bytes, payload].concat()
    };
    let mut glued = Vec::new();
    let mut expected = Vec::new();
    for len in 0..=300 {
        let payload: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        let bytes = masked(Opcode::Binary, true, len, &payload);
        let bytewise = feed(&mut open(Role::Server, &config()), bytes.chunks(1));
        assert_eq!(bytewise.messages(), [Message::from(&payload)], "{len}");
        glued.extend(bytes);
        expected.push(Message::from(payload));
    }
    let told = feed(&mut open(Role::Server, &config()), [&*glued]);
    assert_eq!(told.messages(), expected);
    // Each fragment has a key of its own.
    let fragments = [
        masked(Opcode::Text, false, 1, b"Hel"),
        masked(Opcode::Continuation, false, 2, b"lo, w"),
        masked(Opcode::Continuation, true, 3, b"orld"),
    ]
    .concat();
    let told = every_cut(|| open(Role::Server, &config()), &fragments);
    assert_eq!(told.events, [Event::Message("Hello, world".into())]);
}

// Requirement 25: invalid text is reported within the frame, after the valid part.
#[test]
fn endpoint_fails_invalid_utf8_inside_frame() {
    for role in ROLES {
        let header = Header::new(Opcode::Text, 1000);
        let bytes = wire(peer_of(role))
            .with_header(header, b"good\xffand no end")
            .bytes();
        let error = ProtocolError::InvalidUtf8;
        assert_eq!(assert_fails(role, &config(), &bytes, error), []);
        let told = assert_fails(role, &in_fragments(), &bytes, error);
        assert_eq!(told, [Event::Fragment(Fragment::more("good"))]);
    }
}

// Requirement 22: empty fragments count, exactly.
#[test]
fn limits_on_messages_hold_exactly() {
    let limited = config().with_max_message_len(10).with_max_fragments(3);
    let binary =
        |payloads: &[&[u8]]| fragmented(wire(Role::Client), Opcode::Binary, payloads).bytes();
    for config in [limited.clone(), limited.with_delivery(Delivery::Fragments)] {
        for fine in [
            &[&b"0123456789"[..]][..],
            &[b"01234", b"", b"56789"],
            &[b"", b"", b""],
        ] {
            let told = every_cut(|| open(Role::Server, &config), &binary(fine));
            assert_eq!(told.error(), None, "{fine:?}");
        }
        let rows: [(&[&[u8]], LimitError); 4] = [
            (&[b"0123456789a"], LimitError::MessageTooLong),
            (&[b"01234", b"56789a"], LimitError::MessageTooLong),
            (&[b"", b"", b"", b""], LimitError::TooManyFragments),
            (&[b"0", b"1", b"2", b"3"], LimitError::TooManyFragments),
        ];
        for (payloads, error) in rows {
            let told = assert_fails(Role::Server, &config, &binary(payloads), error);
            let whole = |event: &Event<'_>| match event {
                Event::Message(_) => true,
                Event::Fragment(fragment) => fragment.fin,
                _ => false,
            };
            assert!(!told.iter().any(whole), "{payloads:?}");
        }
        // The limit is for each message, not for all.
        let ten = wire(Role::Client)
            .binary(b"0123456789")
            .binary(b"0123456789");
        assert_eq!(
            feed(&mut open(Role::Server, &config), [&*ten.bytes()]).error(),
            None
        );
    }
}

// Requirement 27: framed once for all.
#[test]
fn prepared_message_is_what_send_writes() {
    for role in ROLES {
        for message in [Message::from(TEXT), Message::from(b"\x00\xff")] {
            let prepared = Prepared::new(&message);
            let (mut sent, mut out) = (Vec::new(), Vec::new());
            open(role, &config()).send(&message, &mut sent).unwrap();
            let mut ws = open(role, &config());
            ws.send_prepared(&prepared, &mut out).unwrap();
            assert_eq!(out, sent);
            assert_eq!(ws.share_prepared(&prepared).unwrap(), sent);
        }
    }
    let (prepared, mut ws) = (Prepared::new("shared"), open(Role::Server, &config()));
    let (first, second) = (ws.share_prepared(&prepared), ws.share_prepared(&prepared));
    assert_eq!(
        first.unwrap().as_ptr(),
        second.unwrap().as_ptr(),
        "one memory"
    );
}

// Nothing of a fragment is kept, so nothing limits the whole unless it is asked
// for.
#[test]
fn fragments_have_no_limit_on_the_whole_by_default() {
    for role in ROLES {
        let huge = Header::new(Opcode::Binary, i64::MAX as u64);
        let bytes = wire(peer_of(role)).with_header(huge, b"begun").bytes();
        let told = feed(&mut open(role, &in_fragments()), [&*bytes]);
        assert_eq!(
            told.events,
            [Event::Fragment(Fragment::more(&b"begun"[..]))]
        );
        let asked = in_fragments().with_max_message_len(16 << 20);
        assert_fails(role, &asked, &bytes, LimitError::MessageTooLong);
        assert_fails(role, &config(), &bytes, LimitError::MessageTooLong);

        // Whichever is set first.
        let asked = config()
            .with_max_message_len(16 << 20)
            .with_delivery(Delivery::Fragments);
        assert_fails(role, &asked, &bytes, LimitError::MessageTooLong);

        let first = wire(peer_of(role))
            .frame(Opcode::Binary, false, b"")
            .bytes();
        let next = wire(peer_of(role))
            .frame(Opcode::Continuation, false, b"")
            .bytes();
        let many = [first, next.repeat(200_000)].concat();
        let told = feed(&mut open(role, &in_fragments()), [&*many]);
        assert_eq!(told.error(), None);
        let told = feed(&mut open(role, &config()), [&*many]);
        assert_eq!(told.error(), Some(LimitError::TooManyFragments.into()));
    }
}

#[test]
fn counters_of_both_ends_agree() {
    for role in ROLES {
        let (mut ours, mut out) = (open(role, &config()), Vec::new());
        let mut theirs = open(peer_of(role), &config());
        ours.send("one", &mut out).unwrap();
        ours.send(&[7; 70_000], &mut out).unwrap();
        ours.send_fragment(Fragment::more("be"), &mut out).unwrap();
        ours.ping(b"?", &mut out).unwrap();
        ours.send_fragment(Fragment::more("gu"), &mut out).unwrap();
        ours.send_fragment(Fragment::last("n"), &mut out).unwrap();
        ours.send_prepared(&Prepared::new("prepared"), &mut out)
            .unwrap();
        ours.pong(b"", &mut out).unwrap();
        let shared = ours.share_prepared(&Prepared::new("shared")).unwrap();
        out.extend_from_slice(&shared);
        ours.close(1000, "", &mut out).unwrap();

        let told = feed(&mut theirs, out.chunks(1000));
        let sent = ours.counters().sent;
        assert_eq!(sent.bytes, out.len() as u64);
        assert_eq!((sent.frames, sent.messages, sent.pings), (10, 5, 1));
        assert_eq!(theirs.counters().received, sent);
        feed(&mut ours, [&*told.out]);
        // A pong and a close frame.
        let answered = theirs.counters().sent;
        assert_eq!((answered.frames, answered.messages), (2, 0));
        assert_eq!(ours.counters().received, answered);
    }
}

// Complete fragments are joined without the decoder.
#[test]
fn counters_at_a_fault_do_not_depend_on_the_cuts() {
    let begin = || wire(Role::Client).frame(Opcode::Text, false, b"a");
    let continued = begin().frame(Opcode::Continuation, false, b"b");
    let table = [
        continued.frame(Opcode::Continuation, true, b"too many"),
        begin().frame(Opcode::Continuation, false, b"\xff"),
        begin().frame(Opcode::Continuation, true, b"\xff"),
        begin().frame(Opcode::Continuation, true, b"\xc3"),
    ];
    for stream in table {
        let bytes = stream.bytes();
        let received = [bytes.len(), 1].map(|len| {
            let mut ws = open(Role::Server, &config().with_max_fragments(2));
            feed(&mut ws, bytes.chunks(len));
            assert!(ws.is_closed());
            ws.counters().received
        });
        assert_eq!(received[0], received[1], "{bytes:?}");
        assert_eq!(received[0].frames, 2, "{bytes:?}");
    }
}

#[test]
fn header_counts_the_payload_that_the_caller_sends() {
    let (mut ws, mut out) = (open(Role::Server, &config()), Vec::new());
    ws.send_header(MessageKind::Binary, 1000, &mut out).unwrap();
    let sent = ws.counters().sent;
    assert_eq!((sent.bytes, sent.messages), (1004, 1));
    assert_eq!(out.len(), 4);
}
