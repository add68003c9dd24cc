//! The echo server by HTTP/2 alone, within TLS (RFC 8441): many WebSockets share
//! one connection. The certificate is made at start and written to CERT.
//! `cargo run --release --features h2 --example h2_echo [ADDR] [CERT]`, then open
//! <https://127.0.0.1:9444>.

use std::error::Error;
use std::sync::Arc;
use std::{env, fs};

use rcgen::generate_simple_self_signed;
use sansocket::h2::{self, WebSocket};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

mod common;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:9444".into());
    let cert_path = args.next().unwrap_or_else(|| "cert.pem".into());

    let made = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    fs::write(&cert_path, made.cert.pem())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));

    let listener = TcpListener::bind(addr).await?;
    println!("listening on wss://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &acceptor).await {
                eprintln!("{error}");
            }
        });
    }
}

/// Serves a connection of HTTP/2 with all WebSockets on it.
async fn serve(stream: TcpStream, acceptor: &TlsAcceptor) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let mut connection = ::h2::server::Builder::new()
        .enable_connect_protocol()
        .initial_connection_window_size(h2::MAX_WINDOW)
        .handshake(stream)
        .await?;
    while let Some(stream) = connection.accept().await {
        let (request, respond) = stream?;
        match h2::accept(request, respond, &common::config(), common::answer) {
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
            Ok(Some(message)) => ws.send(message).await,
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            return eprintln!("{error}");
        }
    }
}
