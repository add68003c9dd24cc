//! The echo server by HTTP/2 alone, within TLS (RFC 8441): many WebSockets share
//! one connection. The certificate is made at start and written to CERT.
//! `cargo run --release --features hyper --example h2_echo [ADDR] [CERT]`, then
//! open <https://127.0.0.1:9444>.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::{env, fs};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::generate_simple_self_signed;
use sansocket::hyper::{Upgrade, upgrade};
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
    http2::Builder::new(TokioExecutor::new())
        .enable_connect_protocol()
        .serve_connection(TokioIo::new(stream), service_fn(respond))
        .await?;
    Ok(())
}

async fn respond(
    mut request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (response, upgrade) = upgrade(&mut request, &common::config(), common::answer);
    if let Some(upgrade) = upgrade {
        tokio::spawn(async move {
            if let Err(error) = echo(upgrade).await {
                eprintln!("{error}");
            }
        });
    }
    Ok(response)
}

async fn echo(upgrade: Upgrade) -> Result<(), sansocket::hyper::Error> {
    let mut ws = upgrade.await?;
    while let Some(message) = ws.next().await? {
        ws.send(message).await?;
    }
    Ok(())
}
