//! The adapter for tokio with its timer and its traits: deadlines by a clock
//! that the test moves, streams and sinks, tunnels, endings.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::wire::{config, frames, wire};
use futures_util::{SinkExt, StreamExt};
use sansocket::frame::Opcode;
use sansocket::tokio::{Error, Io, Tunnel, WebSocket, accept_on};
use sansocket::{
    Agreement, ClientRequest, CloseCode, Config, ConnectionError, DeadlineReason, Event, Message,
    OriginPolicy, Prepared, ProtocolError, Request, Role, SendError,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::io::{copy_bidirectional, duplex};
use tokio::time::{Instant, advance, timeout};

fn pair(len: usize, config: &Config) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(len);
    let ws = WebSocket::upgraded(ours, Role::Server, Agreement::default(), vec![], config);
    (ws, theirs)
}

async fn both(config: &Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (ours, theirs) = duplex(64 * 1024);
    let request = ClientRequest::to("ws://example.com/").unwrap();
    let (server, client) = tokio::join!(
        accept_on(ours, config, Request::accept),
        WebSocket::client(theirs, &request, config)
            .unwrap()
            .connect()
    );
    (server.unwrap().unwrap(), client.unwrap())
}

fn reason(error: Error) -> Option<DeadlineReason> {
    match error {
        Error::Failed(ConnectionError::Timeout(reason)) => Some(reason),
        _ => None,
    }
}

// Requirement 15: where no deadline runs the clock is not read, and those that begin
// later are kept to the second.
#[tokio::test(start_paused = true)]
async fn deadlines_that_begin_after_a_long_quiet_are_enforced() {
    let config = config().with_ping_interval(None).with_idle_timeout(None);
    let hour = Duration::from_secs(3600);
    for closes in [false, true] {
        let (mut ws, mut peer) = pair(4096, &config);
        assert!(timeout(hour, ws.next()).await.is_err());
        peer.write_all(&wire(Role::Client).text("hi").bytes())
            .await
            .unwrap();
        assert_eq!(ws.next().await.unwrap(), Some("hi".into()));
        assert!(timeout(hour, ws.next()).await.is_err());
        let start = Instant::now();
        let (failed, expected, secs) = if closes {
            ws.close(1000, "").await.unwrap();
            let received = timeout(hour, ws.next()).await;
            (
                received.map(|next| next.map(drop)),
                DeadlineReason::Close,
                5,
            )
        } else {
            let sent = timeout(hour, ws.send(&[0; 10_000])).await;
            (sent, DeadlineReason::WriteStall, 30)
        };
        let error = failed.expect("a deadline").unwrap_err();
        assert_eq!(reason(error), Some(expected));
        assert_eq!(start.elapsed().as_secs(), secs);
    }
}

// Requirements 15 and 16: a silent peer at every phase, ended at the deadline
// with that cause.
#[tokio::test(start_paused = true)]
async fn silent_peer_is_given_up_at_the_deadline() {
    let start = Instant::now();
    let (stream, mut peer) = duplex(4096);
    let mut ws = WebSocket::server(stream, &config());
    assert_eq!(
        reason(ws.next().await.unwrap_err()),
        Some(DeadlineReason::Handshake)
    );
    assert_eq!(start.elapsed().as_secs(), 10);
    let mut answer = [0; 12];
    peer.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");

    let start = Instant::now();
    let (mut ws, mut peer) = pair(4096, &config());
    assert_eq!(
        reason(ws.next().await.unwrap_err()),
        Some(DeadlineReason::Pong)
    );
    assert_eq!(start.elapsed().as_secs(), 40);
    let mut sent = Vec::new();
    drop(ws);
    peer.read_to_end(&mut sent).await.unwrap();
    let sent = frames(&sent);
    let opcodes: Vec<_> = sent.iter().map(|(header, _)| header.opcode).collect();
    assert_eq!(opcodes, [Opcode::Ping, Opcode::Close]);

    let start = Instant::now();
    let (mut ws, _peer) = pair(4096, &config().with_idle_timeout(Duration::from_secs(7)));
    assert_eq!(
        reason(ws.next().await.unwrap_err()),
        Some(DeadlineReason::Idle)
    );
    assert_eq!(start.elapsed().as_secs(), 7);

    let start = Instant::now();
    let (mut ws, _peer) = pair(4096, &config());
    ws.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(
        reason(ws.next().await.unwrap_err()),
        Some(DeadlineReason::Close)
    );
    assert_eq!(start.elapsed().as_secs(), 5);

    let start = Instant::now();
    let (mut ws, _peer) = pair(64, &config());
    let sent = ws.send(&[7; 1000]).await;
    assert_eq!(reason(sent.unwrap_err()), Some(DeadlineReason::WriteStall));
    assert_eq!(start.elapsed().as_secs(), 30);
}

// Requirement 16: bytes that are read into the message itself are life, too.
#[tokio::test(start_paused = true)]
async fn slow_peer_lives_within_a_large_frame() {
    let (mut ws, mut peer) = pair(1 << 20, &config());
    let bytes = wire(Role::Client).binary(&[7; 200_000]).bytes();
    let trickle = tokio::spawn(async move {
        let (start, rest) = bytes.split_at(120_000);
        peer.write_all(start).await.unwrap();
        for piece in rest.chunks(10_000) {
            tokio::time::sleep(Duration::from_secs(15)).await;
            peer.write_all(piece).await.unwrap();
        }
        peer
    });
    assert_eq!(ws.next().await.unwrap(), Some(vec![7; 200_000].into()));
    trickle.await.unwrap();
}

// Requirement 16: any byte is life.
#[tokio::test(start_paused = true)]
async fn slow_peer_lives() {
    let (mut ws, mut peer) = pair(4096, &config());
    let bytes = wire(Role::Client).binary(&[7; 100]).bytes();
    let trickle = tokio::spawn(async move {
        for byte in bytes {
            tokio::time::sleep(Duration::from_secs(15)).await;
            peer.write_all(&[byte]).await.unwrap();
        }
        peer
    });
    assert_eq!(ws.next().await.unwrap(), Some(vec![7; 100].into()));
    trickle.await.unwrap();
}

// Requirement 28: one of a hundred does not read: it shows, it is cut off, and
// the others do not notice.
#[tokio::test(start_paused = true)]
async fn slow_receiver_hurts_nobody_else() {
    let config = config()
        .with_max_unsent_len(10_000)
        .with_write_timeout(Duration::from_secs(10));
    let news = Prepared::new(vec![7; 3000]);
    let (mut writers, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let (ws, peer) = pair(8192, &config);
        let (mut reader, writer) = ws.split();
        tokio::spawn(async move { while let Ok(Some(_)) = reader.next().await {} });
        writers.push(writer);
        peers.push(peer);
    }
    let stalled = peers.remove(0);
    for mut peer in peers {
        tokio::spawn(async move {
            let mut buf = [0; 4096];
            while peer.read(&mut buf).await.is_ok_and(|len| len > 0) {}
        });
    }
    let start = Instant::now();
    let mut senders = Vec::new();
    for mut writer in writers {
        let news = news.clone();
        senders.push(tokio::spawn(async move {
            let mut most = 0;
            for _ in 0..20 {
                writer.feed_prepared(&news).await?;
                most = most.max(writer.unsent_len());
                writer.flush().await?;
            }
            Ok::<_, Error>((most, start.elapsed()))
        }));
    }
    let mut results = Vec::new();
    for sender in senders {
        results.push(sender.await.unwrap());
    }
    assert!(results[0].is_err(), "it is cut off");
    for result in &results[1..] {
        let (most, elapsed) = result.as_ref().expect("others are not");
        assert_eq!(elapsed.as_secs(), 0);
        assert!(*most <= 10_000 + 3010);
    }
    drop(stalled);
}

// Requirement 17: the peer reads the close frame, though it was in the middle
// of sending.
#[tokio::test]
async fn failure_is_told_to_a_peer_that_is_sending() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut ws = WebSocket::upgraded(
        stream,
        Role::Server,
        Agreement::default(),
        vec![],
        &config(),
    );
    let serving = tokio::spawn(async move { ws.next().await });
    let mut bytes = wire(Role::Client).raw(b"\x83\x80\0\0\0\0").bytes();
    bytes.extend(vec![0; 1 << 20]);
    peer.write_all(&bytes).await.unwrap();
    peer.shutdown().await.unwrap();
    let mut told = Vec::new();
    peer.read_to_end(&mut told).await.expect("no reset");
    assert_eq!(told, b"\x88\x02\x03\xea");
    let failure = serving.await.unwrap().unwrap_err();
    assert!(matches!(
        failure,
        Error::Failed(ConnectionError::Protocol(ProtocolError::ReservedOpcode))
    ));
}

// Requirement 39: a type to put into a struct; `Stream` and `Sink` besides.
struct Session {
    ws: WebSocket<DuplexStream>,
}

// Requirement 16: what leaves is progress, though as much comes in its place.
#[tokio::test(start_paused = true)]
async fn slow_reader_that_goes_on_is_not_given_up() {
    // Nobody reads, so that no pong is missed either.
    let (mut ws, mut peer) = pair(6000, &config());
    let sending = tokio::spawn(async move {
        for _ in 0..12 {
            ws.send(vec![0; 5000]).await?;
        }
        Ok::<(), Error>(())
    });
    let mut frame = [0; 5004];
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        peer.read_exact(&mut frame).await.unwrap();
    }
    sending.await.unwrap().unwrap();
}

/// A peer that sends forever, always in time.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // An opcode that there is not.
        let len = buf.remaining();
        buf.initialize_unfilled().fill(0x83);
        buf.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

// Who was failed may go on sending; the others on the thread have their turn,
// and the deadline comes.
#[tokio::test(start_paused = true)]
async fn endless_peer_is_left_at_the_deadline() {
    let mut ws = WebSocket::upgraded(
        Endless,
        Role::Server,
        Agreement::default(),
        vec![],
        &config(),
    );
    let clock = async {
        for _ in 0..60 {
            advance(Duration::from_secs(1)).await;
        }
    };
    let (result, ()) = tokio::join!(ws.next(), clock);
    assert!(matches!(
        result,
        Err(Error::Failed(ConnectionError::Protocol(_)))
    ));
    assert_eq!(ws.next().await.unwrap(), None);
}

#[tokio::test]
async fn socket_is_a_stream_and_a_sink() {
    let config = config().with_origin(OriginPolicy::Any);
    let (server, client) = both(&config).await;
    let mut session = Session { ws: client };
    let echoing = tokio::spawn(async move {
        let (reader, writer) = server.split();
        reader.forward(writer).await
    });
    SinkExt::send(&mut session.ws, Message::from("one"))
        .await
        .unwrap();
    SinkExt::feed(&mut session.ws, Message::from("two"))
        .await
        .unwrap();
    session.ws.send("three").await.unwrap();
    for expected in ["one", "two", "three"] {
        let message = StreamExt::next(&mut session.ws).await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(expected));
    }
    SinkExt::close(&mut session.ws).await.unwrap();
    assert!(StreamExt::next(&mut session.ws).await.is_none());
    assert!(session.ws.outcome().unwrap().clean);
    echoing.await.unwrap().unwrap();
}

// Requirement 39: bytes both ways, the end of one direction is passed on.
#[tokio::test]
async fn tunnel_passes_bytes_and_ends() {
    let (server, client) = both(&config()).await;
    let (mut near, near_end) = duplex(1000);
    let (far_end, mut far) = duplex(1000);
    let pass = |mut tunnel: Tunnel<DuplexStream>, mut end: DuplexStream| {
        tokio::spawn(async move { copy_bidirectional(&mut tunnel, &mut end).await })
    };
    let there = pass(client.into_tunnel(), near_end);
    let back = pass(server.into_tunnel(), far_end);

    let payload: Vec<u8> = (0..500_000_u32).map(|n| (n % 251) as u8).collect();
    let sending = {
        let payload = payload.clone();
        tokio::spawn(async move {
            near.write_all(&payload).await.unwrap();
            near.shutdown().await.unwrap();
            let mut answer = Vec::new();
            near.read_to_end(&mut answer).await.unwrap();
            answer
        })
    };
    let mut received = vec![0; payload.len()];
    far.read_exact(&mut received).await.unwrap();
    assert!(received == payload);
    // One byte at a time is fine.
    let mut buf = [0; 1];
    assert_eq!(
        far.read(&mut buf).await.unwrap(),
        0,
        "the end comes through"
    );
    far.shutdown().await.unwrap();
    drop(far);
    sending.await.unwrap();
    timeout(Duration::from_secs(10), there)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    timeout(Duration::from_secs(10), back)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

// After a failure the peer is waited for, but no longer than for a close frame.
#[tokio::test(start_paused = true)]
async fn failure_comes_though_the_peer_never_ends_the_stream() {
    let (mut ws, mut peer) = pair(4096, &config());
    let start = Instant::now();
    peer.write_all(b"\x81\x00").await.unwrap();
    let failed = timeout(Duration::from_secs(3600), ws.next()).await;
    let error = failed.expect("at the close deadline").unwrap_err();
    assert!(matches!(error, Error::Failed(ConnectionError::Protocol(_))));
    assert_eq!(start.elapsed().as_secs(), 5);
}

// What was written before leaves first, and what the peer still sends is read
// to its end.
#[tokio::test]
async fn tunnel_that_is_shut_down_is_read_to_the_end() {
    let (ws, mut peer) = pair(1000, &config());
    let mut tunnel = ws.into_tunnel();
    let answering = tokio::spawn(async move {
        let expected = wire(Role::Server)
            .binary(&[1; 5000])
            .close(1000, "")
            .bytes();
        let mut sent = vec![0; expected.len()];
        peer.read_exact(&mut sent).await.unwrap();
        assert!(sent == expected);
        let answer = wire(Role::Client).binary(&[2; 3000]).binary(&[3; 3000]);
        let answer = answer.close(1000, "").bytes();
        peer.write_all(&answer).await.unwrap();
        peer
    });
    tunnel.write_all(&[1; 5000]).await.unwrap();
    tunnel.shutdown().await.unwrap();
    let mut received = Vec::new();
    tunnel.read_to_end(&mut received).await.unwrap();
    assert!(received == [vec![2; 3000], vec![3; 3000]].concat());
    answering.await.unwrap();
}

// The peer's close frame comes while much is unsent.
#[tokio::test]
async fn tunnel_sends_what_was_written_before_the_peer_closed() {
    let (ws, mut peer) = pair(1000, &config());
    let mut tunnel = ws.into_tunnel();
    tunnel.write_all(&[1; 50_000]).await.unwrap();
    let close = wire(Role::Client).close(1000, "").bytes();
    peer.write_all(&close).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await.unwrap();
        received
    });
    assert_eq!(tunnel.read(&mut [0; 10]).await.unwrap(), 0);
    tunnel.write_all(b"late").await.unwrap();
    assert_eq!(tunnel.read(&mut [0; 10]).await.unwrap(), 0);
    tunnel.shutdown().await.unwrap();
    let later = tunnel.write_all(b"later").await.unwrap_err();
    assert_eq!(later.kind(), io::ErrorKind::BrokenPipe, "no silent loss");
    drop(tunnel);
    let expected = wire(Role::Server).binary(&[1; 50_000]);
    let expected = expected.binary(b"late").close(1000, "");
    assert!(reading.await.unwrap() == expected.bytes());
}

#[tokio::test]
async fn tunnel_tells_text_and_a_missing_end() {
    let (ws, mut peer) = pair(4096, &config());
    let mut tunnel = ws.into_tunnel();
    let bytes = wire(Role::Client)
        .binary(b"")
        .binary(b"abc")
        .text("text")
        .bytes();
    peer.write_all(&bytes).await.unwrap();
    let mut buf = [0; 2];
    tunnel.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"ab");
    assert_eq!(
        tunnel.read(&mut buf).await.unwrap(),
        1,
        "no more than is there"
    );
    let text = tunnel.read(&mut buf).await.unwrap_err();
    assert_eq!(text.kind(), std::io::ErrorKind::InvalidData);
    drop(peer);
    let cut = tunnel.read(&mut buf).await.unwrap_err();
    assert_eq!(cut.kind(), std::io::ErrorKind::UnexpectedEof);
}

// Requirement 7: TLS hoards what it is given until it is flushed.
#[tokio::test]
async fn send_is_done_when_the_stream_was_flushed() {
    let (ours, mut theirs) = duplex(64 * 1024);
    let hoarding = tokio::io::BufWriter::with_capacity(1 << 20, ours);
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(hoarding, role, agreement, vec![], &config());
    ws.send("whole").await.unwrap();
    let mut buf = [0; 7];
    let read = timeout(Duration::from_secs(10), theirs.read_exact(&mut buf));
    read.await.expect("no later call").unwrap();
    assert_eq!(&buf, b"\x81\x05whole");
}

// What a stream buffers has not left.
#[tokio::test(start_paused = true)]
async fn write_deadline_sees_through_a_stream_that_buffers() {
    let (ours, _peer) = duplex(16);
    let buffered = tokio::io::BufStream::new(ours);
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(buffered, role, agreement, vec![], &config());
    let sent = timeout(Duration::from_secs(3600), ws.send(&[7; 1000])).await;
    let error = sent.expect("the write deadline").unwrap_err();
    assert_eq!(reason(error), Some(DeadlineReason::WriteStall));
}

// Small messages to a slow peer: a buffer that leaves slowly is no stall.
#[tokio::test(start_paused = true)]
async fn slow_peer_behind_a_large_buffer_is_not_given_up() {
    let (ours, mut peer) = duplex(1024);
    let buffered = tokio::io::BufStream::with_capacity(4096, 4 << 20, ours);
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(buffered, role, agreement, vec![], &config());
    let reading = tokio::spawn(async move {
        let (mut buf, mut received) = ([0; 1024], 0);
        while let Ok(len @ 1..) = peer.read(&mut buf).await {
            received += len;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        received
    });
    for _ in 0..100 {
        ws.feed(&[7; 10_000]).await.unwrap();
    }
    ws.flush().await.unwrap();
    drop(ws);
    assert!(reading.await.unwrap() > 1_000_000);
}

// The peer of a rejected request ends the stream at once: the failure comes all
// the same.
#[tokio::test(start_paused = true)]
async fn failure_comes_though_the_peer_ends_the_stream() {
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n";
    for by_event in [true, false] {
        let (stream, mut peer) = duplex(4096);
        let client = tokio::spawn(async move {
            peer.write_all(request).await.unwrap();
            let mut refusal = Vec::new();
            peer.read_to_end(&mut refusal).await.unwrap();
            refusal
        });
        let mut ws = WebSocket::server(stream, &config());
        if by_event {
            let event = ws.next_event().await.unwrap();
            assert!(matches!(event, Some(Event::Rejected(_))), "{event:?}");
        }
        let failed = ws.next().await;
        assert!(
            matches!(failed, Err(Error::Failed(ConnectionError::Handshake(_)))),
            "{failed:?}"
        );
        assert_eq!(ws.next().await.unwrap(), None);
        assert!(client.await.unwrap().starts_with(b"HTTP/1.1 400 "));
    }
}

// Bytes after a request cannot be taken before it is answered.
#[tokio::test]
async fn driving_a_request_that_is_not_answered_is_an_error() {
    let (stream, mut peer) = duplex(4096);
    let mut ws = WebSocket::server(stream, &config());
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nx";
    peer.write_all(request).await.unwrap();
    assert!(ws.drive(|_, _, _| Ok(())).await.unwrap());
    let stuck = ws.drive(|_, _, _| Ok(())).await;
    assert!(matches!(stuck, Err(Error::Send(SendError::NotOpen))));
}

#[test]
fn futures_can_be_sent_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let (stream, _peer) = duplex(64);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    let (role, agreement) = (Role::Server, Agreement::default());
    let mut ws = WebSocket::upgraded(stream, role, agreement, vec![], &config());
    is_send(ws.next());
    is_send(ws.send("text"));
    is_send(ws.close(1000, ""));
    is_send(sansocket::tokio::connect(
        "ws://example.com/",
        &Config::new(),
    ));
    let (reader, writer) = ws.split();
    is_send((reader, writer));
    fn is_nameable(_: Option<Io<DuplexStream>>) {}
    is_nameable(None);
}

// A client masks it in pieces. Those that the stream does not accept at once are queued,
// also if the future is dropped then.
#[tokio::test]
async fn large_message_of_a_client_arrives_whole() {
    let payload: Vec<u8> = (0..3 << 20).map(|i| (i * 7 + i / 251) as u8).collect();
    for (len, is_cancelled) in [
        (1000, false),
        (100_000, true),
        (1 << 20, true),
        (4 << 20, false),
    ] {
        let (config, none) = (Config::new(), Agreement::default());
        let (near, far) = duplex(len);
        let mut client = WebSocket::upgraded(near, Role::Client, none.clone(), vec![], &config);
        let mut server = WebSocket::upgraded(far, Role::Server, none, vec![], &config);
        let sending = async {
            if is_cancelled {
                let sent = tokio::time::timeout(Duration::ZERO, client.send(&payload[..])).await;
                assert!(sent.is_err(), "the stream is too short");
                client.flush().await.unwrap();
            } else {
                client.send(&payload[..]).await.unwrap();
            }
            client.send("after").await.unwrap();
        };
        let receiving = async {
            let first = server.next().await.unwrap().expect("a message");
            assert!(first.as_bytes() == payload, "{len}");
            assert_eq!(server.next().await.unwrap(), Some("after".into()));
        };
        tokio::join!(sending, receiving);
    }
}
