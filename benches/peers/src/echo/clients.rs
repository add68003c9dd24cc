//! Runs each client in a process of its own, against the same server.

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use super::dialers::{
    Fastwebsockets, Ours, OursBlocking, OursDrive, Sockudo, Soketto, TokioTungstenite,
    TokioWebsockets, Tungstenite, Yawc,
};
use super::spinner::Spinners;
use super::{Effort, cores, counterpart, process};
use crate::measure::median;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Connects, does the opening handshake and disconnects.
    Connect,
    /// Sends messages of this length, one by one.
    Send(usize),
    /// Sends them in batches of [`BATCH`].
    SendBatch(usize),
    Receive(usize),
}

/// Messages sent together.
const BATCH: usize = 64;

impl Work {
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Send(16),
        Self::Send(1024),
        Self::Send(64 * 1024),
        Self::SendBatch(16),
        Self::SendBatch(1024),
        Self::Receive(16),
        Self::Receive(1024),
        Self::Receive(4096),
        Self::Receive(64 * 1024),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Send(_) => "send",
            Self::SendBatch(_) => "send, 64 at a time",
            Self::Receive(_) => "receive",
        }
    }

    pub fn len(self) -> Option<usize> {
        match self {
            Self::Connect => None,
            Self::Send(len) | Self::SendBatch(len) | Self::Receive(len) => Some(len),
        }
    }

    /// The path of the request, which selects what the server does.
    fn path(self) -> String {
        match self {
            Self::Receive(len) => format!("/flood/{len}"),
            _ => "/discard".into(),
        }
    }
}

/// The methods of a client. Blocking clients block the runtime, which has no other
/// task.
pub trait Client: Sized {
    /// Whether messages can be buffered until a flush.
    const FEEDS: bool = false;

    async fn connect(addr: SocketAddr, path: &str) -> io::Result<Self>;

    async fn send(&mut self, payload: &[u8]) -> io::Result<()>;

    async fn feed(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Receives at least one message, and returns how many.
    async fn receive(&mut self) -> io::Result<u64>;
}

/// The medians of one client.
pub struct Figure {
    pub name: &'static str,
    /// Connections or messages a second.
    pub rate: f64,
    /// CPU microseconds for each.
    pub cpu: f64,
}

/// The figures of one kind of work.
pub struct Outcome {
    pub work: Work,
    pub figures: Vec<Figure>,
}

/// A client, and the work that it supports.
struct Entry {
    name: &'static str,
    can: fn(Work) -> bool,
    run: fn(SocketAddr, Work, Duration) -> io::Result<u64>,
}

const fn entry<C: Client>(name: &'static str) -> Entry {
    Entry {
        name,
        can: |work| C::FEEDS || !matches!(work, Work::SendBatch(_)),
        run: run_client::<C>,
    }
}

static CLIENTS: &[Entry] = &[
    entry::<Ours>("sansocket tokio"),
    Entry {
        can: |work| matches!(work, Work::Receive(_)),
        ..entry::<OursDrive>("sansocket tokio, drive")
    },
    entry::<OursBlocking>("sansocket std"),
    entry::<TokioTungstenite>("tokio-tungstenite"),
    entry::<Tungstenite>("tungstenite"),
    entry::<TokioWebsockets>("tokio-websockets"),
    entry::<Fastwebsockets>("fastwebsockets"),
    entry::<Sockudo>("sockudo-ws"),
    entry::<Soketto>("soketto"),
    entry::<Yawc>("yawc"),
];

/// Runs all clients. They take turns in each kind of work.
pub fn run(effort: Effort, mut tell: impl FnMut(&Outcome)) -> io::Result<Vec<Outcome>> {
    cores::pin_load();
    let addr = counterpart::start()?;
    let _spinners = Spinners::start();
    let mut outcomes = Vec::new();
    for (index, work) in Work::ALL.iter().enumerate() {
        let able: Vec<_> = CLIENTS.iter().filter(|it| (it.can)(*work)).collect();
        let mut samples = vec![Vec::new(); able.len()];
        for round in 0..effort.rounds {
            for turn in 0..able.len() {
                let lane = (turn + round) % able.len();
                samples[lane].push(start(able[lane], index, addr, effort.turn)?);
            }
        }
        let figures = able.iter().zip(&samples);
        let figures = figures.map(|(entry, samples)| figure(entry, samples));
        let outcome = Outcome {
            work: *work,
            figures: figures.collect(),
        };
        tell(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn figure(entry: &Entry, samples: &[[f64; 2]]) -> Figure {
    let middle =
        |at: usize| median(&mut samples.iter().map(|sample| sample[at]).collect::<Vec<_>>());
    Figure {
        name: entry.name,
        rate: middle(0),
        cpu: middle(1),
    }
}

/// Runs a client in a new process. Returns the rate, and CPU microseconds for each.
fn start(entry: &Entry, work: usize, addr: SocketAddr, turn: Duration) -> io::Result<[f64; 2]> {
    let output = Command::new(std::env::current_exe()?)
        .args(["client", entry.name, &work.to_string(), &addr.to_string()])
        .args([
            &turn.as_millis().to_string(),
            &cores::measured().to_string(),
        ])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace().map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(rate)), Some(Ok(cpu))) => Ok([rate, cpu]),
        _ => Err(io::Error::other(format!("{} failed", entry.name))),
    }
}

/// The main function of a client process.
pub fn run_one(name: &str, work: &str, addr: &str, millis: &str, core: &str) -> io::Result<()> {
    let entry = CLIENTS.iter().find(|it| it.name == name);
    let entry = entry.ok_or(io::ErrorKind::NotFound)?;
    cores::pin(core.parse().map_err(io::Error::other)?);
    let work = Work::ALL[work.parse::<usize>().map_err(io::Error::other)?];
    let addr = addr.parse().map_err(io::Error::other)?;
    let turn = Duration::from_millis(millis.parse().map_err(io::Error::other)?);
    // The first connection also does what is done once in a process.
    (entry.run)(addr, work, Duration::ZERO)?;
    let (started, before) = (Instant::now(), process::cpu());
    let count = (entry.run)(addr, work, turn)? as f64;
    let cpu = (process::cpu() - before) as f64;
    println!(
        "{} {}",
        count / started.elapsed().as_secs_f64(),
        cpu / count
    );
    Ok(())
}

fn run_client<C: Client>(addr: SocketAddr, work: Work, turn: Duration) -> io::Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (started, path, mut count) = (Instant::now(), work.path(), 0);
        if work == Work::Connect {
            while count == 0 || started.elapsed() < turn {
                C::connect(addr, &path).await?;
                count += 1;
            }
            return Ok(count);
        }
        let mut client = C::connect(addr, &path).await?;
        let payload = vec![b's'; work.len().unwrap_or_default()];
        while count == 0 || started.elapsed() < turn {
            count += batch(&mut client, work, &payload).await?;
        }
        Ok(count)
    })
}

/// Sends or receives until the clock is checked again.
async fn batch<C: Client>(client: &mut C, work: Work, payload: &[u8]) -> io::Result<u64> {
    let mut count = 0;
    while count < BATCH as u64 {
        count += match work {
            Work::Connect | Work::Send(_) => client.send(payload).await.map(|()| 1)?,
            Work::SendBatch(_) => client.feed(payload).await.map(|()| 1)?,
            Work::Receive(_) => client.receive().await?,
        };
    }
    client.flush().await?;
    Ok(count)
}
