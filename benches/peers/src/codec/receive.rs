use std::hint::black_box;
use std::sync::Arc;

use super::outcome::Bars;
use super::{KIB, LIMIT, MIB, PIECE, Workload, size};
use crate::measure::Lane;
use crate::memory::Memory;
use crate::peers::PEERS;
use crate::traffic::Kind::{Ascii, Binary, Mixed};
use crate::traffic::{Kind, Shape};

const PLAIN: [(Kind, usize, Option<f64>); 18] = [
    (Binary, 16, Some(2.5)),
    (Binary, 125, Some(2.2)),
    (Binary, KIB, Some(1.4)),
    (Binary, 4 * KIB, Some(1.0)),
    (Binary, 16 * KIB, Some(1.0)),
    (Binary, 64 * KIB, Some(1.0)),
    (Binary, MIB, Some(1.0)),
    (Binary, 16 * MIB, Some(1.0)),
    (Ascii, 16, None),
    (Ascii, 125, Some(2.2)),
    (Ascii, KIB, Some(1.3)),
    (Ascii, 16 * KIB, Some(1.0)),
    (Ascii, MIB, None),
    (Mixed, 16, None),
    (Mixed, 125, None),
    (Mixed, KIB, Some(1.0)),
    (Mixed, 16 * KIB, Some(1.0)),
    (Mixed, MIB, None),
];

/// How many, of which length.
const FRAGMENTS: [(usize, usize, f64); 3] = [(4, KIB, 1.5), (64, 16, 1.5), (16, 4 * KIB, 1.0)];

pub fn workloads() -> Vec<Workload> {
    let plain = PLAIN.into_iter().map(|(kind, len, bar)| {
        let name = format!("{}, {}", kind.name(), size(len));
        // Of a message to keep, over tokio.
        let ns = ((kind, len) == (Binary, 16)).then_some(20.0);
        let bars = Bars { ratio: bar, ns };
        workload(name, Shape::plain(kind, len), PIECE, bars)
    });
    let pieces = [4 * KIB, 16 * KIB].into_iter().flat_map(|piece| {
        [125, KIB, 16 * KIB].map(|len| {
            let name = format!("binary, {}, reads of {}", size(len), size(piece));
            workload(name, Shape::plain(Binary, len), piece, Bars::default())
        })
    });
    let fragments = FRAGMENTS.into_iter().map(|(fragments, len, bar)| {
        let shape = Shape {
            fragments,
            ..Shape::plain(Binary, fragments * len)
        };
        let name = format!("binary, {fragments} fragments of {}", size(len));
        let bars = Bars {
            ratio: Some(bar),
            ..Bars::default()
        };
        workload(name, shape, PIECE, bars)
    });
    let pinged = Shape {
        pings: true,
        ..Shape::plain(Binary, 20)
    };
    let name = "binary, 20 B, a ping after each".into();
    let bars = Bars {
        ratio: Some(2.0),
        ..Bars::default()
    };
    let pinged = workload(name, pinged, PIECE, bars);
    plain
        .chain(pieces)
        .chain(fragments)
        .chain([pinged])
        .collect()
}

fn workload(name: String, shape: Shape, piece: usize, bars: Bars) -> Workload {
    Workload {
        group: "receive",
        name,
        len: shape.len,
        count: shape.count(),
        bars,
        lanes: Box::new(move || lanes(shape, piece)),
    }
}

fn lanes(shape: Shape, piece: usize) -> Vec<Lane<'static>> {
    let stream = shape.stream();
    let peers = PEERS.iter().map(|peer| {
        let mut connection = (peer.receive)(Memory::new(stream.clone(), piece));
        let name = peer.name;
        let work = move |messages| {
            let bytes = connection.receive(messages);
            assert_eq!(bytes, messages * shape.len, "{name}");
        };
        Lane {
            name,
            work: Box::new(work),
        }
    });
    let copying = copying(&stream, shape.count(), piece);
    peers.chain([copying]).collect()
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
