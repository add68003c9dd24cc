//! The steps of connecting over a stream of the caller's own, for each adapter.

use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::clients::{
    OVER_STREAM, SERVER, connector, echo, echo_in_tls, head, impatient, peer, silent, step_of,
};
use sansocket::adapter::{ConnectStep, Error};
use sansocket::blocking::{self, Duplex, Socket};
use sansocket::{Config, ConnectionError, DeadlineReason, Event, tokio as ours};

#[test]
fn handshake_passes_over_the_callers_stream() {
    for (name, connect) in OVER_STREAM {
        let (stream, thread) = peer(echo);
        let answer = connect(stream, "ws://localhost/", &connector());
        assert_eq!(answer.unwrap(), "hello", "{name}");
        thread.join().unwrap();
    }
}

#[test]
fn tls_passes_over_the_callers_stream() {
    for (name, connect) in OVER_STREAM {
        let (stream, thread) = peer(echo_in_tls);
        let answer = connect(stream, "wss://localhost/", &connector());
        assert_eq!(answer.unwrap(), "hello", "{name}");
        thread.join().unwrap();

        let (stream, thread) = peer(echo_in_tls);
        let outcome = connect(stream, "wss://other.example/", &connector());
        let expected = Some((ConnectStep::Tls, ErrorKind::InvalidData));
        assert_eq!(step_of(outcome), expected, "{name}: another's certificate");
        thread.join().unwrap();
    }
}

// The stream leads to the proxy: the tunnel comes first, TLS passes through it.
#[test]
fn stream_to_a_proxy_leads_through_it() {
    for (name, connect) in OVER_STREAM {
        for (url, target) in [
            ("ws://localhost/", "localhost:80"),
            ("wss://localhost/", "localhost:443"),
        ] {
            let (stream, thread) = peer(move |mut stream| {
                let asked = head(&mut stream);
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                if target.ends_with("443") {
                    echo_in_tls(stream);
                } else {
                    echo(stream);
                }
                asked
            });
            // Nobody dials it.
            let through = connector().with_proxy("http://proxy.invalid").unwrap();
            assert_eq!(connect(stream, url, &through).unwrap(), "hello", "{name}");
            let expected = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
            assert_eq!(thread.join().unwrap(), expected, "{name}");
        }
    }
}

// Requirement 15: a deadline for each step.
#[test]
fn silent_peer_ends_at_the_deadline_of_the_step() {
    for (name, connect) in OVER_STREAM {
        let (stream, thread) = peer(silent);
        let through = impatient().with_proxy("http://proxy.invalid").unwrap();
        let outcome = connect(stream, "ws://example.com/", &through);
        let expected = Some((ConnectStep::Proxy, ErrorKind::TimedOut));
        assert_eq!(step_of(outcome), expected, "{name}");
        thread.join().unwrap();

        let (stream, thread) = peer(silent);
        let trusting = impatient().with_tls(SERVER.1.clone());
        let outcome = connect(stream, "wss://localhost/", &trusting);
        let expected = Some((ConnectStep::Tls, ErrorKind::TimedOut));
        assert_eq!(step_of(outcome), expected, "{name}");
        thread.join().unwrap();

        let (stream, thread) = peer(silent);
        let outcome = connect(stream, "ws://localhost/", &impatient());
        let late = ConnectionError::Timeout(DeadlineReason::Handshake);
        let is_late = matches!(&outcome, Err(Error::Failed(failure)) if *failure == late);
        assert!(is_late, "{name}: {outcome:?}");
        thread.join().unwrap();
    }
}

// There is no other stream to follow it with.
#[test]
fn redirect_is_a_refusal() {
    for (name, connect) in OVER_STREAM {
        let (stream, thread) = peer(|mut stream| {
            head(&mut stream);
            let answer = b"HTTP/1.1 307 Elsewhere\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
        });
        let outcome = connect(
            stream,
            "ws://localhost/",
            &connector().with_max_redirects(3),
        );
        let Err(Error::Refused(response)) = outcome else {
            panic!("{name}: {outcome:?}")
        };
        assert_eq!(response.header("location"), Some("/x"), "{name}");
        thread.join().unwrap();
    }
}

#[test]
fn end_of_the_stream_has_its_step() {
    for (name, connect) in OVER_STREAM {
        let read_once = |stream: UnixStream| drop(stream.read(&mut [0; 4096]));
        let (stream, thread) = peer(read_once);
        let through = connector().with_proxy("http://proxy.invalid").unwrap();
        let (step, _) = step_of(connect(stream, "ws://localhost/", &through)).unwrap();
        assert_eq!(step, ConnectStep::Proxy, "{name}");
        thread.join().unwrap();
        let (stream, thread) = peer(read_once);
        let (step, _) = step_of(connect(stream, "wss://localhost/", &connector())).unwrap();
        assert_eq!(step, ConnectStep::Tls, "{name}");
        thread.join().unwrap();
        let (stream, thread) = peer(read_once);
        let outcome = connect(stream, "ws://localhost/", &connector());
        let has_ended = matches!(outcome, Err(Error::Failed(ConnectionError::UnexpectedEof)));
        assert!(has_ended, "{name}: {outcome:?}");
        thread.join().unwrap();
    }
}

/// A stream that knows no timeouts, one byte at a time.
struct Own(UnixStream);

impl Duplex for Own {
    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buf[..1])
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..1])
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn blocking_stream_of_any_type_can_be_split() {
    for url in ["ws://localhost/", "wss://localhost/"] {
        let (stream, thread) = peer(move |stream| match url {
            "ws://localhost/" => echo(stream),
            _ => echo_in_tls(stream),
        });
        let ws = blocking::connect_on(Own(stream), None, url, &connector()).unwrap();
        let (mut reader, mut writer) = ws.split();
        writer.send("hello").unwrap();
        assert_eq!(reader.next().unwrap(), Some("hello".into()), "{url}");
        drop((reader, writer));
        thread.join().unwrap();
    }
}

#[test]
fn blocking_stream_has_its_own_timeouts_again() {
    const OWN: Option<Duration> = Some(Duration::from_secs(77));
    let (stream, thread) = peer(|mut stream| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        echo_in_tls(stream);
    });
    stream.set_read_timeout(OWN).unwrap();
    stream.set_write_timeout(OWN).unwrap();
    let through = connector().with_proxy("http://proxy.invalid").unwrap();
    let url = "wss://localhost/";
    let ws = blocking::connect_on(stream, Socket::unix(), url, &through).unwrap();
    let stream = ws.into_stream().stream;
    assert_eq!(stream.get_ref().read_timeout().unwrap(), OWN);
    assert_eq!(stream.get_ref().write_timeout().unwrap(), OWN);
    drop(stream);
    thread.join().unwrap();
}

/// Goes on with the stream below a client, in TLS or not: what was not yet sent
/// leaves first, and another WebSocket takes the rest.
macro_rules! goes_on {
    ($ws:ident, $WebSocket:ty, [$($wait:tt)*]) => {{
        $ws.feed("unsent") $($wait)* .unwrap();
        let sansocket::adapter::Parts { mut stream, read_ahead, unsent, .. } = $ws.into_stream();
        assert!(read_ahead.is_empty());
        assert_eq!(unsent.len(), 2 + 4 + "unsent".len(), "a masked frame");
        stream.write_all(&unsent) $($wait)* .unwrap();
        stream.flush() $($wait)* .unwrap();
        let (role, agreement) = (sansocket::Role::Client, sansocket::Agreement::default());
        let config = Config::new();
        let mut ws = <$WebSocket>::upgraded(stream, role, agreement, read_ahead, &config);
        assert_eq!(ws.next() $($wait)* .unwrap(), Some("unsent".into()));
        ws.send("on") $($wait)* .unwrap();
        assert_eq!(ws.next() $($wait)* .unwrap(), Some("on".into()));
        ws.close_and_drain(1000, "") $($wait)* .unwrap();
    }};
}

#[test]
fn stream_below_a_client_is_one_as_any_other() {
    let server = |url: &'static str| {
        let (stream, thread) = peer(move |stream| match url {
            "ws://localhost/" => echo(stream),
            _ => echo_in_tls(stream),
        });
        stream.set_nonblocking(true).unwrap();
        (stream, thread)
    };
    for url in ["ws://localhost/", "wss://localhost/"] {
        let (stream, thread) = server(url);
        stream.set_nonblocking(false).unwrap();
        let mut ws = blocking::connect_on(stream, Socket::unix(), url, &connector()).unwrap();
        assert!(ws.get_ref().get_ref().peer_addr().is_ok());
        assert!(ws.get_mut().get_mut().local_addr().is_ok());
        goes_on!(ws, blocking::WebSocket<blocking::Stream<UnixStream>>, []);
        thread.join().unwrap();

        let (stream, thread) = server(url);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            use tokio::io::AsyncWriteExt;

            let stream = tokio::net::UnixStream::from_std(stream).unwrap();
            let mut ws = ours::connect_on(stream, url, &connector()).await.unwrap();
            assert!(ws.get_ref().get_ref().peer_addr().is_ok());
            assert!(ws.get_mut().get_mut().local_addr().is_ok());
            goes_on!(ws, ours::WebSocket<ours::Stream<tokio::net::UnixStream>>, [.await]);
        });
        thread.join().unwrap();

        let (stream, thread) = server(url);
        smol::block_on(async {
            use futures_util::AsyncWriteExt;

            let stream = smol::Async::new(stream).unwrap();
            let sleep = |duration| async move {
                smol::Timer::after(duration).await;
            };
            let connector = connector();
            let ws = sansocket::futures::connect_on(stream, url, &connector, sleep);
            let mut ws = ws.await.unwrap();
            assert!(ws.get_ref().get_ref().get_ref().peer_addr().is_ok());
            assert!(ws.get_mut().get_mut().get_ref().local_addr().is_ok());
            type Stream = sansocket::futures::Stream<smol::Async<UnixStream>>;
            goes_on!(ws, sansocket::futures::WebSocket<Stream>, [.await]);
        });
        thread.join().unwrap();
    }
}

// TLS of another library: no TLS is added to what the caller has secured.
#[test]
fn client_connects_in_tls_of_its_own() {
    let (stream, thread) = peer(echo_in_tls);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(crate::clients::certificate()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    );
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    runtime.block_on(async {
        let stream = tokio::net::UnixStream::from_std(stream).unwrap();
        let tls = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
        let name = "localhost".try_into().unwrap();
        let stream = tls.connect(name, stream).await.unwrap();
        let request = "wss://localhost/".try_into().unwrap();
        let ws = ours::WebSocket::client(stream, &request, &Config::new()).unwrap();
        let mut ws = ws.connect().await.unwrap();
        assert!(ws.response().is_some());
        ws.send("hello").await.unwrap();
        let event = ws.next_event().await.unwrap();
        assert_eq!(event, Some(Event::Message("hello".into())));
    });
    thread.join().unwrap();
}
