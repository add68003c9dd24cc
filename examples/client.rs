//! Sends the lines of its standard input as messages and prints what it receives:
//! `cargo run --example client ws://127.0.0.1:9001`
//!
//! With `--features deflate` before `--example` and `--deflate` after the URL, it
//! offers permessage-deflate.

use std::error::Error;
use std::{env, io, thread};

use sansocket::{ClientRequest, CloseCode, Config, Message, blocking};

const USAGE: &str = "usage: client ws://HOST[:PORT][/PATH] [--deflate]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let uri = args.next().ok_or(USAGE)?;
    let config = match args.next().as_deref() {
        None => Config::new(),
        Some("--deflate") => with_deflate()?,
        Some(_) => return Err(USAGE.into()),
    };
    let ws = blocking::connect(ClientRequest::to(&uri)?, &config)?;
    eprintln!("connected to {uri}");
    #[cfg(feature = "deflate")]
    if let Some(parameters) = ws.connection().deflate() {
        eprintln!("agreed on {parameters}");
    }
    let (mut reader, mut writer) = ws.split();

    thread::spawn(move || -> Result<(), sansocket::Error> {
        for line in io::stdin().lines() {
            writer.send(line?)?;
        }
        writer.close(CloseCode::NORMAL, "")
    });

    while let Some(message) = reader.next()? {
        match message {
            Message::Text(text) => println!("{text}"),
            Message::Binary(bytes) => println!("{}", bytes.escape_ascii()),
        }
    }
    if let Some(outcome) = reader.outcome() {
        eprintln!("closed with {} {:?}", outcome.code, outcome.reason);
    }
    Ok(())
}

#[cfg(feature = "deflate")]
fn with_deflate() -> Result<Config, Box<dyn Error>> {
    Ok(Config::new().with_deflate(sansocket::deflate::Options::new()))
}

#[cfg(not(feature = "deflate"))]
fn with_deflate() -> Result<Config, Box<dyn Error>> {
    Err("built without the feature `deflate`".into())
}
