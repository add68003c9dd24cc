//! Connections in TLS, whose session buffers what is written: deadlines, what
//! was received before a write failed, and the end of the session.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::compat::Compat;
use rcgen::generate_simple_self_signed;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use sansocket::adapter::{Connector, Error, Tls};
use sansocket::{Config, DeadlineReason, Request, futures, tokio as adapter};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::io::{duplex, split};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Client = futures::Client<Compat<Pipe>>;
type Server = adapter::WebSocket<TlsStream<DuplexStream>>;

/// A server for `localhost`, and who trusts it.
static SERVER: LazyLock<(Arc<ServerConfig>, Tls)> = LazyLock::new(|| {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (Arc::new(config), Tls::roots(roots).unwrap())
});

/// A pipe that can be made to refuse what is written.
struct Pipe {
    stream: DuplexStream,
    is_broken: Arc<AtomicBool>,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn impatient() -> Config {
    Config::new().with_write_timeout(Duration::from_millis(400))
}

/// A client on one end of a pipe, in TLS, and a server on another.
async fn pair(near: DuplexStream, far: DuplexStream) -> (Client, Server, Arc<AtomicBool>) {
    let is_broken = Arc::new(AtomicBool::new(false));
    let mut pipe = Some(Compat(Pipe {
        stream: near,
        is_broken: is_broken.clone(),
    }));
    let dial = move |_, _| std::future::ready(Ok(pipe.take().unwrap()));
    let connector = Connector::new(&impatient()).with_tls(SERVER.1.clone());
    let connecting = futures::connect_with("wss://localhost/", &connector, dial, sleep);
    let accepting = async {
        let stream = TlsAcceptor::from(SERVER.0.clone()).accept(far).await?;
        adapter::accept_on(stream, &impatient(), Request::accept).await
    };
    let (client, server) = tokio::join!(connecting, accepting);
    (client.unwrap(), server.unwrap().unwrap(), is_broken)
}

fn is_stall(result: Result<(), Error>) -> bool {
    let stall = sansocket::ConnectionError::Timeout(DeadlineReason::WriteStall);
    matches!(result, Err(Error::Failed(error)) if error == stall)
}

#[tokio::test]
async fn peer_that_stops_reading_meets_the_write_deadline() {
    let (near, far) = duplex(4096);
    let (mut client, _server, _) = pair(near, far).await;
    let sending = timeout(Duration::from_secs(20), client.send(&[7; 20_000]));
    assert!(is_stall(sending.await.expect("a deadline")));

    let (near, far) = duplex(4096);
    let (_client, mut server, _) = pair(near, far).await;
    let sending = timeout(Duration::from_secs(20), server.send(&[7; 20_000]));
    assert!(is_stall(sending.await.expect("a deadline")));
}

/// Passes on what a client sends, slowly once `is_slow`.
async fn pass(client: DuplexStream, server: DuplexStream, is_slow: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buf = [0; 1000];
    while let Ok(len @ 1..) = from_client.read(&mut buf).await {
        if is_slow.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(20)).await;
        }
        to_server.write_all(&buf[..len]).await.unwrap();
    }
}

// All of it is in the session at once: that it leaves is seen there alone.
#[tokio::test]
async fn slow_peer_is_not_taken_for_one_that_stopped() {
    let ((near, middle), (relay, far)) = (duplex(1000), duplex(1 << 20));
    let is_slow = Arc::new(AtomicBool::new(false));
    tokio::spawn(pass(middle, relay, is_slow.clone()));
    let (mut client, mut server, _) = pair(near, far).await;
    is_slow.store(true, Ordering::Relaxed);
    let (sent, received) = tokio::join!(client.send(&[7; 60_000]), server.next());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap().len(), 60_000);
}

#[tokio::test]
async fn messages_are_delivered_after_a_write_failed() {
    let (near, far) = duplex(64 * 1024);
    let (mut client, mut server, is_broken) = pair(near, far).await;
    for number in 0..3 {
        server.send(&[number; 9000]).await.unwrap();
    }
    is_broken.store(true, Ordering::Relaxed);
    assert!(client.send("x").await.is_err());
    for number in 0..3 {
        let message = client.next().await.unwrap();
        assert_eq!(message, Some(vec![number; 9000].into()));
    }
}

// Whoever begins: neither end takes the other's for cut off.
#[tokio::test]
async fn session_ends_in_order() {
    for server_begins in [true, false] {
        let (near, far) = duplex(64 * 1024);
        let (mut client, mut server, _) = pair(near, far).await;
        if server_begins {
            server.close(1000, "").await.unwrap();
        } else {
            client.close(1000, "").await.unwrap();
        }
        let ends = tokio::join!(client.next(), server.next());
        assert!(matches!(ends, (Ok(None), Ok(None))), "{ends:?}");
        let mut stream = server.into_stream().stream;
        let mut buf = [0; 1];
        let end = timeout(Duration::from_secs(10), stream.read(&mut buf));
        assert_eq!(end.await.unwrap().unwrap(), 0, "close_notify");
    }
}

#[tokio::test]
async fn session_that_is_cut_off_is_an_end_like_any_other() {
    let (near, far) = duplex(64 * 1024);
    let (mut client, server, _) = pair(near, far).await;
    drop(server);
    let cut = sansocket::ConnectionError::UnexpectedEof;
    assert!(matches!(client.next().await, Err(Error::Failed(error)) if error == cut));
    let (near, far) = duplex(64 * 1024);
    let (client, mut server, _) = pair(near, far).await;
    drop(client);
    assert!(matches!(server.next().await, Err(Error::Failed(error)) if error == cut));
}
