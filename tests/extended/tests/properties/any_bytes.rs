//! What holds for any bytes: cuts do not matter, what one role writes the other
//! reads, and parsing is the inverse of writing. Requirements 20, 21, 25, 32.

use crate::drive::{END, Transcript, feed, open};
use crate::wire::{Wire, config, peer_of, wire};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use sansocket::frame::{Decoder, Header, Mask, MaskingKey, Opcode, Part};
use sansocket::{
    ClientRequest, Config, Connection, Delivery, Event, Fragment, Input, Message, OriginPolicy,
    Role,
};

/// The same cases in each run.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(6455),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// Settings with limits that the streams below can reach.
fn settings() -> impl Strategy<Value = Config> {
    let limits = (
        prop_oneof![Just(usize::MAX), 0..400_usize],
        prop_oneof![Just(usize::MAX), 0..400_usize],
        prop_oneof![Just(u32::MAX), 0..8_u32],
    );
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (limits, switches).prop_map(|((message, frame, fragments), switches)| {
        let (in_fragments, auto_pong, allow_unmasked, allow_invalid_utf8) = switches;
        config()
            .with_max_message_len(message)
            .with_max_frame_len(frame)
            .with_max_fragments(fragments)
            .with_auto_pong(auto_pong)
            .allow_unmasked(allow_unmasked)
            .allow_invalid_utf8(allow_invalid_utf8)
            .with_delivery(if in_fragments {
                Delivery::Fragments
            } else {
                Delivery::Messages
            })
    })
}

/// What a peer sends.
#[derive(Clone, Debug)]
enum Act {
    /// A message, split at these places, with or without a ping after each part.
    Message(Message, Vec<Index>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    /// A frame out of order, with any reserved bits.
    Frame(Opcode, bool, u8, Vec<u8>),
}

fn opcode() -> impl Strategy<Value = Opcode> {
    prop_oneof![
        Just(Opcode::Continuation),
        Just(Opcode::Text),
        Just(Opcode::Binary),
        Just(Opcode::Close),
        Just(Opcode::Ping),
        Just(Opcode::Pong),
    ]
}

fn text(max_chars: usize) -> impl Strategy<Value = String> {
    let char = prop_oneof![3 => proptest::char::range('a', 'z'), 2 => any::<char>()];
    vec(char, 0..=max_chars).prop_map(String::from_iter)
}

fn act() -> impl Strategy<Value = Act> {
    let message = prop_oneof![
        text(90).prop_map(Message::from),
        vec(any::<u8>(), 0..300).prop_map(Message::from),
    ];
    let splits = vec(any::<Index>(), 0..4);
    let control = || vec(any::<u8>(), 0..126);
    prop_oneof![
        8 => (message, splits, any::<bool>()).prop_map(|(m, s, p)| Act::Message(m, s, p)),
        2 => control().prop_map(Act::Ping),
        1 => control().prop_map(Act::Pong),
        1 => (990..1020_u16, text(10)).prop_map(|(code, reason)| Act::Close(code, reason)),
        1 => (opcode(), any::<bool>(), 0..8_u8, control())
            .prop_map(|(opcode, fin, rsv, payload)| Act::Frame(opcode, fin, rsv, payload)),
    ]
}

fn write(wire: Wire, act: &Act) -> Wire {
    match act {
        Act::Message(message, splits, pings) => write_message(wire, message, splits, *pings),
        Act::Ping(payload) => wire.ping(payload),
        Act::Pong(payload) => wire.pong(payload),
        Act::Close(code, reason) => wire.close(*code, reason),
        Act::Frame(opcode, fin, rsv, payload) => {
            let header = Header {
                fin: *fin,
                rsv1: rsv & 4 != 0,
                rsv2: rsv & 2 != 0,
                rsv3: rsv & 1 != 0,
                ..Header::new(*opcode, payload.len() as u64)
            };
            wire.with_header(header, payload)
        }
    }
}

fn write_message(mut wire: Wire, message: &Message, splits: &[Index], pings: bool) -> Wire {
    let mut rest = message.as_bytes();
    let mut opcode = match message {
        Message::Text(_) => Opcode::Text,
        Message::Binary(_) => Opcode::Binary,
    };
    for split in splits {
        let (part, behind) = rest.split_at(split.index(rest.len() + 1));
        wire = wire.frame(opcode, false, part);
        if pings {
            wire = wire.ping(b"between");
        }
        (opcode, rest) = (Opcode::Continuation, behind);
    }
    wire.frame(opcode, true, rest)
}

/// Bytes put in the place of others.
fn mutate(mut bytes: Vec<u8>, changes: &[(Index, u8)]) -> Vec<u8> {
    if !bytes.is_empty() {
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8)>> {
    vec(any::<(Index, u8)>(), 0..3)
}

/// Places to cut at, in each stream that is long enough.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        vec(1..8_usize, 1..6),
        vec(1..300_usize, 1..6)
    ]
}

/// The bytes in pieces of these lengths, over and over, and the stream's end.
fn pieces<'b>(mut bytes: &'b [u8], lens: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    for len in lens.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(*len));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(END);
    pieces
}

/// Feeds the bytes whole to one connection and cut to another.
fn whole_and_cut(
    start: impl Fn() -> Connection,
    bytes: &[u8],
    cuts: &[usize],
) -> (Transcript, Transcript) {
    let whole = feed(&mut start(), pieces(bytes, &[usize::MAX]));
    (
        whole.joined(),
        feed(&mut start(), pieces(bytes, cuts)).joined(),
    )
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn any_cut_of_frames_gives_the_same_transcript(
        role in role(),
        config in settings(),
        acts in vec(act(), 0..6),
        changes in changes(),
        cuts in cuts(),
        auto_close in any::<bool>(),
    ) {
        let frames = acts.iter().fold(wire(peer_of(role)), write);
        let bytes = mutate(frames.bytes(), &changes);
        let start = || {
            let mut ws = open(role, &config);
            ws.auto_close(auto_close);
            ws
        };
        let (whole, cut) = whole_and_cut(start, &bytes, &cuts);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn any_cut_of_any_bytes_gives_the_same_transcript(
        role in role(),
        config in settings(),
        first in prop_oneof![Just(0x81_u8), Just(0x02), Just(0x89), any::<u8>()],
        rest in vec(any::<u8>(), 0..200),
        cuts in cuts(),
    ) {
        let bytes = [vec![first], rest].concat();
        let (whole, cut) = whole_and_cut(|| open(role, &config), &bytes, &cuts);
        prop_assert_eq!(whole, cut);
    }
}

const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, echo\r\n\
    Origin: https://example.com\r\n\r\n";

const REFUSALS: [&str; 4] = [
    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\ndenied",
    "HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n4\r\n now\r\n0\r\n\r\n",
    "HTTP/1.1 429 Slow down\r\n\r\nuntil the end of the stream",
    "HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
];

/// A client whose nonce is always the same.
fn client(config: &Config, out: &mut Vec<u8>) -> Connection {
    let request =
        ClientRequest::to("ws://example.com/chat").and_then(|to| to.with_subprotocol("echo"));
    Connection::client(&request.expect("valid"), config, out).expect("entropy")
}

/// The answer that opens this client.
fn response() -> Vec<u8> {
    let mut request = Vec::new();
    client(&config(), &mut request);
    feed(&mut Connection::server(&config()), [&*request]).out
}

proptest! {
    #![proptest_config(cases(2500))]

    #[test]
    fn any_cut_of_a_request_gives_the_same_transcript(
        limits in (prop_oneof![Just(16 * 1024_usize), 200..400_usize], 4..12_usize),
        is_plain in any::<bool>(),
        acts in vec(act(), 0..3),
        changes in changes(),
        cuts in cuts(),
    ) {
        let config = config()
            .with_origin(OriginPolicy::SameOrigin)
            .with_max_head_len(limits.0)
            .with_max_headers(limits.1);
        let head = if is_plain { "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n" } else { REQUEST };
        let bytes = [
            mutate(head.into(), &changes),
            acts.iter().fold(wire(Role::Client), write).bytes(),
        ].concat();
        let (whole, cut) = whole_and_cut(|| Connection::server(&config), &bytes, &cuts);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn any_cut_of_a_response_gives_the_same_transcript(
        refusal in proptest::option::of(0..REFUSALS.len()),
        max_body_len in 0..40_usize,
        acts in vec(act(), 0..3),
        changes in changes(),
        cuts in cuts(),
    ) {
        let config = config().with_max_body_len(max_body_len);
        let head = refusal.map_or_else(response, |index| REFUSALS[index].into());
        let bytes = [
            mutate(head, &changes),
            acts.iter().fold(wire(Role::Server), write).bytes(),
        ].concat();
        let start = || client(&config, &mut Vec::new());
        let (whole, cut) = whole_and_cut(start, &bytes, &cuts);
        prop_assert_eq!(whole, cut);
    }
}

/// A message of any size up to 70 000 bytes, most of them near a border of the
/// header's three forms.
fn message() -> impl Strategy<Value = Message> {
    let len = prop_oneof![
        0..200_usize,
        120..130_usize,
        65_530..65_540_usize,
        0..70_000_usize
    ];
    (len, any::<bool>(), any::<u8>()).prop_map(|(len, is_text, seed)| {
        let bytes: Vec<u8> = (0..len)
            .map(|i| (i as u8).wrapping_mul(31) ^ seed)
            .collect();
        if is_text {
            bytes.into_iter().map(char::from).collect::<String>().into()
        } else {
            bytes.into()
        }
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn one_role_receives_what_the_other_sends(
        role in role(),
        max_sent_frame_len in prop_oneof![Just(usize::MAX), 500..70_000_usize],
        sent in vec(message(), 0..5),
        cut in prop_oneof![Just(usize::MAX), 1000..70_000_usize, 1..9_usize],
    ) {
        let config = config().with_max_sent_frame_len(max_sent_frame_len);
        let (mut ws, mut bytes) = (open(role, &config), Vec::new());
        for message in &sent {
            ws.send(message, &mut bytes).expect("open");
            ws.ping(b"behind", &mut bytes).expect("open");
        }
        let received = feed(&mut open(peer_of(role), &config), bytes.chunks(cut));
        prop_assert_eq!(received.messages(), sent);
    }
}

/// A call on one of two connections that are joined.
#[derive(Clone, Debug)]
enum Call {
    Send(Role, Message),
    /// A message in three fragments with a ping between them.
    SendFragments(Role, Vec<u8>),
    Ping(Role),
    /// At most so many bytes reach the connection of this role, and at most so
    /// many events are taken before the driver does something else.
    Deliver(Role, usize, usize),
}

fn call() -> impl Strategy<Value = Call> {
    let message = prop_oneof![
        text(40).prop_map(Message::from),
        vec(any::<u8>(), 0..300).prop_map(Message::from),
    ];
    prop_oneof![
        3 => (role(), message).prop_map(|(role, message)| Call::Send(role, message)),
        1 => (role(), vec(any::<u8>(), 3..50)).prop_map(|(role, b)| Call::SendFragments(role, b)),
        1 => role().prop_map(Call::Ping),
        5 => (role(), 1..400_usize, 0..4_usize).prop_map(|(r, len, n)| Call::Deliver(r, len, n)),
    ]
}

/// One of two connections that are joined.
struct End {
    ws: Connection,
    /// Written, and not yet received by the other end.
    out: Vec<u8>,
    sent: Vec<Message>,
    received: Vec<Message>,
    pings: usize,
    pongs: usize,
}

impl End {
    fn new(role: Role) -> Self {
        Self {
            ws: open(role, &config()),
            out: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
            pings: 0,
            pongs: 0,
        }
    }

    fn send(&mut self, message: &Message) {
        self.ws.send(message, &mut self.out).expect("open");
        self.sent.push(message.clone());
    }

    fn send_fragments(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        for fragment in [
            Fragment::more(first),
            Fragment::more(b""),
            Fragment::last(rest),
        ] {
            self.ping();
            self.ws
                .send_fragment(fragment, &mut self.out)
                .expect("open");
        }
        self.sent.push(bytes.to_vec().into());
    }

    fn ping(&mut self) {
        self.ws.ping(b"?", &mut self.out).expect("open");
        self.pings += 1;
    }

    /// Receives bytes of the other endpoint, and leaves those that the driver did not
    /// reach.
    fn receive(&mut self, from: &mut Vec<u8>, len: usize, max_events: usize) {
        let mut bytes: Vec<u8> = from.drain(..len.min(from.len())).collect();
        if bytes.is_empty() {
            return;
        }
        let mut input = Input::new(&mut bytes);
        for _ in 0..max_events {
            match self.ws.receive(&mut input, &mut self.out) {
                Some(Event::Message(message)) => self.received.push(message.into_owned()),
                Some(Event::Pong(_)) => self.pongs += 1,
                Some(Event::Ping(_)) => {}
                None => break,
                other => panic!("{other:?}"),
            }
        }
        let rest = input.remaining().to_vec();
        from.splice(..0, rest);
    }
}

fn perform(call: &Call, client: &mut End, server: &mut End) {
    let (Call::Send(role, _)
    | Call::SendFragments(role, _)
    | Call::Ping(role)
    | Call::Deliver(role, ..)) = call;
    let (end, peer) = match role {
        Role::Client => (client, server),
        Role::Server => (server, client),
    };
    match call {
        Call::Send(_, message) => end.send(message),
        Call::SendFragments(_, bytes) => end.send_fragments(bytes),
        Call::Ping(_) => end.ping(),
        Call::Deliver(_, len, max_events) => end.receive(&mut peer.out, *len, *max_events),
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn any_interleaving_of_calls_loses_nothing(calls in vec(call(), 0..60)) {
        let (mut client, mut server) = (End::new(Role::Client), End::new(Role::Server));
        for call in &calls {
            perform(call, &mut client, &mut server);
        }
        while !client.out.is_empty() || !server.out.is_empty() {
            client.receive(&mut server.out, usize::MAX, usize::MAX);
            server.receive(&mut client.out, usize::MAX, usize::MAX);
        }
        prop_assert_eq!(&client.received, &server.sent);
        prop_assert_eq!(&server.received, &client.sent);
        prop_assert_eq!((client.pongs, server.pongs), (client.pings, server.pings));
    }
}

fn header() -> impl Strategy<Value = Header> {
    let len = prop_oneof![
        0..=125_u64,
        126..=0xffff_u64,
        0x1_0000..=i64::MAX as u64,
        Just(i64::MAX as u64)
    ];
    let bits = any::<(bool, bool, bool, bool)>();
    (opcode(), bits, any::<Option<[u8; 4]>>(), len).prop_map(
        |(opcode, (fin, rsv1, rsv2, rsv3), key, len)| Header {
            fin: fin || opcode.is_control(),
            rsv1,
            rsv2,
            rsv3,
            opcode,
            masking_key: key.map(MaskingKey::from),
            payload_len: if opcode.is_control() { len % 126 } else { len },
        },
    )
}

/// What RFC 6455 §5.3 says: octet i is xored with octet i modulo 4 of the key.
fn masked(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let octets = payload.iter().zip(key.iter().cycle());
    octets.map(|(octet, key)| octet ^ key).collect()
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn header_parses_to_what_was_written(header in header(), behind in vec(any::<u8>(), 0..3)) {
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        let len = bytes.len();
        bytes.extend(behind);
        prop_assert_eq!(Header::parse(&bytes), Ok(Some((header, len))));
        for shorter in 0..len {
            prop_assert_eq!(Header::parse(&bytes[..shorter]), Ok(None));
        }
    }

    #[test]
    fn header_writes_what_was_parsed(bytes in vec(any::<u8>(), 0..15)) {
        if let Ok(Some((header, len))) = Header::parse(&bytes) {
            let mut written = Vec::new();
            header.write(&mut written);
            prop_assert_eq!(&written, &bytes[..len]);
        }
    }

    #[test]
    fn mask_is_that_of_the_rfc_in_any_pieces(
        key in any::<[u8; 4]>(),
        payload in vec(any::<u8>(), 0..600),
        cuts in cuts(),
    ) {
        let expected = masked(key, &payload);
        let mut whole = payload.clone();
        MaskingKey::from(key).apply(&mut whole);
        prop_assert_eq!(&whole, &expected, "whole");

        let (mut in_place, mut appended) = (Vec::new(), Vec::new());
        let mut masks = [Mask::new(key.into()), Mask::new(key.into())];
        for piece in pieces(&payload, &cuts) {
            let start = in_place.len();
            in_place.extend_from_slice(piece);
            masks[0].apply(&mut in_place[start..]);
            masks[1].append(piece, &mut appended);
        }
        prop_assert_eq!(&in_place, &expected, "in place");
        prop_assert_eq!(&appended, &expected, "appended");
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn relay_writes_the_bytes_that_it_reads(
        role in role(),
        acts in vec(act(), 0..6),
        cuts in cuts(),
    ) {
        let valid = acts.iter().filter(|act| {
            !matches!(act, Act::Frame(opcode, false, ..) if opcode.is_control())
        });
        let bytes = valid.fold(wire(role), write).bytes();
        let (mut decoder, mut out) = (Decoder::new(), Vec::new());
        for piece in pieces(&bytes, &cuts) {
            let mut piece = piece.to_vec();
            let mut input = Input::new(&mut piece);
            while let Some(part) = decoder.decode(&mut input).expect("valid frames") {
                match part {
                    Part::Header(header) => header.write(&mut out),
                    Part::Payload(payload) => out.extend_from_slice(payload),
                }
            }
        }
        prop_assert_eq!(out, bytes);
        prop_assert!(decoder.is_between_frames());
    }
}
