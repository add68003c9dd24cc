//! One attack against one server.

use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::args::{Args, Bounds};
use crate::attacks::Attack;
use crate::client::{Client, Report};
use crate::peer::{Peers, Tally};
use crate::server::{Example, Server};
use crate::target::Target;

/// How long memory has to be given back, and descriptors to be free again.
const MAX_RECOVERY: Duration = Duration::from_secs(10);

/// What was measured, and what was wrong.
pub(crate) struct Trial {
    pub(crate) report: Report,
    pub(crate) tally: Arc<Tally>,
    pub(crate) memory: Memory,
    pub(crate) faults: Vec<String>,
}

/// Resident memory of the server, in KiB.
pub(crate) struct Memory {
    pub(crate) before: Option<u64>,
    pub(crate) peak: Option<u64>,
    pub(crate) after: Option<u64>,
}

/// Starts the example, and attacks it.
pub(crate) fn run(
    example: &Example,
    attack: &Attack,
    args: &Args,
) -> Result<Trial, Box<dyn Error>> {
    let (server, target) = Server::start(example, attack.descriptors())?;
    if attack.stops_server() {
        stop_under_load(server, target, example, attack, args)
    } else {
        run_against(server, target, example.is_graceful, attack, args)
    }
}

/// Attacks a server that goes on afterwards, until it is stopped.
pub(crate) fn run_against(
    mut server: Server,
    target: Target,
    is_graceful: bool,
    attack: &Attack,
    args: &Args,
) -> Result<Trial, Box<dyn Error>> {
    let client = Client::start(target.clone())?;
    let before = server.resident_kib();
    let peers = Peers::start(attack.kind, target.clone(), args.peers);
    thread::sleep(args.duration);
    let report = client.stop();
    let tally = peers.stop()?;

    let mut faults = Vec::from_iter(report.fault());
    faults.extend(fault_of_new_client(target));
    let memory = recover(&server, before, args.bounds);
    faults.extend(server.stop(is_graceful));
    Ok(Trial::new(report, tally, memory, faults, args.bounds))
}

/// Stops a server while it is attacked.
fn stop_under_load(
    mut server: Server,
    target: Target,
    example: &Example,
    attack: &Attack,
    args: &Args,
) -> Result<Trial, Box<dyn Error>> {
    let client = Client::start(target.clone())?;
    let before = server.resident_kib();
    let peers = Peers::start(attack.kind, target, args.peers);
    thread::sleep(args.duration);
    let peak = server.peak_kib();
    let mut faults = server.stop(example.is_graceful);
    let report = client.stop();
    let tally = peers.stop()?;

    if example.is_graceful {
        faults.extend(report.fault_of_stop());
    }
    let memory = Memory {
        before,
        peak,
        after: None,
    };
    Ok(Trial::new(report, tally, memory, faults, args.bounds))
}

impl Trial {
    fn new(
        report: Report,
        tally: Arc<Tally>,
        memory: Memory,
        mut faults: Vec<String>,
        bounds: Bounds,
    ) -> Self {
        if tally.connections() == 0 {
            faults.push("no peer was connected".into());
        }
        faults.extend(memory.fault(bounds));
        if bounds
            .max_p99
            .is_some_and(|max| report.percentile(99) > Some(max))
        {
            faults.push("p99 is too long".into());
        }
        Self {
            report,
            tally,
            memory,
            faults,
        }
    }
}

impl Memory {
    fn fault(&self, bounds: Bounds) -> Option<String> {
        let (before, after) = (self.before?, self.after?);
        let kept = after.saturating_sub(before);
        (kept > bounds.max_kept_kib).then(|| format!("{} MiB kept", kept / 1024))
    }
}

/// What is resident once the rest was given back, or after the time for it.
fn recover(server: &Server, before: Option<u64>, bounds: Bounds) -> Memory {
    let start = Instant::now();
    loop {
        let memory = Memory {
            before,
            peak: server.peak_kib(),
            after: server.resident_kib(),
        };
        if memory.fault(bounds).is_none() || start.elapsed() > MAX_RECOVERY {
            return memory;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What was wrong with a client that connects after the attack.
fn fault_of_new_client(target: Target) -> Option<String> {
    let fault = match Client::start(target) {
        Ok(client) => client.stop().fault()?,
        Err(error) => error.to_string(),
    };
    Some(format!("new {fault}"))
}
