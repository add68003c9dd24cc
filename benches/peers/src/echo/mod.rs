//! The end-to-end suite: echo servers, each a process of its own on one core,
//! and one load for all of them on the other.

mod blocking;
mod framework;
mod load;
mod polled;
mod runtime;

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::measure::{self, median};
pub use load::Scenario;
use load::{Load, Sample};

/// A server, by its name.
pub struct Server {
    pub name: &'static str,
    pub runtime: Runtime,
    pub is_ours: bool,
    /// Its own handshake, not that of the suite.
    pub shakes_hands: bool,
    run: fn(TcpListener) -> io::Result<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    Std,
    Mio,
    Tokio,
    /// On tokio, behind a server of HTTP.
    Axum,
}

macro_rules! server {
    ($name:literal, $runtime:ident, $ours:literal, $shakes:literal, $run:expr) => {
        Server {
            name: $name,
            runtime: Runtime::$runtime,
            is_ours: $ours,
            shakes_hands: $shakes,
            run: $run,
        }
    };
}

/// The limit of each runtime is an echo of raw bytes.
pub const SERVERS: [Server; 20] = [
    server!("raw std", Std, false, false, blocking::raw),
    server!("sansocket std", Std, true, true, blocking::ours),
    server!("tungstenite", Std, false, true, blocking::tungstenite),
    server!("raw mio", Mio, false, false, polled::raw),
    server!("sansocket mio", Mio, true, true, polled::ours),
    server!("raw tokio", Tokio, false, false, runtime::raw),
    server!("sansocket tokio", Tokio, true, true, runtime::ours),
    server!(
        "sansocket tokio, no deadlines",
        Tokio,
        true,
        true,
        runtime::ours_untimed
    ),
    server!(
        "tokio-tungstenite",
        Tokio,
        false,
        true,
        runtime::tungstenite
    ),
    server!(
        "fastwebsockets",
        Tokio,
        false,
        false,
        runtime::fastwebsockets
    ),
    server!(
        "tokio-websockets",
        Tokio,
        false,
        true,
        runtime::tokio_websockets
    ),
    server!("sockudo-ws", Tokio, false, true, runtime::sockudo),
    server!("yawc", Tokio, false, false, runtime::yawc),
    server!("soketto", Tokio, false, true, runtime::soketto),
    server!("web-socket", Tokio, false, false, runtime::web_socket),
    server!(
        "sansocket tokio, deflate",
        Tokio,
        true,
        true,
        runtime::ours_deflate
    ),
    server!(
        "sockudo-ws, deflate",
        Tokio,
        false,
        false,
        runtime::sockudo_deflate
    ),
    server!("yawc, deflate", Tokio, false, false, runtime::yawc_deflate),
    server!("axum", Axum, false, true, framework::axum),
    server!("sansocket axum", Axum, true, true, framework::ours),
];

impl Server {
    pub fn is_raw(&self) -> bool {
        self.name.starts_with("raw")
    }

    fn deflates(&self) -> bool {
        self.name.ends_with("deflate")
    }
}

/// The answer to the one request that the load sends.
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The process of a server: told its port, it serves until its standard input
/// ends, and for each line of that tells what it holds and used.
pub fn serve(name: &str) -> io::Result<()> {
    let server = SERVERS.iter().find(|server| server.name == name);
    let server = server.ok_or(io::ErrorKind::NotFound)?;
    if let Some(core) = core_affinity::get_core_ids().and_then(|cores| cores.first().copied()) {
        core_affinity::set_for_current(core);
    }
    measure::count_always();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::thread::spawn(|| {
        for line in io::stdin().lines() {
            if line.is_err() {
                break;
            }
            println!("{} {} {}", measure::held(), resident(), cpu());
            let _ = io::stdout().flush();
        }
        std::process::exit(0);
    });
    (server.run)(listener)
}

/// Resident bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// Microseconds of all cores.
fn cpu() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: it is written by the call, and zeroes are a value of it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

/// What the process of a server told of itself.
struct Told {
    held: isize,
    resident: usize,
    cpu: u64,
}

/// A running server.
struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    addr: SocketAddr,
}

impl Process {
    fn start(server: &Server) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", server.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let addr = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self {
            child,
            stdin,
            stdout,
            addr,
        })
    }

    fn ask(&mut self) -> io::Result<Told> {
        self.stdin.write_all(b"\n")?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let mut next = || words.next().unwrap_or_default();
        Ok(Told {
            held: next().parse().map_err(io::Error::other)?,
            resident: next().parse().map_err(io::Error::other)?,
            cpu: next().parse().map_err(io::Error::other)?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server did in a scenario: medians of the rounds.
pub struct Figure {
    pub name: &'static str,
    pub runtime: Runtime,
    /// Messages a second, there and back.
    pub rate: f64,
    pub p50: f64,
    pub p99: f64,
    /// CPU seconds of the server for a million messages.
    pub cpu: f64,
}

/// The figures of one scenario.
pub struct Outcome {
    pub scenario: Scenario,
    pub figures: Vec<Figure>,
}

/// Runs all scenarios: in each the servers take turns.
pub fn run(
    rounds: usize,
    turn: Duration,
    mut tell: impl FnMut(&Outcome),
) -> io::Result<Vec<Outcome>> {
    pin_load();
    let servers = || SERVERS.iter().filter(|server| !server.deflates());
    let mut processes = Vec::new();
    for server in servers() {
        processes.push(Process::start(server)?);
    }
    let mut outcomes = Vec::new();
    for scenario in Scenario::all() {
        let mut samples: Vec<Vec<Sample>> = servers().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (index, server) in servers().enumerate() {
                let process = &mut processes[index];
                let mut load = Load::connect(process.addr, &scenario, server.is_raw())?;
                let before = process.ask()?.cpu;
                let mut sample = load.run(turn)?;
                sample.cpu = process.ask()?.cpu - before;
                samples[index].push(sample);
            }
        }
        let figures = servers().zip(&samples);
        let figures = figures.map(|(server, samples)| figure(server, samples));
        let outcome = Outcome {
            scenario,
            figures: figures.collect(),
        };
        tell(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn figure(server: &Server, samples: &[Sample]) -> Figure {
    let middle =
        |value: fn(&Sample) -> f64| median(&mut samples.iter().map(value).collect::<Vec<_>>());
    Figure {
        name: server.name,
        runtime: server.runtime,
        rate: middle(|sample| sample.messages as f64 / sample.took.as_secs_f64()),
        p50: middle(|sample| sample.p50.as_secs_f64() * 1e6),
        p99: middle(|sample| sample.p99.as_secs_f64() * 1e6),
        cpu: middle(|sample| sample.cpu as f64 / sample.messages.max(1) as f64),
    }
}

/// What a connection costs.
pub struct Idle {
    pub name: &'static str,
    /// Heap bytes, and resident bytes.
    pub heap: f64,
    pub resident: f64,
    /// A second, opened one behind another; only where the handshake is the
    /// library's own.
    pub opened: Option<f64>,
}

/// Idle connections: each said something, and has nothing more to say.
pub fn idle(connections: usize) -> io::Result<Vec<Idle>> {
    pin_load();
    let scenario = Scenario {
        connections,
        len: 64,
        window: 1,
    };
    let mut idle = Vec::new();
    for server in &SERVERS {
        let mut process = Process::start(server)?;
        // What is made once for all is not counted.
        let one = Scenario {
            connections: 1,
            ..scenario
        };
        Load::connect(process.addr, &one, server.is_raw())?.say()?;
        std::thread::sleep(Duration::from_millis(300));
        let before = process.ask()?;
        let started = std::time::Instant::now();
        let mut load = Load::connect(process.addr, &scenario, server.is_raw())?;
        let rate = connections as f64 / started.elapsed().as_secs_f64();
        if server.deflates() {
            // What comes back is compressed.
            load.say()?;
        } else {
            load.once()?;
        }
        std::thread::sleep(Duration::from_millis(300));
        let after = process.ask()?;
        let each = |bytes: isize| bytes as f64 / connections as f64;
        idle.push(Idle {
            name: server.name,
            heap: each(after.held - before.held),
            resident: each(after.resident as isize - before.resident as isize),
            opened: server.shakes_hands.then_some(rate),
        });
    }
    Ok(idle)
}

/// On the last core: servers are on the first.
fn pin_load() {
    if let Some(core) = core_affinity::get_core_ids().and_then(|cores| cores.last().copied()) {
        core_affinity::set_for_current(core);
    }
}
