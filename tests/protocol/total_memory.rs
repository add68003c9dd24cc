//! The memory that all connections of a configuration hold together.

use crate::drive::{END, feed, open};
use crate::wire::{ROLES, config, frames, peer_of, wire};
use sansocket::frame::{Header, Opcode};
use sansocket::{CloseCode, Config, Connection, ConnectionError, IoState, LimitError, Role};

const KIB: usize = 1024;

/// What does not count of each message.
const ALLOWANCE: usize = 64 * KIB;

const MAX: usize = 4096 * KIB;

const TOO_MUCH: Option<ConnectionError> = Some(ConnectionError::Limit(LimitError::TooMuchMemory));

/// The header of a message of 16 MiB.
fn header(role: Role, opcode: Opcode) -> Vec<u8> {
    wire(peer_of(role))
        .with_header(Header::new(opcode, 16 << 20), b"")
        .bytes()
}

/// A connection that holds an incomplete message of this many bytes, which arrived in
/// one piece: its buffer is twice as long.
fn holding(role: Role, config: &Config, len: usize) -> Connection {
    let mut ws = open(role, config);
    let bytes = [header(role, Opcode::Binary), vec![0; len]].concat();
    let fed = feed(&mut ws, [&*bytes]);
    assert_eq!(fed.error(), None);
    assert_eq!(ws.memory_usage() / KIB, 2 * len / KIB);
    ws
}

#[test]
fn greedy_connections_get_a_share_each_and_leave_one() {
    for (role, opcode) in [(Role::Server, Opcode::Binary), (Role::Client, Opcode::Text)] {
        for count in [1, 2, 7, 30] {
            let config = config().with_max_total_memory(MAX);
            let mut greedy: Vec<_> = (0..count).map(|_| open(role, &config)).collect();
            let header = header(role, opcode);
            let share = ALLOWANCE + MAX / (count + 1);
            for ws in &mut greedy {
                feed(ws, [&*header]);
            }
            // What a client sends is masked; any bytes are ASCII to a client.
            let piece = [b'a'; 4096];
            let mut most = 0;
            for _ in 0..MAX / piece.len() {
                for ws in &mut greedy {
                    assert!([None, TOO_MUCH].contains(&feed(ws, [&piece[..]]).error()));
                }
                let held = greedy.iter().map(Connection::memory_usage);
                most = most.max(held.clone().max().unwrap());
                let alive = held.clone().filter(|held| *held > ALLOWANCE).count();
                assert!(
                    config.total_memory() * (alive + 1) <= MAX * alive,
                    "{count}"
                );
                assert!(held.sum::<usize>() <= MAX + count * (ALLOWANCE + KIB));
            }
            assert!(most >= share / 2, "{count}: {most} of {share}");
            assert!(greedy.iter().all(|ws| ws.outcome().is_some()));
            assert_eq!(config.total_memory(), 0);
        }
    }
}

#[test]
fn small_messages_are_received_when_nothing_is_left() {
    for role in ROLES {
        let config = config().with_max_total_memory(MAX);
        // Each takes half of what is left, until that is less than the next one needs.
        let mut holders = Vec::new();
        let mut len = 1024 * KIB;
        while len > ALLOWANCE {
            holders.push(holding(role, &config, len));
            len /= 2;
        }
        let generous = config.clone().with_max_total_memory(None);
        let all_the_rest = holding(role, &generous, 8 << 20);
        assert!(config.total_memory() > MAX);

        let mut ws = open(role, &config);
        let (first, second) = ([b'a'; 20_000], [b'b'; 12_000]);
        let message = wire(peer_of(role))
            .frame(Opcode::Text, false, &first)
            .frame(Opcode::Continuation, true, &second)
            .bytes();
        for _ in 0..3 {
            let fed = feed(&mut ws, message.chunks(1000));
            assert_eq!(fed.messages()[0].len(), 32_000);
        }
        let fed = feed(&mut ws, [&*header(role, Opcode::Binary), &[0; 40_000]]);
        assert_eq!(fed.error(), TOO_MUCH);
        drop((holders, all_the_rest));
        assert_eq!(config.total_memory(), 0);
    }
}

// The largest connections fail, and not those that find less than they left.
#[test]
fn largest_connection_fails_when_others_have_grown() {
    for role in ROLES {
        let config = config().with_max_total_memory(MAX);
        let mut large = holding(role, &config, 600 * KIB);
        let mut small = holding(role, &config, 500 * KIB);
        assert_eq!(feed(&mut large, [&[0; 16][..]]).error(), None);
        let mut other = holding(role, &config, 500 * KIB);
        let before = config.total_memory();

        let failed = feed(&mut large, [&[0; 1][..]]);
        assert_eq!(failed.error(), TOO_MUCH);
        let close = &frames(&failed.out)[0];
        assert_eq!(close.1, u16::from(CloseCode::TRY_AGAIN_LATER).to_be_bytes());
        assert_eq!(config.total_memory(), before - (1200 * KIB - ALLOWANCE));
        for ws in [&mut small, &mut other] {
            assert_eq!(feed(ws, [&[0; 16][..]]).error(), None);
        }
        drop((small, other));
        assert_eq!(config.total_memory(), 0);
    }
}

#[test]
fn messages_before_the_failure_are_received() {
    for role in ROLES {
        let config = config().with_max_total_memory(256 * KIB);
        let mut bytes = wire(peer_of(role)).text("first").bytes();
        bytes.extend(header(role, Opcode::Binary));
        bytes.extend(vec![0; 300 * KIB]);
        let fed = feed(&mut open(role, &config), [&*bytes]);
        assert_eq!(fed.messages(), ["first".into()]);
        assert_eq!(fed.error(), TOO_MUCH);
    }
}

// However a connection ends, and whatever becomes of the message.
#[test]
fn nothing_counts_after_any_ending() {
    for role in ROLES {
        let from = || wire(peer_of(role));
        let last = from().frame(Opcode::Continuation, true, b"").bytes();
        let endings: [(&str, Vec<u8>); 5] = [
            ("message", last),
            ("close frame", from().close(1000, "").bytes()),
            ("broken rule", from().raw(b"\xff\xff").bytes()),
            ("end of the stream", END.to_vec()),
            ("nothing more", from().ping(b"").bytes()),
        ];
        for (name, bytes) in endings {
            for auto_close in [true, false] {
                let config = config();
                let mut ws = open(role, &config);
                ws.auto_close(auto_close);
                let part = from().frame(Opcode::Binary, false, &[0; 300 * KIB]);
                feed(&mut ws, [&*part.bytes()]);
                assert_eq!(config.total_memory(), 600 * KIB - ALLOWANCE);
                feed(&mut ws, [&*bytes]);
                if name == "nothing more" {
                    assert_eq!(config.total_memory(), 600 * KIB - ALLOWANCE);
                    drop(ws);
                }
                assert_eq!(config.total_memory(), 0, "{name}");
            }
        }
    }
}

#[test]
fn nothing_counts_after_a_deadline() {
    for role in ROLES {
        let config = config();
        let (mut ws, mut out) = (holding(role, &config, 300 * KIB), Vec::new());
        for seconds in 0..100 {
            let now = core::time::Duration::from_secs(seconds);
            ws.handle_timeout(now, IoState::reading(), &mut out);
        }
        assert!(ws.outcome().is_some());
        assert_eq!(config.total_memory(), 0);
    }
}

// Above 1 MiB, a message counts for as long as the application has it.
#[test]
fn large_message_counts_until_it_is_dropped() {
    for role in ROLES {
        for (len, held) in [(1 << 20, 0), ((1 << 20) + 1, (1 << 20) + 1 - ALLOWANCE)] {
            for kind in [Opcode::Binary, Opcode::Text] {
                let config = config();
                let mut ws = open(role, &config);
                let bytes = wire(peer_of(role)).frame(kind, true, &vec![b'a'; len]);
                let mut fed = feed(&mut ws, bytes.bytes().chunks(64 * KIB));
                assert_eq!(ws.memory_usage(), open(role, &config).memory_usage());
                let message = fed.messages().remove(0);
                fed.events.clear();
                assert_eq!(config.total_memory(), held);
                assert!(message.as_bytes().iter().all(|byte| *byte == b'a'));
                assert_eq!(message.as_text().is_some(), kind == Opcode::Text);
                drop(ws);
                let clone = message.clone();
                drop(message);
                assert_eq!(config.total_memory(), held);
                drop(clone.into_bytes().slice(5..7));
                assert_eq!(config.total_memory(), 0);
            }
        }
    }
}

#[test]
fn changed_clones_share_the_count() {
    let config = config().with_max_total_memory(MAX);
    let other = config.clone().with_max_message_len(32 << 20);
    let ws = holding(Role::Server, &other, 1000 * KIB);
    assert_eq!(config.total_memory(), 2000 * KIB - ALLOWANCE);
    assert_eq!(other.total_memory(), config.total_memory());
    assert_eq!(Config::new().total_memory(), 0, "another configuration");
    drop(other);
    drop(ws);
    assert_eq!(config.total_memory(), 0);
}

// Half of the limit is the most that one connection can have.
#[test]
fn limit_is_exact() {
    let limit = 2 * ((16 << 20) - ALLOWANCE);
    for (config, fits) in [
        (config(), true),
        (config().with_max_total_memory(None), true),
        (config().with_max_total_memory(limit), true),
        (config().with_max_total_memory(limit - 1), false),
    ] {
        let mut ws = open(Role::Client, &config);
        let bytes = wire(Role::Server).binary(&vec![0; 16 << 20]).bytes();
        let fed = feed(&mut ws, bytes.chunks(64 * KIB));
        assert_eq!(fed.messages().len(), usize::from(fits));
        assert_eq!(fed.error(), TOO_MUCH.filter(|_| !fits));
    }
}
