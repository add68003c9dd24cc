//! How the cost grows with what a peer sends: instructions for n, 2n and 4n of
//! something, counted by valgrind. An exponent of 1 is linear, of 2 quadratic; each must
//! be at most 1.1.
//!
//! `cargo bench -p sansocket-benches --all-features --bench complexity`. Without valgrind it
//! says that it was skipped, or fails if REQUIRE_VALGRIND is set.

use std::env;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use sansocket::blocking::WebSocket;
use sansocket::frame::Opcode;
use sansocket::{
    Agreement, ClientRequest, Config, Connection, Entropy, Event, Input, MessageRef, Role,
};

mod frames;
mod valgrind;

use frames::append_frame;
use valgrind::count;

/// What is done with so much of something.
struct Workload {
    name: &'static str,
    /// The least of three amounts.
    amount: usize,
    run: fn(usize),
}

const fn workload(name: &'static str, amount: usize, run: fn(usize)) -> Workload {
    Workload { name, amount, run }
}

const MAX_EXPONENT: f64 = 1.1;

const WORKLOADS: &[Workload] = &[
    workload("bytes of a message, one per read", 16 << 10, |n| {
        receive(message(Opcode::Binary, n, n), 1);
    }),
    workload("bytes of a text, one per read", 16 << 10, |n| {
        receive(message(Opcode::Text, n, n), 1);
    }),
    #[cfg(feature = "deflate")]
    workload(
        "bytes of a compressed message, one per read",
        8 << 10,
        |n| {
            deflated::receive(n, 1);
        },
    ),
    #[cfg(feature = "deflate")]
    workload(
        "bytes of a compressed message, in one read",
        64 << 10,
        |n| {
            deflated::receive(n, usize::MAX);
        },
    ),
    workload("fragments of 1 byte, in one read", 8 << 10, |n| {
        receive(message(Opcode::Text, n, 1), usize::MAX);
    }),
    workload("fragments of 1 byte, one byte per read", 2 << 10, |n| {
        receive(message(Opcode::Text, n, 1), 1);
    }),
    workload("messages of 1 byte, in one read", 8 << 10, |n| {
        receive(message(Opcode::Binary, 1, 1).repeat(n), usize::MAX);
    }),
    workload("pings, in one read", 4 << 10, |n| {
        receive(pings(n), usize::MAX);
    }),
    workload("pings, one byte per read", 1 << 10, |n| {
        receive(pings(n), 1);
    }),
    workload("pings between fragments", 2 << 10, |n| {
        receive(pings_between_fragments(n), usize::MAX);
    }),
    workload("bytes of a request, one per read", 4 << 10, |n| {
        request(&format!("Cookie: {}\r\n", "a".repeat(n)), 1);
    }),
    workload("header fields of a request, in one read", 512, |n| {
        request(&fields(n), usize::MAX);
    }),
    workload("header fields of a request, one byte per read", 512, |n| {
        request(&fields(n), 1);
    }),
    workload("tokens of Connection", 2 << 10, |n| {
        request(&list("Connection", n), usize::MAX);
    }),
    workload("subprotocols", 512, |n| {
        request(&list("Sec-WebSocket-Protocol", n), usize::MAX);
    }),
    workload("extensions", 512, |n| {
        request(&list("Sec-WebSocket-Extensions", n), usize::MAX);
    }),
    workload("bytes of a response, one per read", 4 << 10, |n| {
        response(&format!("Set-Cookie: {}\r\n", "a".repeat(n)), 1);
    }),
    workload("header fields of a response, in one read", 512, |n| {
        response(&fields(n), usize::MAX);
    }),
    workload("bytes of a message, one per write", 8 << 10, |n| {
        write(n);
    }),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [name, amount] = &args[..]
        && let Some(workload) = WORKLOADS.iter().find(|workload| workload.name == name)
    {
        (workload.run)(amount.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    if let Err(status) = valgrind::find() {
        return status;
    }
    let mut exceeded = 0;
    println!("| n | instructions for each | for each of 2 n | for each of 4 n | exponents |");
    println!("|---|---|---|---|---|");
    for workload in WORKLOADS {
        let costs = costs(workload);
        let exponents = [costs[1] / costs[0], costs[2] / costs[1]].map(f64::log2);
        let is_exceeded = exponents.iter().any(|exponent| *exponent > MAX_EXPONENT);
        exceeded += u8::from(is_exceeded);
        let note = if is_exceeded { ", exceeded" } else { "" };
        let (n, [first, second]) = (workload.amount as f64, exponents);
        let [each, twice, fourfold] = [costs[0] / n, costs[1] / n / 2.0, costs[2] / n / 4.0];
        println!(
            "| {n} {} | {each:.0} | {twice:.0} | {fourfold:.0} | {first:.2}, {second:.2}{note} |",
            workload.name,
        );
    }
    exceeded.into()
}

/// Instructions for n, 2n and 4n, without those for an eighth of n, which contain what
/// is done once. As that takes away an eighth too, the amounts are corrected for it.
fn costs(workload: &Workload) -> [f64; 3] {
    let least = workload.amount / 8;
    let once = count(workload.name, least);
    [1, 2, 4].map(|times| {
        let amount = workload.amount * times;
        let more = count(workload.name, amount).saturating_sub(once) as f64;
        more * amount as f64 / (amount - least) as f64
    })
}

/// A message of so many bytes in fragments of this length.
fn message(opcode: Opcode, len: usize, fragment_len: usize) -> Vec<u8> {
    let payload = "é".repeat(len.div_ceil(2));
    let mut out = Vec::new();
    let pieces = payload.as_bytes()[..len].chunks(fragment_len);
    let last = pieces.len() - 1;
    for (index, piece) in pieces.enumerate() {
        let opcode = if index == 0 {
            opcode
        } else {
            Opcode::Continuation
        };
        append_frame(&mut out, opcode, index == last, piece);
    }
    out
}

fn pings(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    append_frame(&mut out, Opcode::Ping, true, b"ping");
    out.repeat(count)
}

fn pings_between_fragments(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    append_frame(&mut out, Opcode::Binary, false, b"first");
    for _ in 0..count {
        append_frame(&mut out, Opcode::Continuation, false, b".");
        append_frame(&mut out, Opcode::Ping, true, b"ping");
    }
    append_frame(&mut out, Opcode::Continuation, true, b"last");
    out
}

/// Receives the bytes, so many in each read.
fn receive(bytes: Vec<u8>, read_len: usize) {
    let config = Config::new();
    let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    feed(&mut ws, bytes, read_len);
    assert!(ws.is_open(), "{:?}", ws.outcome());
}

/// Hands over the bytes, and accepts a request.
fn feed(ws: &mut Connection, mut bytes: Vec<u8>, read_len: usize) {
    let (mut out, read_len) = (Vec::new(), read_len.min(bytes.len()));
    for read in bytes.chunks_mut(read_len) {
        let mut input = Input::new(read);
        while let Some(event) = ws.receive(&mut input, &mut out) {
            if let Event::Request(request) = event {
                ws.respond(request.accept(), &mut out).expect("a request");
            }
        }
        out.clear();
    }
}

/// Allows any number of header fields.
fn long_heads() -> Config {
    Config::new()
        .with_max_head_len(1 << 20)
        .with_max_headers(1 << 20)
}

fn fields(count: usize) -> String {
    (0..count).fold(String::new(), |mut fields, number| {
        let _ = write!(fields, "X-Field-{number}: value\r\n");
        fields
    })
}

/// A field with a list of so many different tokens.
fn list(name: &str, count: usize) -> String {
    let tokens: Vec<String> = (0..count).map(|number| format!("token{number}")).collect();
    format!("{name}: {}\r\n", tokens.join(", "))
}

fn request(fields: &str, read_len: usize) {
    let head = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
    );
    let mut ws = Connection::server(&long_heads());
    feed(&mut ws, head.into_bytes(), read_len);
    assert!(ws.is_open(), "{:?}", ws.outcome());
}

fn response(fields: &str, read_len: usize) {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n{fields}\r\n"
    );
    // A nonce of zeros, for which this is the answer.
    let config = long_heads().with_entropy(Entropy::new(|bytes| {
        bytes.fill(0);
        Ok(())
    }));
    let request = ClientRequest::to("ws://localhost/").expect("a URI");
    let mut ws = Connection::client(&request, &config, &mut Vec::new()).expect("randomness");
    feed(&mut ws, head.into_bytes(), read_len);
    assert!(ws.is_open(), "{:?}", ws.outcome());
}

/// A transport that accepts one byte at a time.
struct Narrow;

impl Read for Narrow {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len().min(1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(len: usize) {
    let (agreement, config) = (Agreement::default(), Config::new());
    let mut ws = WebSocket::upgraded(Narrow, Role::Client, agreement, vec![], &config);
    let payload = vec![b'.'; len];
    ws.send(MessageRef::from(&payload[..])).expect("it is open");
}

#[cfg(feature = "deflate")]
mod deflated {
    use super::*;
    use sansocket::deflate::{Options, Parameters};

    /// Receives a compressed message, of about as many bytes on the wire.
    pub(super) fn receive(len: usize, read_len: usize) {
        let agreement = Agreement::default().with_deflate(Parameters::new());
        let config = Config::new().with_deflate(Options::new());
        let [mut client, mut server] = [Role::Client, Role::Server]
            .map(|role| Connection::upgraded(role, agreement.clone(), &config));
        let mut bytes = Vec::new();
        client.send(incompressible(len), &mut bytes).expect("open");
        feed(&mut server, bytes, read_len);
        assert_eq!(server.counters().received.messages, 1);
    }

    fn incompressible(len: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let bytes = std::iter::repeat_with(|| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 56) as u8
        });
        bytes.take(len).collect()
    }
}
