//! The table of the guide on limits: what a peer can make a connection hold in
//! each state, and how much it can make it answer.

use std::fs;
use std::path::Path;

use crate::allocator::measure;
use crate::connections::{drive, ignore};
use crate::drive::open;
use crate::wire::{config, peer_of, wire};
use sansocket::frame::{Header, Opcode};
use sansocket::{ClientRequest, Config, Connection, Delivery, IoState, Role};

/// A state that a peer can bring a connection into.
struct Case {
    /// The first column of the table.
    name: &'static str,
    config: Config,
    start: fn(&Config) -> Connection,
    bytes: Vec<u8>,
    /// What it then holds at most, besides `IDLE`.
    bound: usize,
    /// Whether it is still in that state, rather than failed.
    is_failed: bool,
}

/// What every connection may hold.
const IDLE: usize = 1024;

const MAX_HEAD_LEN: usize = 16 * 1024;
const MAX_BODY_LEN: usize = 64 * 1024;
const MAX_FRAGMENTS: usize = 128 * 1024;
const MAX_MESSAGE_LEN: usize = 16 * 1024 * 1024;

fn server(config: &Config) -> Connection {
    open(Role::Server, config)
}

fn client(config: &Config) -> Connection {
    open(Role::Client, config)
}

fn dialing(config: &Config) -> Connection {
    let to = ClientRequest::to("ws://example.com/").expect("a URI");
    Connection::client(&to, config, &mut Vec::new()).expect("randomness")
}

fn case(
    name: &'static str,
    start: fn(&Config) -> Connection,
    bytes: Vec<u8>,
    bound: usize,
) -> Case {
    Case {
        name,
        config: config(),
        start,
        bytes,
        bound,
        is_failed: false,
    }
}

fn cases() -> Vec<Case> {
    let head = |start: &str| [start.as_bytes(), &vec![b'a'; MAX_HEAD_LEN - 64]].concat();
    let refusal = b"HTTP/1.1 403 Forbidden\r\n\r\n".as_slice();
    let first = wire(Role::Client).frame(Opcode::Binary, false, b"x");
    let tiny = wire(Role::Client).frame(Opcode::Continuation, false, b"x");
    let tiny = tiny.bytes().repeat(MAX_FRAGMENTS - 1);
    let mut long = Vec::new();
    Header::new(Opcode::Text, MAX_MESSAGE_LEN as u64).write(&mut long);
    let declared = long.clone();
    long.resize(long.len() + MAX_MESSAGE_LEN - 1, b'x');
    vec![
        case("nothing received", Connection::server, Vec::new(), 0),
        case(
            "part of a request",
            Connection::server,
            head("GET /"),
            2 * MAX_HEAD_LEN,
        ),
        case(
            "part of a response",
            dialing,
            head("HTTP/1.1 101 "),
            2 * MAX_HEAD_LEN,
        ),
        case(
            "part of a refusal's body",
            dialing,
            [refusal, &vec![b'a'; MAX_BODY_LEN - 1]].concat(),
            2 * MAX_BODY_LEN,
        ),
        case("idle", server, wire(Role::Client).text("hello").bytes(), 0),
        case(
            "part of a ping",
            client,
            wire(Role::Server).ping(&[7; 125]).bytes()[..126].to_vec(),
            0,
        ),
        case("a declared length", client, declared, 0),
        case("part of a message", client, long, 2 * MAX_MESSAGE_LEN),
        case(
            "fragments of one byte",
            server,
            [first.clone().bytes(), tiny.clone()].concat(),
            2 * MAX_FRAGMENTS,
        ),
        Case {
            config: config().with_delivery(Delivery::Fragments),
            ..case(
                "part of a message, as fragments",
                server,
                [first.clone().bytes(), tiny.clone()].concat(),
                0,
            )
        },
        Case {
            is_failed: true,
            ..case(
                "failed",
                server,
                [first.bytes(), tiny, vec![0x00, 0x80, 0, 0, 0, 0]].concat(),
                0,
            )
        },
    ]
}

// Requirement 22: what is held in each state, while it grows too.
#[test]
fn every_state_holds_what_the_guide_says() {
    let (mut buf, mut out) = (vec![0; 4096], Vec::with_capacity(4096));
    for case in cases() {
        let (ws, used) = measure(|| {
            let mut ws = (case.start)(&case.config);
            ws.handle_timeout(core::time::Duration::ZERO, IoState::reading(), &mut out);
            drive(&mut ws, (&mut buf, &mut out), &case.bytes, ignore);
            ws
        });
        let name = case.name;
        assert_eq!(ws.outcome().is_some(), case.is_failed, "{name}");
        assert_eq!(used.held, ws.memory_usage() as isize, "{name}");
        assert!(
            used.held <= (case.bound + IDLE) as isize,
            "{name}: {used:?}"
        );
    }
}

/// A row for each state, so that the table cannot lack one.
#[test]
fn guide_lists_every_state() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/limits.md");
    let guide = fs::read_to_string(path).expect("the guide");
    for case in cases() {
        let row = format!("\n| {} |", case.name);
        assert!(guide.contains(&row), "{}", case.name);
    }
}

/// How many bytes are appended for those received.
fn answered(role: Role, config: &Config, bytes: &[u8]) -> (usize, usize) {
    let (mut ws, mut buf, mut out) = (open(role, config), bytes.to_vec(), Vec::new());
    let mut input = sansocket::Input::new(&mut buf);
    while ws.receive(&mut input, &mut out).is_some() {}
    (bytes.len(), out.len())
}

// Requirement 22: nothing that a peer sends is answered by more than twice its
// bytes. RFC 6455 §5.3 makes one exception: a client masks its pongs, so that a
// ping of 2 or 3 bytes is answered by 6 or 7.
#[test]
fn nothing_is_answered_by_more_than_twice_its_bytes() {
    for role in [Role::Server, Role::Client] {
        let from = || wire(peer_of(role));
        let streams = [
            (
                "pings of 2 bytes",
                from().ping(&[7; 2]).bytes().repeat(1000),
            ),
            ("long pings", from().ping(&[7; 125]).bytes().repeat(1000)),
            ("pongs", from().pong(b"").bytes().repeat(1000)),
            ("a close frame", from().close(1000, "").bytes()),
            (
                "a long close frame",
                from().close(1000, &"x".repeat(123)).bytes(),
            ),
            ("a message", from().text("hello").bytes()),
            (
                "text that is not UTF-8",
                from().frame(Opcode::Text, true, b"\xff\xff").bytes(),
            ),
            (
                "messages and pings",
                from().text("").ping(&[7; 4]).bytes().repeat(1000),
            ),
        ];
        for (name, bytes) in streams {
            let (received, sent) = answered(role, &config(), &bytes);
            assert!(
                sent <= 2 * received,
                "{role:?}, {name}: {received} -> {sent}"
            );
        }
    }
}
