//! permessage-deflate beside its backend used bare, in interleaved rounds, and
//! what a connection holds in each setting.
//!
//! `cargo bench -p sansocket-benches --features deflate --bench deflate`

use std::hint::black_box;
use std::time::{Duration, Instant};

use sansocket::deflate::{Compress, Options, Parameters};
use sansocket::{Agreement, Config, Connection, Event, Input, Role};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Method, Strategy};

const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_millis(20);
/// Messages of which each is a little different.
const MESSAGES: usize = 512;

fn main() {
    println!("level 1, window of 15 bits, memory level 8; median of {ROUNDS} rounds\n");
    println!("| JSON | takeover | | ours | bare backend | of bare | compressed to |");
    println!("|---|---|---|---|---|---|---|");
    for len in [128, 1024, 16 * 1024] {
        let messages: Vec<String> = (0..MESSAGES).map(|number| json(len, number)).collect();
        for takeover in [false, true] {
            compare(len, takeover, &messages);
        }
    }
    println!("\n| setting | idle | behind a message each way |");
    println!("|---|---|---|");
    for (takeover, bits, mem_level) in [
        (false, 15, 8),
        (true, 15, 8),
        (true, 12, 8),
        (true, 12, 4),
        (true, 9, 1),
    ] {
        memory(takeover, bits, mem_level);
    }
}

/// Records as a feed sends them.
fn json(len: usize, number: usize) -> String {
    let mut text = String::from("[");
    let mut id = number * 7919;
    while text.len() < len {
        id = (id * 1_103_515_245 + 12_345) % 1_000_003;
        text.push_str(&format!(
            "{{\"id\":{id},\"user\":\"u{}\",\"price\":{}.{:02},\"active\":{}}},",
            id % 977,
            id % 500,
            id % 100,
            id.is_multiple_of(3)
        ));
    }
    text.truncate(len - 1);
    text.push(']');
    text
}

fn open(role: Role, takeover: bool) -> Connection {
    let parameters = if takeover {
        Parameters::new()
    } else {
        Parameters::new()
            .with_server_no_context_takeover()
            .with_client_no_context_takeover()
    };
    let options = Options::new()
        .with_context_takeover(takeover)
        .with_peer_context_takeover(takeover);
    let agreement = Agreement::default().with_deflate(parameters);
    Connection::upgraded(role, agreement, &Config::new().with_deflate(options))
}

fn compare(len: usize, takeover: bool, messages: &[String]) {
    let mut ws = open(Role::Server, takeover);
    let mut out = Vec::new();
    let ours = || {
        out.clear();
        for message in messages {
            ws.send_with(black_box(message), Compress::Always, &mut out)
                .expect("open");
        }
        black_box(&out);
    };
    let mut deflate = Deflate::new_with_config(DeflateConfig {
        level: 1,
        method: Method::Deflated,
        window_bits: -15,
        mem_level: 8,
        strategy: Strategy::Default,
    });
    let mut room = vec![0; 2 * len + 64];
    let bare = || {
        for message in messages {
            deflate
                .compress(
                    black_box(message).as_bytes(),
                    &mut room,
                    DeflateFlush::SyncFlush,
                )
                .expect("room");
            black_box(&room);
            if !takeover {
                deflate.reset();
            }
        }
    };
    let times = in_turns(ours, bare);
    // What is received repeatedly must not refer to earlier messages.
    let (mut sender, mut wire) = (open(Role::Server, takeover), Vec::new());
    let mut payloads = Vec::new();
    for message in messages {
        let start = wire.len();
        sender
            .send_with(message, Compress::Always, &mut wire)
            .expect("open");
        let head_len = if wire.len() - start < 128 { 2 } else { 4 };
        payloads.push([&wire[start + head_len..], b"\x00\x00\xff\xff"].concat());
    }
    let compressed_len = wire.len() as f64 / messages.len() as f64;
    row(len, takeover, "send", times, compressed_len / len as f64);

    let mut ws = open(Role::Client, takeover);
    let mut buf = vec![0; wire.len()];
    let ours = || {
        buf.copy_from_slice(&wire);
        let mut input = Input::new(&mut buf);
        while let Some(event) = ws.receive(&mut input, &mut Vec::new()) {
            assert!(matches!(black_box(event), Event::Message(_)));
        }
    };
    let mut inflate = Inflate::new(false, 15);
    let mut room = vec![0; len + 64];
    let bare = || {
        for payload in &payloads {
            inflate
                .decompress(black_box(payload), &mut room, InflateFlush::SyncFlush)
                .expect("a stream");
            black_box(&room);
            if !takeover {
                inflate.reset(false);
            }
        }
    };
    let times = in_turns(ours, bare);
    row(len, takeover, "receive", times, compressed_len / len as f64);
}

/// The median time of each for one message, in nanoseconds.
fn in_turns(mut ours: impl FnMut(), mut bare: impl FnMut()) -> (f64, f64) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(time(&mut ours));
        b.push(time(&mut bare));
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    (median(a), median(b))
}

fn time(work: &mut impl FnMut()) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < ROUND {
        work();
        count += MESSAGES;
    }
    start.elapsed().as_nanos() as f64 / f64::from(count as u32)
}

fn row(len: usize, takeover: bool, what: &str, (ours, bare): (f64, f64), compressed: f64) {
    let speed = |ns: f64| format!("{:.0} MB/s", len as f64 * 1e3 / ns);
    println!(
        "| {len} B | {} | {what} | {} | {} | {:.0} % | {:.0} % |",
        if takeover { "yes" } else { "no" },
        speed(ours),
        speed(bare),
        100.0 * bare / ours,
        100.0 * compressed
    );
}

fn memory(takeover: bool, bits: u8, mem_level: u8) {
    let options = Options::new()
        .with_context_takeover(takeover)
        .with_peer_context_takeover(takeover)
        .with_window_bits(bits)
        .with_mem_level(mem_level);
    let config = Config::new().with_deflate(options);
    let parameters = if takeover {
        Parameters::new()
    } else {
        Parameters::new()
            .with_server_no_context_takeover()
            .with_client_no_context_takeover()
    };
    let agreement = Agreement::default().with_deflate(parameters);
    let mut server = Connection::upgraded(Role::Server, agreement.clone(), &config);
    let mut client = Connection::upgraded(Role::Client, agreement, &config);
    let idle = server.memory_usage();
    let (text, mut out, mut answer) = (json(1024, 1), Vec::new(), Vec::new());
    client.send(&text, &mut out).expect("open");
    let mut input = Input::new(&mut out);
    while server.receive(&mut input, &mut answer).is_some() {}
    server.send(&text, &mut answer).expect("open");
    let takeover = if takeover { "takeover" } else { "no takeover" };
    println!(
        "| {takeover}, window of {bits} bits, memory level {mem_level} | {idle} B | {} B |",
        server.memory_usage()
    );
}
