//! Opens several WebSockets over one HTTP/2 connection with TLS; each sends its number and
//! prints the answer.
//! `cargo run --release -p sansocket-apps --bin h2_client [URL] [CERT]`, beside `h2_echo`.

use std::env;
use std::error::Error;
use std::sync::Arc;

use sansocket::{ClientRequest, Config, h2};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "wss://localhost:9444".into());
    let made = env::temp_dir().join("sansocket-cert.pem");
    let cert = args.next().map_or(made, Into::into);
    let request = ClientRequest::to(&url)?;
    let uri = request.uri();

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert)?)?;
    let mut tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect((uri.host(), uri.port())).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(uri.host().to_owned())?;
    let stream = TlsConnector::from(Arc::new(tls))
        .connect(name, stream)
        .await?;

    let (client, connection) = h2::handshake(stream, &Config::new()).await?;
    tokio::spawn(connection);
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(h2::connect(&client, &request, &Config::new()).await?);
    }
    for (number, ws) in sockets.iter_mut().enumerate() {
        ws.send(format!("I am number {number}")).await?;
    }
    for mut ws in sockets {
        println!("{:?}", ws.next().await?);
        ws.close(1000, "").await?;
        while ws.next().await?.is_some() {}
    }
    Ok(())
}
