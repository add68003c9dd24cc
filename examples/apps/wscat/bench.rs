//! How fast a server echoes.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sansocket::adapter::Connector;
use sansocket::adapter::poll::{Transport, WebSocket};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until, timeout_at};

use crate::args::{Args, Load};
use crate::dial::{Socket, open};
use crate::failure::Failure;
use crate::histogram::Histogram;
use crate::milliseconds;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How many connections are opened at the same time.
const OPENING: usize = 64;

pub(crate) async fn run(args: &Args, connector: &Connector) -> Result<(), Failure> {
    let load = args.load;
    let sockets = open_all(args, connector).await?;
    let text: String = ('a'..='z').cycle().take(load.size).collect();
    let text: Arc<str> = text.into();
    let (start, done) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut measuring = JoinSet::new();
    for (number, socket) in sockets.into_iter().enumerate() {
        let pace = Pace::new(load, start, number);
        let (text, done) = (text.clone(), done.clone());
        measuring.spawn(async move {
            match socket {
                Socket::Http1(ws) => measure(*ws, pace, &text, &done).await,
                Socket::Http2(ws) => measure(*ws, pace, &text, &done).await,
            }
        });
    }
    let mut all = Histogram::new();
    let mut ticks = interval(Duration::from_millis(100));
    while !measuring.is_empty() {
        tokio::select! {
            Some(joined) = measuring.join_next() => all.add(&joined.map_err(io::Error::other)??),
            _ = ticks.tick() => {
                let share = start.elapsed().div_duration_f64(load.duration);
                let done = done.load(Ordering::Relaxed);
                show(&format!("{} {done} messages", bar(share)));
            }
        }
    }
    show("");
    report(&all, load, start.elapsed(), args.json);
    Ok(())
}

async fn open_all(args: &Args, connector: &Connector) -> Result<Vec<Socket>, Failure> {
    let count = args.load.connections;
    let (mut opening, mut sockets) = (JoinSet::new(), Vec::new());
    let mut begun = 0;
    while sockets.len() < count {
        while begun < count && opening.len() < OPENING {
            let (request, connector) = (args.request.clone(), connector.clone());
            opening.spawn(open(request, connector, args.http2));
            begun += 1;
        }
        if let Some(joined) = opening.join_next().await {
            let opened = joined.map_err(io::Error::other)?;
            sockets.push(opened.map_err(Failure::Connect)?);
            let share = sockets.len() as f64 / count as f64;
            show(&format!("{} {} connections", bar(share), sockets.len()));
        }
    }
    Ok(sockets)
}

/// When a connection sends.
struct Pace {
    next: Instant,
    end: Instant,
    interval: Option<Duration>,
}

impl Pace {
    /// Connections take turns.
    fn new(load: Load, start: Instant, number: usize) -> Self {
        let every = |rate| Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let turn = load.rate.map_or(Duration::ZERO, every);
        let end = start + load.duration;
        Self {
            next: start
                .checked_add(turn.saturating_mul(number as u32))
                .unwrap_or(end),
            end,
            interval: load.rate.map(|rate| every(rate / load.connections as f64)),
        }
    }

    /// Waits for the next turn and returns when it began: if it is late, because the
    /// last answer was, that counts. `None` at the end.
    async fn turn(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let Some(interval) = self.interval else {
            return (now < self.end).then_some(now);
        };
        let due = self.next;
        if due >= self.end {
            return None;
        }
        self.next = due.checked_add(interval).unwrap_or(self.end);
        if due <= now {
            return Some(due);
        }
        // The timer has a resolution of a millisecond, which is not the server's.
        sleep_until(due).await;
        Some(Instant::now())
    }
}

async fn measure<T: Transport>(
    mut ws: WebSocket<T>,
    mut pace: Pace,
    text: &str,
    done: &AtomicU64,
) -> Result<Histogram, Failure> {
    let mut times = Histogram::new();
    while let Some(start) = pace.turn().await {
        ws.send(text).await.map_err(Failure::Connection)?;
        let answer = timeout_at(Instant::now() + LIMIT, ws.next()).await;
        let answer = answer.map_err(|_| Failure::NoAnswer(LIMIT))?;
        if answer.map_err(Failure::Connection)?.is_none() {
            return Err(ws
                .outcome()
                .cloned()
                .map_or_else(|| Failure::NoAnswer(start.elapsed()), Failure::Closed));
        }
        times.record(start.elapsed());
        done.fetch_add(1, Ordering::Relaxed);
    }
    let closed = ws.close_and_drain(1000, "").await;
    closed.map_err(Failure::Connection)?;
    Ok(times)
}

fn report(times: &Histogram, load: Load, elapsed: Duration, as_json: bool) {
    let Load {
        connections, size, ..
    } = load;
    let (messages, seconds) = (times.total(), load.duration.min(elapsed).as_secs_f64());
    let rate = (messages as f64 / seconds).round();
    let [p50, p90, p99, max] =
        [50.0, 90.0, 99.0, 100.0].map(|percent| milliseconds(times.percentile(percent)));
    if as_json {
        let result = json!({
            "connections": connections, "size": size, "seconds": seconds,
            "messages": messages, "messages_per_second": rate,
            "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "max_ms": max,
        });
        return println!("{result:#}");
    }
    println!("{connections} connections, {size} bytes a message, {seconds:.1} s");
    println!("{messages} messages echoed, {rate} a second");
    println!("round trip: p50 {p50} ms, p90 {p90} ms, p99 {p99} ms, max {max} ms");
}

fn bar(share: f64) -> String {
    const WIDTH: usize = 30;
    let full = ((share * WIDTH as f64) as usize).min(WIDTH);
    format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full))
}

/// Replaces what was shown, on a terminal.
fn show(text: &str) {
    if io::stderr().is_terminal() {
        // Erases the line.
        eprint!("\r\x1b[K{text}");
    }
}
