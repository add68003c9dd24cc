//! Clients of each adapter, and peers that play a server or a proxy for them.

use std::io::{ErrorKind, Read, Write};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::{Arc, LazyLock};
#[cfg(unix)]
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use sansocket::adapter::{ConnectStep, Connector, Error, Tls};
#[cfg(unix)]
use sansocket::blocking::Socket;
#[cfg(unix)]
use sansocket::futures;
use sansocket::{Config, blocking};

#[cfg(unix)]
/// Connects over a stream, says hello, and returns the answer.
pub(crate) type OverStream = (
    &'static str,
    fn(UnixStream, &str, &Connector) -> Result<String, Error>,
);

#[cfg(unix)]
pub(crate) const OVER_STREAM: [OverStream; 3] = [
    ("blocking", blocking_over),
    ("tokio", tokio_over),
    ("futures", futures_over),
];

#[cfg(unix)]
fn blocking_over(stream: UnixStream, url: &str, connector: &Connector) -> Result<String, Error> {
    let mut ws = blocking::connect_on(stream, Socket::unix(), url, connector)?;
    ws.send("hello")?;
    let message = ws.next()?.expect("an answer");
    ws.close_and_drain(1000, "")?;
    Ok(message.as_text().expect("text").into())
}

#[cfg(unix)]
fn tokio_over(stream: UnixStream, url: &str, connector: &Connector) -> Result<String, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    stream.set_nonblocking(true).unwrap();
    runtime.block_on(async {
        let stream = tokio::net::UnixStream::from_std(stream).unwrap();
        let mut ws = sansocket::tokio::connect_on(stream, url, connector).await?;
        ws.send("hello").await?;
        let message = ws.next().await?.expect("an answer");
        ws.close_and_drain(1000, "").await?;
        Ok(message.as_text().expect("text").into())
    })
}

#[cfg(unix)]
fn futures_over(stream: UnixStream, url: &str, connector: &Connector) -> Result<String, Error> {
    smol::block_on(async {
        let stream = smol::Async::new(stream).unwrap();
        let sleep = |duration| async move {
            smol::Timer::after(duration).await;
        };
        let mut ws = futures::connect_on(stream, url, connector, sleep).await?;
        ws.send("hello").await?;
        let message = ws.next().await?.expect("an answer");
        ws.close_and_drain(1000, "").await?;
        Ok(message.as_text().expect("text").into())
    })
}

#[cfg(unix)]
/// A stream whose other end is served by a thread.
pub(crate) fn peer<R: Send + 'static>(
    serve: impl FnOnce(UnixStream) -> R + Send + 'static,
) -> (UnixStream, JoinHandle<R>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (ours, thread::spawn(move || serve(theirs)))
}

#[cfg(unix)]
/// Reads and says nothing, until the end.
pub(crate) fn silent(mut stream: UnixStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

pub(crate) fn echo(stream: impl Read + Write) {
    let mut ws = blocking::WebSocket::server(stream, &Config::new());
    while let Ok(Some(message)) = ws.next() {
        if ws.send(message).is_err() {
            break;
        }
    }
}

pub(crate) fn echo_in_tls(stream: impl Read + Write) {
    let session = ServerConnection::new(SERVER.0.clone()).unwrap();
    echo(StreamOwned::new(session, stream));
}

/// The certificate of `localhost`, and its key.
static CERTIFIED: LazyLock<CertifiedKey<KeyPair>> =
    LazyLock::new(|| generate_simple_self_signed(["localhost".to_owned()]).unwrap());

pub(crate) fn certificate() -> CertificateDer<'static> {
    CERTIFIED.cert.der().clone()
}

/// A server for `localhost`, and who trusts it.
pub(crate) static SERVER: LazyLock<(Arc<ServerConfig>, Tls)> = LazyLock::new(|| {
    let key = PrivateKeyDer::try_from(CERTIFIED.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).unwrap();
    (Arc::new(config), Tls::roots(roots).unwrap())
});

/// Soon enough for a test; nothing is asserted of how soon.
pub(crate) fn impatient() -> Connector {
    Connector::new(&Config::new().with_handshake_timeout(Duration::from_millis(100)))
}

pub(crate) fn connector() -> Connector {
    Connector::new(&Config::new()).with_tls(SERVER.1.clone())
}

pub(crate) fn step_of<T>(outcome: Result<T, Error>) -> Option<(ConnectStep, ErrorKind)> {
    match outcome {
        Err(Error::Connect { step, error }) => Some((step, error.kind())),
        _ => None,
    }
}

/// Reads a head and returns it.
pub(crate) fn head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
