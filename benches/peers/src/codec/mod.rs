//! The codec suite: no socket, no runtime. Each workload is a race.

mod deflate;
mod handshake;
mod outcome;
mod prepared;
mod receive;
mod send;

use outcome::Bars;
pub use outcome::{Lead, Outcome, read_lines};

use crate::measure::{Effort, Lane, race};

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

/// The longest read.
const PIECE: usize = 64 * KIB;

/// The lane of what cannot be beaten: a copy, or the backend.
const LIMIT: &str = "limit";

/// Runs what belongs to the groups whose names begin with `only`.
pub fn run(only: &str, effort: Effort, tell: impl Fn(&Outcome)) -> Vec<Outcome> {
    let workloads = [
        receive::workloads(),
        send::workloads(),
        handshake::workloads(),
        deflate::workloads(),
        prepared::workloads(),
    ];
    let asked = workloads.into_iter().flatten();
    asked
        .filter(|workload| workload.group.starts_with(only))
        .map(|workload| {
            let outcome = workload.run(effort);
            tell(&outcome);
            outcome
        })
        .collect()
}

/// A race that is not run yet.
struct Workload {
    group: &'static str,
    name: String,
    /// Bytes of payload in a unit.
    len: usize,
    /// Units that belong together.
    count: usize,
    bars: Bars,
    lanes: Box<dyn Fn() -> Vec<Lane<'static>>>,
}

impl Workload {
    fn run(self, effort: Effort) -> Outcome {
        Outcome {
            figures: race((self.lanes)(), self.count, effort),
            lto: None,
            group: self.group,
            workload: self.name,
            len: self.len,
            bars: self.bars,
        }
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
