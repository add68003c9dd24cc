//! Programs that use everything that axum documents of its extractor, with the
//! module `ws` of the parent. Nothing in here knows whose it is.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::HeaderValue;
use axum::response::Response;
use axum::routing::{any, get};
use bytes::Bytes;
use futures_util::stream::{FusedStream, SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, Stream, StreamExt, stream};
use sansocket::{CloseCode, Event, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};

use super::ws::{
    self, CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code,
    rejection::WebSocketUpgradeRejection,
};
use crate::axum::server::{connect, connect_http2, open, serve, soon, to};
use crate::wire::wire;

// An echo: the smallest program.

async fn echo(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(echo_all)
}

async fn echo_all(mut socket: WebSocket) {
    while let Some(received) = socket.recv().await {
        let Ok(message) = received else { return };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn echo_returns_what_came() {
    let addr = serve(Router::new().route("/ws", any(echo))).await;
    let mut ws = open(addr, "/ws").await;
    let large = "large ".repeat(100_000);
    for text in ["", "small", &large] {
        ws.send(text).await.unwrap();
        assert_eq!(soon(ws.next()).await.unwrap(), Some(text.into()));
        ws.send(text.as_bytes()).await.unwrap();
        assert_eq!(soon(ws.next()).await.unwrap(), Some(text.as_bytes().into()));
    }
    // axum's own drops the connection without an answer.
    ws.close(1000, "").await.unwrap();
    while let Ok(Some(_)) = soon(ws.next()).await {}
    assert!(ws.outcome().is_some());
}

// The echo again, as combinators of streams and as two tasks.

async fn forwarded(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(|socket| async {
        let (sink, stream) = socket.split();
        let _ = stream
            .filter(|message| {
                let is_text = matches!(message, Ok(Message::Text(_)));
                async move { is_text }
            })
            .forward(sink)
            .await;
    })
}

async fn in_two_tasks(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(|socket| async {
        let (sink, stream) = socket.split();
        let (heard, to_say) = mpsc::channel(4);
        let writing = tokio::spawn(write(sink, to_say));
        read(stream, heard).await;
        writing.await.unwrap();
    })
}

async fn read(mut stream: SplitStream<WebSocket>, heard: mpsc::Sender<Message>) {
    while let Some(Ok(message)) = stream.next().await {
        if heard.send(message).await.is_err() {
            return;
        }
    }
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut to_say: mpsc::Receiver<Message>) {
    while let Some(message) = to_say.recv().await {
        if let Message::Text(text) = message {
            let text = Message::Text(text.to_uppercase().into());
            sink.send(text).await.unwrap();
        }
    }
}

#[tokio::test]
async fn halves_are_used_by_two_tasks() {
    let app = Router::new()
        .route("/forwarded", get(forwarded))
        .route("/tasks", get(in_two_tasks));
    let addr = serve(app).await;
    for (path, answer) in [("/forwarded", "hello"), ("/tasks", "HELLO")] {
        let mut ws = open(addr, path).await;
        for _ in 0..100 {
            ws.send("hello").await.unwrap();
            assert_eq!(soon(ws.next()).await.unwrap(), Some(answer.into()));
        }
        ws.close(1000, "").await.unwrap();
        assert_eq!(soon(ws.next()).await.unwrap(), None);
    }
}

// A visitor who is sent pings, the time and a goodbye, while everything received is
// inspected.

#[axum::debug_handler]
async fn visit(
    ws: WebSocketUpgrade,
    ConnectInfo(addr): ConnectInfo<SocketAddr>,
    State(seen): State<mpsc::UnboundedSender<String>>,
) -> Response {
    ws.on_upgrade(move |socket| visited(socket, addr, seen))
}

async fn visited(mut socket: WebSocket, addr: SocketAddr, seen: mpsc::UnboundedSender<String>) {
    let ping = Bytes::from_static(&[1, 2, 3]);
    if socket.send(Message::Ping(ping)).await.is_err() {
        return;
    }
    if let Some(Ok(first)) = socket.recv().await
        && look_at(&first, &seen).is_break()
    {
        return;
    }
    let (mut sink, mut stream) = socket.split();
    let mut saying = tokio::spawn(async move {
        for count in 0..3 {
            let text = format!("{addr} {count}");
            sink.send(Message::Text(text.into())).await.unwrap();
        }
        let goodbye = CloseFrame {
            code: close_code::NORMAL,
            reason: Utf8Bytes::from_static("goodbye"),
        };
        sink.send(Message::Close(Some(goodbye))).await.unwrap();
        // Nothing may follow.
        sink.send(Message::text("late")).await.unwrap_err();
    });
    let mut hearing = tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            if look_at(&message, &seen).is_break() {
                break;
            }
        }
        let _ = seen.send("end".into());
    });
    let (said, heard) = tokio::join!(&mut saying, &mut hearing);
    said.unwrap();
    heard.unwrap();
}

fn look_at(message: &Message, seen: &mpsc::UnboundedSender<String>) -> ControlFlow<()> {
    let text = match message {
        Message::Text(text) => format!("text {text}"),
        Message::Binary(bytes) => format!("binary {bytes:?}"),
        Message::Ping(payload) => format!("ping {payload:?}"),
        Message::Pong(payload) => format!("pong {payload:?}"),
        Message::Close(Some(frame)) => format!("close {} {}", frame.code, frame.reason),
        Message::Close(None) => "close".into(),
    };
    let _ = seen.send(text);
    if let Message::Close(_) = message {
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}

#[tokio::test]
async fn handler_sees_control_frames_and_closes() {
    let (seen, mut sights) = mpsc::unbounded_channel();
    let addr = serve(Router::new().route("/", any(visit)).with_state(seen)).await;
    let mut ws = open(addr, "/").await;
    let ping = soon(ws.next_event()).await.unwrap();
    assert!(matches!(ping, Some(Event::Ping(payload)) if *payload == [1, 2, 3]));
    let own = ws.tcp().local_addr().unwrap();
    for count in 0..3 {
        let text = format!("{own} {count}");
        assert_eq!(soon(ws.next()).await.unwrap(), Some(text.into()));
    }
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    let outcome = ws.outcome().unwrap();
    assert_eq!(
        (outcome.code, &*outcome.reason),
        (CloseCode::NORMAL, "goodbye")
    );
    for sight in [r#"pong b"\x01\x02\x03""#, "close 1000 ", "end"] {
        let seen = soon(sights.recv()).await.unwrap();
        assert!(seen.starts_with(sight), "{seen}");
    }
}

// A chat: a name first, then what each says, all hear.

struct Room {
    names: Mutex<HashSet<String>>,
    said: broadcast::Sender<String>,
}

async fn join(ws: WebSocketUpgrade, State(room): State<Arc<Room>>) -> Response {
    ws.on_upgrade(|socket| chat(socket, room))
}

async fn chat(socket: WebSocket, room: Arc<Room>) {
    let (mut sink, mut stream) = socket.split();
    let Some(Ok(Message::Text(name))) = stream.next().await else {
        return;
    };
    if !room.names.lock().unwrap().insert(name.to_string()) {
        let taken = Utf8Bytes::from_static("that name is taken");
        let _ = sink.send(Message::Text(taken)).await;
        return;
    }
    let mut hears = room.said.subscribe();
    let _ = room.said.send(format!("{name} is here"));
    let mut telling = tokio::spawn(async move {
        while let Ok(text) = hears.recv().await {
            if sink.send(Message::text(text)).await.is_err() {
                break;
            }
        }
    });
    let (said, who) = (room.said.clone(), name.clone());
    let mut hearing = tokio::spawn(async move {
        while let Some(Ok(Message::Text(text))) = stream.next().await {
            let _ = said.send(format!("{who}: {text}"));
        }
    });
    tokio::select! {
        _ = &mut telling => hearing.abort(),
        _ = &mut hearing => telling.abort(),
    }
    room.names.lock().unwrap().remove(name.as_str());
    let _ = room.said.send(format!("{name} has left"));
}

#[tokio::test]
async fn chat_tells_all() {
    let room = Arc::new(Room {
        names: Mutex::default(),
        said: broadcast::channel(16).0,
    });
    let addr = serve(Router::new().route("/", any(join)).with_state(room)).await;
    let mut ada = open(addr, "/").await;
    ada.send("Ada").await.unwrap();
    assert_eq!(soon(ada.next()).await.unwrap(), Some("Ada is here".into()));
    let mut twin = open(addr, "/").await;
    twin.send("Ada").await.unwrap();
    let answer = soon(twin.next()).await.unwrap();
    assert_eq!(answer, Some("that name is taken".into()));
    let mut bob = open(addr, "/").await;
    bob.send("Bob").await.unwrap();
    bob.send("hello").await.unwrap();
    for text in ["Bob is here", "Bob: hello"] {
        assert_eq!(soon(ada.next()).await.unwrap(), Some(text.into()));
    }
    drop(bob);
    assert_eq!(soon(ada.next()).await.unwrap(), Some("Bob has left".into()));
}

// A handler that is tested without a network: it is given any stream and sink.

async fn count<R, W>(mut read: R, mut write: W)
where
    R: Stream<Item = Result<Message, axum::Error>> + Unpin,
    W: Sink<Message> + Unpin,
{
    let mut letters = 0;
    while let Some(Ok(Message::Text(text))) = read.next().await {
        letters += text.len();
        let answer = Message::Text(letters.to_string().into());
        if write.send(answer).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn handler_is_tested_without_a_network() {
    let texts = ["ab", "cde"].map(|text| Ok(Message::Text(text.into())));
    let lost = Err(axum::Error::new("the connection is lost"));
    let mut said: Vec<Message> = Vec::new();
    let written = (&mut said).sink_map_err(|error: Infallible| error);
    count(stream::iter(texts).chain(stream::iter([lost])), written).await;
    assert_eq!(said, ["2", "5"].map(Message::text));
}

#[tokio::test]
async fn same_handler_is_tested_over_a_network() {
    let handler = async |ws: WebSocketUpgrade| {
        ws.on_upgrade(|socket| async {
            let (write, read) = socket.split();
            count(read, write).await;
        })
    };
    let addr = serve(Router::new().route("/", any(handler))).await;
    let mut ws = open(addr, "/").await;
    ws.send("abc").await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), Some("3".into()));
}

// Subprotocols, by HTTP/1.1 and HTTP/2.

async fn with_subprotocol(ws: WebSocketUpgrade) -> Response {
    let mut ws = ws.protocols(["v3", "v2"]);
    if ws.requested_protocols().any(|name| name == "v9") {
        ws.set_selected_protocol(HeaderValue::from_static("v9"));
    }
    let selected = ws.selected_protocol().cloned();
    ws.on_upgrade(move |mut socket| async move {
        assert_eq!(socket.protocol(), selected.as_ref());
        let name = selected.map(|name| name.to_str().unwrap().to_owned());
        let text = Message::text(name.unwrap_or_default());
        socket.send(text).await.unwrap();
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Binary(_) = message {
                socket.send(message).await.unwrap();
            }
        }
    })
}

#[tokio::test]
async fn subprotocol_is_chosen() {
    let addr = serve(Router::new().route("/", any(with_subprotocol))).await;
    let rows: [(&[&str], Option<&str>); 5] = [
        (&[], None),
        (&["v1"], None),
        (&["v1", "v2"], Some("v2")),
        (&["v2", "v3"], Some("v3")),
        (&["v3", "v9"], Some("v9")),
    ];
    for (offered, chosen) in rows {
        let mut request = to(addr, "/");
        for name in offered {
            request = request.with_subprotocol(name).unwrap();
        }
        let mut ws = connect(request).await.unwrap();
        assert_eq!(ws.subprotocol(), chosen);
        let told = soon(ws.next()).await.unwrap();
        assert_eq!(told, Some(chosen.unwrap_or_default().into()));
    }
}

#[tokio::test]
async fn http_2_carries_it() {
    let addr = serve(Router::new().route("/", any(with_subprotocol))).await;
    let request = to(addr, "/").with_subprotocol("v2").unwrap();
    let mut ws = connect_http2(addr, &request).await.unwrap();
    assert_eq!(ws.subprotocol(), Some("v2"));
    assert_eq!(soon(ws.next()).await.unwrap(), Some("v2".into()));
    let large = vec![7; 300_000];
    ws.send(&large).await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), Some(large.into()));
    ws.close(1000, "").await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    assert!(ws.outcome().unwrap().clean);
}

// How connections end.

async fn reporting(
    ws: WebSocketUpgrade,
    State(seen): State<mpsc::UnboundedSender<String>>,
) -> Response {
    ws.max_message_size(100)
        .max_frame_size(50)
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 20)
        .accept_unmasked_frames(true)
        .on_failed_upgrade(|error: axum::Error| panic!("{error}"))
        .on_upgrade(|mut socket| async move {
            assert!(!socket.is_terminated());
            while let Some(received) = socket.recv().await {
                let _ = match received {
                    Ok(message) => seen.send(format!("{message:?}")),
                    Err(_) => seen.send("error".into()),
                };
            }
            assert!(socket.is_terminated());
            let _ = seen.send("end".into());
        })
}

/// What the handler sees of a connection on which these bytes come.
async fn sights(frames: &[u8]) -> Vec<String> {
    let (seen, mut sights) = mpsc::unbounded_channel();
    let addr = serve(Router::new().route("/", any(reporting)).with_state(seen)).await;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(head).await.unwrap();
    stream
        .read_buf(&mut Vec::with_capacity(1024))
        .await
        .unwrap();
    stream.write_all(frames).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut all = Vec::new();
    while let Some(sight) = soon(sights.recv()).await {
        let is_end = sight == "end";
        all.push(sight);
        if is_end {
            break;
        }
    }
    all
}

#[tokio::test]
async fn handler_sees_how_it_ends() {
    let starts = async |frames: &[u8], expected: &[&str]| {
        let seen = sights(frames).await;
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for (seen, expected) in seen.iter().zip(expected) {
            assert!(seen.starts_with(expected), "{seen}");
        }
    };
    // The stream ends, with and without a close frame.
    starts(&[], &["error", "end"]).await;
    let close = wire(Role::Client).text("a").close(4001, "why").bytes();
    starts(
        &close,
        &["Text", "Close(Some(CloseFrame { code: 4001", "end"],
    )
    .await;
    // An empty close frame, without a mask.
    starts(b"\x88\x00", &["Close(None)", "end"]).await;
    // Limits and rules.
    let long = wire(Role::Client).text(&"x".repeat(51)).bytes();
    starts(&long, &["error", "end"]).await;
    starts(b"\x83\x00", &["error", "end"]).await;
}

#[tokio::test]
async fn ping_is_answered() {
    let addr = serve(Router::new().route("/", any(in_two_tasks))).await;
    let mut ws = open(addr, "/").await;
    ws.ping(b"?").await.unwrap();
    let pong = soon(ws.next_event()).await.unwrap();
    assert!(matches!(pong, Some(Event::Pong(payload)) if *payload == *b"?"));
}

#[tokio::test]
async fn sink_closes() {
    let handler = async |ws: WebSocketUpgrade| {
        ws.on_upgrade(|mut socket| async move {
            SinkExt::close(&mut socket).await.unwrap();
            while socket.recv().await.is_some() {}
        })
    };
    let addr = serve(Router::new().route("/", any(handler))).await;
    let mut ws = open(addr, "/").await;
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    let outcome = ws.outcome().unwrap();
    assert_eq!((outcome.clean, outcome.code), (true, CloseCode::NO_STATUS));
}

// The extractor without a server.

fn request() -> axum::http::request::Builder {
    axum::http::Request::get("/")
        .header("host", "example.com")
        .header("upgrade", "websocket")
        .header("connection", "keep-alive, Upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-version", "13")
}

async fn extract(
    request: axum::http::request::Builder,
) -> Result<WebSocketUpgrade, WebSocketUpgradeRejection> {
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    // What comes after the extractor finds all that it needs.
    assert_eq!(parts.uri.path(), "/");
    upgrade
}

/// A stream that is never upgraded.
fn nothing() -> hyper::upgrade::OnUpgrade {
    hyper::upgrade::on(axum::http::Request::new(()))
}

#[tokio::test]
async fn failed_upgrade_is_reported() {
    let (seen, mut sights) = mpsc::unbounded_channel();
    let upgrade = extract(request().extension(nothing())).await.unwrap();
    assert!(format!("{upgrade:?}").starts_with("WebSocketUpgrade {"));
    let response = upgrade
        .on_failed_upgrade(move |error: axum::Error| seen.send(error.to_string()).unwrap())
        .on_upgrade(|_| async { panic!("there is no socket") });
    assert_eq!(response.status(), 101);
    assert_eq!(
        response.headers()["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert!(!soon(sights.recv()).await.unwrap().is_empty());
}

#[tokio::test]
async fn rejection_says_which_header() {
    use WebSocketUpgradeRejection as Reason;
    type Is = fn(&Reason) -> bool;
    let without = |name: &str| {
        let mut request = request().extension(nothing());
        request.headers_mut().unwrap().remove(name);
        request
    };
    let with = |name: &'static str, value: &'static str| {
        let mut request = request().extension(nothing());
        let headers = request.headers_mut().unwrap();
        headers.insert(name, HeaderValue::from_static(value));
        request
    };
    let is: [Is; 6] = [
        |reason| matches!(reason, Reason::InvalidUpgradeHeader(_)),
        |reason| matches!(reason, Reason::InvalidConnectionHeader(_)),
        |reason| matches!(reason, Reason::WebSocketKeyHeaderMissing(_)),
        |reason| matches!(reason, Reason::InvalidWebSocketVersionHeader(_)),
        |reason| matches!(reason, Reason::MethodNotGet(_)),
        |reason| matches!(reason, Reason::ConnectionNotUpgradable(_)),
    ];
    let rows = [
        (without("upgrade"), is[0]),
        (with("upgrade", "h2c"), is[0]),
        (without("connection"), is[1]),
        (with("connection", "close"), is[1]),
        (without("sec-websocket-key"), is[2]),
        (without("sec-websocket-version"), is[3]),
        (with("sec-websocket-version", "8"), is[3]),
        (request().extension(nothing()).method("POST"), is[4]),
        (request(), is[5]),
    ];
    for (request, is) in rows {
        let reason = extract(request).await.unwrap_err();
        assert!(is(&reason), "{reason:?}");
        assert!(reason.status().is_client_error());
        assert!(!reason.body_text().is_empty());
        assert!(!reason.to_string().is_empty());
        let response = axum::response::IntoResponse::into_response(reason);
        assert!(response.status().is_client_error());
    }
}

// Messages.

#[test]
fn messages_convert() {
    assert_eq!(Message::from("a"), Message::Text("a".into()));
    assert_eq!(Message::from(String::from("a")), Message::text("a"));
    assert_eq!(Message::from(vec![1]), Message::binary(vec![1]));
    assert_eq!(
        Message::from(&[1][..]),
        Message::from(Bytes::from_static(&[1]))
    );
    assert_eq!(Vec::from(Message::text("a")), b"a");
    let frame = CloseFrame {
        code: close_code::AWAY,
        reason: "why".into(),
    };
    let rows = [
        (Message::text("why"), Some("why")),
        (Message::Binary("why".into()), Some("why")),
        (Message::Ping("why".into()), Some("why")),
        (Message::Pong("why".into()), Some("why")),
        (Message::Close(Some(frame)), Some("why")),
        (Message::Close(None), Some("")),
        (Message::binary(vec![0xff]), None),
    ];
    for (message, text) in rows {
        assert_eq!(message.to_text().ok(), text);
        let owned = message.clone().into_text().ok();
        assert_eq!(owned.as_deref(), text);
        let data = message.into_data();
        assert_eq!(data, text.map_or(&[0xff][..], str::as_bytes));
    }
}

#[test]
fn text_is_compared_and_converted() {
    const TEXT: Utf8Bytes = Utf8Bytes::from_static("text");
    let string = String::from("text");
    assert_eq!(TEXT, "text");
    assert_eq!(TEXT, string);
    assert_eq!(TEXT, &string);
    assert_eq!(TEXT, std::borrow::Cow::from("text"));
    assert_eq!(TEXT, Utf8Bytes::from(&string));
    assert_eq!((TEXT.as_str(), TEXT.len()), ("text", 4));
    assert_eq!(format!("{TEXT}"), "text");
    assert_eq!(Bytes::from(TEXT), "text");
    assert_eq!(Utf8Bytes::try_from(b"text".to_vec()), Ok(TEXT));
    assert!(Utf8Bytes::try_from(Bytes::from_static(&[0xff])).is_err());
    assert_eq!(Utf8Bytes::default(), "");
}

#[test]
fn close_codes_are_those_of_the_registry() {
    let code: ws::CloseCode = close_code::NORMAL;
    assert_eq!(
        (code, close_code::AWAY, close_code::PROTOCOL),
        (1000, 1001, 1002)
    );
    assert_eq!((close_code::UNSUPPORTED, close_code::STATUS), (1003, 1005));
    assert_eq!((close_code::ABNORMAL, close_code::INVALID), (1006, 1007));
    assert_eq!((close_code::POLICY, close_code::SIZE), (1008, 1009));
    assert_eq!((close_code::EXTENSION, close_code::ERROR), (1010, 1011));
    assert_eq!((close_code::RESTART, close_code::AGAIN), (1012, 1013));
}
