//! Many connections: idle ones, and slow ones, of which each sends a byte of a message
//! every second.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::load::{Load, Scenario};
use super::process::{Process, Usage};
use super::server::{ECHO, Extra, Runtime, Server};
use super::{cores, process};

/// What a server with all connections holds and uses.
pub struct Many {
    pub name: &'static str,
    /// Resident bytes for a connection: idle, and amid a message.
    pub idle: f64,
    pub slow: f64,
    /// CPU milliseconds a period, of all connections.
    pub idle_cpu: f64,
    pub slow_cpu: f64,
}

/// Of the messages, of which bytes come slowly.
const LEN: usize = 1024;

/// How many are measured with slow connections.
const PERIODS: u32 = 3;

/// Every server on mio or tokio, or `None` if there may not be so many open files. The
/// slow ones send a byte every period.
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

/// Does the work so many times in the period, evenly.
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
