use std::hint::black_box;

use bytes::Bytes;
use sansocket::Role;

use super::outcome::Bars;
use super::{KIB, LIMIT, MIB, PIECE, Workload, size};
use crate::measure::Lane;
use crate::peers::PEERS;
use crate::traffic::Kind::{self, Ascii, Binary};
use crate::traffic::Shape;

const SENT: [(Role, Kind, usize, Option<f64>); 16] = [
    (Role::Server, Binary, 16, Some(1.5)),
    (Role::Server, Binary, 125, None),
    (Role::Server, Binary, KIB, Some(1.0)),
    (Role::Server, Binary, 4 * KIB, Some(1.0)),
    (Role::Server, Binary, 16 * KIB, None),
    (Role::Server, Binary, MIB, None),
    (Role::Server, Ascii, 16, None),
    (Role::Server, Ascii, KIB, None),
    (Role::Client, Binary, 16, Some(1.2)),
    (Role::Client, Binary, 125, None),
    (Role::Client, Binary, KIB, None),
    (Role::Client, Binary, 4 * KIB, Some(1.0)),
    (Role::Client, Binary, 16 * KIB, Some(1.0)),
    (Role::Client, Binary, MIB, Some(1.0)),
    (Role::Client, Binary, 16 * MIB, Some(1.0)),
    (Role::Client, Ascii, KIB, None),
];

pub fn workloads() -> Vec<Workload> {
    let sent = SENT.into_iter();
    sent.map(|(role, kind, len, ratio)| {
        let who = match role {
            Role::Server => "server",
            Role::Client => "client",
        };
        Workload {
            group: "send",
            name: format!("{who}, {}, {}", kind.name(), size(len)),
            len,
            count: Shape::plain(kind, len).count(),
            bars: Bars {
                ratio,
                ..Bars::default()
            },
            lanes: Box::new(move || lanes(role, kind, len)),
        }
    })
    .collect()
}

fn lanes(role: Role, kind: Kind, len: usize) -> Vec<Lane<'static>> {
    let payload = Bytes::from(kind.payload(len));
    let peers = PEERS.iter().filter_map(|peer| {
        let (mut connection, payload) = ((peer.send?)(role), payload.clone());
        let work = move |messages| connection.send(&payload, kind.is_text(), messages);
        Some(Lane {
            name: peer.name,
            work: Box::new(work),
        })
    });
    peers.chain([copying(&payload)]).collect()
}

/// Copies the payload, behind what was copied before.
fn copying(payload: &Bytes) -> Lane<'static> {
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
