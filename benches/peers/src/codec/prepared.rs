//! One message to many connections, which all keep it until their sockets can
//! be written to: prepared once and shared, and encoded for each.

use std::hint::black_box;

use sansocket::{Agreement, Config, Connection, Message, Prepared, Role};

use super::Workload;
use super::outcome::Bars;
use crate::measure::Lane;
use crate::traffic::{self, Kind};

const CONNECTIONS: usize = 10_000;

pub fn workloads() -> Vec<Workload> {
    let plain: Given = || (Agreement::default(), Config::new());
    let compressed: Given = || traffic::deflate(false);
    let workloads = [("plain", 5.0, plain), ("compressed", 20.0, compressed)];
    workloads
        .map(|(name, ratio, given)| Workload {
            group: "prepared",
            name: format!("1 KiB to {CONNECTIONS} connections, {name}"),
            len: 1024,
            count: CONNECTIONS,
            bars: Bars {
                ratio: Some(ratio),
                ..Bars::default()
            },
            lanes: Box::new(move || vec![shared(given), encoded(given)]),
        })
        .into()
}

type Given = fn() -> (Agreement, Config);

fn text() -> String {
    String::from_utf8(Kind::Json.payload(1024)).expect("text")
}

fn open(given: Given) -> impl Iterator<Item = Connection> {
    let (agreement, config) = given();
    (0..CONNECTIONS).map(move |_| Connection::upgraded(Role::Server, agreement.clone(), &config))
}

fn shared(given: Given) -> Lane<'static> {
    let text = text();
    let mut connections: Vec<_> = open(given).map(|ws| (ws, None)).collect();
    let work = move |messages: usize| {
        for _ in 0..messages / CONNECTIONS {
            let prepared = Prepared::new(Message::from(&*text));
            for (ws, queue) in &mut connections {
                *queue = Some(ws.share_prepared(&prepared).expect("it is open"));
            }
            black_box(&mut connections)
                .iter_mut()
                .for_each(|(_, queue)| *queue = None);
        }
    };
    Lane {
        name: "sansocket",
        work: Box::new(work),
    }
}

fn encoded(given: Given) -> Lane<'static> {
    let text = text();
    let mut connections: Vec<_> = open(given).map(|ws| (ws, Vec::new())).collect();
    let work = move |messages: usize| {
        for _ in 0..messages / CONNECTIONS {
            for (ws, out) in &mut connections {
                ws.send(&*text, out).expect("it is open");
            }
            // Idle connections hold no buffers.
            black_box(&mut connections)
                .iter_mut()
                .for_each(|(_, out)| *out = Vec::new());
        }
    };
    Lane {
        name: "encoded for each",
        work: Box::new(work),
    }
}
