//! Pushes the prices of a market 50 times a second to every page that is open,
//! with a live chart, and with compression or without:
//! `cargo run --release -p sansocket-apps --bin ticker [ADDR]`, then open
//! <http://127.0.0.1:9001>. Ctrl-C closes every connection with 1001.
//!
//! Each list of prices is framed once, and compressed once, for all subscribers.
//! One that is slow skips to the newest prices: no queue grows.

use std::env;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use sansocket::{Answer, CloseCode, Config, Prepared, Request, RequestError};
use sansocket::{deflate, tokio::WebSocket, tokio::accept_with};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::ctrl_c;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

#[path = "../../common/accept.rs"]
mod accept;
mod market;

use market::Market;

/// Between two lists of prices.
const TICK: Duration = Duration::from_millis(20);

/// How many bytes may wait in the kernel for a slow subscriber. With the default
/// of megabytes it would see prices that are minutes old.
const SEND_BUFFER: u32 = 16 * 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = listen(addr.as_deref().unwrap_or("127.0.0.1:9001").parse()?)?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    let config = Config::new().with_deflate(deflate::Options::new().with_level(6));
    let (newest, prices) = watch::channel(Prepared::new("{}"));
    let trading = tokio::spawn(trade(newest));
    let mut subscribers = JoinSet::new();
    // Made once: an interrupt between two of them would be lost.
    let mut interrupt = pin!(ctrl_c());
    loop {
        tokio::select! {
            (stream, _) = accept::next(&listener) => {
                let (config, prices) = (config.clone(), prices.clone());
                subscribers.spawn(async move {
                    if let Err(error) = subscriber(stream, &config, prices).await {
                        eprintln!("{error}");
                    }
                });
            }
            Some(_) = subscribers.join_next() => {}
            _ = &mut interrupt => break,
        }
    }
    // Without a sender, every subscriber is closed.
    trading.abort();
    while subscribers.join_next().await.is_some() {}
    println!("stopped");
    Ok(())
}

fn listen(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit this one.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(addr)?;
    socket.listen(1024)
}

/// Publishes the prices of each tick.
async fn trade(newest: watch::Sender<Prepared>) {
    let mut market = Market::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        market.trade();
        newest.send_replace(Prepared::new(market.to_json()));
    }
}

/// Returns when there are no more prices.
async fn last(mut prices: watch::Receiver<Prepared>) {
    while prices.changed().await.is_ok() {}
}

/// Serves one connection: the page, or a subscription to the prices.
async fn subscriber(
    stream: TcpStream,
    config: &Config,
    mut prices: watch::Receiver<Prepared>,
) -> Result<(), sansocket::Error> {
    // A handshake is not waited for when the server stops.
    let accepted = tokio::select! {
        accepted = accept_with(stream, config, answer) => accepted?,
        _ = last(prices.clone()) => return Ok(()),
    };
    let Some(mut ws) = accepted else {
        return Ok(());
    };
    let start = Instant::now();
    let mut seconds = interval(Duration::from_secs(1));
    while ws.connection().is_open() {
        tokio::select! {
            changed = prices.changed() => match changed {
                Ok(()) => {
                    let newest = prices.borrow_and_update().clone();
                    // Returns once it was written; prices of the meantime are skipped.
                    ws.send_prepared(&newest).await?;
                }
                Err(_) => ws.close(CloseCode::GOING_AWAY, "the server stops").await?,
            },
            _ = seconds.tick() => report(&mut ws, start.elapsed()).await?,
            message = ws.next() => drop(message?),
        }
    }
    while ws.next().await?.is_some() {}
    Ok(())
}

/// Tells the page what it cannot see: the bytes on the wire, up to this time.
async fn report(ws: &mut WebSocket<TcpStream>, time: Duration) -> Result<(), sansocket::Error> {
    let sent = ws.connection().counters().sent;
    let (bytes, messages, ms) = (sent.bytes, sent.messages, time.as_millis());
    let report = format!(r#"{{"bytes":{bytes},"messages":{messages},"ms":{ms}}}"#);
    ws.send(report).await
}

/// The page at `/`; prices at `/compressed` and at `/plain`.
fn answer(request: &Request) -> Answer {
    match (request.is_upgrade(), request.path()) {
        (true, "/compressed") => request.accept(),
        (true, "/plain") => request.accept().without_deflate(),
        (false, "/") => page().unwrap_or_else(|_| request.reject(500)),
        _ => request.reject(404),
    }
}

fn page() -> Result<Answer, RequestError> {
    Ok(Answer::new(200)
        .with_header("Content-Type", "text/html; charset=utf-8")?
        .with_body(include_str!("page.html")))
}
