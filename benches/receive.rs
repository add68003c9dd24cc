//! Receiving: masked messages fed in pieces of 64 KiB, the copy into the input
//! counted, beside a memcpy of the same bytes.
//!
//! `cargo bench -p sansocket-benches --bench receive`; the time is for one message, 16 MiB streams.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sansocket::frame::{Header, MaskingKey, Opcode};
use sansocket::{Agreement, Config, Connection, Event, Input, Role};

const PIECE: usize = 64 * 1024;

/// A stream of masked frames, `count` of them.
fn stream(opcode: Opcode, payload: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0..count {
        let key = MaskingKey::from((i as u32).wrapping_mul(2_654_435_761).to_le_bytes());
        let mut header = Header::new(opcode, payload.len() as u64);
        header.masking_key = Some(key);
        header.write(&mut out);
        let start = out.len();
        out.extend_from_slice(payload);
        key.apply(&mut out[start..]);
    }
    out
}

fn receive_all(stream: &[u8], ws: &mut Connection, buf: &mut [u8]) -> (usize, usize) {
    let (mut messages, mut bytes, mut out) = (0, 0, Vec::new());
    for piece in stream.chunks(buf.len()) {
        let buf = &mut buf[..piece.len()];
        buf.copy_from_slice(piece);
        let mut input = Input::new(buf);
        while let Some(event) = ws.receive(&mut input, &mut out) {
            if let Event::Message(message) = black_box(event) {
                messages += 1;
                bytes += message.len();
            }
        }
    }
    (messages, bytes)
}

fn copy_all(stream: &[u8], buf: &mut [u8]) {
    for piece in stream.chunks(buf.len()) {
        buf[..piece.len()].copy_from_slice(piece);
        black_box(&mut *buf);
    }
}

fn text(len: usize, pattern: &str) -> Vec<u8> {
    let mut text: Vec<u8> = pattern.bytes().cycle().take(len).collect();
    while std::str::from_utf8(&text).is_err() {
        text.pop();
    }
    text.resize(len, b'.');
    text
}

fn receive(c: &mut Criterion) {
    const MIXED: &str = "Съешь же ещё этих мягких французских булок, 語言文字 🦀 and tea. ";
    let sizes = [16, 125, 1024, 16 * 1024, 1024 * 1024, 16 * 1024 * 1024];
    let kinds = [
        ("binary", Opcode::Binary, "\u{1}\u{7f}binary"),
        ("ascii", Opcode::Text, "the quick brown fox, "),
        ("mixed", Opcode::Text, MIXED),
    ];
    let config = Config::new();
    for (name, opcode, pattern) in kinds {
        let mut group = c.benchmark_group(format!("receive/{name}"));
        for size in sizes {
            // Streams that stay in the second-level cache, as what a read
            // returns does; large messages as they are.
            let count = (512 * 1024 / (size + 8)).max(1);
            let stream = stream(opcode, &text(size, pattern), count);
            let mut buf = vec![0; PIECE];
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(format!("{size}"), |b| {
                let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
                b.iter(|| {
                    let seen = receive_all(&stream, &mut ws, &mut buf);
                    assert_eq!(seen, (count, count * size));
                });
            });
            group.bench_function(format!("{size}/memcpy"), |b| {
                b.iter(|| copy_all(&stream, &mut buf));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, receive);
criterion_main!(benches);
