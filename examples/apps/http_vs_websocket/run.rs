//! A measurement, and its result.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::counting::{Account, Counting, Meter};
use crate::feed::now;

/// How long each way is measured, from its first update on.
const DURATION: Duration = Duration::from_secs(3);

/// A measurement that is under way.
pub(crate) struct Run {
    way: &'static str,
    meter: Meter,
    account: Arc<Account>,
    /// When the first updates were there, and the bytes that it had taken.
    first: Option<(Instant, u64)>,
    latencies: Vec<Duration>,
    payload: usize,
    requests: u64,
}

/// What came of a measurement.
pub(crate) struct Row {
    way: &'static str,
    updates_per_second: f64,
    /// In both directions, for each update.
    bytes: f64,
    /// How many of these are the update itself.
    payload: f64,
    p50: Duration,
    p99: Duration,
    requests: u64,
    /// Until the first update was there.
    opening: u64,
}

impl Run {
    pub(crate) fn new(way: &'static str) -> Self {
        Self {
            way,
            meter: Meter::default(),
            account: Arc::default(),
            first: None,
            latencies: Vec::new(),
            payload: 0,
            requests: 0,
        }
    }

    /// The stream whose bytes are counted.
    pub(crate) fn counting<S>(&self, stream: S) -> Counting<S> {
        self.meter.charge(&self.account);
        Counting::new(stream, self.meter.clone())
    }

    pub(crate) const fn count_request(&mut self) {
        self.requests += 1;
    }

    /// Takes the updates of one read. Returns whether more are wanted.
    pub(crate) fn take<'u>(&mut self, updates: impl Iterator<Item = &'u str>) -> bool {
        let Some((start, _)) = self.first else {
            if updates.count() > 0 {
                self.first = Some((Instant::now(), self.bytes()));
            }
            return true;
        };
        for update in updates {
            self.payload += update.len();
            let age = now().saturating_sub(Duration::from_micros(at(update)));
            self.latencies.push(age);
        }
        start.elapsed() < DURATION
    }

    pub(crate) fn finish(mut self) -> Row {
        let bytes = self.bytes();
        let (start, opening) = self.first.unwrap_or_else(|| (Instant::now(), bytes));
        self.latencies.sort_unstable();
        let count = self.latencies.len().max(1);
        let percentile = |part: usize| {
            let at = self.latencies.len() * part / 100;
            self.latencies.get(at).copied().unwrap_or_default()
        };
        Row {
            way: self.way,
            updates_per_second: self.latencies.len() as f64 / start.elapsed().as_secs_f64(),
            bytes: (bytes - opening) as f64 / count as f64,
            payload: self.payload as f64 / count as f64,
            p50: percentile(50),
            p99: percentile(99),
            requests: self.requests,
            opening,
        }
    }

    fn bytes(&self) -> u64 {
        self.meter.charge(&self.account);
        self.account.bytes.load(Ordering::Relaxed)
    }
}

/// When an update was made, in microseconds.
fn at(update: &str) -> u64 {
    let field = update.split(r#""at":"#).nth(1).unwrap_or_default();
    let digits = field.split(',').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
}

impl Row {
    pub(crate) fn to_json(&self) -> String {
        format!(
            r#"{{"rate":{:.1},"bytes":{:.1},"p50":{:.3},"p99":{:.3}}}"#,
            self.updates_per_second,
            self.bytes,
            milliseconds(self.p50),
            milliseconds(self.p99),
        )
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = format!(
        "{:<19} {:>9} {:>12} {:>13} {:>8} {:>8} {:>8} {:>12}\n",
        "",
        "updates/s",
        "bytes/update",
        "of which data",
        "p50 ms",
        "p99 ms",
        "requests",
        "to the first"
    );
    for row in rows {
        let _ = writeln!(
            table,
            "{:<19} {:>9.1} {:>12.1} {:>13.1} {:>8.2} {:>8.2} {:>8} {:>12}",
            row.way,
            row.updates_per_second,
            row.bytes,
            row.payload,
            milliseconds(row.p50),
            milliseconds(row.p99),
            row.requests,
            row.opening,
        );
    }
    table
}
