//! The echo server on tokio:
//! `cargo run --release --features tokio --example echo_tokio [ADDR]`, then
//! open <http://127.0.0.1:9002>. Ctrl-C closes every connection with 1001.

use std::env;
use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use sansocket::{CloseCode, Config, tokio::accept_with};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[path = "common/accept.rs"]
mod accept;
mod common;

/// How long connections may take to close when the server stops.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9002")).await?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    let config = common::config();
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    // Made once: an interrupt between two of them would be lost.
    let mut interrupt = pin!(ctrl_c());
    loop {
        tokio::select! {
            (stream, _) = accept::next(&listener) => {
                let (config, stopping) = (config.clone(), stopping.clone());
                connections.spawn(async move {
                    if let Err(error) = echo(stream, &config, stopping).await {
                        eprintln!("{error}");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
            _ = &mut interrupt => break,
        }
    }
    stop.send(true)?;
    let closing = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(GRACE, closing).await;
    println!("stopped");
    Ok(())
}

/// Serves one connection, from the first byte to the last.
async fn echo(
    stream: TcpStream,
    config: &Config,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), sansocket::tokio::Error> {
    // A handshake is not waited for when the server stops.
    let accepted = tokio::select! {
        accepted = accept_with(stream, config, common::answer) => accepted?,
        _ = stopping.changed() => return Ok(()),
    };
    let Some(mut ws) = accepted else {
        return Ok(());
    };
    loop {
        tokio::select! {
            message = ws.next() => match message? {
                // `next` writes all replies together before it waits.
                Some(message) if ws.connection().is_open() => ws.feed(message).await?,
                // What comes after our close frame is not answered.
                Some(_) => {}
                None => return Ok(()),
            },
            Ok(()) = stopping.changed() => {
                ws.close(CloseCode::GOING_AWAY, "the server stops").await?;
            }
        }
    }
}
