//! The echo server within TLS, with a certificate made at start, which it
//! writes to CERT for clients to trust.
//! `cargo run --release -p sansocket-apps --bin wss_server [ADDR] [CERT]`

use std::env;
use std::error::Error;

use sansocket::Config;
use sansocket::tokio::accept_on;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

#[path = "../common/accept.rs"]
mod accept;
#[path = "../common/mod.rs"]
mod common;
mod tls;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:9443".into());
    let acceptor = tls::acceptor(&tls::certificate_path(args.next()), "http/1.1")?;
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    println!("listening on wss://{addr}\nopen https://{addr}/");
    let config = common::config();
    loop {
        let (stream, _) = accept::next(&listener).await;
        let (acceptor, config) = (acceptor.clone(), config.clone());
        tokio::spawn(async move {
            if let Err(error) = echo(stream, &acceptor, &config).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn echo(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    config: &Config,
) -> Result<(), sansocket::tokio::Error> {
    let stream = tls::accept(stream, acceptor).await?;
    let Some(mut ws) = accept_on(stream, config, common::answer).await? else {
        return Ok(());
    };
    while let Some(message) = ws.next().await? {
        ws.feed(message).await?;
    }
    Ok(())
}
