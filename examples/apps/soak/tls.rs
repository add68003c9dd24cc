//! A certificate for this run.

use std::sync::Arc;

use rcgen::generate_simple_self_signed;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use sansocket::adapter::Tls;

use crate::polled::Failure;

/// What the server shows, and the client trusts.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Tls,
}

impl Identity {
    pub(crate) fn new() -> Result<Self, Failure> {
        let made = generate_simple_self_signed(["localhost".into()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        Ok(Self {
            server: Arc::new(server),
            client: Tls::roots(roots)?,
        })
    }
}
