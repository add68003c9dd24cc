//! Runs the cases of an Autobahn fuzzing server: echoes until each connection
//! ends, however it ends.
//! `cargo run --release --example autobahn_client [URL] [AGENT]`

use std::env;

use sansocket::{Config, Event, blocking};

type Error = sansocket::adapter::Error;

fn main() -> Result<(), Error> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "ws://127.0.0.1:9001".into());
    let agent = args.next().unwrap_or_else(|| "sansocket".into());
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.deflate(sansocket::deflate::Options::new());

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

fn echo(url: &str, config: &Config) -> Result<(), Error> {
    let mut ws = blocking::connect(url, config)?;
    while ws.drive(|ws, event, out| match event {
        Event::Message(message) => ws.send(message, out),
        _ => Ok(()),
    })? {}
    Ok(())
}
