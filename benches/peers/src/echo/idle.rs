//! Memory of idle connections.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::cores;
use super::load::{Load, Scenario};
use super::process::Process;
use super::server::{DEFLATE, ECHO, Extra, Server};

/// The memory of one connection.
pub struct Idle {
    pub name: &'static str,
    /// Bytes.
    pub heap: f64,
    pub resident: f64,
}

/// Measures connections that are idle after one message.
pub fn run(connections: usize) -> io::Result<Vec<Idle>> {
    cores::pin_load();
    let servers = ECHO.iter().chain(DEFLATE);
    servers.map(|server| cost(server, connections)).collect()
}

fn cost(server: &Server, connections: usize) -> io::Result<Idle> {
    let scenario = Scenario {
        connections,
        len: 64,
        window: 1,
    };
    let mut process = Process::start(server, Extra::Heap)?;
    // What is allocated once in a process is not counted.
    let one = Scenario {
        connections: 1,
        ..scenario
    };
    Load::connect(process.addr, &one, server.is_raw())?.say()?;
    sleep(Duration::from_millis(300));
    let before = process.usage()?;
    let mut load = Load::connect(process.addr, &scenario, server.is_raw())?;
    if server.is_deflate() {
        // The echo is compressed, so it is not compared.
        load.say()?;
    } else {
        load.once()?;
    }
    sleep(Duration::from_millis(300));
    let after = process.usage()?;
    let each = |bytes: isize| bytes as f64 / connections as f64;
    Ok(Idle {
        name: server.name,
        heap: each(after.held - before.held),
        resident: each(after.resident as isize - before.resident as isize),
    })
}
