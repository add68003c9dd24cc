//! The echo server within hyper, beside its other routes:
//! `cargo run --release -p sansocket-apps --bin hyper [ADDR]`

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sansocket::Config;
use sansocket::hyper::{WebSocket, on_upgrade};
use tokio::net::TcpListener;

#[path = "../common/accept.rs"]
mod accept;
#[path = "../common/mod.rs"]
mod common;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9006")).await?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");
    let config = common::config();
    loop {
        let (stream, _) = accept::next(&listener).await;
        let config = config.clone();
        // Fails if the peer is gone, which is noticed below.
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(|request| serve(request, &config)),
                )
                .with_upgrades();
            if let Err(error) = serving.await {
                eprintln!("{error}");
            }
        });
    }
}

async fn serve(
    mut request: hyper::Request<Incoming>,
    config: &Config,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let log = async |ws| {
        if let Err(error) = echo(ws).await {
            eprintln!("{error}");
        }
    };
    Ok(on_upgrade(&mut request, config, common::answer, log))
}

async fn echo(mut ws: WebSocket) -> Result<(), sansocket::hyper::Error> {
    while let Some(message) = ws.next().await? {
        ws.feed(message).await?;
    }
    Ok(())
}
