//! The TLS options of clients.

use std::fmt;
use std::io;
use std::string::String;
use std::sync::{Arc, OnceLock};

use super::Connector;
use crate::adapter::{ConnectStep, Error};
use crate::handshake::Uri;

/// The TLS options of a client: which certificates it trusts.
///
/// Use [`platform`](Self::platform), [`bundled`](Self::bundled) or
/// [`roots`](Self::roots), or convert a [`rustls::ClientConfig`] for anything else, such
/// as client certificates.
///
/// ```
/// use std::sync::Arc;
/// use sansocket::{Config, adapter::{Connector, Tls}};
///
/// # fn connector(config: rustls::ClientConfig) -> Connector {
/// // A rustls configuration of your own.
/// Connector::new(&Config::new()).with_tls(Arc::new(config))
/// # }
/// # let _ = Tls::bundled().map(|tls| Connector::new(&Config::new()).with_tls(tls));
/// ```
#[derive(Clone)]
pub struct Tls(Arc<rustls::ClientConfig>);

impl Tls {
    /// Trusts the root certificates of the operating system. They are loaded once for
    /// each process, and all connections share the sessions that can be resumed.
    ///
    /// # Errors
    ///
    /// If the root certificates cannot be read.
    pub fn platform() -> io::Result<Self> {
        use rustls_platform_verifier::BuilderVerifierExt;

        static PLATFORM: OnceLock<Tls> = OnceLock::new();
        if let Some(tls) = PLATFORM.get() {
            return Ok(tls.clone());
        }
        let builder = builder()?
            .with_platform_verifier()
            .map_err(io::Error::other)?;
        let tls = Self(Arc::new(builder.with_no_client_auth()));
        // If two threads load them at once, one result is kept.
        Ok(PLATFORM.get_or_init(|| tls).clone())
    }

    /// Trusts the root certificates of Mozilla, which are compiled into the program: for
    /// containers without root certificates.
    ///
    /// # Errors
    ///
    /// If the crypto provider is unavailable.
    pub fn bundled() -> io::Result<Self> {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self::roots(roots)
    }

    /// Trusts these root certificates and no others.
    ///
    /// # Errors
    ///
    /// As [`bundled`](Self::bundled).
    pub fn roots(roots: rustls::RootCertStore) -> io::Result<Self> {
        let builder = builder()?.with_root_certificates(roots);
        Ok(Self(Arc::new(builder.with_no_client_auth())))
    }
}

fn builder() -> io::Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)
}

impl From<Arc<rustls::ClientConfig>> for Tls {
    /// Uses a rustls configuration of the caller.
    fn from(config: Arc<rustls::ClientConfig>) -> Self {
        Self(config)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Connector {
    /// A TLS session with the URI's host, for this application protocol (ALPN, RFC 7301).
    pub(in crate::adapter) fn tls_session(
        &self,
        uri: &Uri,
        alpn: &[u8],
    ) -> Result<rustls::ClientConnection, Error> {
        let failed = |error| ConnectStep::Tls.failed(error);
        let tls = match &self.tls {
            Some(tls) => tls.clone(),
            None => Tls::platform().map_err(failed)?,
        };
        let host = rustls::pki_types::ServerName::try_from(String::from(uri.host()))
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        rustls::ClientConnection::new_with_alpn(tls.0, host, std::vec![alpn.to_vec()])
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))
    }
}
