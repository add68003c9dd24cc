use super::outcome::Bars;
use super::{KIB, LIMIT, PIECE, Workload, size};
use crate::measure::Lane;
use crate::memory::Memory;
use crate::peers::PEERS;
use crate::{backend, traffic};

pub fn workloads() -> Vec<Workload> {
    let takeover = [(false, "no takeover"), (true, "takeover")].into_iter();
    takeover
        .flat_map(|(takeover, name)| {
            let sizes = [(128, None), (KIB, Some(1.2)), (16 * KIB, None)];
            sizes.map(|(len, ratio)| {
                let count = 256 * KIB / len;
                Workload {
                    group: "deflate",
                    name: format!("echo, JSON, {}, {name}", size(len)),
                    len,
                    count,
                    bars: Bars {
                        ratio,
                        ..Bars::default()
                    },
                    lanes: Box::new(move || lanes(len, count, takeover)),
                }
            })
        })
        .collect()
}

fn lanes(len: usize, count: usize, takeover: bool) -> Vec<Lane<'static>> {
    let stream = traffic::compressed(len, count, takeover);
    let backend = Lane {
        name: LIMIT,
        work: backend::echo(&stream, len, takeover),
    };
    let peers = PEERS.iter().filter_map(|peer| {
        let mut connection = (peer.deflate?)(Memory::new(stream.clone(), PIECE), takeover)?;
        let name = peer.name;
        let work = move |messages| {
            assert_eq!(connection.echo(messages), messages * len, "{name}");
        };
        Some(Lane {
            name,
            work: Box::new(work),
        })
    });
    peers.chain([backend]).collect()
}
