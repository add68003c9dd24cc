use super::outcome::Bars;
use super::{PIECE, Workload};
use crate::measure::Lane;
use crate::memory::Memory;
use crate::peers::PEERS;

const MINIMAL: &str = "GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const BROWSER: &str = "GET /chat?room=12 HTTP/1.1\r\nHost: chat.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Sec-WebSocket-Version: 13\r\nOrigin: http://chat.example.com\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: empty\r\n\
    Sec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

pub fn workloads() -> Vec<Workload> {
    let heads = [("minimal head", MINIMAL), ("browser's head", BROWSER)];
    let workloads = heads.map(|(name, head)| Workload {
        group: "handshake",
        name: name.into(),
        len: head.len(),
        count: 100,
        bars: Bars {
            ratio: Some(1.2),
            ..Bars::default()
        },
        lanes: Box::new(|| lanes(head)),
    });
    workloads.into()
}

fn lanes(head: &'static str) -> Vec<Lane<'static>> {
    let memory = Memory::new(head.as_bytes().into(), PIECE);
    let peers = PEERS.iter().filter_map(|peer| {
        let (handshake, memory) = (peer.handshake?, memory.clone());
        let work = move |times| {
            for _ in 0..times {
                handshake(memory.clone());
            }
        };
        Some(Lane {
            name: peer.name,
            work: Box::new(work),
        })
    });
    peers.collect()
}
