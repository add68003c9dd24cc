//! Sending into a buffer that is used again, beside a memcpy of the payloads.
//!
//! `cargo bench -p sansocket-benches --bench send`; the time is for one message.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{Agreement, Config, Connection, Prepared, Role};

fn send(c: &mut Criterion) {
    let config = Config::new();
    for (name, role) in [("server", Role::Server), ("client", Role::Client)] {
        let mut group = c.benchmark_group(format!("send/{name}"));
        for size in [16, 125, 1024, 16 * 1024, 1024 * 1024] {
            let count = (256 * 1024 / size).max(1);
            let payload = vec![7; size];
            let mut ws = Connection::upgraded(role, Agreement::default(), &config);
            let mut out = Vec::new();
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(format!("{size}"), |b| {
                b.iter(|| {
                    out.clear();
                    for _ in 0..count {
                        ws.send(black_box(&payload[..]), &mut out).expect("open");
                    }
                    assert!(out.len() > count * size);
                });
            });
            group.bench_function(format!("{size}/memcpy"), |b| {
                b.iter(|| {
                    out.clear();
                    for _ in 0..count {
                        out.extend_from_slice(black_box(&payload));
                    }
                    assert_eq!(out.len(), count * size);
                });
            });
        }
        group.finish();
    }
    prepared(c, &config);
}

fn prepared(c: &mut Criterion, config: &Config) {
    let mut ws = Connection::upgraded(Role::Server, Agreement::default(), config);
    let prepared = Prepared::new(&[7; 1024]);
    c.bench_function("send/prepared/1024", |b| {
        b.iter(|| black_box(ws.share_prepared(black_box(&prepared)).expect("open")).len());
    });
}

criterion_group!(benches, send);
criterion_main!(benches);
