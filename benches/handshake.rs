//! A server's handshake, from the bytes of the request to those of the
//! response: `cargo bench -p sansocket-benches --bench handshake`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sansocket::{Config, Connection, Event, Input, OriginPolicy};

const MINIMAL: &[u8] = b"GET / HTTP/1.1\r\n\
    Host: example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const BROWSER: &[u8] = b"GET /chat HTTP/1.1\r\n\
    Host: example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/140.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

fn handshake(c: &mut Criterion) {
    let config = Config::new().with_origin(OriginPolicy::SameOrigin);
    let mut out = Vec::new();
    for (name, head) in [("minimal", MINIMAL), ("browser", BROWSER)] {
        let mut buf = head.to_vec();
        c.bench_function(&format!("handshake/server/{name}"), |b| {
            b.iter(|| {
                buf.copy_from_slice(black_box(head));
                out.clear();
                let mut ws = Connection::server(&config);
                let mut input = Input::new(&mut buf);
                let Some(Event::Request(request)) = ws.receive(&mut input, &mut out) else {
                    panic!("not a request")
                };
                ws.respond(request.accept(), &mut out).expect("a request");
                assert!(ws.is_open());
            });
        });
        c.bench_function(&format!("handshake/server/{name}/memcpy"), |b| {
            b.iter(|| black_box(&mut buf[..]).copy_from_slice(black_box(head)));
        });
    }
}

criterion_group!(benches, handshake);
criterion_main!(benches);
