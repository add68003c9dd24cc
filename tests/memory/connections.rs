//! What connections hold, by a counting allocator: REQUIREMENTS 22, 23, 24, 25
//! and 31, and what DESIGN promises of memory and amplification.

use crate::allocator::{Used, measure};
use crate::drive::{feed, open};
use crate::wire::{KEY, ROLES, config, peer_of, wire};
use sansocket::frame::{Header, Opcode};
use sansocket::{
    ClientRequest, Config, Connection, ConnectionError, Delivery, Event, Input, IoState,
    LimitError, Role,
};

/// Heap of an idle connection, and what the requirements call a constant.
const KIB: isize = 1024;

/// Hands over the bytes in reads of one buffer; gives each event away at once
/// and clears the output after each read, so that only the connection holds
/// memory. Tells the failure.
pub(crate) fn drive(
    ws: &mut Connection,
    (buf, out): (&mut [u8], &mut Vec<u8>),
    bytes: &[u8],
    mut told: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>),
) {
    for piece in bytes.chunks(buf.len()) {
        let buf = &mut buf[..piece.len()];
        buf.copy_from_slice(piece);
        let mut input = Input::new(buf);
        while let Some(event) = ws.receive(&mut input, out) {
            told(ws, event, out);
        }
        out.clear();
    }
}

pub(crate) fn ignore(_: &mut Connection, _: Event<'_>, _: &mut Vec<u8>) {}

/// With the system's randomness, where there is one: a client's keys are part
/// of what it holds and does.
fn in_the_field() -> Config {
    if cfg!(feature = "std") {
        Config::new()
    } else {
        config()
    }
}

/// An open connection that did its handshake through bytes.
fn after_handshake(role: Role, config: &Config) -> Connection {
    let mut request = Vec::new();
    let to = ClientRequest::to("ws://example.com/").expect("a URI");
    let mut client = Connection::client(&to, config, &mut request).expect("randomness");
    let mut server = Connection::server(config);
    let answer = feed(&mut server, [&*request]).out;
    feed(&mut client, [&*answer]);
    let ws = match role {
        Role::Client => client,
        Role::Server => server,
    };
    assert!(ws.is_open());
    ws
}

// Requirement 22: no overhead for fragments, none for declared lengths, and a
// bounded answer.
#[test]
fn endpoint_holds_tiny_fragments_at_twice_their_bytes() {
    const FRAGMENTS: usize = 131_000;
    for role in ROLES {
        let (mut ws, from) = (open(role, &config()), peer_of(role));
        let first = wire(from).frame(Opcode::Binary, false, b"x").bytes();
        let next = wire(from).frame(Opcode::Continuation, false, b"x").bytes();
        let empty = wire(from).frame(Opcode::Continuation, false, b"").bytes();
        let (mut buf, mut out) = ([0; 64], Vec::new());
        let ((), used) = measure(|| {
            drive(&mut ws, (&mut buf, &mut out), &first, ignore);
            for _ in 1..FRAGMENTS / 2 {
                drive(&mut ws, (&mut buf, &mut out), &next, ignore);
                drive(&mut ws, (&mut buf, &mut out), &empty, ignore);
            }
        });
        let received = (FRAGMENTS / 2) as isize;
        assert!(used.held >= received, "{role:?}: {used:?}");
        assert!(used.held <= 2 * received + KIB, "{role:?}: {used:?}");
        // While it grows, the old copy and the new one exist side by side.
        assert!(used.peak <= 3 * received + KIB, "{role:?}: {used:?}");
        assert_eq!(used.held, ws.memory_usage() as isize, "{role:?}");
    }
}

#[test]
fn server_holds_nothing_after_too_many_fragments() {
    let mut ws = open(Role::Server, &config());
    let idle = ws.memory_usage();
    let first = wire(Role::Client).frame(Opcode::Text, false, b"x").bytes();
    let next = wire(Role::Client)
        .frame(Opcode::Continuation, false, b"x")
        .bytes();
    feed(&mut ws, [&*first]);
    // The limit is 128 Ki frames, the first included.
    let many = next.repeat(128 * 1024 - 1);
    assert_eq!(feed(&mut ws, [&*many]).error(), None);
    assert!(ws.memory_usage() > 128 * 1024);
    let failed = feed(&mut ws, [&*next]);
    assert_eq!(
        failed.error(),
        Some(ConnectionError::Limit(LimitError::TooManyFragments))
    );
    assert!(ws.memory_usage() <= idle + KIB as usize);
}

#[test]
fn endpoint_allocates_nothing_for_a_declared_length() {
    for role in ROLES {
        for (declared, opcode) in [
            (16 << 20, Opcode::Text),
            (16 << 20, Opcode::Binary),
            (1 << 62, Opcode::Text),
            (1 << 62, Opcode::Binary),
        ] {
            let mut header = Header::new(opcode, declared);
            header.masking_key = (role == Role::Server).then_some(KEY.into());
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            bytes.push(0);
            for config in [config(), config().with_max_message_len(usize::MAX)] {
                let mut ws = open(role, &config);
                let (mut buf, mut out) = ([0; 16], Vec::with_capacity(256));
                let ((), used) = measure(|| drive(&mut ws, (&mut buf, &mut out), &bytes, ignore));
                assert!(used.peak <= KIB, "{role:?}, {declared}: {used:?}");
            }
        }
    }
}

#[test]
fn endpoint_holds_a_partial_message_at_twice_its_bytes() {
    let declared = Header::new(Opcode::Binary, 16 << 20);
    let mut bytes = Vec::new();
    declared.write(&mut bytes);
    let (piece, mut buf) = ([0x61; 1000], [0; 1000]);
    for (opcode, text) in [(0x82, false), (0x81, true)] {
        bytes[0] = opcode;
        let (mut ws, mut out) = (open(Role::Client, &config()), Vec::new());
        drive(&mut ws, (&mut buf, &mut out), &bytes, ignore);
        let mut received = 0;
        let mut held = 0;
        while received < 1 << 20 {
            let ((), used) = measure(|| drive(&mut ws, (&mut buf, &mut out), &piece, ignore));
            received += piece.len() as isize;
            held += used.held;
            assert!(
                held <= 2 * received + KIB,
                "text: {text}, {received}: {held}"
            );
            assert_eq!(held, ws.memory_usage() as isize, "text: {text}");
        }
    }
}

#[test]
fn endpoint_answers_a_ping_flood_with_at_most_twice_its_bytes() {
    for role in ROLES {
        for payload in [&b""[..], b"x", &[0x61; 125]] {
            let pings = wire(peer_of(role)).ping(payload).bytes().repeat(10_000);
            let mut ws = open(role, &config());
            // Nobody writes `out` meanwhile: the driver reads first.
            let out = feed(&mut ws, [&*pings]).out;
            assert!(!out.is_empty());
            let amplification = out.len() as f64 / pings.len() as f64;
            // RFC 6455 §5.1 and §5.5.3: a client answers a ping of 2 bytes with a masked
            // pong of 6, because of the key of 4 bytes.
            let limit = if role == Role::Client && payload.len() < 2 {
                3.0
            } else {
                2.0
            };
            assert!(
                amplification <= limit,
                "{role:?}, {}: {amplification}",
                payload.len()
            );
            assert!(ws.memory_usage() <= KIB as usize);
        }
    }
}

// Requirement 23: an idle connection holds less than 1 KiB of heap.
#[test]
fn idle_connections_hold_less_than_a_kibibyte_each() {
    const CONNECTIONS: usize = 10_000;
    let config = in_the_field();
    for role in ROLES {
        let burst = wire(peer_of(role))
            .frame(Opcode::Text, false, &[0x61; 3000])
            .frame(Opcode::Ping, true, &[0x62; 125])
            .frame(Opcode::Continuation, true, &[0x63; 3000])
            .bytes();
        let mut connections = Vec::with_capacity(CONNECTIONS);
        let (mut buf, mut out) = ([0; 1000], Vec::with_capacity(16 * 1024));
        let ((), idle) = measure(|| {
            for _ in 0..CONNECTIONS {
                connections.push(after_handshake(role, &config));
            }
        });
        let each = idle.held / CONNECTIONS as isize;
        assert!(each < KIB, "{role:?}: {each} bytes");
        assert_eq!(idle.held, total_held(&connections), "{role:?}");

        let mut messages = 0;
        let ((), during) = measure(|| {
            let half = burst.len() / 2;
            for ws in &mut connections {
                drive(ws, (&mut buf, &mut out), &burst[..half], ignore);
            }
        });
        assert!(
            during.held > 1000 * CONNECTIONS as isize,
            "{role:?}: {during:?}"
        );
        assert_eq!(
            idle.held + during.held,
            total_held(&connections),
            "{role:?}"
        );
        let ((), after) = measure(|| {
            for ws in &mut connections {
                drive(
                    ws,
                    (&mut buf, &mut out),
                    &burst[burst.len() / 2..],
                    |ws, event, out| {
                        if let Event::Message(message) = event {
                            messages += 1;
                            ws.send(message, out).expect("open");
                        }
                    },
                );
            }
        });
        assert_eq!(messages, CONNECTIONS);
        let each = (idle.held + during.held + after.held) / CONNECTIONS as isize;
        assert!(each < KIB, "{role:?}, after a burst: {each} bytes");
        assert_eq!(
            idle.held + during.held + after.held,
            total_held(&connections),
            "{role:?}"
        );
    }
}

fn total_held(connections: &[Connection]) -> isize {
    connections
        .iter()
        .map(Connection::memory_usage)
        .sum::<usize>() as isize
}

#[test]
fn memory_usage_is_what_the_allocator_counts_in_every_phase() {
    let config = Config::new();
    let request: &[u8] = b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: echo\r\n\r\n";
    let from = Role::Client;
    let text = wire(from).text("a message in pieces").bytes();
    let ping = wire(from).ping(b"a ping in pieces").bytes();
    let close = wire(from).close(1000, "a reason").bytes();
    let steps: [(&str, &[u8]); 8] = [
        ("half a head", &request[..80]),
        ("the other half", &request[80..]),
        ("half a message", &text[..12]),
        ("the other half", &text[12..]),
        ("half a ping", &ping[..12]),
        ("the other half", &ping[12..]),
        ("half a close", &close[..9]),
        ("the other half", &close[9..]),
    ];
    let (mut buf, mut out) = ([0; 256], Vec::with_capacity(1024));
    let (mut ws, started) = measure(|| Connection::server(&config));
    let mut held = started.held;
    assert_eq!(held, ws.memory_usage() as isize, "at the start");
    let timed =
        measure(|| ws.handle_timeout(core::time::Duration::ZERO, IoState::reading(), &mut out)).1;
    held += timed.held;
    assert_eq!(held, ws.memory_usage() as isize, "with a timer");
    for (step, bytes) in steps {
        let ((), used) = measure(|| {
            drive(&mut ws, (&mut buf, &mut out), bytes, |ws, event, out| {
                if let Event::Request(request) = event {
                    let response = request.accept().with_subprotocol("echo").expect("offered");
                    ws.respond(response, out).expect("a request");
                }
            });
        });
        held += used.held;
        assert_eq!(held, ws.memory_usage() as isize, "{step}");
    }
    assert!(ws.is_closed());
    assert_eq!(ws.subprotocol(), Some("echo"));
}

// A list of subprotocols is kept once, not entry by entry.
#[test]
fn offered_subprotocols_cost_less_than_twice_their_bytes() {
    const ENTRIES: usize = 2800;
    let config = config().with_max_head_len(64 * 1024);
    let (to, built) = measure(|| {
        let to = ClientRequest::to("ws://example.com/").expect("a URI");
        (0..ENTRIES).fold(to, |to, number| {
            let to = to
                .with_subprotocol(&number.to_string())
                .expect("another name");
            // Others grow in between.
            if number % 100 == 0 {
                to.with_cookie("a", "b").expect("a cookie")
            } else {
                to
            }
        })
    });
    let list: usize = to.headers().iter().map(|(_, value)| value.len()).sum();
    let list = list as isize;
    assert!(list > 15 * KIB, "{list}");
    assert!(built.held <= 2 * list + KIB, "{built:?}");

    let mut out = Vec::with_capacity(64 * 1024);
    let (client, used) = measure(|| Connection::client(&to, &config, &mut out));
    let mut client = client.expect("randomness");
    assert!(used.held <= list + KIB, "{used:?}");
    assert_eq!(used.held, client.memory_usage() as isize);

    let mut server = Connection::server(&config);
    let event = server.receive(&mut Input::new(&mut out), &mut Vec::new());
    let Some(Event::Request(request)) = event else {
        panic!("{event:?}")
    };
    let (answer, used) = measure(|| request.accept());
    assert!(used.peak <= list + KIB, "{used:?}");
    assert!(used.calls <= 3, "{used:?}");
    let last = (ENTRIES - 1).to_string();
    let answer = answer.with_subprotocol(&last).expect("it was offered");
    let mut out = Vec::new();
    server.respond(answer, &mut out).expect("a request");
    assert!(server.memory_usage() < KIB as usize, "nothing of the list");
    feed(&mut client, [&*out]);
    assert_eq!(client.subprotocol(), Some(&*last));
    assert!(client.memory_usage() < KIB as usize, "nothing of the list");
}

#[test]
fn memory_usage_of_a_refused_client_is_what_the_allocator_counts() {
    let to = ClientRequest::to("ws://example.com/").expect("a URI");
    let to = to.with_subprotocol("echo").expect("a token");
    let refusal = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n";
    let pieces: [&[u8]; 4] = [&refusal[..20], &refusal[20..], b"please", b" log in"];
    let (mut buf, mut out) = ([0; 256], Vec::with_capacity(1024));
    let config = config();
    let (mut ws, started) = measure(|| Connection::client(&to, &config, &mut out).unwrap());
    out.clear();
    let mut held = started.held;
    assert_eq!(held, ws.memory_usage() as isize, "at the start");
    for piece in pieces {
        let ((), used) = measure(|| drive(&mut ws, (&mut buf, &mut out), piece, ignore));
        held += used.held;
        assert_eq!(held, ws.memory_usage() as isize, "{}", piece.escape_ascii());
    }
    let ((), used) = measure(|| {
        for seconds in 0..20 {
            let now = core::time::Duration::from_secs(seconds);
            ws.handle_timeout(now, IoState::reading(), &mut out);
        }
    });
    held += used.held;
    assert!(ws.is_closed());
    assert_eq!(held, ws.memory_usage() as isize, "cut off by its deadline");
    let ((), used) = measure(
        || {
            while ws.receive(&mut Input::none(), &mut out).is_some() {}
        },
    );
    held += used.held;
    assert_eq!(held, ws.memory_usage() as isize, "reported");
}

// Requirement 24: a kept message pins no larger buffer.
#[test]
fn kept_messages_hold_at_most_twice_their_payload_and_a_handle() {
    const MESSAGES: usize = 100_000;
    for role in ROLES {
        for text in [false, true] {
            let from = wire(peer_of(role));
            let frame = if text {
                from.text(&"x".repeat(20))
            } else {
                from.binary(&[7; 20])
            };
            let stream = frame.bytes().repeat(MESSAGES);
            let mut ws = open(role, &config());
            let (mut buf, mut out) = (vec![0; 64 * 1024], Vec::new());
            let mut kept = Vec::with_capacity(MESSAGES);
            let ((), used) = measure(|| {
                drive(&mut ws, (&mut buf, &mut out), &stream, |_, event, _| {
                    if let Event::Message(message) = event {
                        kept.push(message.into_owned());
                    }
                });
            });
            assert_eq!(kept.len(), MESSAGES);
            // The handles stand in `kept`, which was there before.
            let limit = (2 * 20 * MESSAGES) as isize + KIB;
            assert!(used.held <= limit, "{role:?}, text {text}: {used:?}");
        }
    }
}

// Requirement 25: a message of any length passes through the memory of one read.
#[test]
fn fragments_of_a_long_text_pass_in_less_than_64_kibibytes() {
    // 64 MiB here; 1 GiB takes a debug build too long and holds no more.
    const LEN: u64 = 64 << 20;
    let mut header = Vec::new();
    Header::new(Opcode::Text, LEN).write(&mut header);
    // Two bytes a character, and 16 KiB less one a read: every other read cuts one.
    let text = "é".repeat(16 * 1024);
    let reads = [
        &text.as_bytes()[..16 * 1024 - 1],
        &text.as_bytes()[1..16 * 1024],
    ];
    let mut buf = vec![0; 16 * 1024];
    let ((passed, ws), used) = measure(|| {
        let config = config()
            .with_delivery(Delivery::Fragments)
            .with_max_message_len(usize::MAX);
        let (mut ws, mut out) = (open(Role::Client, &config), Vec::new());
        let (mut passed, mut ended) = (0, false);
        let mut pass = |_: &mut Connection, event: Event<'_>, _: &mut Vec<u8>| match event {
            Event::Fragment(fragment) => {
                passed += fragment.payload.len() as u64;
                ended = fragment.fin;
            }
            other => panic!("{other:?}"),
        };
        drive(&mut ws, (&mut buf, &mut out), &header, &mut pass);
        for read in reads.iter().cycle() {
            let left = usize::try_from(ws.remaining_payload_len()).expect("64 bits");
            let read = &read[..read.len().min(left)];
            drive(&mut ws, (&mut buf, &mut out), read, &mut pass);
            if ws.remaining_payload_len() == 0 {
                break;
            }
        }
        assert!(ended);
        (passed, ws)
    });
    assert_eq!(passed, LEN);
    assert!(used.peak < 64 * KIB, "{used:?}");
    assert!(ws.memory_usage() < KIB as usize);
}

// Requirement 31: no allocation in steady state.
#[test]
fn steady_echo_of_whole_messages_allocates_nothing() {
    const ECHOES: usize = 1_000_000;
    const BATCH: usize = 1000;
    for role in ROLES {
        let mut ws = after_handshake(role, &in_the_field());
        let mut batch = wire(peer_of(role));
        for _ in 0..BATCH / 4 {
            batch = batch
                .text("short")
                .binary(&[7; 20])
                .text(&"x".repeat(130))
                .binary(b"");
        }
        let batch = batch.bytes();
        let (mut buf, mut out) = (vec![0; batch.len()], Vec::new());
        let mut echoes = 0;
        let mut echo = |ws: &mut Connection, event: Event<'_>, out: &mut Vec<u8>| match event {
            Event::Message(message) => {
                ws.send(message, out).expect("open");
                echoes += 1;
            }
            other => panic!("{other:?}"),
        };
        drive(&mut ws, (&mut buf, &mut out), &batch, &mut echo);
        let ((), used) = measure(|| {
            for _ in 0..ECHOES / BATCH {
                drive(&mut ws, (&mut buf, &mut out), &batch, &mut echo);
            }
        });
        assert_eq!(echoes, ECHOES + BATCH);
        let nothing = Used {
            calls: 0,
            held: 0,
            peak: 0,
        };
        assert_eq!(used, nothing, "{role:?}");
    }
}
