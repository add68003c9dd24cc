//! From the arguments to connections.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, ring::default_provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sansocket::adapter::{Connector, Tls};
use sansocket::tokio::{Client, connect_with};
use sansocket::{ClientRequest, Config, Error, deflate, h2};

use crate::args::{Args, read};
use crate::failure::Failure;

/// The longest message that is received, in bytes.
const MAX_MESSAGE_LEN: usize = 256 << 20;

pub(crate) fn connector(args: &Args) -> Result<Connector, Failure> {
    let mut config = Config::new()
        .with_max_message_len(MAX_MESSAGE_LEN)
        .with_handshake_timeout(args.timeout);
    if args.deflate {
        // The user chose the server: it may send what it likes.
        config = config.with_deflate(deflate::Options::new().with_max_ratio(None));
    }
    let mut connector = Connector::new(&config).with_max_redirects(args.redirects);
    if let Some(proxy) = &args.proxy {
        connector = connector.with_proxy(proxy)?;
    }
    if let Some(user) = &args.proxy_user {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        connector = connector.with_proxy_credentials(name, password);
    }
    if args.insecure {
        connector = connector.with_tls(trust_anybody()?);
    } else if let Some(path) = &args.ca {
        connector = connector.with_tls(trust(path)?);
    }
    Ok(connector)
}

/// A client's socket, by either version of HTTP.
pub(crate) enum Socket {
    Http1(Box<Client>),
    Http2(Box<h2::WebSocket>),
}

pub(crate) async fn open(
    request: ClientRequest,
    connector: Connector,
    http2: bool,
) -> Result<Socket, Error> {
    if !http2 {
        let ws = connect_with(request, &connector).await?;
        return Ok(Socket::Http1(Box::new(ws)));
    }
    let (ws, connection) = h2::connect_with(request, &connector).await?;
    // Its end is an error of the WebSocket, too.
    tokio::spawn(connection);
    Ok(Socket::Http2(Box::new(ws)))
}

fn trust(path: &Path) -> Result<Tls, Failure> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let pem = read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() {
        return Err(failed(&"no certificate in it").into());
    }
    Ok(Tls::roots(roots)?)
}

fn trust_anybody() -> Result<Arc<ClientConfig>, Failure> {
    let provider = Arc::new(default_provider());
    let verifier = Arc::new(Anybody(provider.clone()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(Arc::new(config.with_no_client_auth()))
}

/// Accepts every certificate whose key the server has.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
