//! A server for `socket.io-client`: rooms, acknowledgements, broadcasts, binary
//! arguments, namespaces, and sessions that go on after a lost connection, over the
//! WebSocket transport of Engine.IO 4.
//! `cargo run --release -p sansocket-apps --bin socketio [ADDR] [--ping-interval MS]`,
//! then open <http://127.0.0.1:9001>. What its events do is at the top of `app.rs`.

#[path = "../../common/accept.rs"]
mod accept;
mod app;
mod connection;
mod hub;
mod packet;

use std::env;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sansocket::{Answer, Config, Request, tokio::accept_with};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::sync::watch;
use tokio::task::JoinSet;

use connection::Connection;
use hub::Hub;

const PAGE: &str = include_str!("page.html");

/// Of a message, in bytes.
const MAX_MESSAGE_LEN: usize = 1_000_000;

struct Server {
    hub: Hub,
    config: Config,
    ping_interval: Duration,
    stopping: watch::Receiver<bool>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9001")).await?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");
    println!("open http://{addr}/");

    let (stop, stopping) = watch::channel(false);
    let server = Arc::new(Server {
        hub: Hub::default(),
        config: Config::new().with_max_message_len(MAX_MESSAGE_LEN),
        ping_interval: ping_interval()?,
        stopping,
    });
    let mut connections = JoinSet::new();
    // Made once: an interrupt between two of them would be lost.
    let mut interrupt = pin!(ctrl_c());
    loop {
        tokio::select! {
            (stream, _) = accept::next(&listener) => {
                let server = server.clone();
                connections.spawn(async move {
                    if let Err(error) = serve(stream, &server).await {
                        eprintln!("{error}");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
            _ = &mut interrupt => break,
        }
    }
    stop.send(true)?;
    while connections.join_next().await.is_some() {}
    Ok(())
}

fn ping_interval() -> Result<Duration, Box<dyn Error>> {
    let mut args = env::args().skip_while(|arg| arg != "--ping-interval");
    let milliseconds = args.nth(1).map_or(Ok(25_000), |arg| arg.parse())?;
    Ok(Duration::from_millis(milliseconds))
}

async fn serve(stream: TcpStream, server: &Server) -> Result<(), sansocket::Error> {
    let mut stopping = server.stopping.clone();
    // A handshake is not waited for when the server stops.
    let accepted = tokio::select! {
        accepted = accept_with(stream, &server.config, answer) => accepted?,
        _ = stopping.changed() => return Ok(()),
    };
    match accepted {
        Some(ws) => Connection::serve(server, ws).await,
        None => Ok(()),
    }
}

fn answer(request: &Request) -> Answer {
    let asks = |pair: &str| {
        request
            .query()
            .unwrap_or_default()
            .split('&')
            .any(|part| part == pair)
    };
    match (request.method(), request.path()) {
        ("GET", "/socket.io/") if !asks("EIO=4") => explained(5, "Unsupported protocol version"),
        ("GET", "/socket.io/") if request.is_upgrade() && asks("transport=websocket") => {
            request.accept()
        }
        ("GET" | "POST", "/socket.io/") => explained(0, "Transport unknown"),
        ("GET" | "HEAD", "/") if !request.is_upgrade() => Answer::new(200)
            .with_header("Content-Type", "text/html; charset=utf-8")
            .map_or_else(|_| request.reject(500), |answer| answer.with_body(PAGE)),
        _ => request.reject(404),
    }
}

/// A refusal as Engine.IO has them.
fn explained(code: u32, message: &str) -> Answer {
    let body = serde_json::json!({ "code": code, "message": message });
    Answer::new(400).with_body(body.to_string())
}
