//! From a URI to a WebSocket over HTTP/2: proxies, TLS, redirects and errors
//! as over TCP.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use crate::clients::{SERVER, connector, impatient, step_of};
use bytes::Bytes;
use sansocket::adapter::{ConnectStep, Connector, Error, SocksError};
use sansocket::{Answer, Config, ConnectionError, DeadlineReason, Message, Request, h2 as ours};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const SECOND: Duration = Duration::from_secs(1);

/// Serves the WebSockets of one connection: echoes, or what `answer` says.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, answer: impl Fn(&Request) -> Answer) {
    let mut builder = h2::server::Builder::new();
    builder.enable_connect_protocol();
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        if let Ok(Some(mut ws)) = ours::accept(request, respond, &Config::new(), &answer) {
            tokio::spawn(async move {
                while let Ok(Some(message)) = ws.next().await {
                    let _ = ws.send(message).await;
                }
            });
        }
    }
}

/// A server's end of TLS that offers these protocols.
async fn in_tls<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    alpn: &[&[u8]],
) -> std::io::Result<tokio_rustls::server::TlsStream<S>> {
    let mut config = (*SERVER.0).clone();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config)).accept(stream).await
}

/// A connection whose other end is played by a task.
fn peer<F: Future<Output = ()> + Send + 'static>(
    play: impl FnOnce(DuplexStream) -> F,
) -> DuplexStream {
    let (near, far) = duplex(64 * 1024);
    tokio::spawn(play(far));
    near
}

/// Connects over this stream, says hello, and returns the answer.
async fn hello(stream: DuplexStream, url: &str, connector: &Connector) -> Result<Message, Error> {
    let (ws, connection) = ours::connect_on(stream, url, connector).await?;
    let driving = tokio::spawn(connection);
    let answer = say(ws).await?;
    // Nobody needs the connection any more.
    let ended = timeout(10 * SECOND, driving).await;
    ended.expect("the connection ends").unwrap().unwrap();
    Ok(answer)
}

async fn say(mut ws: ours::WebSocket) -> Result<Message, Error> {
    assert_eq!(ws.response().unwrap().status(), 200);
    ws.send("hello").await?;
    let answer = ws.next().await?.expect("an answer");
    ws.close_and_drain(1000, "").await?;
    Ok(answer)
}

async fn expect(stream: &mut DuplexStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn client_connects_over_tcp() {
    for scheme in ["ws", "wss"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if scheme == "ws" {
                serve(stream, Request::accept).await;
            } else {
                let stream = in_tls(stream, &[b"http/1.1", b"h2"]).await.unwrap();
                serve(stream, Request::accept).await;
            }
        });
        let url = format!("{scheme}://localhost:{port}/");
        let (ws, connection) = ours::connect_with(&*url, &connector()).await.unwrap();
        tokio::spawn(connection);
        assert_eq!(say(ws).await.unwrap(), "hello".into(), "{scheme}");
    }
}

#[tokio::test]
async fn client_connects_through_either_proxy() {
    let stream = peer(|mut stream| async move {
        let head = b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n";
        expect(&mut stream, head).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let stream = in_tls(stream, &[b"h2"]).await.unwrap();
        serve(stream, Request::accept).await;
    });
    let through = connector().with_proxy("http://proxy.invalid").unwrap();
    let answer = hello(stream, "wss://localhost/", &through).await;
    assert_eq!(answer.unwrap(), "hello".into());

    let stream = peer(|mut stream| async move {
        expect(&mut stream, b"\x05\x01\0").await;
        stream.write_all(b"\x05\0").await.unwrap();
        expect(&mut stream, b"\x05\x01\0\x03\x09localhost\0\x50").await;
        let reply = b"\x05\0\0\x01\0\0\0\0\0\0";
        stream.write_all(reply).await.unwrap();
        serve(stream, Request::accept).await;
    });
    let through = connector().with_proxy("socks5://proxy.invalid").unwrap();
    let answer = hello(stream, "ws://localhost/", &through).await;
    assert_eq!(answer.unwrap(), "hello".into());

    let stream = peer(|mut stream| async move {
        expect(&mut stream, b"\x05\x01\0").await;
        stream.write_all(b"\x05\xff").await.unwrap();
    });
    let refused = hello(stream, "ws://localhost/", &through).await;
    let expected = SocksError::NoAcceptableMethod;
    assert!(matches!(refused, Err(Error::SocksRefused(error)) if error == expected));
}

// RFC 9113 §3.2: `h2` is chosen by ALPN, or not spoken.
#[tokio::test]
async fn server_without_http_2_is_found_in_the_tls_handshake() {
    let rows: [(&'static [&'static [u8]], ErrorKind); 2] = [
        (&[b"http/1.1"], ErrorKind::InvalidData),
        (&[], ErrorKind::Unsupported),
    ];
    for (alpn, kind) in rows {
        let stream = peer(move |stream| async move {
            let _ = in_tls(stream, alpn).await;
        });
        let outcome = hello(stream, "wss://localhost/", &connector()).await;
        assert_eq!(step_of(outcome), Some((ConnectStep::Tls, kind)), "{alpn:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_on_request_and_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/0", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, |request| {
                let number: u32 = request.path()[1..].parse().unwrap();
                let to =
                    |location: &str| Answer::new(307).with_header("location", location).unwrap();
                match number {
                    0 | 1 => to(&format!("/{}", number + 1)),
                    2 => request.accept(),
                    _ => to("ftp://elsewhere/"),
                }
            }));
        }
    });
    let connected = ours::connect_with(&*url, &connector().with_max_redirects(2)).await;
    let (ws, connection) = connected.unwrap();
    tokio::spawn(connection);
    assert_eq!(say(ws).await.unwrap(), "hello".into());

    let outcome = ours::connect_with(&*url, &connector().with_max_redirects(1)).await;
    assert!(matches!(&outcome, Err(Error::TooManyRedirects(response)) if response.status() == 307));
    let outcome = ours::connect_with(&*url, &connector()).await;
    assert!(
        matches!(&outcome, Err(Error::Refused(response)) if response.header("location") == Some("/1"))
    );
    let elsewhere = url.replace("/0", "/9");
    let outcome = ours::connect_with(&*elsewhere, &connector().with_max_redirects(1)).await;
    assert!(matches!(outcome, Err(Error::Redirect(_))));
}

#[tokio::test]
async fn refusal_has_its_response() {
    let stream = peer(|stream| serve(stream, |request| request.reject(403)));
    let Err(Error::Refused(response)) = hello(stream, "ws://h/", &connector()).await else {
        panic!("not refused")
    };
    assert_eq!(response.status(), 403);
    assert_eq!(response.body(), b"403 Forbidden\n");
}

// Requirement 15: a deadline for each step.
#[tokio::test(start_paused = true)]
async fn silent_peer_ends_at_the_deadline_of_the_step() {
    let (stream, _silent) = duplex(1024);
    let through = impatient().with_proxy("socks5://proxy.invalid").unwrap();
    let outcome = hello(stream, "ws://localhost/", &through).await;
    let expected = Some((ConnectStep::Proxy, ErrorKind::TimedOut));
    assert_eq!(step_of(outcome), expected);

    let (stream, _silent) = duplex(1024);
    let trusting = impatient().with_tls(SERVER.1.clone());
    let outcome = hello(stream, "wss://localhost/", &trusting).await;
    let expected = Some((ConnectStep::Tls, ErrorKind::TimedOut));
    assert_eq!(step_of(outcome), expected);

    let late = ConnectionError::Timeout(DeadlineReason::Handshake);
    let (stream, _silent) = duplex(1024);
    let outcome = hello(stream, "ws://localhost/", &impatient()).await;
    assert!(matches!(outcome, Err(Error::Failed(error)) if error == late));

    // HTTP/2 begins; the request is not answered.
    let stream = peer(|stream| async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        let mut unanswered = Vec::new();
        while let Some(Ok(request)) = connection.accept().await {
            unanswered.push(request);
        }
    });
    let outcome = hello(stream, "ws://localhost/", &impatient()).await;
    assert!(matches!(outcome, Err(Error::Failed(error)) if error == late));
}

// A peer that dies is the same error in every step, as over TCP.
#[tokio::test]
async fn end_of_the_stream_has_its_step() {
    let read_once = |mut stream: DuplexStream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    };
    let through = connector().with_proxy("http://proxy.invalid").unwrap();
    let outcome = hello(peer(read_once), "ws://localhost/", &through).await;
    let expected = Some((ConnectStep::Proxy, ErrorKind::UnexpectedEof));
    assert_eq!(step_of(outcome), expected);
    let outcome = hello(peer(read_once), "wss://localhost/", &connector()).await;
    let expected = Some((ConnectStep::Tls, ErrorKind::UnexpectedEof));
    assert_eq!(step_of(outcome), expected);

    // Before the settings, before the response, and within the connection.
    let outcome = hello(peer(read_once), "ws://localhost/", &connector()).await;
    assert!(
        matches!(outcome, Err(Error::Failed(ConnectionError::UnexpectedEof))),
        "{outcome:?}"
    );
    for answers in [false, true] {
        let stream = peer(move |stream| async move {
            let mut builder = h2::server::Builder::new();
            builder.enable_connect_protocol();
            let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
            let (request, respond) = connection.accept().await.unwrap().unwrap();
            if answers {
                let ws = ours::accept(request, respond, &Config::new(), Request::accept);
                let mut ws = ws.unwrap().unwrap();
                let message = async { ws.next().await.unwrap().unwrap() };
                tokio::select! {
                    message = message => assert_eq!(message, "hello".into()),
                    _ = connection.accept() => panic!("no more requests"),
                }
                // Without a reset of the stream.
                std::mem::forget(ws);
            } else {
                std::mem::forget((request, respond));
            }
        });
        let outcome = hello(stream, "ws://localhost/", &connector()).await;
        let has_ended = matches!(outcome, Err(Error::Failed(ConnectionError::UnexpectedEof)));
        assert!(has_ended, "answers: {answers}: {outcome:?}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", closed.local_addr().unwrap());
    drop(closed);
    let outcome = ours::connect_with(&*url, &connector()).await;
    let expected = Some((ConnectStep::Tcp, ErrorKind::ConnectionRefused));
    assert_eq!(step_of(outcome), expected);
}

#[tokio::test]
async fn server_that_allows_no_extended_connect_is_an_error() {
    let stream = peer(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        assert!(connection.accept().await.is_none(), "nothing is asked");
    });
    let outcome = hello(stream, "ws://localhost/", &connector()).await;
    assert!(matches!(outcome, Err(Error::Io(error)) if error.kind() == ErrorKind::Unsupported));
}

/// Sends so much, with or without waiting for the end of the other direction,
/// and shuts down. Returns how much came.
async fn converse(ws: ours::WebSocket, len: usize, waits: bool) -> usize {
    let (mut reader, mut writer) = tokio::io::split(ws.into_tunnel());
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let sending = tokio::spawn(async move {
        if waits {
            has_ended.await.unwrap();
        }
        writer.write_all(&vec![7; len]).await.unwrap();
        writer.shutdown().await.unwrap();
        writer
    });
    let mut received = Vec::new();
    reader.read_to_end(&mut received).await.unwrap();
    let _ = ended.send(());
    drop(sending.await.unwrap());
    received.len()
}

// The connection still has some of what was sent when the last handle is dropped.
#[tokio::test]
async fn directions_of_a_tunnel_end_one_by_one() {
    const LEN: usize = 300_000;
    for (client_waits, server_waits) in [(true, false), (false, true), (false, false)] {
        let (near, far) = duplex(1000);
        let server = tokio::spawn(async move {
            let mut builder = h2::server::Builder::new();
            builder.enable_connect_protocol();
            let mut connection = builder.handshake::<_, Bytes>(far).await.unwrap();
            let (request, respond) = connection.accept().await.unwrap().unwrap();
            let ws = ours::accept(request, respond, &Config::new(), Request::accept);
            let ws = ws.unwrap().unwrap();
            let conversation = tokio::spawn(converse(ws, LEN, server_waits));
            while connection.accept().await.is_some() {}
            conversation.await.unwrap()
        });
        let connected = ours::connect_on(near, "ws://localhost/", &connector()).await;
        let (ws, connection) = connected.unwrap();
        tokio::spawn(connection);
        // Nothing here waits for a deadline.
        let ended = timeout(4 * SECOND, async {
            let received = converse(ws, LEN, client_waits).await;
            (received, server.await.unwrap())
        });
        let received = ended.await.expect("it stopped");
        assert_eq!(received, (LEN, LEN), "{client_waits} {server_waits}");
    }
}
