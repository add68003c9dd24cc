//! The echo server within TLS, with a certificate made at start, which it
//! writes to CERT for clients to trust.
//! `cargo run --features tokio --example wss_server [ADDR] [CERT]`

use std::error::Error;
use std::sync::Arc;
use std::{env, fs};

use rcgen::generate_simple_self_signed;
use sansocket::tokio::accept_on;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

mod common;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:9443".into());
    let cert_path = args.next().unwrap_or_else(|| "cert.pem".into());

    let made = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    fs::write(&cert_path, made.cert.pem())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));

    let listener = TcpListener::bind(addr).await?;
    println!("listening on wss://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = echo(stream, &acceptor).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn echo(stream: TcpStream, acceptor: &TlsAcceptor) -> Result<(), sansocket::tokio::Error> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let Some(mut ws) = accept_on(stream, &common::config(), common::answer).await? else {
        return Ok(());
    };
    while let Some(message) = ws.next().await? {
        ws.send(message).await?;
    }
    Ok(())
}
