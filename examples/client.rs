//! Sends the lines of its standard input as messages and prints what comes:
//! `cargo run --example client ws://127.0.0.1:9001`

use std::error::Error;
use std::{env, io, thread};

use sansocket::{CloseCode, Config, Event, Message, Request, blocking};

fn main() -> Result<(), Box<dyn Error>> {
    let uri = env::args()
        .nth(1)
        .ok_or("usage: client ws://HOST[:PORT][/PATH]")?;
    let ws = blocking::connect(Request::to(&uri)?, &Config::new())?;
    eprintln!("connected to {uri}");
    let (mut reader, mut writer) = ws.split();

    thread::spawn(move || -> Result<(), sansocket::adapter::Error> {
        for line in io::stdin().lines() {
            writer.send(line?)?;
        }
        writer.close(CloseCode::NORMAL, "")
    });

    while let Some(event) = reader.next_event()? {
        match event {
            Event::Message(Message::Text(text)) => println!("{text}"),
            Event::Message(Message::Binary(bytes)) => println!("{}", bytes.escape_ascii()),
            _ => {}
        }
    }
    if let Some(outcome) = reader.outcome() {
        eprintln!("closed with {} {:?}", outcome.code, outcome.reason);
    }
    Ok(())
}
