//! Both ends send at once, more than any buffer between them holds, and both
//! receive: nothing stops, however the two directions share a connection.
//!
//! `DUPLEX_MIB=1024` makes the longest runs pass 1 GiB in each direction, over
//! every adapter and in every way of sharing.

use std::any::Any;
use std::time::Duration;

use crate::compat::Compat;
use crate::wire::config;
use futures_util::{SinkExt, StreamExt};
use sansocket::adapter::poll::{Transport, WebSocket};
use sansocket::{Agreement, Config, Role, futures, tokio as adapter};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// How the two directions share a connection.
#[derive(Clone, Copy, Debug)]
enum Sharing {
    Halves,
    Select,
    StreamAndSink,
    Tunnel,
}

use Sharing::{Halves, Select, StreamAndSink, Tunnel};

fn over_tokio<S: AsyncRead + AsyncWrite + Unpin>(stream: S, role: Role) -> adapter::WebSocket<S> {
    adapter::WebSocket::upgraded(stream, role, Agreement::default(), vec![], &config())
}

fn over_futures<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    role: Role,
) -> futures::WebSocket<Compat<S>> {
    let (stream, agreement) = (Compat(stream), Agreement::default());
    futures::WebSocket::upgraded(stream, role, agreement, vec![], &config())
        .with_timer(tokio::time::sleep)
}

async fn sockets() -> (TcpStream, TcpStream) {
    sockets_with(None).await
}

/// With kernel buffers of about this many bytes, or of the default size.
async fn sockets_with(buffer_len: Option<u32>) -> (TcpStream, TcpStream) {
    let [near, far] = [(); 2].map(|()| {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(len) = buffer_len {
            socket.set_send_buffer_size(len).unwrap();
            socket.set_recv_buffer_size(len).unwrap();
        }
        socket
    });
    far.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = far.listen(1).unwrap();
    let near = near.connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(near, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// How much passes in each direction of the longest runs, in MiB.
fn total() -> usize {
    let total = std::env::var("DUPLEX_MIB").ok();
    total.map_or(16, |total| total.parse().expect("a number"))
}

/// Sends so many messages of this length, and receives as many. Returns what
/// keeps the connection: a stream of HTTP/2 that is dropped is reset.
async fn exchange<T>(
    ws: WebSocket<T>,
    how: Sharing,
    count: usize,
    len: usize,
) -> Box<dyn Any + Send>
where
    T: Transport + Send + Unpin + 'static,
{
    let payload = vec![7; len];
    match how {
        Halves => {
            let (mut reader, mut writer) = ws.split();
            let sending = tokio::spawn(async move {
                for _ in 0..count {
                    writer.send(&payload).await.unwrap();
                }
                writer
            });
            for _ in 0..count {
                assert_eq!(reader.next().await.unwrap().unwrap().len(), len);
            }
            Box::new((reader, sending.await.unwrap()))
        }
        Select => {
            let (mut reader, mut writer) = ws.split();
            let sending = async {
                for _ in 0..count {
                    writer.send(&payload).await.unwrap();
                }
            };
            let mut sending = Box::pin(sending);
            let (mut received, mut is_sent) = (0, false);
            while received < count || !is_sent {
                tokio::select! {
                    () = &mut sending, if !is_sent => is_sent = true,
                    message = reader.next(), if received < count => {
                        assert_eq!(message.unwrap().unwrap().len(), len);
                        received += 1;
                    }
                }
            }
            drop(sending);
            Box::new((reader, writer))
        }
        StreamAndSink => {
            let (mut sink, mut stream) = StreamExt::split(ws);
            let sending = tokio::spawn(async move {
                for _ in 0..count {
                    sink.send(payload.clone().into()).await.unwrap();
                }
                sink
            });
            for _ in 0..count {
                assert_eq!(stream.next().await.unwrap().unwrap().len(), len);
            }
            Box::new((stream, sending.await.unwrap()))
        }
        Tunnel => {
            let (mut reader, mut writer) = split(ws.into_tunnel());
            let sending = tokio::spawn(async move {
                for _ in 0..count {
                    writer.write_all(&payload).await.unwrap();
                }
                writer.flush().await.unwrap();
                writer
            });
            let mut buf = vec![0; len];
            for _ in 0..count {
                reader.read_exact(&mut buf).await.unwrap();
            }
            Box::new((reader, sending.await.unwrap()))
        }
    }
}

/// Both ends at once.
async fn both<A, B>(ends: (WebSocket<A>, WebSocket<B>), how: Sharing, count: usize, len: usize)
where
    A: Transport + Send + Unpin + 'static,
    B: Transport + Send + Unpin + 'static,
{
    let near = tokio::spawn(exchange(ends.0, how, count, len));
    let far = tokio::spawn(exchange(ends.1, how, count, len));
    let done = timeout(Duration::from_secs(60 + total() as u64), async {
        let near = near.await.unwrap();
        drop((near, far.await.unwrap()));
    });
    done.await
        .unwrap_or_else(|_| panic!("{how:?}, {count} messages of {len} bytes: stopped"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipes_of_4_kib_pass_both_ways() {
    for how in [Halves, Select, StreamAndSink, Tunnel] {
        let (near, far) = duplex(4 * KIB);
        let ends = (
            over_tokio(near, Role::Client),
            over_tokio(far, Role::Server),
        );
        both(ends, how, 4, MIB).await;
        let (near, far) = duplex(4 * KIB);
        let ends = (
            over_futures(near, Role::Client),
            over_futures(far, Role::Server),
        );
        both(ends, how, 4, MIB).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_pass_16_mib_both_ways() {
    for how in [Halves, Select, StreamAndSink, Tunnel] {
        let (near, far) = sockets().await;
        let ends = (
            over_tokio(near, Role::Client),
            over_tokio(far, Role::Server),
        );
        both(ends, how, 2, 16 * MIB).await;
        let (near, far) = sockets().await;
        let ends = (
            over_futures(near, Role::Client),
            over_futures(far, Role::Server),
        );
        both(ends, how, 1, 16 * MIB).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_of_any_buffer_pass_all_of_it_both_ways() {
    for how in [Halves, Select, StreamAndSink, Tunnel] {
        for buffer_len in [Some(4096), Some(65_536), None] {
            let (near, far) = sockets_with(buffer_len).await;
            let ends = (
                over_tokio(near, Role::Client),
                over_tokio(far, Role::Server),
            );
            both(ends, how, total(), MIB).await;
            let (near, far) = sockets_with(buffer_len).await;
            let ends = (
                over_futures(near, Role::Client),
                over_futures(far, Role::Server),
            );
            both(ends, how, total(), MIB).await;
        }
    }
}

#[cfg(feature = "h2")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_http_2_pass_both_ways() {
    use sansocket::{ClientRequest, Request, h2};

    for how in [Halves, Select, StreamAndSink, Tunnel] {
        let (near, far) = duplex(4 * KIB);
        let (served, mut serving) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let mut connection = ::h2::server::Builder::new()
                .enable_connect_protocol()
                .handshake(far)
                .await
                .unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                let ws = h2::accept(request, respond, &config(), Request::accept);
                served.send(ws.unwrap().unwrap()).await.unwrap();
            }
        });
        let (client, connection) = h2::handshake(near, &config()).await.unwrap();
        tokio::spawn(connection);
        let request = ClientRequest::to("ws://example.com/").unwrap();
        let near = h2::connect(&client, &request, &config()).await.unwrap();
        let far = serving.recv().await.unwrap();
        both((near, far), how, total(), MIB).await;
    }
}

// Requests ahead of answers, to the echo server that everybody writes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_echo_server_serves_a_client_that_pipelines() {
    let (near, far) = sockets().await;
    tokio::spawn(async move {
        let mut ws = over_tokio(far, Role::Server);
        while let Ok(Some(message)) = ws.next().await {
            ws.send(message).await.unwrap();
        }
    });
    let client = exchange(over_tokio(near, Role::Client), Halves, 8, 16 * MIB);
    timeout(Duration::from_secs(60), client)
        .await
        .expect("no stop");
}

// Who sends and never receives stops both, and the write deadline ends it.
#[tokio::test(start_paused = true)]
async fn ends_that_only_send_are_stopped_by_the_write_deadline() {
    let (near, far) = duplex(4 * KIB);
    let config = Config::new();
    let send = |stream, role| {
        let agreement = Agreement::default();
        let mut ws = adapter::WebSocket::upgraded(stream, role, agreement, vec![], &config);
        async move {
            ws.send(&[7; MIB])
                .await
                .map_err(|error| (ws, error))
                .is_err()
        }
    };
    let sending = async { tokio::join!(send(near, Role::Client), send(far, Role::Server)) };
    let failed = timeout(Duration::from_secs(3600), sending).await;
    assert_eq!(failed.expect("at the deadline"), (true, true));
}
