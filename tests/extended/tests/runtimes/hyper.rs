//! Within hyper: nothing is lost at the upgrade, compression is agreed on, and
//! HTTP/2 carries many WebSockets over one connection.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use crate::wire::wire;
use http_body_util::{Empty, Full};
use hyper::Method;
use hyper::body::{Bytes, Incoming};
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::adapter::http;
use sansocket::hyper::{Error, connect, on_upgrade, upgrade};
use sansocket::{
    Answer, ClientRequest, Config, ConnectionError, Delivery, Event, Message, Rejection, Request,
    Role,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::timeout;

fn config() -> Config {
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new());
    config
}

fn answer(request: &Request) -> Answer {
    match (request.is_upgrade(), request.target()) {
        (true, "/chat") => request.accept(),
        (true, _) => request.reject(404),
        (false, _) => Answer::new(200).with_body("a page"),
    }
}

/// Serves one connection, HTTP/1.1 or HTTP/2, with an echo.
fn serve() -> DuplexStream {
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(async move {
        let echo = service_fn(|mut request: hyper::Request<Incoming>| async move {
            let response = on_upgrade(&mut request, &config(), answer, async |mut ws| {
                while let Some(message) = ws.next().await? {
                    ws.send(message).await?;
                }
                Ok::<(), Error>(())
            });
            Ok::<hyper::Response<Full<Bytes>>, Infallible>(response)
        });
        let mut server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        server.http2().enable_connect_protocol();
        let _ = server
            .serve_connection_with_upgrades(TokioIo::new(ours), echo)
            .await;
    });
    theirs
}

async fn raw(request: &[u8], len: usize) -> Vec<u8> {
    let mut stream = serve();
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; len];
    let read = timeout(Duration::from_secs(10), stream.read_exact(&mut answer));
    read.await.expect("an answer").unwrap();
    answer
}

const HEAD: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

// Requirement 20: frames in the same packet as the head.
#[tokio::test]
async fn bytes_behind_the_head_are_kept() {
    let mut bytes = format!("{HEAD}\r\n").into_bytes();
    bytes.extend(wire(Role::Client).text("glued").close(1000, "").bytes());
    let mut stream = serve();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer));
    read.await.expect("the end").unwrap();
    let head_len = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap()
        + 4;
    let head = String::from_utf8(answer[..head_len].to_vec()).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    let frames = wire(Role::Server).text("glued").close(1000, "").bytes();
    assert_eq!(&answer[head_len..], frames);
}

#[tokio::test]
async fn requests_that_are_none_are_answered() {
    let rows = [
        (
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
            "HTTP/1.1 200",
        ),
        (
            format!("{HEAD}\r\n").replace("/chat", "/other"),
            "HTTP/1.1 404",
        ),
        (format!("{HEAD}\r\n").replace("GET", "POST"), "HTTP/1.1 405"),
        (format!("{HEAD}\r\n").replace("13", "12"), "HTTP/1.1 426"),
        (
            format!("{HEAD}\r\n").replace("Host: h", "X: y"),
            "HTTP/1.1 400",
        ),
        (
            format!("{HEAD}Content-Length: 3\r\n\r\nabc"),
            "HTTP/1.1 400",
        ),
        (
            format!("{HEAD}Origin: https://evil.example\r\n\r\n"),
            "HTTP/1.1 403",
        ),
    ];
    for (request, status) in rows {
        let answer = raw(request.as_bytes(), status.len()).await;
        assert_eq!(String::from_utf8(answer).unwrap(), status, "{request}");
    }
}

// Requirement 2: what hyper's own client and server shook hands over.
#[tokio::test]
async fn client_and_server_echo_by_http_1() {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(serve()))
        .await
        .unwrap();
    tokio::spawn(connection.with_upgrades());
    let to = ClientRequest::to("ws://example.com/chat").unwrap();
    let (request, offer) = http::offer(&to, &config()).unwrap();
    let request = request.map(|()| Empty::<Bytes>::new());
    let response = sender.send_request(request).await.unwrap();
    let mut ws = connect(response, &offer, &config()).await.unwrap();
    let response = ws.take_response().expect("a response");
    assert_eq!(response.header("upgrade"), Some("websocket"));
    let text = "compressed ".repeat(1000);
    ws.send(&text).await.unwrap();
    assert_eq!(ws.next().await.unwrap(), Some(Message::from(&text)));
    #[cfg(feature = "deflate")]
    assert!(ws.connection().deflate().is_some());
    ws.close(1000, "").await.unwrap();
    assert_eq!(ws.next().await.unwrap(), None);
    assert!(ws.outcome().unwrap().clean);
}

#[tokio::test]
async fn client_is_told_that_it_was_refused() {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(serve()))
        .await
        .unwrap();
    tokio::spawn(connection.with_upgrades());
    let to = ClientRequest::to("ws://example.com/other").unwrap();
    let (request, offer) = http::offer(&to, &config()).unwrap();
    let request = request.map(|()| Empty::<Bytes>::new());
    let response = sender.send_request(request).await.unwrap();
    let refused = connect(response, &offer, &config()).await.unwrap_err();
    let Error::Refused(refusal) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refusal.status(), 404);
    assert!(refusal.header("content-type").is_some());
    assert!(!refusal.body().is_empty() && !refusal.is_truncated());
}

// The limit, a body that breaks off, and one that never ends.
#[tokio::test(start_paused = true)]
async fn body_of_a_refusal_is_bounded() {
    let to = ClientRequest::to("ws://example.com/").unwrap();
    let config = config().with_max_body_len(10);
    for (body, expected) in [
        (
            "Content-Length: 10\r\n\r\n0123456789",
            ("0123456789", false),
        ),
        (
            "Content-Length: 11\r\n\r\n0123456789a",
            ("0123456789", true),
        ),
        ("Content-Length: 9\r\n\r\n0123", ("0123", true)),
    ] {
        for ends in [true, false] {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(ours))
                    .await
                    .unwrap();
            tokio::spawn(connection.with_upgrades());
            let (request, offer) = http::offer(&to, &config).unwrap();
            let request = request.map(|()| Empty::<Bytes>::new());
            let answer = format!("HTTP/1.1 403 Forbidden\r\n{body}");
            let answering = async {
                theirs.read_buf(&mut Vec::new()).await.unwrap();
                theirs.write_all(answer.as_bytes()).await.unwrap();
                if ends {
                    theirs.shutdown().await.unwrap();
                }
            };
            let (response, ()) = tokio::join!(sender.send_request(request), answering);
            let response = response.unwrap();
            let refused = connect(response, &offer, &config).await.unwrap_err();
            let Error::Refused(refusal) = refused else {
                panic!("{refused:?}")
            };
            let told = (refusal.body(), refusal.is_truncated());
            assert_eq!(told, (expected.0.as_bytes(), expected.1), "{body}");
        }
    }
}

// Requirement 36: many sockets over one connection of HTTP/2, large messages
// through its flow control, and pieces as they come.
#[tokio::test]
async fn sockets_share_a_connection_of_http_2() {
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(serve()))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut tasks = Vec::new();
    for number in 0..20_u8 {
        let mut sender = sender.clone();
        tasks.push(tokio::spawn(async move {
            // The server's settings come first.
            sender.ready().await.unwrap();
            let to = ClientRequest::to("wss://example.com/chat").unwrap();
            let (mut request, offer) = http::offer_extended_connect(&to, &config());
            let protocol = Protocol::from_static("websocket");
            request.extensions_mut().insert(protocol);
            let request = request.map(|()| Empty::<Bytes>::new());
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let config = config().with_delivery(Delivery::Fragments);
            let ws = connect(response, &offer, &config).await.unwrap();
            let (mut reader, mut writer) = ws.split();
            let payload: Vec<u8> = (0..300_000_u32)
                .map(|n| (n.wrapping_mul(n) >> 7) as u8 ^ number)
                .collect();
            let sent = payload.clone();
            let sending = tokio::spawn(async move {
                writer.send(sent).await.unwrap();
                writer.close(1000, "").await.unwrap();
            });
            let (mut received, mut ends) = (Vec::new(), 0);
            while let Some(event) = reader.next_event().await.unwrap() {
                if let Event::Fragment(fragment) = event {
                    ends += usize::from(fragment.fin);
                    received.extend_from_slice(fragment.payload.as_bytes());
                }
            }
            assert!(received == payload && ends == 1, "{number}");
            sending.await.unwrap();
        }));
    }
    for task in tasks {
        timeout(Duration::from_secs(60), task)
            .await
            .expect("no stall")
            .unwrap();
    }
}

#[tokio::test]
async fn http_2_without_a_protocol_is_no_websocket() {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(serve()))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut send = async |protocol: Option<&'static str>, version: &str| {
        sender.ready().await.unwrap();
        let mut request = hyper::Request::builder()
            .method(Method::CONNECT)
            .uri("https://example.com/chat")
            .header("sec-websocket-version", version);
        if let Some(protocol) = protocol {
            request = request.extension(Protocol::from_static(protocol));
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        sender
            .send_request(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(send(Some("websocket"), "13").await, 200);
    assert_eq!(send(Some("connect-udp"), "13").await, 426);
    assert_eq!(send(Some("websocket"), "8").await, 426);
    assert_eq!(send(None, "13").await, 400);
}

// RFC 9113 §8.2.2: fields of one connection are malformed there.
#[test]
fn answers_by_http_2_have_no_fields_of_the_connection() {
    use ::http::Version;
    let rows: [(Version, &str, u16, bool); 4] = [
        (Version::HTTP_11, "13", 426, true),
        (Version::HTTP_11, "8", 426, true),
        (Version::HTTP_2, "13", 426, false),
        (Version::HTTP_2, "8", 426, false),
    ];
    for (version, websocket, status, is_named) in rows {
        let builder = ::http::Request::get("https://h/chat").version(version);
        let builder = builder.header("sec-websocket-version", websocket);
        let mut request = builder.header("host", "h").body(()).unwrap();
        if websocket == "8" && !is_named {
            *request.method_mut() = Method::CONNECT;
            let protocol = Protocol::from_static("websocket");
            request.extensions_mut().insert(protocol);
        } else if websocket == "8" {
            let fields = request.headers_mut();
            fields.insert("upgrade", "websocket".parse().unwrap());
            fields.insert("connection", "upgrade".parse().unwrap());
            fields.insert(
                "sec-websocket-key",
                "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap(),
            );
        }
        let (response, ws) = upgrade::<_, Vec<u8>>(&mut request, &config(), Request::accept);
        assert!(ws.is_none(), "{version:?} {websocket}");
        assert_eq!(response.status(), status, "{version:?} {websocket}");
        let body = String::from_utf8_lossy(response.body());
        let rejection = response.extensions().get::<Rejection>();
        // The others are plain requests, which the application answered.
        assert_eq!(rejection.is_some(), websocket == "8");
        if let Some(rejection) = rejection {
            assert_eq!(rejection.status(), status);
            assert!(body.contains(&rejection.error().to_string()), "{body}");
        }
        let fields = response.headers();
        assert_eq!(fields["sec-websocket-version"], "13");
        assert_eq!(
            fields.contains_key("upgrade"),
            is_named,
            "{version:?} {websocket}"
        );
        assert_eq!(
            fields.contains_key("connection"),
            is_named,
            "{version:?} {websocket}"
        );
    }
}

#[test]
fn requests_of_any_version_have_a_host_and_a_target() {
    use ::http::Version;
    type Row<'r> = (
        Version,
        &'r str,
        Option<&'r str>,
        Result<(&'r str, Option<&'r str>), u16>,
    );
    let rows: [Row<'_>; 8] = [
        (Version::HTTP_10, "/a?b", None, Ok(("/a?b", None))),
        (Version::HTTP_10, "/", Some("h"), Ok(("/", Some("h")))),
        (Version::HTTP_11, "/", Some("h"), Ok(("/", Some("h")))),
        (Version::HTTP_11, "/", None, Err(400)),
        (
            Version::HTTP_11,
            "http://real/a",
            Some("h"),
            Ok(("/a", Some("real"))),
        ),
        (Version::HTTP_11, "http://real/a", None, Err(400)),
        (
            Version::HTTP_2,
            "https://real/a",
            None,
            Ok(("/a", Some("real"))),
        ),
        (Version::HTTP_2, "https://user@real/a", None, Err(400)),
    ];
    for (version, uri, host, expected) in rows {
        let mut builder = ::http::Request::get(uri).version(version);
        // RFC 9110 §7.8: counts by HTTP/1.1 alone.
        if version != Version::HTTP_11 {
            builder = builder
                .header("upgrade", "websocket")
                .header("connection", "upgrade");
        }
        if let Some(host) = host {
            builder = builder.header("host", host);
        }
        let received = http::request(&builder.body(()).unwrap(), &config());
        let told = format!("{version:?} {uri} {host:?}");
        assert!(
            received.as_ref().is_ok_and(|request| !request.is_upgrade()) || expected.is_err(),
            "{told}"
        );
        let parts = received
            .as_ref()
            .map(|request| (request.target(), request.host()));
        assert_eq!(
            parts.map_err(sansocket::Rejection::status),
            expected,
            "{told}"
        );
    }
}

// Whatever our `Uri` accepts, another library asks for.
#[test]
fn offers_ask_for_the_path_of_the_uri() {
    let mut accepted = BTreeSet::new();
    for c in '!'..='~' {
        for (before, after) in [("/a", "b?c"), ("/a?b", "c"), ("/", ""), ("?", "")] {
            let uri = format!("wss://example.com:81{before}{c}{after}");
            let Ok(to) = ClientRequest::to(&uri) else {
                continue;
            };
            let (request, _) = http::offer(&to, &config()).unwrap();
            let target = request
                .uri()
                .path_and_query()
                .map(::http::uri::PathAndQuery::as_str);
            assert_eq!(target, Some(to.uri().resource_name()), "{uri}");
            let (request, _) = http::offer_extended_connect(&to, &config());
            let target = request
                .uri()
                .path_and_query()
                .map(::http::uri::PathAndQuery::as_str);
            assert_eq!(target, Some(to.uri().resource_name()), "{uri}");
            assert_eq!(
                request.uri().authority().unwrap(),
                "example.com:81",
                "{uri}"
            );
            accepted.insert(c);
        }
        // In the host, too.
        if let Ok(to) = ClientRequest::to(&format!("ws://a{c}b/")) {
            let (request, _) = http::offer_extended_connect(&to, &config());
            let authority = request
                .uri()
                .authority()
                .map(::http::uri::Authority::as_str);
            assert_eq!(authority, Some(to.uri().authority()), "{c}");
        }
    }
    assert_eq!(accepted.len(), 94 - "\"<>\\^`{|}#%".len());
    for len in [8, 65_534] {
        let to = ClientRequest::to(&format!("ws://h/{}", "a".repeat(len - 7))).unwrap();
        let (request, _) = http::offer(&to, &config()).unwrap();
        assert_eq!(request.uri().path().len(), len - 6);
    }
}

// Bad input: a stream that is reset in the middle.
#[tokio::test]
async fn reset_of_a_stream_is_told() {
    for (reason, expected) in [
        // RFC 8441 §5: like a TCP connection that is reset; hyper reports its end.
        (h2::Reason::CANCEL, None),
        (h2::Reason::INTERNAL_ERROR, Some(io::ErrorKind::Other)),
    ] {
        let (ours, theirs) = duplex(64 * 1024);
        let (tell, mut told) = mpsc::channel(1);
        tokio::spawn(async move {
            let service = service_fn(|mut request: hyper::Request<Incoming>| {
                let tell = tell.clone();
                let (response, ws) = upgrade(&mut request, &config(), answer);
                tokio::spawn(async move {
                    let mut ws = ws.expect("an upgrade").await.unwrap();
                    let message = ws.next().await.unwrap();
                    let _ = tell.send((message, ws.next().await)).await;
                });
                async move { Ok::<hyper::Response<Full<Bytes>>, Infallible>(response) }
            });
            let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            server.enable_connect_protocol();
            let _ = server.serve_connection(TokioIo::new(ours), service).await;
        });
        let (client, connection) = h2::client::handshake(theirs).await.unwrap();
        tokio::spawn(connection);
        let to = ClientRequest::to("wss://example.com/chat").unwrap();
        let (mut head, _) = http::offer_extended_connect(&to, &Config::new());
        let protocol = h2::ext::Protocol::from_static("websocket");
        head.extensions_mut().insert(protocol);
        let mut client = client.ready().await.unwrap();
        let (response, mut send) = client.send_request(head, false).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        let frame = wire(Role::Client).text("whole").bytes().to_vec();
        send.send_data(frame.into(), false).unwrap();
        // h2 discards data that precedes a reset.
        tokio::time::sleep(Duration::from_millis(50)).await;
        send.send_reset(reason);
        let (message, end) = told.recv().await.unwrap();
        assert_eq!(message, Some("whole".into()));
        match (end.unwrap_err(), expected) {
            (Error::Failed(error), None) => assert_eq!(error, ConnectionError::UnexpectedEof),
            (Error::Io(error), Some(kind)) => assert_eq!(error.kind(), kind, "{error}"),
            (error, _) => panic!("{error}"),
        }
    }
}
