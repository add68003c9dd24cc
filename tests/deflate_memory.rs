//! What compression costs a connection, by a counting allocator: the table in
//! `sansocket::deflate`, what is pooled, and what a bomb can take.

#![cfg(feature = "deflate")]

#[path = "common/allocator.rs"]
mod allocator;
mod common;

use allocator::{Counting, measure};
use common::{ROLES, config, feed, peer_of, wire};
use flate2::{Compress, Compression, FlushCompress};
use sansocket::deflate::{Options, Parameters};
use sansocket::frame::{Header, Opcode};
use sansocket::{Agreement, Config, Connection, Error, Event, Input, LimitError, Role};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: isize = 1024;

fn open_with(role: Role, parameters: Parameters, config: &Config) -> Connection {
    let agreement = Agreement::default().with_deflate(parameters);
    Connection::upgraded(role, agreement, config)
}

fn without_takeover() -> Parameters {
    Parameters::new()
        .server_no_context_takeover()
        .client_no_context_takeover()
}

/// A compressed message from this role.
fn message(from: Role) -> Vec<u8> {
    let (config, mut out) = (config().deflate(Options::new()), Vec::new());
    let mut ws = open_with(from, without_takeover(), &config);
    ws.send("what is said ".repeat(100), &mut out).unwrap();
    assert_eq!(out[0], 0xc1);
    out
}

/// The rows of the table in the module's page: the numbers in each.
fn documented() -> Vec<Vec<usize>> {
    let source = include_str!("../src/deflate/mod.rs");
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

// Requirement 5: the documented table, to a tenth, and `held_bytes`.
#[test]
fn state_costs_what_the_table_says() {
    let table = documented();
    assert_eq!(table.len(), 7);
    for row in table {
        let (options, told) = match row[..] {
            [told] => (Options::new(), told),
            [bits, level, told] => {
                let options = Options::new().window_bits(bits as u8);
                (options.mem_level(level as u8), told)
            }
            _ => panic!("{row:?}"),
        };
        let config = config().deflate(options.takeover(true).peer_takeover(true));
        let mut ws = open_with(Role::Server, Parameters::new(), &config);
        let (text, mut out) = ("what is said ".repeat(100), Vec::with_capacity(4096));
        let bytes = message(Role::Client);
        let before = ws.held_bytes();
        let ((), used) = measure(|| match row.len() {
            1 => drop(feed(&mut ws, [&*bytes])),
            _ => ws.send(&text, &mut out).unwrap(),
        });
        assert!(is_near(used.held, told * 1024), "{row:?}: {used:?}");
        let added = ws.held_bytes() - before;
        assert!(is_near(used.held, added), "{row:?}: {used:?} {added}");
    }
}

// Requirement 5: nothing before the first compressed message, whatever was
// agreed on.
#[test]
fn state_is_made_by_the_first_message() {
    let options = Options::new().takeover(true).peer_takeover(true);
    let config = config().deflate(options);
    for role in ROLES {
        let (ws, used) = measure(|| open_with(role, Parameters::new(), &config));
        assert!(used.held < KIB / 2, "{used:?}");
        assert_eq!(ws.held_bytes() as isize, used.held);
    }
}

/// Sends and receives a compressed message.
fn exchange(ws: &mut Connection) {
    let bytes = message(peer_of(ws.role()));
    feed(ws, [&*bytes]);
    let mut out = Vec::new();
    ws.send("what is said ".repeat(100), &mut out).unwrap();
    assert_eq!(out[0], 0xc1);
}

// Requirement 5: an idle connection without takeover holds less than 1 KiB, and
// any number of them share what they borrow.
#[test]
fn connections_without_takeover_share_their_state() {
    for role in ROLES {
        let config = config().deflate(Options::new());
        let (mut connections, used) = measure(|| {
            let open = || open_with(role, without_takeover(), &config);
            let mut connections: Vec<_> = (0..500).map(|_| open()).collect();
            connections.iter_mut().for_each(exchange);
            connections
        });
        let pooled = (67 + 372 + 20) * KIB;
        let each = (used.held - pooled) / 500;
        assert!(each < KIB, "{each}");
        assert!(connections.iter().all(|ws| ws.held_bytes() < 1024));
        let ((), used) = measure(|| connections.iter_mut().for_each(exchange));
        assert_eq!(used.held, 0);
    }
}

// Requirement 5: a message under way, or its failure, does not keep the state.
#[test]
fn state_comes_back_from_connections_that_end() {
    let config = config().deflate(Options::new());
    let part = &message(Role::Client)[..12];
    let mut ws = open_with(Role::Server, without_takeover(), &config);
    feed(&mut ws, [part]);
    assert!(ws.held_bytes() > 50 * 1024, "it inflates");
    drop(ws);
    let mut ws = open_with(Role::Server, without_takeover(), &config);
    let ((), used) = measure(|| drop(feed(&mut ws, [part])));
    assert!(used.peak < 3 * KIB, "{used:?}: taken from the pool");
    feed(&mut ws, [&[0xff; 200][..]]);
    assert!(ws.outcome().is_some());
    assert!(ws.held_bytes() < 1024);
}

#[test]
fn pool_keeps_no_more_than_it_is_told() {
    let config = config().deflate(Options::new().max_pooled(0));
    let mut ws = open_with(Role::Server, without_takeover(), &config);
    let ((), used) = measure(|| exchange(&mut ws));
    assert_eq!(used.held, 0);
    assert!(used.peak > 300 * KIB);
}

// Requirement 5
#[test]
fn release_gives_back_the_compressor() {
    let config = config().deflate(Options::new().takeover(true).max_pooled(0));
    let mut ws = open_with(Role::Server, Parameters::new(), &config);
    let (text, mut out) = ("what is said ".repeat(100), Vec::new());
    ws.send(&text, &mut out).unwrap();
    assert!(ws.held_bytes() > 300 * 1024);
    let ((), used) = measure(|| ws.release());
    assert!(used.held < -300 * KIB, "{used:?}");
    assert!(ws.held_bytes() < 1024);
    ws.send(&text, &mut out).unwrap();
    let peer = &mut open_with(Role::Client, Parameters::new(), &config);
    assert_eq!(feed(peer, [&*out]).messages().len(), 2, "still in step");
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
            .max_message_len(LIMIT)
            .deflate(Options::new().max_ratio(None));
        let mut ws = open_with(Role::Client, Parameters::new(), &config);
        let mut bytes = bomb(len);
        let mut out = Vec::new();
        let (event, used) = measure(|| {
            let mut input = Input::new(&mut bytes);
            ws.receive(&mut input, &mut out)
        });
        let is_limit = matches!(
            event,
            Some(Event::Failed(Error::Limit(LimitError::MessageTooLong)))
        );
        assert_eq!(is_limit, len > LIMIT, "{event:?}");
        let most = LIMIT as isize + (67 + 1) * KIB;
        assert!(used.peak < most, "{used:?}");
    }
}
