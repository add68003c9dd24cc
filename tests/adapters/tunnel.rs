//! Streams of bytes through WebSockets: each direction ends by itself, and
//! nothing is lost, whoever shuts down first.

use std::future::Future;
use std::io;
use std::time::Duration;

use crate::compat::Compat;
use crate::uncompat::Uncompat;
use crate::wire::{ROLES, config, peer_of, wire};
use sansocket::{Agreement, Config, DeadlineReason, Role, futures, tokio as adapter};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, copy, copy_bidirectional,
    duplex, split,
};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const MIB: usize = 1024 * 1024;

fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    role: Role,
    config: &Config,
) -> adapter::Tunnel<S> {
    adapter::WebSocket::upgraded(stream, role, Agreement::default(), vec![], config).into_tunnel()
}

fn futures_tunnel<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    role: Role,
) -> Uncompat<futures::Tunnel<Compat<S>>> {
    let (stream, agreement) = (Compat(stream), Agreement::default());
    let ws = futures::WebSocket::upgraded(stream, role, agreement, vec![], &config());
    Uncompat(ws.with_timer(sleep).into_tunnel())
}

/// Connections whose buffers in the system are as small as they get: a client's
/// end and a server's.
async fn sockets() -> (TcpStream, TcpStream) {
    // It has a runtime of its own, which must not be made within this one.
    let pair = tokio::task::spawn_blocking(crate::tcp::small_pair)
        .await
        .unwrap();
    let of = |stream: std::net::TcpStream| {
        stream.set_nonblocking(true).unwrap();
        TcpStream::from_std(stream).unwrap()
    };
    (of(pair.0), of(pair.1))
}

/// The bytes that one end sends, which differ at each place.
fn payload(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8 ^ seed).collect()
}

/// When an end shuts its direction down.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    /// After what it sends, whatever comes.
    AtOnce,
    /// Only when it has seen the end of the other direction, after which it
    /// sends all again.
    AfterTheOther,
}

use When::{AfterTheOther, AtOnce};

/// Sends, receives to the end, and shuts down. Returns how often all came.
async fn converse<S>(stream: S, sends: Vec<u8>, when: When) -> Vec<u8>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut reader, mut writer) = split(stream);
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let sending = tokio::spawn(async move {
        writer.write_all(&sends).await.unwrap();
        if when == AfterTheOther {
            writer.flush().await.unwrap();
            has_ended.await.unwrap();
            for piece in sends.chunks(30_000) {
                writer.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        writer.shutdown().await.unwrap();
        writer
    });
    let mut received = Vec::new();
    reader.read_to_end(&mut received).await.unwrap();
    let _ = ended.send(());
    // The end stays the end.
    assert_eq!(reader.read(&mut [0; 10]).await.unwrap(), 0);
    drop(sending.await.unwrap());
    received
}

const ORDERS: [(When, When); 3] = [
    (AtOnce, AfterTheOther),
    (AfterTheOther, AtOnce),
    (AtOnce, AtOnce),
];

/// What the other end sends in all.
fn all(sends: &[u8], when: When) -> Vec<u8> {
    sends.repeat(if when == AfterTheOther { 2 } else { 1 })
}

/// Nothing here waits for a deadline.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let done = timeout(Duration::from_secs(60), future).await;
    done.unwrap_or_else(|_| panic!("{what}: stopped"))
}

async fn both<A, B>(client: A, server: B, (near, far): (When, When), len: usize)
where
    A: AsyncRead + AsyncWrite + Send + 'static,
    B: AsyncRead + AsyncWrite + Send + 'static,
{
    let (up, down) = (payload(len, 0), payload(len, 0x55));
    let there = tokio::spawn(converse(client, up.clone(), near));
    let back = tokio::spawn(converse(server, down.clone(), far));
    let what = format!("client {near:?}, server {far:?}");
    assert!(soon(&what, back).await.unwrap() == all(&up, near), "{what}");
    assert!(
        soon(&what, there).await.unwrap() == all(&down, far),
        "{what}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directions_end_one_by_one_over_small_sockets() {
    for order in ORDERS {
        let (near, far) = sockets().await;
        let client = tunnel(near, Role::Client, &config());
        let server = tunnel(far, Role::Server, &config());
        both(client, server, order, 8 * MIB).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directions_end_one_by_one_with_futures() {
    for order in ORDERS {
        let (near, far) = duplex(4096);
        let client = futures_tunnel(near, Role::Client);
        let server = futures_tunnel(far, Role::Server);
        both(client, server, order, 4 * MIB).await;
    }
}

/// An application's stream, through a tunnel at each end: `copy_bidirectional`
/// as the two relays.
async fn relayed(config: &Config) -> (DuplexStream, DuplexStream) {
    let (near, far) = sockets().await;
    let (client, near_end) = duplex(4096);
    let (far_end, server) = duplex(4096);
    for (stream, role, mut end) in [(near, Role::Client, near_end), (far, Role::Server, far_end)] {
        let mut tunnel = tunnel(stream, role, config);
        tokio::spawn(async move { copy_bidirectional(&mut tunnel, &mut end).await.unwrap() });
    }
    (client, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_pass_each_end_on() {
    for order in ORDERS {
        let (client, server) = relayed(&config()).await;
        both(client, server, order, 16 * MIB).await;
    }
}

// A request that ends with its direction, and a slow application that answers.
#[tokio::test(start_paused = true)]
async fn answer_after_the_end_of_the_request_has_its_time() {
    for role in ROLES {
        let (near, far) = duplex(4096);
        let mut asks = tunnel(near, role, &config());
        let mut answers = tunnel(far, peer_of(role), &config());
        let answering = tokio::spawn(async move {
            let mut request = Vec::new();
            answers.read_to_end(&mut request).await.unwrap();
            for piece in request.chunks(10) {
                sleep(Duration::from_secs(4)).await;
                answers.write_all(piece).await.unwrap();
                answers.flush().await.unwrap();
            }
            answers.shutdown().await.unwrap();
        });
        asks.write_all(&[7; 100]).await.unwrap();
        asks.shutdown().await.unwrap();
        let mut answer = Vec::new();
        asks.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [7; 100]);
        answering.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_answers_is_given_up_after_the_shutdown() {
    for role in ROLES {
        let (near, _far) = duplex(4096);
        let mut tunnel = tunnel(near, role, &config());
        tunnel.shutdown().await.unwrap();
        let started = tokio::time::Instant::now();
        let late = tunnel.read(&mut [0; 10]).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 5);
        let cause = tunnel.into_inner().0.outcome().unwrap().cause;
        let expected = sansocket::ConnectionError::Timeout(DeadlineReason::Close);
        assert_eq!(cause, Some(expected));
    }
}

// The second shutdown waits until the peer has everything, but not forever.
#[tokio::test(start_paused = true)]
async fn second_shutdown_ends_at_the_close_deadline() {
    for role in ROLES {
        let (near, mut far) = duplex(4096);
        let close = wire(peer_of(role)).close(1000, "").bytes();
        far.write_all(&close).await.unwrap();
        let mut tunnel = tunnel(near, role, &config());
        assert_eq!(tunnel.read(&mut [0; 10]).await.unwrap(), 0);
        let started = tokio::time::Instant::now();
        tunnel.shutdown().await.unwrap();
        assert_eq!(started.elapsed().as_secs(), 5);
        assert!(tunnel.into_inner().0.outcome().unwrap().clean);
    }
}

// A peer of another kind: it ends TCP right after its close frame.
#[tokio::test]
async fn peer_that_ends_the_transport_after_its_close_frame_loses_nothing_sent() {
    for role in ROLES {
        let (near, mut far) = sockets().await;
        let sent = payload(100_000, 0);
        let bytes = wire(peer_of(role)).binary(&sent).close(1000, "");
        let peer = tokio::spawn(async move {
            far.write_all(&bytes.bytes()).await.unwrap();
        });
        let mut tunnel = tunnel(near, role, &config());
        let mut received = Vec::new();
        tunnel.read_to_end(&mut received).await.unwrap();
        assert!(received == sent);
        peer.await.unwrap();
        let writing = async {
            loop {
                tunnel.write_all(&sent).await?;
                tunnel.flush().await?;
            }
        };
        let written: io::Result<()> = soon("writing", writing).await;
        let error = written.unwrap_err();
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        assert!(
            [BrokenPipe, ConnectionReset].contains(&error.kind()),
            "{error:?}"
        );
    }
}

// The WebSocket of a tunnel answers close frames again, and the application answers one
// that was received before.
#[tokio::test]
async fn socket_out_of_a_tunnel_closes_as_others() {
    let (near, mut far) = duplex(4096);
    let mut tunnel = tunnel(near, Role::Server, &config());
    let close = wire(Role::Client).close(4001, "").bytes();
    far.write_all(&close).await.unwrap();
    assert_eq!(tunnel.read(&mut [0; 10]).await.unwrap(), 0);
    let (mut ws, rest) = tunnel.into_inner();
    assert!(rest.is_empty() && ws.connection().is_half_closed());
    assert!(ws.next().await.unwrap().is_none());
    ws.send("the rest").await.unwrap();
    ws.close(1000, "").await.unwrap();
    let expected = wire(Role::Server).text("the rest").close(4001, "").bytes();
    let mut sent = vec![0; expected.len()];
    far.read_exact(&mut sent).await.unwrap();
    assert_eq!(sent, expected);
    drop(far);
    assert!(ws.next().await.unwrap().is_none());

    let (near, mut far) = duplex(4096);
    let (mut ws, _) = self::tunnel(near, Role::Server, &config()).into_inner();
    far.write_all(&close).await.unwrap();
    far.shutdown().await.unwrap();
    assert!(ws.next().await.unwrap().is_none());
    let mut sent = Vec::new();
    far.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent, wire(Role::Server).close(4001, "").bytes());
}

// One task for each direction, each by `tokio::io::copy`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_in_two_tasks_end_one_by_one() {
    let (near, far) = sockets().await;
    let (mut up, mut down) = split(tunnel(near, Role::Client, &config()));
    let (mut from, mut to) = split(tunnel(far, Role::Server, &config()));
    let sent = payload(8 * MIB, 0);
    let echoing = tokio::spawn(async move {
        copy(&mut from, &mut to).await.unwrap();
        to.write_all(b"and more").await.unwrap();
        to.shutdown().await.unwrap();
    });
    let bytes = sent.clone();
    let sending = tokio::spawn(async move {
        down.write_all(&bytes).await.unwrap();
        down.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    soon("echo", up.read_to_end(&mut received)).await.unwrap();
    assert!(received == [&*sent, b"and more"].concat());
    sending.await.unwrap();
    echoing.await.unwrap();
}
