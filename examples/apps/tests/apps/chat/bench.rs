//! Messages a second and latency of the chat, in one process and in several:
//! `cargo test --release -p sansocket-apps --test apps chat::bench -- --ignored --nocapture`

use std::time::{Duration, Instant};

use sansocket::tokio::{Client, Error, connect};
use sansocket::{Config, Message};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{interval_at, sleep_until};

use super::Redis;
use crate::server::Server;

const ROOMS: usize = 40;
const MEMBERS: usize = 10;
const DURATION: Duration = Duration::from_secs(5);
/// Each of the 400 says something so often: 500 posts a second.
const PACE: Duration = Duration::from_millis(800);

/// How many posts were acknowledged, and what each took to reach each other
/// member, in microseconds.
#[derive(Default)]
struct Figures {
    posts: u64,
    latencies: Vec<u128>,
}

impl Figures {
    fn percentile(&mut self, percent: usize) -> f64 {
        self.latencies.sort_unstable();
        let index = self.latencies.len() * percent / 100;
        self.latencies[index] as f64 / 1000.0
    }

    fn read(&mut self, message: &Message, name: &str, origin: Instant) -> bool {
        let message: Value = serde_json::from_slice(message.as_bytes()).unwrap();
        let is_ack = message["type"] == "ack";
        self.posts += u64::from(is_ack);
        if message["type"] == "post" && message["name"] != name {
            let said: u128 = message["text"].as_str().unwrap().parse().unwrap();
            self.latencies.push(origin.elapsed().as_micros() - said);
        }
        is_ack
    }
}

/// Says something at this pace, or at each acknowledgement.
async fn load(
    mut ws: Client,
    number: usize,
    origin: Instant,
    pace: Option<Duration>,
) -> Result<Figures, Error> {
    let name = format!("member {number}");
    let room = format!("room {} {pace:?}", number % ROOMS);
    ws.send(json!({"type": "join", "room": room, "name": name}).to_string())
        .await?;
    let mut figures = Figures::default();
    // Not all at once.
    let start = origin + Duration::from_secs(1) + PACE / (ROOMS * MEMBERS) as u32 * number as u32;
    let mut ticks = interval_at(start.into(), pace.unwrap_or(DURATION * 2));
    let mut count = 0;
    loop {
        let is_due = tokio::select! {
            message = ws.next() => match message? {
                Some(message) => figures.read(&message, &name, origin) && pace.is_none(),
                None => panic!("closed: {:?}", ws.outcome()),
            },
            _ = ticks.tick() => true,
            () = sleep_until((start + DURATION).into()) => return Ok(figures),
        };
        if is_due {
            count += 1;
            let (key, text) = (format!("{name} {count}"), origin.elapsed().as_micros());
            let say = json!({"type": "say", "key": key, "text": text.to_string()});
            ws.send(say.to_string()).await?;
        }
    }
}

async fn measure(servers: &[Server], pace: Option<Duration>) -> Figures {
    let origin = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..ROOMS * MEMBERS {
        // Members of a room are spread over all processes.
        let url = &servers[number / ROOMS % servers.len()].url;
        let ws = connect(&**url, &Config::new()).await.unwrap();
        running.spawn(load(ws, number, origin, pace));
    }
    let mut all = Figures::default();
    for figures in running.join_all().await {
        let figures = figures.unwrap();
        all.posts += figures.posts;
        all.latencies.extend(figures.latencies);
    }
    all
}

#[test]
#[ignore = "a measurement, in release mode"]
fn figures() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "| store | processes | posts/s | delivered/s | p50, p99 (ms) | p50, p99 at 500 posts/s (ms) |"
    );
    println!("|---|---|---|---|---|---|");
    for (store, processes) in [("memory", 1), ("Redis", 1), ("Redis", 2), ("Redis", 4)] {
        let Some(redis) = Redis::start() else { return };
        let args = ["--redis", &redis.url];
        let args = if store == "Redis" { &args[..] } else { &[] };
        let servers: Vec<_> = (0..processes)
            .map(|_| Server::start_with("chat", args))
            .collect();
        let mut full = runtime.block_on(measure(&servers, None));
        let mut paced = runtime.block_on(measure(&servers, Some(PACE)));
        println!(
            "| {store} | {processes} | {} | {} | {:.1}, {:.1} | {:.1}, {:.1} |",
            full.posts / DURATION.as_secs(),
            full.latencies.len() as u64 / DURATION.as_secs(),
            full.percentile(50),
            full.percentile(99),
            paced.percentile(50),
            paced.percentile(99),
        );
    }
}
