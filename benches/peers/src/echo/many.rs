//! Many connections: idle, and slow, each sending one byte of a message every second.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::load::{Load, Scenario};
use super::process::{Process, Usage};
use super::server::{ECHO, Extra, Runtime, Server};
use super::{cores, process};

/// Memory and CPU time of one server.
pub struct Many {
    pub name: &'static str,
    /// Resident bytes of a connection: idle, and in the middle of a message.
    pub idle: f64,
    pub slow: f64,
    /// CPU milliseconds of all connections in a period.
    pub idle_cpu: f64,
    pub slow_cpu: f64,
}

/// Message length.
const LEN: usize = 1024;

/// Periods measured with slow connections.
const PERIODS: u32 = 3;

/// Measures all servers on mio and tokio. Returns `None` if the limit of open files is
/// too low. Slow connections send one byte in each period.
pub fn run(
    connections: usize,
    period: Duration,
    mut tell: impl FnMut(&Many),
) -> io::Result<Option<Vec<Many>>> {
    let files = process::raise_files()?;
    if files < connections + 100 {
        eprintln!("skipped: {connections} connections, as only {files} files may be open");
        return Ok(None);
    }
    cores::pin_load();
    let mut all = Vec::new();
    for server in ECHO
        .iter()
        .filter(|it| matches!(it.runtime, Runtime::Mio | Runtime::Tokio))
    {
        let many = measure(server, connections, period)?;
        tell(&many);
        all.push(many);
    }
    Ok(Some(all))
}

fn measure(server: &Server, connections: usize, period: Duration) -> io::Result<Many> {
    let scenario = Scenario {
        connections,
        len: LEN,
        window: 1,
    };
    let mut process = Process::start(server, Extra::Nothing)?;
    let empty = process.usage()?;
    let mut load = Load::connect(process.addr, &scenario, server.is_raw())?;
    load.once()?;
    sleep(Duration::from_millis(300));
    let before = process.usage()?;
    sleep(period);
    let idle = process.usage()?;
    load.say_slowly(1, period)?;
    let begun = process.usage()?;
    load.say_slowly(PERIODS, period)?;
    let slow = process.usage()?;
    let resident = |usage: &Usage| {
        let grown = usage.resident.saturating_sub(empty.resident);
        grown as f64 / connections as f64
    };
    Ok(Many {
        name: server.name,
        idle: resident(&idle),
        slow: resident(&slow),
        idle_cpu: (idle.cpu - before.cpu) as f64 / 1000.0,
        slow_cpu: (slow.cpu - begun.cpu) as f64 / 1000.0 / f64::from(PERIODS),
    })
}

/// Does the work `times` times, spread evenly over the period.
pub fn spread(
    times: usize,
    period: Duration,
    mut work: impl FnMut(usize) -> io::Result<()>,
) -> io::Result<()> {
    const STEPS: u32 = 100;
    let (started, at) = (Instant::now(), |step| {
        times * step as usize / STEPS as usize
    });
    for step in 0..STEPS {
        (at(step)..at(step + 1)).try_for_each(&mut work)?;
        let next = period * (step + 1) / STEPS;
        sleep(next.saturating_sub(started.elapsed()));
    }
    Ok(())
}
