//! What a `Config` as an extension adds: compression, an origin check, deadlines;
//! and what axum's API has no method for.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use sansocket::axum::{Message, WebSocket, WebSocketUpgrade};
use sansocket::{
    CloseCode, Config, ConnectionError, DeadlineReason, Delivery, Error, Hosts, OriginPolicy,
    Prepared,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::axum::server::{connect, connect_http2, open, serve, soon, to};

async fn echo(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(echo_all)
}

async fn echo_all(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

fn echo_with(config: Config) -> Router {
    let route = any(echo).layer(Extension(config));
    Router::new().route("/", route).route("/default", any(echo))
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn compression_is_agreed_on() {
    let config = Config::new().with_deflate(sansocket::deflate::Options::new());
    let addr = serve(echo_with(config)).await;
    let mut plain = open(addr, "/default").await;
    assert!(plain.connection().deflate().is_none());
    let mut deflated = open(addr, "/").await;
    assert!(deflated.connection().deflate().is_some());
    let text = "again and ".repeat(1000);
    for ws in [&mut plain, &mut deflated] {
        ws.send(&text).await.unwrap();
        assert_eq!(soon(ws.next()).await.unwrap(), Some(text.as_str().into()));
    }
    let bytes = |ws: &sansocket::tokio::Client| ws.connection().counters().received.bytes;
    assert!(bytes(&deflated) < 1000 && bytes(&plain) > 10_000);
    let mut ws = connect_http2(addr, &to(addr, "/")).await.unwrap();
    assert!(ws.connection().deflate().is_some());
    ws.send(&text).await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), Some(text.into()));
}

// The echo returns when the close frame has been answered, also if it sends that
// back.
#[tokio::test]
async fn echo_closes_in_order() {
    let addr = serve(Router::new().route("/", any(echo))).await;
    let mut ws = open(addr, "/").await;
    ws.close(4000, "why").await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.clean, outcome.code), (true, 4000.into()));
}

/// The status with which a page of this origin is refused.
async fn refused(app: Router, origin: &str) -> Option<u16> {
    let addr = serve(app).await;
    let origin = origin.replace("ADDR", &addr.to_string());
    let refusals = [
        connect(to(addr, "/").with_origin(&origin).unwrap())
            .await
            .err(),
        connect_http2(addr, &to(addr, "/").with_origin(&origin).unwrap())
            .await
            .err(),
    ];
    let [one, two] = refusals.map(|error| {
        error.map(|error| match error {
            Error::Refused(response) => {
                let body = String::from_utf8_lossy(response.body()).into_owned();
                assert!(body.contains("not allowed"), "{body}");
                response.status()
            }
            error => panic!("{error}"),
        })
    });
    assert_eq!(one, two);
    one
}

#[tokio::test]
async fn foreign_pages_are_refused() {
    let evil = "https://evil.example";
    let default = || Router::new().route("/", any(echo));
    assert_eq!(refused(default(), evil).await, Some(403));
    assert_eq!(refused(default(), "http://ADDR").await, None);
    let any = Config::new().with_origin(OriginPolicy::Any);
    assert_eq!(refused(echo_with(any), evil).await, None);
    let listed = OriginPolicy::list(["https://good.example"]).unwrap();
    let listed = Config::new().with_origin(listed);
    assert_eq!(refused(echo_with(listed.clone()), evil).await, Some(403));
    assert_eq!(
        refused(echo_with(listed), "https://good.example").await,
        None
    );
    let hosts = Config::new().with_hosts(Hosts::list(["example.com"]).unwrap());
    assert_eq!(refused(echo_with(hosts), "http://ADDR").await, Some(421));
}

/// Reports why a connection ended.
fn reporting(config: Config) -> (Router, mpsc::UnboundedReceiver<Error>) {
    let (seen, sights) = mpsc::unbounded_channel();
    let handler = async move |ws: WebSocketUpgrade| {
        ws.on_upgrade(|mut socket| async move {
            while let Some(received) = socket.recv().await {
                if let Err(error) = received {
                    let error = error.into_inner().downcast::<Error>().unwrap();
                    seen.send(*error).unwrap();
                }
            }
        })
    };
    let app = Router::new()
        .route("/", any(handler))
        .layer(Extension(config));
    (app, sights)
}

#[tokio::test]
async fn silent_peer_is_given_up() {
    let config = Config::new()
        .with_ping_interval(Duration::from_millis(50))
        .with_pong_timeout(Duration::from_millis(100));
    let (app, mut sights) = reporting(config);
    let addr = serve(app).await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // It reads, and answers no ping.
    let mut received = Vec::new();
    soon(stream.read_to_end(&mut received)).await.unwrap();
    assert!(
        received.windows(2).any(|frame| frame == [0x89, 4]),
        "a ping"
    );
    let error = soon(sights.recv()).await.unwrap();
    let Error::Failed(ConnectionError::Timeout(reason)) = error else {
        panic!("{error}")
    };
    assert_eq!(reason, DeadlineReason::Pong);
}

#[tokio::test]
async fn limit_is_told_to_the_peer() {
    let handler = async |ws: WebSocketUpgrade| ws.max_message_size(10).on_upgrade(echo_all);
    let addr = serve(Router::new().route("/", any(handler))).await;
    let mut ws = open(addr, "/").await;
    ws.send("x".repeat(10)).await.unwrap();
    assert!(soon(ws.next()).await.unwrap().is_some());
    ws.send("x".repeat(11)).await.unwrap();
    while let Ok(Some(_)) = soon(ws.next()).await {}
    assert_eq!(ws.outcome().unwrap().code, CloseCode::MESSAGE_TOO_BIG);
}

#[tokio::test]
async fn messages_come_whole() {
    let config = Config::new().with_delivery(Delivery::Fragments);
    let addr = serve(echo_with(config)).await;
    let mut ws = open(addr, "/").await;
    ws.send("hello").await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), Some("hello".into()));
}

#[tokio::test]
async fn what_must_not_be_sent_is_an_error() {
    let (seen, mut sights) = mpsc::unbounded_channel();
    let handler = async move |ws: WebSocketUpgrade| {
        ws.on_upgrade(|mut socket| async move {
            let close = |code| {
                let reason = "".into();
                Message::Close(Some(sansocket::axum::CloseFrame { code, reason }))
            };
            for message in [close(999), close(1006), Message::Ping(vec![0; 126].into())] {
                let sent = socket.send(message).await;
                let error = sent.unwrap_err().into_inner().downcast::<Error>().unwrap();
                assert!(matches!(*error, Error::Send(_)), "{error}");
            }
            // As axum's own: no code is an empty close frame.
            socket.send(close(1005)).await.unwrap();
            let late = socket.send(Message::text("late")).await;
            seen.send(late.is_err()).unwrap();
            while socket.recv().await.is_some() {}
        })
    };
    let addr = serve(Router::new().route("/", any(handler))).await;
    let mut ws = open(addr, "/").await;
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    assert_eq!(ws.outcome().unwrap().code, CloseCode::NO_STATUS);
    assert_eq!(soon(sights.recv()).await, Some(true));
}

#[tokio::test]
async fn page_and_socket_share_a_route() {
    let handler = async |ws: Option<WebSocketUpgrade>| match ws {
        Some(ws) => ws.on_upgrade(echo_all),
        None => "a page".into_response(),
    };
    let addr = serve(Router::new().route("/", get(handler))).await;
    let mut ws = open(addr, "/").await;
    ws.send("hello").await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), Some("hello".into()));
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut page = String::new();
    soon(stream.read_to_string(&mut page)).await.unwrap();
    assert!(page.ends_with("\r\n\r\na page"), "{page}");
    // What asks for a WebSocket in vain gets no page.
    let foreign = to(addr, "/").with_origin("https://evil.example").unwrap();
    let error = connect(foreign).await.unwrap_err();
    assert!(matches!(error, Error::Refused(response) if response.status() == 403));
}

#[tokio::test]
async fn halves_of_the_library_are_there() {
    let handler = async |ws: WebSocketUpgrade| {
        ws.on_upgrade(|socket| async move {
            let (mut reader, mut writer) = socket.into_split();
            let prepared = Prepared::new("prepared");
            writer.send_prepared(&prepared).await.unwrap();
            writer.close(1000, "done").await.unwrap();
            while reader.next().await.unwrap().is_some() {}
            assert!(reader.outcome().unwrap().clean);
        })
    };
    let addr = serve(Router::new().route("/", any(handler))).await;
    let mut ws = open(addr, "/").await;
    assert_eq!(soon(ws.next()).await.unwrap(), Some("prepared".into()));
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    assert_eq!(&*ws.outcome().unwrap().reason, "done");
}
