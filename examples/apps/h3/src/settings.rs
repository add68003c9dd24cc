//! Settings of QUIC and HTTP/3, and the certificate.

use std::error::Error;
use std::fs;
use std::path::Path;

use boring::pkey::PKey;
use boring::ssl::{SslContextBuilder, SslMethod};
use boring::x509::X509;
use quiche::{Config, PROTOCOL_VERSION, h3};
use rcgen::generate_simple_self_signed;

/// How much a peer may send on one stream that nobody reads, in bytes.
pub const STREAM_WINDOW: u64 = 256 * 1024;

/// The most WebSockets over one connection.
const MAX_STREAMS: u64 = 128;

/// A server's settings, with a certificate for this machine that is made now
/// and written to the file for clients to trust.
///
/// # Errors
///
/// If the file cannot be written.
pub fn server(certificate: &Path) -> Result<Config, Box<dyn Error>> {
    let made = generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    fs::write(certificate, made.cert.pem())?;
    let mut tls = SslContextBuilder::new(SslMethod::tls())?;
    tls.set_certificate(X509::from_der(made.cert.der())?.as_ref())?;
    tls.set_private_key(PKey::private_key_from_der(&made.signing_key.serialize_der())?.as_ref())?;
    let mut config = Config::with_boring_ssl_ctx_builder(PROTOCOL_VERSION, tls)?;
    configure(&mut config)?;
    Ok(config)
}

/// A client's settings, which trust the certificate in this file.
///
/// # Errors
///
/// If there is none in it.
pub fn client(certificate: &Path) -> Result<Config, Box<dyn Error>> {
    let mut config = Config::new(PROTOCOL_VERSION)?;
    let path = certificate
        .to_str()
        .ok_or("the certificate's path is not UTF-8")?;
    config
        .load_verify_locations_from_file(path)
        .map_err(|_| format!("no certificate in {path}"))?;
    config.verify_peer(true);
    configure(&mut config)?;
    Ok(config)
}

fn configure(config: &mut Config) -> quiche::Result<()> {
    config.set_application_protos(h3::APPLICATION_PROTOCOL)?;
    // Above the interval of the core's keepalive pings.
    config.set_max_idle_timeout(30_000);
    config.set_initial_max_streams_bidi(MAX_STREAMS);
    config.set_initial_max_stream_data_bidi_local(STREAM_WINDOW);
    config.set_initial_max_stream_data_bidi_remote(STREAM_WINDOW);
    config.set_max_stream_window(STREAM_WINDOW);
    // The control stream, two of QPACK, and one that means nothing (RFC 9114 §6.2).
    config.set_initial_max_streams_uni(8);
    config.set_initial_max_stream_data_uni(16 * 1024);
    // All streams share the window of the connection: one WebSocket that nobody
    // reads must not stall the others.
    config.set_initial_max_data((MAX_STREAMS + 1) * STREAM_WINDOW);
    config.set_max_connection_window((MAX_STREAMS + 1) * STREAM_WINDOW);
    config.set_disable_active_migration(true);
    Ok(())
}
