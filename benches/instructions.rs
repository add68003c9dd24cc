//! Instructions for each message, counted by valgrind: they are the same on a
//! busy machine, and each workload has a bound that it must not exceed.
//!
//! `cargo bench -p sansocket-benches --bench instructions`. Without valgrind it says that it was
//! skipped, or fails if REQUIRE_VALGRIND is set.

#![allow(clippy::semicolon_if_nothing_returned)] // rows of a table

use std::cell::Cell;
use std::env;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use sansocket::blocking::WebSocket;
use sansocket::frame::Opcode;
use sansocket::{Agreement, Config, Connection, Event, Input, Role, futures};

mod frames;
mod valgrind;

use frames::append_frame;
use valgrind::count;

/// What is done so many times, and how many instructions each time may take.
struct Workload {
    name: &'static str,
    bound: u64,
    run: fn(usize),
}

const fn workload(name: &'static str, bound: u64, run: fn(usize)) -> Workload {
    Workload { name, bound, run }
}

/// The bounds are a tenth above what was counted when they were set.
const WORKLOADS: [Workload; 29] = [
    workload("receive binary 16 B", 144, |n| receive(n, BINARY, 16, 1, 0)),
    workload("receive binary 125 B", 173, |n| {
        receive(n, BINARY, 125, 1, 0)
    }),
    workload("receive binary 1 KiB", 406, |n| {
        receive(n, BINARY, 1024, 1, 0)
    }),
    workload("receive binary 16 KiB", 4074, |n| {
        receive(n, BINARY, 16 * 1024, 1, 0)
    }),
    workload("receive ASCII 16 B", 289, |n| receive(n, ASCII, 16, 1, 0)),
    workload("receive ASCII 125 B", 389, |n| receive(n, ASCII, 125, 1, 0)),
    workload("receive ASCII 1 KiB", 597, |n| {
        receive(n, ASCII, 1024, 1, 0)
    }),
    workload("receive ASCII 16 KiB", 6642, |n| {
        receive(n, ASCII, 16 * 1024, 1, 0)
    }),
    workload("receive mixed 125 B", 411, |n| receive(n, MIXED, 125, 1, 0)),
    workload("receive mixed 1 KiB", 1373, |n| {
        receive(n, MIXED, 1024, 1, 0)
    }),
    workload("receive 20 B and a ping", 702, |n| {
        receive(n, BINARY, 20, 1, 1)
    }),
    workload("receive 1000 B in 2 fragments", 1784, |n| {
        receive(n, BINARY, 1000, 2, 0)
    }),
    workload("receive 1000 B in 10 fragments", 5006, |n| {
        receive(n, BINARY, 1000, 10, 0)
    }),
    workload("receive an empty fragment", 201, |n| fragments(n, 0)),
    workload("receive a fragment of 1 B", 250, |n| fragments(n, 1)),
    workload("receive 1 KiB byte by byte", 441_987, |n| trickle(n, 1024)),
    workload("receive 2 KiB byte by byte", 879_265, |n| trickle(n, 2048)),
    workload("send server 16 B", 70, |n| send(n, Role::Server, 16)),
    workload("send server 1 KiB", 207, |n| send(n, Role::Server, 1024)),
    workload("send client 16 B", 127, |n| send(n, Role::Client, 16)),
    workload("send client 1 KiB", 310, |n| send(n, Role::Client, 1024)),
    workload("handshake, minimal head", 8182, |n| handshake(n, MINIMAL)),
    workload("handshake, browser's head", 12_703, |n| {
        handshake(n, BROWSER)
    }),
    workload("connection, made and dropped", 357, make),
    workload("next 16 B, async", 690, |n| answer_each(n, Answer::Nothing)),
    workload("next and feed 16 B, async", 975, |n| {
        answer_each(n, Answer::Feed)
    }),
    workload("next and send 16 B, async", 1285, |n| {
        answer_each(n, Answer::Send)
    }),
    // Time that grows with the square of a message's length shows here.
    workload("echo of halves, 16 KiB of 64 KiB", 42_086, |n| {
        echo_of_halves(n, 64 * 1024)
    }),
    workload("echo of halves, 16 KiB of 2 MiB", 24_785, |n| {
        echo_of_halves(n, 2 * 1024 * 1024)
    }),
];

const BINARY: (Opcode, &str) = (Opcode::Binary, "\u{1}\u{7f}binary");
const ASCII: (Opcode, &str) = (Opcode::Text, "the quick brown fox, ");
const MIXED: (Opcode, &str) = (Opcode::Text, "Съешь ещё этих булок, 語言文字 🦀 and tea. ");

const MINIMAL: &[u8] = b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const BROWSER: &[u8] = b"GET /chat?room=12 HTTP/1.1\r\nHost: chat.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Sec-WebSocket-Version: 13\r\nOrigin: http://chat.example.com\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: empty\r\n\
    Sec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [name, count] = &args[..]
        && let Some(workload) = WORKLOADS.iter().find(|workload| workload.name == name)
    {
        (workload.run)(count.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    if let Err(status) = valgrind::find() {
        return status;
    }
    let mut exceeded = 0;
    println!("| workload | instructions | bound |\n|---|---|---|");
    for workload in &WORKLOADS {
        let (more, less) = (count(workload.name, 2 * TIMES), count(workload.name, TIMES));
        let each = (more - less) / TIMES as u64;
        let is_exceeded = each > workload.bound;
        exceeded += u8::from(is_exceeded);
        let note = if is_exceeded { ", exceeded" } else { "" };
        println!("| {} | {each} | {}{note} |", workload.name, workload.bound);
    }
    exceeded.into()
}

/// Enough, and a multiple of the batch: what is done once is taken away.
const TIMES: usize = 640;

fn open(role: Role) -> Connection {
    Connection::upgraded(role, Agreement::default(), &Config::new())
}

fn payload(pattern: &str, len: usize) -> Vec<u8> {
    let mut payload: Vec<u8> = pattern.bytes().cycle().take(len).collect();
    while std::str::from_utf8(&payload).is_err() {
        payload.pop();
    }
    payload.resize(len, b'.');
    payload
}

/// A message as a client sends it, followed by pings.
fn message(
    (opcode, pattern): (Opcode, &str),
    len: usize,
    fragments: usize,
    pings: usize,
) -> Vec<u8> {
    let payload = payload(pattern, len);
    let mut out = Vec::new();
    for (index, piece) in payload.chunks(len.div_ceil(fragments)).enumerate() {
        let opcode = if index == 0 {
            opcode
        } else {
            Opcode::Continuation
        };
        append_frame(&mut out, opcode, index + 1 == fragments, piece);
    }
    for _ in 0..pings {
        append_frame(&mut out, Opcode::Ping, true, b"ping");
    }
    out
}

/// How many messages one read brings.
const BATCH: usize = 16;

/// The copy into the input counted.
fn receive(count: usize, kind: (Opcode, &str), len: usize, fragments: usize, pings: usize) {
    let bytes = message(kind, len, fragments, pings).repeat(BATCH);
    let (mut ws, mut buf, mut out) = (open(Role::Server), vec![0; bytes.len()], Vec::new());
    let mut received = 0;
    for _ in 0..count / BATCH {
        // Longer copies are single instructions, which are counted by the byte.
        for (to, from) in buf.chunks_mut(1024).zip(bytes.chunks(1024)) {
            to.copy_from_slice(from);
        }
        let mut input = Input::new(&mut buf);
        while let Some(event) = ws.receive(&mut input, &mut out) {
            if let Event::Message(message) = event {
                received += black_box(message.as_bytes()).len();
            }
        }
        out.clear();
    }
    assert_eq!(received, count * len);
}

/// Continuation frames of a message that does not end.
fn fragments(count: usize, len: usize) {
    let config = Config::new().with_max_fragments(u32::MAX);
    let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    let (mut first, mut out) = (*b"\x02\x80\0\0\0\0", Vec::new());
    assert_eq!(ws.receive(&mut Input::new(&mut first), &mut out), None);
    let fragment = [
        &[0, 0x80 | len as u8, 1, 2, 3, 4][..],
        &payload(BINARY.1, len),
    ]
    .concat();
    let bytes = fragment.repeat(BATCH);
    let mut buf = vec![0; bytes.len()];
    for _ in 0..count / BATCH {
        buf.copy_from_slice(&bytes);
        assert_eq!(ws.receive(&mut Input::new(&mut buf), &mut out), None);
    }
}

fn trickle(count: usize, len: usize) {
    let bytes = message(BINARY, len, 1, 0);
    let (mut ws, mut out, mut received) = (open(Role::Server), Vec::new(), 0);
    for _ in 0..count {
        for &byte in &bytes {
            let mut buf = [byte];
            if let Some(event) = ws.receive(&mut Input::new(&mut buf), &mut out) {
                assert!(matches!(event, Event::Message(_)));
                received += 1;
            }
        }
    }
    assert_eq!(received, count);
}

fn send(count: usize, role: Role, len: usize) {
    let payload = payload(BINARY.1, len);
    let (mut ws, mut out) = (open(role), Vec::new());
    for _ in 0..count {
        let message = black_box(&payload[..]);
        ws.send(message, &mut out).expect("it is open");
        black_box(&out);
        out.clear();
    }
}

fn handshake(count: usize, head: &[u8]) {
    let (config, mut buf) = (Config::new(), vec![0; head.len()]);
    for _ in 0..count {
        buf.copy_from_slice(head);
        let (mut ws, mut out) = (Connection::server(&config), Vec::new());
        let event = ws.receive(&mut Input::new(&mut buf), &mut out);
        let Some(Event::Request(request)) = event else {
            panic!("a request");
        };
        ws.respond(request.accept(), &mut out).expect("an answer");
        black_box(out);
    }
}

fn make(count: usize) {
    let config = Config::new();
    for _ in 0..count {
        black_box(Connection::server(&config));
    }
}

/// A peer that sends the same bytes forever, and reads everything.
struct Peer {
    bytes: Vec<u8>,
    at: Cell<usize>,
}

impl Read for &Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at.get()..];
        // As much as a socket has at once.
        let len = rest.len().min(buf.len()).min(64 * 1024);
        buf[..len].copy_from_slice(&rest[..len]);
        self.at.set((self.at.get() + len) % self.bytes.len());
        Ok(len)
    }
}

impl Write for &Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len().min(64 * 1024))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(buf)
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.read(buf))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone, Copy)]
enum Answer {
    Nothing,
    Feed,
    Send,
}

/// The adapter for async runtimes: 16 messages in a read.
fn answer_each(count: usize, answer: Answer) {
    let peer = Peer {
        bytes: message(BINARY, 16, 1, 0).repeat(BATCH),
        at: Cell::new(0),
    };
    let (agreement, config) = (Agreement::default(), Config::new());
    let mut ws = futures::WebSocket::upgraded(peer, Role::Server, agreement, vec![], &config);
    let mut answering = pin!(async {
        for _ in 0..count {
            let message = ws.next().await?.expect("a message");
            assert_eq!(message.len(), 16);
            match answer {
                Answer::Nothing => drop(black_box(message)),
                Answer::Feed => ws.feed(message).await?,
                Answer::Send => ws.send(message).await?,
            }
        }
        Ok::<_, futures::Error>(())
    });
    // Pending where a turn ends.
    let mut cx = Context::from_waker(Waker::noop());
    while answering.as_mut().poll(&mut cx).is_pending() {}
}

fn echo_of_halves(count: usize, len: usize) {
    let peer = Peer {
        bytes: message(BINARY, len, 1, 0),
        at: Cell::new(0),
    };
    let ws = WebSocket::upgraded(
        peer,
        Role::Server,
        Agreement::default(),
        vec![],
        &Config::new(),
    );
    let (mut reader, mut writer) = ws.split();
    for _ in 0..count * 16 * 1024 / len {
        let message = reader.next().expect("no failure").expect("a message");
        assert_eq!(message.len(), len);
        writer.send(message).expect("it is open");
    }
}
