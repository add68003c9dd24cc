//! What the process holds while it runs: memory and descriptors, which must not
//! grow; and connections, of which none may stop.

use std::fs;
use std::process;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::soak::Soak;

const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How long a connection may rest.
const MAX_REST: Duration = Duration::from_secs(30);

/// Shorter runs are not compared with themselves: for the first minutes, the number of
/// slow connections grows, and with it what the allocator keeps.
const MIN_COMPARED: Duration = Duration::from_secs(300);

/// How much what is held may grow: a twentieth and so much more.
const MEMORY_SLACK: u64 = 16 << 20;
const DESCRIPTOR_SLACK: u64 = 64;

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    resident: u64,
    descriptors: u64,
}

/// Medians of an early and of the last part of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub(crate) resident: [u64; 2],
    pub(crate) descriptors: [u64; 2],
}

/// Watches until `over` is dropped.
pub(crate) fn watch(name: &str, soak: &Arc<Soak>, over: &Receiver<()>) -> Option<Growth> {
    let (mut samples, mut next_line) = (Vec::new(), LINE_INTERVAL);
    while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(SAMPLE_INTERVAL) {
        let at = soak.start.elapsed();
        let sample = Sample {
            at,
            resident: resident(),
            descriptors: descriptors(),
        };
        if Instant::now() < soak.until {
            samples.push(sample);
        }
        if at >= next_line {
            print_line(name, soak, &sample);
            next_line += LINE_INTERVAL;
        }
        if let Some(ledger) = soak.books.stalled(MAX_REST) {
            println!("{name}: nothing has happened for 30 s: {ledger:?}");
            process::exit(1);
        }
    }
    let duration = soak.until - soak.start;
    (duration >= MIN_COMPARED).then(|| Growth::new(&samples, duration))
}

fn print_line(name: &str, soak: &Soak, sample: &Sample) {
    let totals = soak.books.totals();
    println!(
        "{name} {} s: {} open, {} over, {} of them aborted; {} messages, {} MiB received; \
         {} MiB resident, {} descriptors",
        sample.at.as_secs(),
        soak.books.open_len(),
        totals.connections,
        totals.aborted,
        totals.received,
        totals.received_bytes >> 20,
        sample.resident >> 20,
        sample.descriptors,
    );
}

impl Growth {
    fn new(samples: &[Sample], duration: Duration) -> Self {
        let median = |from: u32, to: u32, held: fn(&Sample) -> u64| {
            let window = duration * from / 100..duration * to / 100;
            let within = samples.iter().filter(|sample| window.contains(&sample.at));
            let mut held: Vec<u64> = within.map(held).collect();
            held.sort_unstable();
            held.get(held.len() / 2).copied().unwrap_or_default()
        };
        let medians = |held| [median(20, 40, held), median(80, 100, held)];
        Self {
            resident: medians(|sample| sample.resident),
            descriptors: medians(|sample| sample.descriptors),
        }
    }

    pub(crate) const fn is_flat(&self) -> bool {
        is_flat(self.resident, MEMORY_SLACK) && is_flat(self.descriptors, DESCRIPTOR_SLACK)
    }
}

const fn is_flat([early, last]: [u64; 2], slack: u64) -> bool {
    last <= early + early / 20 + slack
}

/// Bytes of memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

pub(crate) fn descriptors() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(resident: impl Fn(u64) -> u64) -> Growth {
        let sample = |second| Sample {
            at: Duration::from_secs(second),
            resident: resident(second),
            descriptors: 100,
        };
        let samples: Vec<_> = (0..100).map(sample).collect();
        Growth::new(&samples, Duration::from_secs(100))
    }

    #[test]
    fn growth_is_that_between_an_early_and_the_last_part() {
        let growth = samples(|second| second << 20);
        assert_eq!(growth.resident, [30 << 20, 90 << 20]);
        assert!(!growth.is_flat());
    }

    #[test]
    fn start_and_spikes_are_no_growth() {
        assert!(samples(|second| second.min(20) << 20).is_flat());
        let spiky = |second: u64| {
            if second.is_multiple_of(7) {
                1 << 30
            } else {
                50 << 20
            }
        };
        assert!(samples(spiky).is_flat());
    }
}
