//! The echo server by HTTP/2 alone, within TLS (RFC 8441): many WebSockets share
//! one connection. The certificate is made at start and written to CERT.
//! `cargo run --release -p sansocket-apps --bin h2_echo [ADDR] [CERT]`, then open
//! <https://127.0.0.1:9444>.

use std::env;
use std::error::Error;

use sansocket::Config;
use sansocket::h2::{self, WebSocket};
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
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:9444".into());
    let acceptor = tls::acceptor(&tls::certificate_path(args.next()), "h2")?;
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    println!("listening on wss://{addr}\nopen https://{addr}/");
    let config = common::config();
    loop {
        let (stream, _) = accept::next(&listener).await;
        let (acceptor, config) = (acceptor.clone(), config.clone());
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &acceptor, &config).await {
                eprintln!("{error}");
            }
        });
    }
}

/// Serves a connection of HTTP/2 with all WebSockets on it.
async fn serve(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    config: &Config,
) -> Result<(), Box<dyn Error>> {
    let stream = tls::accept(stream, acceptor).await?;
    let mut connection = ::h2::server::Builder::new()
        .enable_connect_protocol()
        .initial_connection_window_size(h2::MAX_WINDOW)
        .handshake(stream)
        .await?;
    while let Some(stream) = connection.accept().await {
        let (request, respond) = stream?;
        match h2::accept(request, respond, config, common::answer) {
            Ok(Some(ws)) => drop(tokio::spawn(echo(ws))),
            Ok(None) => {}
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}

async fn echo(mut ws: WebSocket) {
    loop {
        let result = match ws.next().await {
            Ok(Some(message)) => ws.feed(message).await,
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            return eprintln!("{error}");
        }
    }
}
