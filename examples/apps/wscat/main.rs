//! A command-line client: lines from standard input become messages, and what is
//! received is printed. Also measures round trips and throughput; its exit
//! status says how the connection ended.
//! `cargo run --release -p sansocket-apps --bin wscat ws://127.0.0.1:9001`, and
//! `--help` for the rest.

mod args;
mod bench;
mod dial;
mod failure;
mod histogram;
mod json;
mod ping;
mod talk;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use lexopt::Parser;
use sansocket::adapter::poll::{Transport, WebSocket};
use sansocket::{CloseCode, Error, Initiator, Outcome, Response};

use args::{Args, Mode, USAGE};
use dial::{Socket, open};
use failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wscat: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

async fn run() -> Result<(), Failure> {
    let Some(args) = Args::parse(Parser::from_env())? else {
        io::stdout().write_all(USAGE.as_bytes())?;
        return Ok(());
    };
    let connector = dial::connector(&args)?;
    if matches!(args.mode, Mode::Bench) {
        return bench::run(&args, &connector).await;
    }
    match open(args.request.clone(), connector, args.http2).await {
        Ok(Socket::Http1(ws)) => use_one(*ws, args).await,
        Ok(Socket::Http2(ws)) => use_one(*ws, args).await,
        Err(error) => {
            if let Error::Refused(response) | Error::ProxyRefused(response) = &error
                && args.verbose
            {
                show_response(response);
            }
            Err(Failure::Connect(error))
        }
    }
}

async fn use_one<T: Transport>(ws: WebSocket<T>, args: Args) -> Result<(), Failure> {
    if let Some(response) = ws.response().filter(|_| args.verbose) {
        show_response(response);
        match ws.connection().deflate() {
            Some(parameters) => eprintln!("* compression: {parameters}"),
            None => eprintln!("* no compression"),
        }
    }
    match args.mode {
        Mode::Ping(count) => ping::run(ws, count, &args).await,
        _ => talk::run(ws, args).await,
    }
}

fn show_response(response: &Response) {
    eprintln!("< HTTP {}", response.status());
    for (name, value) in response.headers().iter() {
        eprintln!("< {name}: {}", value.escape_ascii());
    }
}

/// Shows how the connection ended, and judges it.
fn ended(outcome: Option<Outcome>) -> Result<(), Failure> {
    let Some(outcome) = outcome else {
        return Ok(());
    };
    let by = match outcome.initiator {
        Initiator::Local => "this client",
        Initiator::Peer => "the server",
    };
    match (outcome.code, &*outcome.reason) {
        (CloseCode::NO_STATUS, _) => eprintln!("closed by {by}, without a code"),
        (code, "") => eprintln!("closed by {by} with {code}"),
        (code, reason) => eprintln!("closed by {by} with {code} {reason:?}"),
    }
    match outcome.code {
        CloseCode::NORMAL | CloseCode::NO_STATUS => Ok(()),
        _ => Err(Failure::Closed(outcome)),
    }
}

/// In milliseconds, to the microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
