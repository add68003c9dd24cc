//! Runs many connections over each adapter, and accounts for every message: full
//! duplex, with messages of up to 4 MiB, fragments, pings, compression, slow readers,
//! connections that end in every way, and transports that fail.
//! `cargo run --release -p sansocket-apps --bin soak -- --seconds 600 --connections 1000 tokio`.
//!
//! Both ends of each connection are in this process, connected over the loopback
//! interface. Without names, every adapter is run, one after the other. The exit status
//! is 1 if an account does not balance, an error was not planned, a connection stops, or
//! memory grows. The seed repeats the plans of the connections, not their timing.

mod account;
mod faults;
mod noise;
mod over_axum;
mod over_blocking;
mod over_h2;
mod over_hyper;
mod over_smol;
mod over_tokio;
mod payload;
mod plan;
mod polled;
mod script;
mod soak;
mod stream;
mod tls;
mod watch;

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use polled::Failure;
use soak::Soak;
use watch::{Growth, descriptors, watch};

type Run = fn(&Arc<Soak>, TcpListener) -> Result<(), Failure>;

const ADAPTERS: [(&str, Run); 8] = [
    ("blocking", over_blocking::run_plain),
    ("blocking-tls", over_blocking::run_tls),
    ("tokio", over_tokio::run_plain),
    ("tokio-tls", over_tokio::run_tls),
    ("futures", over_smol::run),
    ("hyper", over_hyper::run),
    ("axum", over_axum::run),
    ("h2", over_h2::run),
];

/// The command line.
struct Args {
    duration: Duration,
    connections: u64,
    seed: u64,
    adapters: Vec<(&'static str, Run)>,
}

impl Args {
    fn parse(mut parser: Parser) -> Result<Self, Failure> {
        let mut args = Self {
            duration: Duration::from_secs(10),
            connections: 100,
            seed: 1,
            adapters: Vec::new(),
        };
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Long("seconds") => {
                    args.duration = Duration::from_secs(parser.value()?.parse()?);
                }
                Arg::Long("connections") => args.connections = parser.value()?.parse()?,
                Arg::Long("seed") => args.seed = parser.value()?.parse()?,
                Arg::Value(name) => args.adapters.push(adapter(&name.string()?)?),
                other => return Err(other.unexpected().into()),
            }
        }
        if args.adapters.is_empty() {
            args.adapters = ADAPTERS.to_vec();
        }
        Ok(args)
    }
}

fn adapter(name: &str) -> Result<(&'static str, Run), Failure> {
    let found = ADAPTERS.into_iter().find(|(known, _)| *known == name);
    found.ok_or_else(|| {
        let names = ADAPTERS.map(|(name, _)| name).join(", ");
        format!("no adapter {name}: {names}").into()
    })
}

fn main() -> ExitCode {
    match Args::parse(Parser::from_env()).and_then(|args| run(&args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("soak: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the adapters and prints what each has done. Returns whether all is well.
fn run(args: &Args) -> Result<bool, Failure> {
    let mut rows = Vec::new();
    let mut is_well = true;
    for (name, run) in &args.adapters {
        let (soak, listener) = Soak::new(args.duration, args.connections, args.seed)?;
        let before = descriptors();
        let growth = run_watched(name, *run, &soak, listener)?;
        let after = descriptors();
        // The listener is closed, and a runtime may keep a few of its own.
        let is_closed = after <= before + 16;
        let is_flat = growth.is_none_or(|growth| growth.is_flat());
        let is_balanced = soak.books.is_balanced();
        is_well &= is_closed && is_flat && is_balanced;
        rows.push(row(name, &soak, growth, [is_balanced, is_flat, is_closed]));
    }
    println!("{HEAD}\n{}", rows.join("\n"));
    Ok(is_well)
}

fn run_watched(
    name: &str,
    run: Run,
    soak: &Arc<Soak>,
    listener: TcpListener,
) -> Result<Option<Growth>, Failure> {
    let (running, over) = mpsc::channel();
    thread::scope(|scope| {
        let watching = scope.spawn(move || watch(name, soak, &over));
        run(soak, listener)?;
        drop(running);
        Ok(watching.join().expect("no panic"))
    })
}

const HEAD: &str = "| adapter | seconds | open at once | connections | aborted | sent | received \
    | lost | GiB | MiB resident, early and last | descriptors, early and last | result |\n\
    |---|---|---|---|---|---|---|---|---|---|---|---|";

fn row(name: &str, soak: &Soak, growth: Option<Growth>, checks: [bool; 3]) -> String {
    let totals = soak.books.totals();
    let gib = totals.received_bytes as f64 / (1 << 30) as f64;
    let held = growth.map_or_else(
        || "- | -".into(),
        |growth| {
            let [early, last] = growth.resident.map(|bytes| bytes >> 20);
            let [first, second] = growth.descriptors;
            format!("{early}, {last} | {first}, {second}")
        },
    );
    let names = ["accounts", "growth", "descriptors left"];
    let failed: Vec<_> = names
        .into_iter()
        .zip(checks)
        .filter(|(_, is_well)| !is_well)
        .collect();
    let result = match &failed[..] {
        [] => "balanced".into(),
        failed => failed
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", "),
    };
    println!("{name}: planned errors: {:?}", totals.errors);
    format!(
        "| {name} | {:.0} | {} | {} | {} | {} | {} | {} | {gib:.2} | {held} | {result} |",
        (soak.until - soak.start).as_secs_f64(),
        soak.connections,
        totals.connections,
        totals.aborted,
        totals.sent,
        totals.received,
        totals.lost,
    )
}
