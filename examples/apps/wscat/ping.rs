//! Round-trip times of pings.

use std::time::Duration;

use sansocket::Event;
use sansocket::adapter::poll::{Transport, WebSocket};
use serde_json::json;
use tokio::signal::ctrl_c;
use tokio::time::{Instant, timeout_at};

use crate::args::Args;
use crate::failure::Failure;
use crate::{ended, milliseconds};

/// How long a pong may take.
const LIMIT: Duration = Duration::from_secs(10);

pub(crate) async fn run<T: Transport>(
    mut ws: WebSocket<T>,
    count: u32,
    args: &Args,
) -> Result<(), Failure> {
    let mut times = Vec::new();
    let result = tokio::select! {
        result = ping_all(&mut ws, count, args, &mut times) => result,
        _ = ctrl_c() => Ok(()),
    };
    if result.is_ok() && ws.connection().is_open() {
        let closed = ws.close_and_drain(1000, "").await;
        closed.map_err(Failure::Connection)?;
    }
    summarize(&times, args.json);
    result?;
    ended(ws.outcome().cloned())
}

async fn ping_all<T: Transport>(
    ws: &mut WebSocket<T>,
    count: u32,
    args: &Args,
    times: &mut Vec<Duration>,
) -> Result<(), Failure> {
    let mut due = Instant::now();
    for number in 1..=count {
        let Some(time) = ping(ws, number).await? else {
            return Ok(());
        };
        times.push(time);
        if !args.json {
            println!("pong {number}: {} ms", milliseconds(time));
        }
        due = Instant::now().max(due + args.interval);
        // Pings of the server are answered meanwhile.
        while number < count
            && let Ok(event) = timeout_at(due, ws.next_event()).await
        {
            if event.map_err(Failure::Connection)?.is_none() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The time until the pong; `None` if the server closes before.
async fn ping<T: Transport>(
    ws: &mut WebSocket<T>,
    number: u32,
) -> Result<Option<Duration>, Failure> {
    // Longer than a keepalive ping, which has 4 bytes.
    let payload = format!("wscat {number}");
    let start = Instant::now();
    ws.ping(payload.as_bytes())
        .await
        .map_err(Failure::Connection)?;
    loop {
        let event = timeout_at(start + LIMIT, ws.next_event()).await;
        let event = event.map_err(|_| Failure::NoAnswer(LIMIT))?;
        match event.map_err(Failure::Connection)? {
            Some(Event::Pong(answer)) if *answer == *payload.as_bytes() => {
                return Ok(Some(start.elapsed()));
            }
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

fn summarize(times: &[Duration], as_json: bool) {
    let total: Duration = times.iter().sum();
    let mean = total.checked_div(times.len() as u32).unwrap_or_default();
    let shortest = times.iter().min().copied().unwrap_or_default();
    let longest = times.iter().max().copied().unwrap_or_default();
    let [min, mean, max] = [shortest, mean, longest].map(milliseconds);
    if as_json {
        let times: Vec<_> = times.iter().copied().map(milliseconds).collect();
        let result = json!({ "times_ms": times, "min_ms": min, "mean_ms": mean, "max_ms": max });
        println!("{result:#}");
    } else {
        println!(
            "{} pongs: min {min} ms, mean {mean} ms, max {max} ms",
            times.len()
        );
    }
}
