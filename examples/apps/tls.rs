//! What the examples within TLS share: a certificate made at start, which the
//! server writes to a file for its clients to trust.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io};

use rcgen::generate_simple_self_signed;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// Where the certificate is, unless an argument names another place.
pub(crate) fn certificate_path(arg: Option<String>) -> PathBuf {
    arg.map_or_else(|| env::temp_dir().join("sansocket-cert.pem"), Into::into)
}

/// Makes a certificate for this machine and writes it to the file.
pub(crate) fn acceptor(path: &Path, protocol: &str) -> Result<TlsAcceptor, Box<dyn Error>> {
    let made = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    fs::write(path, made.cert.pem())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![protocol.into()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

/// Does the TLS handshake, within the time that clients have for one.
pub(crate) async fn accept(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    timeout(Duration::from_secs(10), acceptor.accept(stream)).await?
}
