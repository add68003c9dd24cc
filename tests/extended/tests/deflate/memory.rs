//! The memory of compression, measured by a counting allocator: the table in
//! `sansocket::deflate`, the pool, and what a decompression bomb can allocate.
//!
//! The pool belongs to the process, and the allocator counts by thread, so each
//! test that measures runs in a process of its own.

use std::process::Command;
use std::{env, thread};

use crate::allocator::measure;
use crate::drive::feed;
use crate::wire::{ROLES, config, peer_of, wire};
use flate2::{Compress, Compression, FlushCompress};
use sansocket::deflate::{Compress as Choice, Options, Parameters};
use sansocket::frame::{Header, Opcode};
use sansocket::{
    Agreement, Config, Connection, ConnectionError, Event, Fragment, Input, LimitError, Role,
};

const KIB: isize = 1024;

/// The documented sizes of a compressor and of a decompressor.
const COMPRESSOR: isize = 372 * KIB;
const DECOMPRESSOR: isize = 67 * KIB;

/// Runs the work of the test with this name in a process of its own, whose pool
/// is empty.
fn alone(test: &str, work: impl FnOnce()) {
    const CHILD: &str = "SANSOCKET_TEST_ALONE";
    if env::var(CHILD).is_ok_and(|name| name == test) {
        return work();
    }
    let path = format!("memory::{test}");
    let program = env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", &path, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

fn open_with(role: Role, parameters: Parameters, config: &Config) -> Connection {
    let agreement = Agreement::default().with_deflate(parameters);
    Connection::upgraded(role, agreement, config)
}

fn without_takeover() -> Parameters {
    Parameters::new()
        .with_server_no_context_takeover()
        .with_client_no_context_takeover()
}

fn text() -> String {
    "what is said ".repeat(100)
}

/// A compressed message from this role. The pool is not involved.
fn message(from: Role) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::fast(), false);
    let mut payload = Vec::with_capacity(4096);
    deflate
        .compress_vec(text().as_bytes(), &mut payload, FlushCompress::Sync)
        .unwrap();
    let payload = payload.strip_suffix(&[0, 0, 0xff, 0xff]).unwrap();
    let header = Header {
        rsv1: true,
        ..Header::new(Opcode::Text, payload.len() as u64)
    };
    wire(from).with_header(header, payload).bytes()
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// The rows of the table in the module's page: the numbers in each.
fn documented() -> Vec<Vec<usize>> {
    let source = include_str!("../../../../src/deflate/mod.rs");
    let rows = source.lines().filter(|line| line.contains("| to "));
    let numbers = |row: &str| {
        row.split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect()
    };
    rows.map(numbers).collect()
}

fn is_near(measured: isize, told: usize) -> bool {
    (measured - told as isize).abs() * 10 <= told as isize
}

// Requirement 5: the documented table, to a tenth, and `memory_usage`.
#[test]
fn state_costs_what_the_table_says() {
    alone("state_costs_what_the_table_says", || {
        let table = documented();
        assert_eq!(table.len(), 7);
        table.iter().for_each(|row| assert_costs(row));
    });
}

fn assert_costs(row: &[usize]) {
    let (options, told) = match *row {
        [told] => (Options::new(), told),
        [bits, level, told] => {
            let options = Options::new().with_window_bits(bits as u8);
            (options.with_mem_level(level as u8), told)
        }
        _ => panic!("{row:?}"),
    };
    let config = config().with_deflate(
        options
            .with_context_takeover(true)
            .with_peer_context_takeover(true),
    );
    let mut ws = open_with(Role::Server, Parameters::new(), &config);
    let (text, mut out) = (text(), Vec::with_capacity(4096));
    let bytes = message(Role::Client);
    let before = ws.memory_usage();
    let ((), used) = measure(|| match row.len() {
        1 => drop(feed(&mut ws, [&*bytes])),
        _ => ws.send(&text, &mut out).unwrap(),
    });
    assert!(is_near(used.held, told * 1024), "{row:?}: {used:?}");
    let added = ws.memory_usage() - before;
    assert!(is_near(used.held, added), "{row:?}: {used:?} {added}");
}

// Requirement 5: nothing before the first compressed message, whatever was
// agreed on.
#[test]
fn state_is_made_by_the_first_message() {
    let options = Options::new()
        .with_context_takeover(true)
        .with_peer_context_takeover(true);
    let config = config().with_deflate(options);
    for role in ROLES {
        let (ws, used) = measure(|| open_with(role, Parameters::new(), &config));
        assert!(used.held < KIB / 2, "{used:?}");
        assert_eq!(ws.memory_usage() as isize, used.held);
    }
}

/// Receives this compressed message, and sends one.
fn exchange(ws: &mut Connection, received: &[u8]) {
    assert_eq!(feed(ws, [received]).messages().len(), 1);
    let mut out = Vec::new();
    ws.send(text(), &mut out).unwrap();
    assert_eq!(out[0], 0xc1);
}

// Requirement 5: an idle connection without takeover holds less than 1 KiB, and
// all connections share the states of the pool.
#[test]
fn connections_without_takeover_share_their_state() {
    alone("connections_without_takeover_share_their_state", || {
        let config = config().with_deflate(Options::new());
        let mut pooled = DECOMPRESSOR + COMPRESSOR + 20 * KIB;
        for role in ROLES {
            let received = message(peer_of(role));
            let (mut connections, used) = measure(|| {
                let open = || open_with(role, without_takeover(), &config);
                let mut connections: Vec<_> = (0..500).map(|_| open()).collect();
                connections
                    .iter_mut()
                    .for_each(|ws| exchange(ws, &received));
                connections
            });
            let each = (used.held - pooled) / 500;
            assert!(each < KIB, "{each}");
            assert!(connections.iter().all(|ws| ws.memory_usage() < 1024));
            let ((), used) = measure(|| {
                connections
                    .iter_mut()
                    .for_each(|ws| exchange(ws, &received));
            });
            assert_eq!(used.held, 0);
            // The second role finds the states of the first.
            pooled = 0;
        }
    });
}

// Requirement 5: nor does it matter that each has a configuration of its own.
#[test]
fn connections_with_a_config_each_share_their_state() {
    const COUNT: isize = 100;
    alone("connections_with_a_config_each_share_their_state", || {
        let received = message(Role::Client);
        let (connections, used) = measure(|| {
            let exchanged = |_| {
                let config = config().with_deflate(Options::new());
                let mut ws = open_with(Role::Server, without_takeover(), &config);
                exchange(&mut ws, &received);
                ws
            };
            (0..COUNT).map(exchanged).collect::<Vec<_>>()
        });
        let each = (used.held - DECOMPRESSOR - COMPRESSOR - 20 * KIB) / COUNT;
        assert!(each < 3 * KIB / 2, "{each}");
        assert!(connections.iter().all(|ws| ws.memory_usage() < 1024));
    });
}

// Requirement 5: a message in progress, or its failure, does not keep the state.
#[test]
fn state_comes_back_from_connections_that_end() {
    alone("state_comes_back_from_connections_that_end", || {
        let config = config().with_deflate(Options::new());
        let part = &message(Role::Client)[..12];
        let mut ws = open_with(Role::Server, without_takeover(), &config);
        feed(&mut ws, [part]);
        assert!(ws.memory_usage() > 50 * 1024, "it inflates");
        drop(ws);
        let mut ws = open_with(Role::Server, without_takeover(), &config);
        let ((), used) = measure(|| drop(feed(&mut ws, [part])));
        assert!(used.peak < 3 * KIB, "{used:?}: taken from the pool");
        feed(&mut ws, [&[0xff; 200][..]]);
        assert!(ws.outcome().is_some());
        assert!(ws.memory_usage() < 1024);
    });
}

/// A connection that has state of both directions.
fn with_state(options: Options) -> Connection {
    let config = config().with_deflate(
        options
            .with_context_takeover(true)
            .with_peer_context_takeover(true),
    );
    let mut ws = open_with(Role::Server, Parameters::new(), &config);
    exchange(&mut ws, &message(Role::Client));
    ws
}

#[test]
fn pool_keeps_sixteen_states_of_each_direction() {
    alone("pool_keeps_sixteen_states_of_each_direction", || {
        let states = |count| (0..count).map(|_| with_state(Options::new()));
        let ((), used) = measure(|| drop(states(40).collect::<Vec<_>>()));
        let most = 16 * (COMPRESSOR + DECOMPRESSOR);
        assert!(is_near(used.held, most as usize), "{used:?}");
        let (connections, used) = measure(|| states(16).collect::<Vec<_>>());
        assert!(used.held < 16 * 3 * KIB, "{used:?}: all from the pool");
        drop(connections);
    });
}

#[test]
fn threads_share_the_pool() {
    alone("threads_share_the_pool", || {
        let thread = thread::spawn(|| drop(with_state(Options::new())));
        thread.join().unwrap();
        let (ws, used) = measure(|| with_state(Options::new()));
        assert!(used.held < 3 * KIB, "{used:?}: taken from the pool");
        drop(ws);
    });
}

// The states of options that are no longer used do not stay.
#[test]
fn oldest_state_makes_room_for_another_kind() {
    alone("oldest_state_makes_room_for_another_kind", || {
        let large = || with_state(Options::new());
        let small = || with_state(Options::new().with_window_bits(9).with_mem_level(1));
        drop((0..16).map(|_| large()).collect::<Vec<_>>());
        drop((0..4).map(|_| small()).collect::<Vec<_>>());
        let (connections, used) = measure(|| (0..4).map(|_| small()).collect::<Vec<_>>());
        assert!(used.held < 4 * 3 * KIB, "{used:?}: small ones are kept");
        drop(connections);
        let (connections, used) = measure(|| (0..12).map(|_| large()).collect::<Vec<_>>());
        assert!(used.held < 12 * 3 * KIB, "{used:?}: twelve are left");
        let (last, used) = measure(large);
        assert!(used.held > 300 * KIB, "{used:?}: four made room");
        drop((connections, last));
    });
}

// A long message that does not compress leaves no output buffer of its length.
#[test]
fn pool_keeps_no_long_output() {
    alone("pool_keeps_no_long_output", || {
        let noise = noise(16 << 20);
        let config = config().with_deflate(Options::new());
        for choice in [Choice::Auto, Choice::Always] {
            let ((), used) = measure(|| {
                let mut ws = open_with(Role::Server, without_takeover(), &config);
                ws.send_with(&noise, choice, &mut Vec::new()).unwrap();
            });
            assert!(used.held <= COMPRESSOR + 64 * KIB, "{choice:?}: {used:?}");
        }
    });
}

// Nor does it stay with a connection that keeps its window.
#[test]
fn connection_keeps_no_long_output() {
    alone("connection_keeps_no_long_output", || {
        let noise = noise(4 << 20);
        let mut ws = with_state(Options::new());
        for in_fragments in [false, true] {
            let (mut out, before) = (Vec::with_capacity(9 << 20), ws.memory_usage());
            let ((), used) = measure(|| {
                if in_fragments {
                    ws.send_fragment(Fragment::more(&*noise), &mut out).unwrap();
                    ws.send_fragment(Fragment::last(&*noise), &mut out).unwrap();
                } else {
                    ws.send(&noise, &mut out).unwrap();
                }
            });
            assert!(used.held <= 64 * KIB, "{used:?}");
            let added = ws.memory_usage() as isize - before as isize;
            assert_eq!(added, used.held);
        }
    });
}

// The output of the message in progress is counted.
#[test]
fn memory_usage_includes_output() {
    alone("memory_usage_includes_output", || {
        let noise = noise(1 << 20);
        let mut ws = with_state(Options::new());
        let (mut out, before) = (Vec::with_capacity(3 << 20), ws.memory_usage());
        let ((), used) = measure(|| {
            ws.send_fragment(Fragment::more(&*noise), &mut out).unwrap();
        });
        assert!(used.held >= 1024 * KIB, "{used:?}");
        assert_eq!((ws.memory_usage() - before) as isize, used.held);
    });
}

// Requirement 5
#[test]
fn release_gives_back_the_compressor() {
    alone("release_gives_back_the_compressor", || {
        let config = config().with_deflate(Options::new().with_context_takeover(true));
        let open = |role| open_with(role, Parameters::new(), &config);
        let (mut ws, mut other) = (open(Role::Server), open(Role::Server));
        let (text, mut out) = (text(), Vec::new());
        ws.send(&text, &mut out).unwrap();
        assert!(ws.memory_usage() > 300 * 1024);
        ws.release();
        assert!(ws.memory_usage() < 1024);
        let mut unused = Vec::with_capacity(4096);
        let ((), used) = measure(|| other.send(&text, &mut unused).unwrap());
        assert!(used.peak < KIB, "{used:?}: taken from the pool");
        ws.send(&text, &mut out).unwrap();
        let messages = feed(&mut open(Role::Client), [&*out]).messages();
        assert_eq!(messages.len(), 2, "still in step");
    });
}

// Requirement 4: a bomb takes no more than the limit and the state to inflate.
#[test]
fn bomb_takes_no_more_than_the_limit() {
    const LIMIT: usize = 8 << 20;
    let bomb = |len| {
        let mut deflate = Compress::new(Compression::best(), false);
        let mut stream = Vec::with_capacity(len / 500);
        deflate
            .compress_vec(&vec![b'0'; len], &mut stream, FlushCompress::Sync)
            .unwrap();
        let header = Header {
            rsv1: true,
            ..Header::new(Opcode::Text, stream.len() as u64)
        };
        wire(Role::Server).with_header(header, &stream).bytes()
    };
    for len in [LIMIT, LIMIT + 1, 20 * LIMIT] {
        let config = config()
            .with_max_message_len(LIMIT)
            .with_deflate(Options::new().with_max_ratio(None));
        let mut ws = open_with(Role::Client, Parameters::new(), &config);
        let mut bytes = bomb(len);
        let mut out = Vec::new();
        let (event, used) = measure(|| {
            let mut input = Input::new(&mut bytes);
            loop {
                match ws.receive(&mut input, &mut out) {
                    Some(Event::Yield) => {}
                    event => break event,
                }
            }
        });
        let is_limit = matches!(
            event,
            Some(Event::Failed(ConnectionError::Limit(
                LimitError::MessageTooLong
            )))
        );
        assert_eq!(is_limit, len > LIMIT, "{event:?}");
        let most = LIMIT as isize + (67 + 1) * KIB;
        assert!(used.peak < most, "{used:?}");
    }
}

/// A message of this many zeros, compressed in pieces: the test itself frees no large
/// buffer as a whole.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn bomb_in_pieces(len: usize) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut stream = Vec::with_capacity(len / 500);
    let piece = vec![b'0'; 16 * 1024];
    for _ in 0..len / piece.len() {
        deflate
            .compress_vec(&piece, &mut stream, FlushCompress::None)
            .unwrap();
    }
    deflate
        .compress_vec(&[], &mut stream, FlushCompress::Sync)
        .unwrap();
    stream.truncate(stream.len() - 4);
    let header = Header {
        rsv1: true,
        ..Header::new(Opcode::Text, stream.len() as u64)
    };
    wire(Role::Client).with_header(header, &stream).bytes()
}

/// The resident memory of this process, in KiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn resident() -> isize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let mut words = line.unwrap().split_whitespace();
    words.nth(1).unwrap().parse().unwrap()
}

// glibc keeps what was freed as a whole: without the shrinking, 40 MiB and more stay.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn large_messages_give_their_memory_back_to_the_system() {
    const LEN: usize = 12 << 20;
    alone(
        "large_messages_give_their_memory_back_to_the_system",
        || {
            let bomb = bomb_in_pieces(LEN);
            let config = config().with_deflate(Options::new().with_max_ratio(None));
            let barrier = std::sync::Barrier::new(8);
            let receive = |until: usize| {
                let mut ws = open_with(Role::Server, without_takeover(), &config);
                // As the reads of a socket.
                let fed = feed(&mut ws, bomb[..until].chunks(1024));
                barrier.wait();
                let complete = until == bomb.len();
                assert_eq!(fed.messages().len(), usize::from(complete));
            };
            let before = resident();
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        // Delivered, or dropped before its end.
                        (0..3).for_each(|_| receive(bomb.len()));
                        (0..3).for_each(|_| receive(bomb.len() - 1000));
                    });
                }
            });
            let kept = resident() - before;
            assert!(kept < 16 * 1024, "{kept} KiB");
            assert_eq!(config.total_memory(), 0);
        },
    );
}
