//! A chat to copy: rooms, names, presence, history, typing, pictures; slow
//! readers are closed, and pages come back and miss nothing.
//! `cargo run --release -p sansocket-apps --bin chat [ADDR]`, then open
//! <http://127.0.0.1:9001>. Ctrl-C closes every connection with 1001.
//!
//! Several processes are one chat with `--redis redis://127.0.0.1`. Named to
//! each other by `--peers ws://127.0.0.1:9001,ws://127.0.0.1:9002`, each takes
//! the users of another that stops.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sansocket::tokio::accept_with;
use sansocket::{Answer, Config, InvalidOrigin, OriginPolicy, Request, RequestError};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::sync::watch;
use tokio::task::JoinSet;

#[path = "../../common/accept.rs"]
mod accept;
mod connection;
mod protocol;
mod redis;
mod room;
mod store;

use connection::{Server, serve};
use protocol::{MAX_PICTURE_LEN, MAX_TEXT_LEN};
use room::Hub;
use store::Store;

const PAGE: &str = include_str!("page.html");

#[derive(Default)]
struct Args {
    addr: Option<String>,
    redis: Option<String>,
    peers: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let config = config(&args.peers)?;
    let listener = TcpListener::bind(args.addr.as_deref().unwrap_or("127.0.0.1:9001")).await?;
    let addr = listener.local_addr()?;
    let (store, signals) = Store::open(args.redis.as_deref()).await?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    let process = format!("{addr} {}", std::process::id());
    let hub = Arc::new(Hub::new(store, process));
    let (stop, stopping) = watch::channel(false);
    let server = Arc::new(Server {
        hub: Arc::clone(&hub),
        peers: args.peers,
        stopping,
    });
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept_all(&listener, &config, &server, &mut connections) => {}
        () = hub.run(signals) => {}
        () = hub.announce() => {}
        _ = ctrl_c() => {}
    }
    stop.send(true)?;
    while connections.join_next().await.is_some() {}
    println!("stopped");
    Ok(())
}

impl Args {
    fn parse() -> Self {
        let mut args = Self::default();
        let mut given = env::args().skip(1);
        while let Some(arg) = given.next() {
            match &*arg {
                "--redis" => args.redis = given.next(),
                "--peers" => {
                    let peers = given.next().unwrap_or_default();
                    args.peers = peers.split(',').map(str::to_owned).collect();
                }
                _ => args.addr = args.addr.or(Some(arg)),
            }
        }
        args
    }
}

/// A page that lost its server connects to the others, so pages of all of them
/// are let in by each.
fn config(peers: &[String]) -> Result<Config, InvalidOrigin> {
    let config = Config::new()
        .with_max_message_len(MAX_PICTURE_LEN + MAX_TEXT_LEN)
        .with_write_timeout(Duration::from_secs(15));
    if peers.is_empty() {
        return Ok(config);
    }
    let pages = peers.iter().map(|peer| peer.replacen("ws", "http", 1));
    Ok(config.with_origin(OriginPolicy::list(pages)?))
}

async fn accept_all(
    listener: &TcpListener,
    config: &Config,
    server: &Arc<Server>,
    connections: &mut JoinSet<()>,
) {
    loop {
        tokio::select! {
            (stream, _) = accept::next(listener) => {
                let (config, server) = (config.clone(), Arc::clone(server));
                connections.spawn(async move {
                    if let Err(error) = connect(stream, &config, &server).await {
                        eprintln!("{error}");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(
    stream: TcpStream,
    config: &Config,
    server: &Server,
) -> Result<(), sansocket::tokio::Error> {
    let mut stopping = server.stopping.clone();
    let accepted = tokio::select! {
        accepted = accept_with(stream, config, answer) => accepted?,
        // Browsers connect before they have a request.
        _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
    };
    match accepted {
        Some(ws) => serve(ws, server).await,
        None => Ok(()),
    }
}

/// One port serves both: the page, and the chat on an upgrade.
fn answer(request: &Request) -> Answer {
    match (request.is_upgrade(), request.method(), request.path()) {
        (true, ..) => request.accept(),
        (false, "GET" | "HEAD", "/") => page().unwrap_or_else(|_| request.reject(500)),
        _ => request.reject(404),
    }
}

fn page() -> Result<Answer, RequestError> {
    Ok(Answer::new(200)
        .with_header("Content-Type", "text/html; charset=utf-8")?
        .with_body(PAGE))
}
