//! Says hello within TLS, to a server that has the certificate in CERT, which is
//! that of `wss_server` by default, or that the platform trusts.
//! `cargo run --release -p sansocket-apps --bin wss_client [URL] [CERT]`

use std::env;
use std::error::Error;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sansocket::Config;
use sansocket::adapter::{Connector, Tls};
use sansocket::tokio::connect_with;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "wss://localhost:9443".into());
    let mut connector = Connector::new(&Config::new());
    let made = env::temp_dir().join("sansocket-cert.pem");
    let cert = args.next().map_or(made, Into::into);
    if url.contains("//localhost") {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(cert)?)?;
        connector = connector.with_tls(Tls::roots(roots)?);
    }
    let mut ws = connect_with(url, &connector).await?;
    ws.send("hello within TLS").await?;
    println!("{:?}", ws.next().await?);
    ws.close(1000, "").await?;
    while ws.next().await?.is_some() {}
    Ok(())
}
