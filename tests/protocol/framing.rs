//! Frames on the wire (§5): what is sent is well-formed, what is not is
//! refused, and the layer below keeps every bit.

use core::sync::atomic::{AtomicU8, Ordering};

use crate::drive::{every_cut, feed, open};
use crate::wire::{KEY, ROLES, config, frames, peer_of, wire};
use sansocket::frame::{Decoder, Header, Mask, MaskingKey, Opcode, Part};
use sansocket::{
    Config, Connection, Entropy, Event, Fragment, Input, LimitError, MessageKind, NoEntropy,
    Prepared, ProtocolError, Role, SendError,
};

const OPCODES: [Opcode; 6] = [
    Opcode::Continuation,
    Opcode::Text,
    Opcode::Binary,
    Opcode::Close,
    Opcode::Ping,
    Opcode::Pong,
];

/// Everything that an endpoint of this role can be made to send, and the
/// payloads that it must then have sent.
fn send_all(role: Role, config: &Config) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut out = Vec::new();
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    let mut ws = open(role, config);
    for len in [0, 1, 125, 126, 65_535, 65_536] {
        let payload = vec![b'a'; len];
        ws.send(std::str::from_utf8(&payload).unwrap(), &mut out)
            .unwrap();
        ws.send(&payload, &mut out).unwrap();
        ws.send_prepared(&Prepared::new(&payload), &mut out)
            .unwrap();
        out.extend(ws.share_prepared(&Prepared::new(&payload)).unwrap());
        let key = ws.send_header(MessageKind::Binary, len, &mut out).unwrap();
        let mut masked = payload.clone();
        key.inspect(|key| key.apply(&mut masked));
        out.extend(masked);
        ws.send_fragment(Fragment::more(&payload), &mut out)
            .unwrap();
        ws.send_fragment(Fragment::last(&payload), &mut out)
            .unwrap();
        payloads.extend(vec![payload; 7]);
    }
    for len in [0, 125] {
        ws.ping(&vec![b'p'; len], &mut out).unwrap();
        ws.pong(&vec![b'p'; len], &mut out).unwrap();
        payloads.extend(vec![vec![b'p'; len]; 2]);
    }
    // What is sent by itself: a pong, and the answer to a close frame.
    let peer = wire(peer_of(role)).ping(b"who?").close(1001, "").bytes();
    out.extend(feed(&mut ws, [&*peer]).out);
    payloads.extend([b"who?".to_vec(), b"\x03\xe9".to_vec()]);

    let mut ws = open(role, &config.clone().with_max_sent_frame_len(10));
    ws.send(&[7; 25], &mut out).unwrap();
    payloads.extend([vec![7; 10], vec![7; 10], vec![7; 5]]);
    ws.close(1000, "bye", &mut out).unwrap();
    payloads.push(b"\x03\xe8bye".to_vec());
    let fault = wire(peer_of(role))
        .frame(Opcode::Continuation, true, b"")
        .bytes();
    out.extend(feed(&mut open(role, config), [&*fault]).out);
    payloads.push(b"\x03\xea".to_vec());
    (out, payloads)
}

/// Fails with this error and close code 1002 without other events, however the bytes are
/// split.
fn assert_fails(role: Role, bytes: &[u8], error: ProtocolError) {
    let told = every_cut(|| open(role, &config()), bytes);
    assert_eq!(
        told.events,
        [Event::Failed(error.into())],
        "{}",
        bytes.escape_ascii()
    );
    let [(header, payload)] = &frames(&told.out)[..] else {
        panic!("{:?}", told.out)
    };
    assert_eq!(
        (header.opcode, &**payload),
        (Opcode::Close, &b"\x03\xea"[..])
    );
    assert_eq!(header.masking_key.is_some(), role == Role::Client);
}

#[test]
fn client_masks_every_frame() {
    let (out, payloads) = send_all(Role::Client, &config());
    let frames = frames(&out);
    assert!(
        frames
            .iter()
            .all(|(header, _)| header.masking_key.is_some())
    );
    assert!(frames.into_iter().map(|(_, payload)| payload).eq(payloads));
}

#[test]
fn server_masks_no_frame() {
    let (out, payloads) = send_all(Role::Server, &config());
    let frames = frames(&out);
    assert!(
        frames
            .iter()
            .all(|(header, _)| header.masking_key.is_none())
    );
    assert!(frames.into_iter().map(|(_, payload)| payload).eq(payloads));
}

#[test]
fn endpoint_writes_well_formed_frames() {
    for role in ROLES {
        let (out, _) = send_all(role, &config());
        let mut again = Vec::new();
        for (header, mut payload) in frames(&out) {
            assert!(!header.rsv1 && !header.rsv2 && !header.rsv3);
            assert_eq!(header.payload_len, payload.len() as u64);
            assert!(!header.opcode.is_control() || header.fin && payload.len() <= 125);
            // `parse` refuses lengths that are not minimal, so what was written
            // is what the header says.
            header.write(&mut again);
            header.masking_key.inspect(|key| key.apply(&mut payload));
            again.extend(payload);
        }
        assert!(again == out);
    }
}

#[test]
fn server_fails_unmasked_frame() {
    for opcode in OPCODES {
        let bytes = wire(Role::Server).frame(opcode, true, b"\x03\xe8").bytes();
        assert_fails(Role::Server, &bytes, ProtocolError::MissingMask);
    }
    // What follows it in the same read is no masking key.
    let bytes = wire(Role::Server).text("plain").text("more").bytes();
    assert_fails(Role::Server, &bytes, ProtocolError::MissingMask);

    let bytes = wire(Role::Server).text("plain").bytes();
    let told = every_cut(
        || open(Role::Server, &config().allow_unmasked(true)),
        &bytes,
    );
    assert_eq!(told.events, [Event::Message("plain".into())]);
}

#[test]
fn client_fails_masked_frame() {
    for opcode in OPCODES {
        let bytes = wire(Role::Client).frame(opcode, true, b"\x03\xe8").bytes();
        assert_fails(Role::Client, &bytes, ProtocolError::UnexpectedMask);
    }
    let bytes = wire(Role::Client).text("masked").bytes();
    let told = every_cut(
        || open(Role::Client, &config().allow_unmasked(true)),
        &bytes,
    );
    assert_eq!(told.events, [Event::Message("masked".into())]);
}

#[test]
fn endpoint_fails_reserved_bits() {
    for role in ROLES {
        for opcode in OPCODES {
            for bits in [0b001, 0b010, 0b100, 0b111] {
                let header = Header {
                    rsv1: bits & 1 != 0,
                    rsv2: bits & 2 != 0,
                    rsv3: bits & 4 != 0,
                    ..Header::new(opcode, 2)
                };
                let bytes = wire(peer_of(role)).with_header(header, b"\x03\xe8").bytes();
                assert_fails(role, &bytes, ProtocolError::ReservedBits);
            }
        }
    }
}

#[test]
fn endpoint_fails_reserved_opcode() {
    for role in ROLES {
        for opcode in (0x3..=0x7).chain(0xB..=0xF) {
            for fin in [0, 0x80] {
                let mut bytes = wire(peer_of(role)).binary(b"").bytes();
                bytes[0] = fin | opcode;
                assert_fails(role, &bytes, ProtocolError::ReservedOpcode);
            }
        }
    }
}

/// A binary frame's header with its length in this many bits.
fn header_with_len(role: Role, bits: u32, len: u64) -> Vec<u8> {
    let mask = if role == Role::Server { 0x80 } else { 0 };
    let mut bytes = vec![0x82];
    if bits == 16 {
        bytes.push(mask | 126);
        bytes.extend((len as u16).to_be_bytes());
    } else {
        bytes.push(mask | 127);
        bytes.extend(len.to_be_bytes());
    }
    bytes.extend(if role == Role::Server { &KEY[..] } else { &[] });
    bytes
}

#[test]
fn endpoint_fails_length_above_63_bits() {
    for role in ROLES {
        for len in [1 << 63, u64::MAX] {
            assert_fails(
                role,
                &header_with_len(role, 64, len),
                ProtocolError::LengthOverflow,
            );
        }
    }
}

// Requirement 22
#[test]
fn endpoint_reserves_nothing_for_a_declared_length() {
    for role in ROLES {
        let config = config().with_max_message_len(usize::MAX);
        for len in [1 << 32, 1 << 62, i64::MAX as u64] {
            let mut ws = open(role, &config);
            let told = feed(&mut ws, [&*header_with_len(role, 64, len), b"abc"]);
            assert_eq!(told.events, []);
            assert!(ws.memory_usage() < 200, "{} bytes held", ws.memory_usage());
            assert_eq!(ws.remaining_payload_len(), len - 3);
        }
    }
}

#[test]
fn endpoint_fails_non_minimal_length() {
    for role in ROLES {
        for (bits, len) in [
            (16, 0),
            (16, 125),
            (64, 0),
            (64, 125),
            (64, 126),
            (64, 65_535),
        ] {
            let bytes = header_with_len(role, bits, len);
            assert_fails(role, &bytes, ProtocolError::NonMinimalLength);
        }
        for (bits, len) in [(16, 126), (16, 65_535), (64, 65_536)] {
            let told = feed(
                &mut open(role, &config()),
                [&*header_with_len(role, bits, len)],
            );
            assert_eq!(told.events, [], "{len} in {bits} bits");
        }
    }
}

#[test]
#[cfg(feature = "std")]
fn client_draws_fresh_key_for_each_frame() {
    let (mut ws, mut out) = (open(Role::Client, &Config::new()), Vec::new());
    let prepared = Prepared::new("same");
    for _ in 0..250 {
        ws.send("same", &mut out).unwrap();
        ws.send_prepared(&prepared, &mut out).unwrap();
        ws.ping(b"", &mut out).unwrap();
        ws.send_fragment(Fragment::last("same"), &mut out).unwrap();
    }
    let mut keys: Vec<_> = frames(&out)
        .iter()
        .map(|(header, _)| header.masking_key.unwrap().to_bytes())
        .collect();
    assert_eq!(keys.len(), 1000);
    keys.sort_unstable();
    keys.dedup();
    // Of 1000 keys of 32 bits, two are the same once in 8600 runs.
    assert!(keys.len() >= 998, "{} different keys", keys.len());
    let bits: u32 = keys.iter().flatten().map(|byte| byte.count_ones()).sum();
    assert!(
        (14_000..18_000).contains(&bits),
        "{bits} of about 32 000 bits are set"
    );
}

#[test]
fn client_takes_keys_from_entropy_alone() {
    static DRAWN: AtomicU8 = AtomicU8::new(0);
    let counting = Entropy::new(|bytes| {
        bytes.fill_with(|| DRAWN.fetch_add(1, Ordering::Relaxed));
        Ok(())
    });
    let (mut ws, mut out) = (
        open(Role::Client, &Config::new().with_entropy(counting)),
        Vec::new(),
    );
    for _ in 0..3 {
        ws.send("x", &mut out).unwrap();
    }
    let keys: Vec<u8> = frames(&out)
        .iter()
        .flat_map(|(header, _)| header.masking_key.unwrap().to_bytes())
        .collect();
    assert_eq!(keys, (0..12).collect::<Vec<_>>());

    let failing = Config::new().with_entropy(Entropy::new(|_| Err(NoEntropy)));
    let (mut ws, mut out) = (open(Role::Client, &failing), b"before".to_vec());
    let none = Err(SendError::NoEntropy);
    assert_eq!(ws.send("x", &mut out), none);
    assert_eq!(ws.send_fragment(Fragment::more("x"), &mut out), none);
    assert_eq!(ws.ping(b"", &mut out), none);
    assert_eq!(ws.close(1000, "", &mut out), none);
    assert_eq!((&*out, ws.is_open()), (&b"before"[..], true));
    assert_eq!(
        open(Role::Server, &failing).send("x", &mut out),
        Ok(()),
        "a server draws none"
    );
}

#[test]
fn endpoint_fails_fragmented_control_frame() {
    for role in ROLES {
        for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
            let bytes = wire(peer_of(role)).frame(opcode, false, b"").bytes();
            assert_fails(role, &bytes, ProtocolError::FragmentedControlFrame);
            let inside = wire(peer_of(role)).frame(Opcode::Text, false, b"a").bytes();
            assert_fails(
                role,
                &[inside, bytes].concat(),
                ProtocolError::FragmentedControlFrame,
            );
        }
    }
}

#[test]
fn endpoint_fails_long_control_frame() {
    for role in ROLES {
        for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
            for len in [126, 65_536] {
                let mut out = Vec::new();
                Header::new(opcode, len).write(&mut out);
                out[1] |= if role == Role::Server { 0x80 } else { 0 };
                // As soon as the length shows it, even if the rest is missing.
                assert_fails(role, &out, ProtocolError::ControlFrameTooLong);
            }
        }
        let longest = wire(peer_of(role)).ping(&[7; 125]).bytes();
        let told = every_cut(|| open(role, &config()), &longest);
        assert_eq!(told.events, [Event::Ping(vec![7; 125].into())]);
    }
}

#[test]
fn endpoint_refuses_long_control_payload() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config()), Vec::new());
        assert_eq!(
            ws.ping(&[0; 126], &mut out),
            Err(SendError::ControlFrameTooLong)
        );
        assert_eq!(
            ws.pong(&[0; 126], &mut out),
            Err(SendError::ControlFrameTooLong)
        );
        assert!(out.is_empty() && ws.is_open());
        ws.ping(&[0; 125], &mut out).unwrap();
        ws.pong(&[0; 125], &mut out).unwrap();
        ws.close(1000, &"x".repeat(123), &mut out).unwrap();
        assert_eq!(frames(&out).len(), 3);
    }
}

// Requirement 35
#[test]
fn relay_passes_every_bit_on() {
    let mut bytes = Vec::new();
    for (i, opcode) in OPCODES.into_iter().enumerate() {
        for masking_key in [None, Some(MaskingKey::from(KEY))] {
            let header = Header {
                fin: opcode.is_control() || i % 2 == 0,
                rsv1: i % 2 == 0,
                rsv2: i % 3 == 0,
                rsv3: true,
                masking_key,
                ..Header::new(opcode, 100)
            };
            header.write(&mut bytes);
            bytes.extend([i as u8; 100]);
        }
    }
    for step in [1, 2, 7, 100, bytes.len()] {
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        for piece in bytes.chunks(step) {
            let mut piece = piece.to_vec();
            let mut input = Input::new(&mut piece);
            while let Some(part) = decoder.decode(&mut input).unwrap() {
                match part {
                    Part::Header(header) => header.write(&mut out),
                    Part::Payload(bytes) => out.extend_from_slice(bytes),
                }
            }
        }
        assert!(out == bytes, "pieces of {step}");
    }
}

// Requirement 35
#[test]
fn relay_reads_payload_with_a_running_mask() {
    let mut bytes = wire(Role::Client).text("Hello, world").bytes();
    let (mut decoder, mut mask, mut text) = (Decoder::new(), None, Vec::new());
    for piece in bytes.chunks_mut(3) {
        let mut input = Input::new(piece);
        while let Some(part) = decoder.decode(&mut input).unwrap() {
            match part {
                Part::Header(header) => mask = header.masking_key.map(Mask::new),
                Part::Payload(bytes) => {
                    mask.as_mut().unwrap().apply(bytes);
                    text.extend_from_slice(bytes);
                }
            }
        }
    }
    assert_eq!(text, b"Hello, world");
}

// Requirement 22
#[test]
fn limits_on_frames_hold_exactly() {
    for role in ROLES {
        let peer = || wire(peer_of(role));
        let ok = |config: &Config, bytes: &[u8]| {
            let told = every_cut(|| open(role, config), bytes);
            assert!(told.error().is_none(), "{:?}", told.events);
        };
        let fails = |config: &Config, bytes: &[u8], error: LimitError| {
            let told = every_cut(|| open(role, config), bytes);
            assert_eq!(told.error(), Some(error.into()));
        };
        let config = config().with_max_frame_len(10);
        ok(&config, &peer().binary(&[0; 10]).bytes());
        fails(
            &config,
            &peer().binary(&[0; 11]).bytes(),
            LimitError::FrameTooLong,
        );
        let two = |len| {
            peer()
                .frame(Opcode::Binary, false, &vec![0; len])
                .frame(Opcode::Continuation, true, &[0; 10])
                .bytes()
        };
        ok(&config, &two(10));
        fails(&config, &two(11), LimitError::FrameTooLong);
        ok(&config.clone().with_max_message_len(20), &two(10));
        fails(
            &config.with_max_message_len(19),
            &two(10),
            LimitError::MessageTooLong,
        );
    }
}

#[test]
fn connection_tells_how_much_of_a_frame_is_missing() {
    let mut ws: Connection = open(Role::Server, &config());
    assert_eq!(ws.remaining_payload_len(), 0);
    feed(
        &mut ws,
        [&wire(Role::Client).binary(&[0; 1000]).bytes()[..500]],
    );
    assert_eq!(ws.remaining_payload_len(), 1000 - (500 - 8));
}

/// A source of this many keys, and of none after them.
fn keys(count: u8) -> Entropy {
    let left = AtomicU8::new(count);
    Entropy::new(move |bytes| {
        let drawn = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        bytes.fill(1);
        drawn.map(drop).map_err(|_| NoEntropy)
    })
}

#[test]
fn message_in_several_frames_is_sent_whole_or_not_at_all() {
    let config = Config::new().with_max_sent_frame_len(10);
    let send = |count, out: &mut Vec<u8>| {
        let mut ws = open(Role::Client, &config.clone().with_entropy(keys(count)));
        (ws.send(&[7; 25], out), ws.counters().sent)
    };
    let mut out = b"before".to_vec();
    let (sent, counted) = send(2, &mut out);
    assert_eq!(sent, Err(SendError::NoEntropy));
    assert_eq!((&*out, counted.bytes), (&b"before"[..], 0));
    assert_eq!((counted.frames, counted.messages), (0, 0));

    let (sent, counted) = send(3, &mut out);
    assert_eq!(sent, Ok(()));
    assert_eq!((counted.frames, counted.messages), (3, 1));
}
