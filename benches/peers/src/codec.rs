//! The codec suite: no socket, no runtime. Each workload is a race.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use sansocket::{Config, Connection, Message, Prepared, Role};

use crate::backend;
use crate::measure::{Effort, Figure, Lane, race};
use crate::memory::Memory;
use crate::peers::PEERS;
use crate::traffic::{self, Kind, Shape};

/// The figures of one race.
pub struct Outcome {
    pub group: &'static str,
    pub workload: String,
    /// Bytes of payload in a unit.
    pub len: usize,
    /// What cannot be beaten: a copy, or the backend.
    pub limit: Option<Figure>,
    pub ours: Figure,
    pub others: Vec<Figure>,
    /// How many times as fast as the fastest of the others we mean to be.
    pub bar: Option<f64>,
}

impl Outcome {
    /// Those that are not ours.
    pub fn peers(&self) -> impl Iterator<Item = &Figure> {
        let is_ours = |name| PEERS.iter().any(|peer| peer.is_ours && peer.name == name);
        self.others
            .iter()
            .filter(move |figure| !is_ours(figure.name))
    }

    pub fn fastest(&self) -> Option<&Figure> {
        self.peers().min_by(|a, b| a.ns.total_cmp(&b.ns))
    }

    /// How many times as fast as the fastest of the others.
    pub fn ratio(&self) -> Option<f64> {
        self.fastest().map(|figure| figure.ns / self.ours.ns)
    }
}

const PIECE: usize = 64 * 1024;
const LIMIT: &str = "limit";

/// Runs what belongs to the groups whose names begin with `only`.
pub fn run(only: &str, effort: Effort, mut tell: impl FnMut(&Outcome)) -> Vec<Outcome> {
    type Group = fn(Effort, &mut dyn FnMut(Outcome));
    let groups: [(&str, Group); 5] = [
        ("receive", receive),
        ("send", send),
        ("handshake", handshake),
        ("deflate", deflate),
        ("prepared", prepared),
    ];
    let mut outcomes = Vec::new();
    for (name, group) in groups {
        if name.starts_with(only) {
            group(effort, &mut |outcome| {
                tell(&outcome);
                outcomes.push(outcome);
            });
        }
    }
    outcomes
}

fn receive(effort: Effort, tell: &mut dyn FnMut(Outcome)) {
    const KIB: usize = 1024;
    const MIB: usize = 1024 * 1024;
    use Kind::{Ascii, Binary, Mixed};
    let plain = [
        (Binary, 0, None),
        (Binary, 16, Some(2.5)),
        (Binary, 125, Some(2.2)),
        (Binary, KIB, Some(1.4)),
        (Binary, 16 * KIB, Some(1.0)),
        (Binary, MIB, Some(1.0)),
        (Binary, 16 * MIB, Some(1.0)),
        (Ascii, 16, Some(2.5)),
        (Ascii, 125, Some(2.2)),
        (Ascii, KIB, Some(1.3)),
        (Ascii, 16 * KIB, Some(1.0)),
        (Ascii, MIB, None),
        (Ascii, 16 * MIB, None),
        (Mixed, 16, None),
        (Mixed, 125, Some(1.3)),
        (Mixed, KIB, Some(1.0)),
        (Mixed, 16 * KIB, Some(1.0)),
        (Mixed, MIB, None),
        (Mixed, 16 * MIB, None),
    ];
    for (kind, len, bar) in plain {
        let workload = format!("{}, {}", kind.name(), size(len));
        tell(received(
            workload,
            Shape::plain(kind, len),
            PIECE,
            bar,
            effort,
        ));
    }
    for piece in [4 * KIB, 16 * KIB] {
        for len in [16, 125, KIB, 16 * KIB, MIB] {
            let workload = format!("binary, {}, reads of {}", size(len), size(piece));
            let shape = Shape::plain(Binary, len);
            tell(received(workload, shape, piece, None, effort));
        }
    }
    let pinged = Shape {
        pings: true,
        ..Shape::plain(Binary, 20)
    };
    let workload = "binary, 20 B, a ping after each".into();
    tell(received(workload, pinged, PIECE, Some(2.0), effort));
    for fragments in [2, 10] {
        let shape = Shape {
            fragments,
            ..Shape::plain(Binary, 1000)
        };
        let workload = format!("binary, 1000 B in {fragments} fragments");
        tell(received(workload, shape, PIECE, Some(1.5), effort));
    }
}

fn received(
    workload: String,
    shape: Shape,
    piece: usize,
    bar: Option<f64>,
    effort: Effort,
) -> Outcome {
    let (stream, count) = (shape.stream(), shape.count());
    let mut lanes = vec![copying(&stream, count, piece)];
    for peer in &PEERS {
        let mut connection = (peer.receive)(Memory::new(stream.clone(), piece));
        let name = peer.name;
        let work = move |messages| {
            let bytes = connection.receive(messages);
            assert_eq!(bytes, messages * shape.len, "{name}");
        };
        lanes.push(Lane {
            name,
            work: Box::new(work),
        });
    }
    outcome(
        "receive",
        workload,
        shape.len,
        bar,
        race(lanes, count, effort),
    )
}

/// Copies the stream, as reads do, and nothing else.
fn copying(stream: &Arc<[u8]>, count: usize, piece: usize) -> Lane<'static> {
    let mut memory = Memory::new(stream.clone(), piece);
    let (len, mut buf) = (stream.len(), vec![0; piece]);
    let work = move |messages: usize| {
        let mut copied = 0;
        while copied < len * messages / count {
            copied += memory.read_some(&mut buf);
            black_box(&mut buf);
        }
    };
    Lane {
        name: LIMIT,
        work: Box::new(work),
    }
}

fn send(effort: Effort, tell: &mut dyn FnMut(Outcome)) {
    let sizes = [
        (16, Some(1.0)),
        (125, None),
        (1024, Some(1.0)),
        (16 * 1024, None),
        (1024 * 1024, None),
    ];
    for (role, name) in [(Role::Server, "server"), (Role::Client, "client")] {
        for kind in [Kind::Binary, Kind::Ascii] {
            for (len, bar) in sizes {
                let payload = Bytes::from(kind.payload(len));
                let mut lanes = vec![copied(&payload)];
                for peer in &PEERS {
                    let (mut connection, payload) = ((peer.send)(role), payload.clone());
                    let work = move |messages| {
                        connection.send(&payload, kind.is_text(), messages);
                    };
                    lanes.push(Lane {
                        name: peer.name,
                        work: Box::new(work),
                    });
                }
                let workload = format!("{name}, {}, {}", kind.name(), size(len));
                let count = Shape::plain(kind, len).count();
                let figures = race(lanes, count, effort);
                tell(outcome("send", workload, len, bar, figures));
            }
        }
    }
}

/// Copies the payload, behind what was copied before.
fn copied(payload: &Bytes) -> Lane<'static> {
    let (payload, mut out) = (payload.clone(), Vec::new());
    let work = move |messages| {
        for _ in 0..messages {
            out.extend_from_slice(&payload);
            if out.len() >= PIECE {
                black_box(&out);
                out.clear();
            }
        }
    };
    Lane {
        name: LIMIT,
        work: Box::new(work),
    }
}

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

fn handshake(effort: Effort, tell: &mut dyn FnMut(Outcome)) {
    for (name, head) in [("minimal head", MINIMAL), ("browser's head", BROWSER)] {
        let memory = Memory::new(head.as_bytes().into(), PIECE);
        let mut lanes = Vec::new();
        for peer in &PEERS {
            let Some(handshake) = peer.handshake else {
                continue;
            };
            let memory = memory.clone();
            let work = move |times| {
                for _ in 0..times {
                    handshake(memory.clone());
                }
            };
            lanes.push(Lane {
                name: peer.name,
                work: Box::new(work),
            });
        }
        let figures = race(lanes, 100, effort);
        tell(outcome(
            "handshake",
            name.into(),
            head.len(),
            Some(1.2),
            figures,
        ));
    }
}

fn deflate(effort: Effort, tell: &mut dyn FnMut(Outcome)) {
    for (takeover, name) in [(false, "no takeover"), (true, "takeover")] {
        for (len, bar) in [(128, None), (1024, Some(1.2)), (16 * 1024, None)] {
            let count = (256 * 1024 / len).max(1);
            let stream = traffic::compressed(len, count, takeover);
            let mut lanes = vec![Lane {
                name: LIMIT,
                work: backend::echo(&stream, len, takeover),
            }];
            for peer in &PEERS {
                let Some(deflate) = peer.deflate else {
                    continue;
                };
                let mut connection = deflate(Memory::new(stream.clone(), PIECE), takeover);
                let name = peer.name;
                let work = move |messages| {
                    assert_eq!(connection.echo(messages), messages * len, "{name}");
                };
                lanes.push(Lane {
                    name,
                    work: Box::new(work),
                });
            }
            let workload = format!("echo, JSON, {}, {name}", size(len));
            tell(outcome(
                "deflate",
                workload,
                len,
                bar,
                race(lanes, count, effort),
            ));
        }
    }
}

/// One message to many connections, which all keep it until their sockets can
/// be written to: prepared once and shared, and encoded for each.
fn prepared(effort: Effort, tell: &mut dyn FnMut(Outcome)) {
    const CONNECTIONS: usize = 10_000;
    let payload = Kind::Json.payload(1024);
    let text = std::str::from_utf8(&payload).expect("text");
    let compressed = traffic::deflate(false);
    let plain = (sansocket::Agreement::default(), Config::new());
    for (name, bar, (agreement, config)) in
        [("plain", 5.0, plain), ("compressed", 20.0, compressed)]
    {
        let open = || Connection::upgraded(Role::Server, agreement.clone(), &config);
        let mut once: Vec<_> = (0..CONNECTIONS).map(|_| (open(), None)).collect();
        let mut each: Vec<_> = (0..CONNECTIONS).map(|_| (open(), Vec::new())).collect();
        let shared = move |messages: usize| {
            for _ in 0..messages / CONNECTIONS {
                let prepared = Prepared::new(Message::from(text));
                for (ws, queue) in &mut once {
                    *queue = Some(ws.share_prepared(&prepared).expect("it is open"));
                }
                black_box(&mut once)
                    .iter_mut()
                    .for_each(|(_, queue)| *queue = None);
            }
        };
        let encoded = move |messages: usize| {
            for _ in 0..messages / CONNECTIONS {
                for (ws, out) in &mut each {
                    ws.send(text, out).expect("it is open");
                }
                // Idle connections hold no buffers.
                black_box(&mut each)
                    .iter_mut()
                    .for_each(|(_, out)| *out = Vec::new());
            }
        };
        let lanes = vec![
            Lane {
                name: "sansocket",
                work: Box::new(shared),
            },
            Lane {
                name: "encoded for each",
                work: Box::new(encoded),
            },
        ];
        let workload = format!("1 KiB to {CONNECTIONS} connections, {name}");
        let figures = race(lanes, CONNECTIONS, effort);
        tell(outcome(
            "prepared",
            workload,
            payload.len(),
            Some(bar),
            figures,
        ));
    }
}

fn outcome(
    group: &'static str,
    workload: String,
    len: usize,
    bar: Option<f64>,
    mut figures: Vec<Figure>,
) -> Outcome {
    let limit = figures.iter().position(|figure| figure.name == LIMIT);
    let limit = limit.map(|index| figures.remove(index));
    Outcome {
        group,
        workload,
        len,
        limit,
        ours: figures.remove(0),
        others: figures,
        bar,
    }
}

pub fn size(bytes: usize) -> String {
    match bytes {
        0 => "0 B".into(),
        _ if bytes.is_multiple_of(1024 * 1024) => format!("{} MiB", bytes / 1024 / 1024),
        _ if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        _ => format!("{bytes} B"),
    }
}
