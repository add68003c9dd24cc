//! Runs the cases of an Autobahn fuzzing server: echoes until each connection
//! ends, however it ends.
//! `cargo run --release --example autobahn_client [URL] [AGENT] [--tokio]`

use std::env;

use sansocket::{Config, Connection, Event, SendError, blocking};

type Error = sansocket::Error;

fn main() -> Result<(), Error> {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let len = args.len();
    args.retain(|arg| arg != "--tokio");
    let echo = if args.len() < len { echo_tokio } else { echo };
    let mut args = args.into_iter();
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".into());
    let agent = args.next().unwrap_or_else(|| "sansocket".into());
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new());

    let mut ws = blocking::connect(format!("{url}/getCaseCount"), &config)?;
    let message = ws.next()?;
    let text = message.as_ref().and_then(|message| message.as_text());
    let count: u32 = text.and_then(|text| text.parse().ok()).unwrap_or_default();
    println!("{count} cases");

    for case in 1..=count {
        if let Err(error) = echo(&format!("{url}/runCase?case={case}&agent={agent}"), &config) {
            println!("case {case}: {error}");
        }
    }
    let mut ws = blocking::connect(format!("{url}/updateReports?agent={agent}"), &config)?;
    while ws.next()?.is_some() {}
    Ok(())
}

fn answer(ws: &mut Connection, event: Event<'_>, out: &mut Vec<u8>) -> Result<(), SendError> {
    match event {
        Event::Message(message) => ws.send(message, out),
        _ => Ok(()),
    }
}

fn echo(url: &str, config: &Config) -> Result<(), Error> {
    let mut ws = blocking::connect(url, config)?;
    while ws.drive(answer)? {}
    Ok(())
}

#[cfg(feature = "tokio")]
fn echo_tokio(url: &str, config: &Config) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut ws = sansocket::tokio::connect(url, config).await?;
        while let Some(message) = ws.next().await? {
            ws.send(message).await?;
        }
        Ok(())
    })
}

#[cfg(not(feature = "tokio"))]
fn echo_tokio(_: &str, _: &Config) -> Result<(), Error> {
    Err(std::io::Error::other("built without the feature `tokio`").into())
}
