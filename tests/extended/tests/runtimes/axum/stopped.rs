//! A server that stops: every WebSocket is closed with 1001, whatever its handler
//! does.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::SinkExt;
use sansocket::axum::{CloseFrame, Message, Sockets, WebSocketUpgrade, close_code};
use sansocket::{CloseCode, Error, SendError};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use crate::axum::server::{connect, connect_http2, open, serve, soon, to};

async fn receiving(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(|mut socket| async move {
        let mut last = None;
        while let Some(received) = socket.recv().await {
            last = Some(received.unwrap());
        }
        // The peer's answer, as at any other end.
        let Some(Message::Close(Some(frame))) = last else {
            panic!("{last:?}")
        };
        assert_eq!(frame.code, 1001);
    })
}

async fn sending(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(|mut socket| async move {
        while socket.send(Message::text("tick")).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    })
}

async fn sleeping(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(|socket| async move {
        let _socket = socket;
        sleep(Duration::from_secs(3600)).await;
    })
}

fn app(sockets: &Sockets) -> Router {
    Router::new()
        .route("/receiving", any(receiving))
        .route("/sending", any(sending))
        .route("/sleeping", any(sleeping))
        .layer(Extension(sockets.clone()))
}

/// Until so many are open.
async fn count(sockets: &Sockets, len: usize) {
    while sockets.len() != len {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn sockets_are_closed_with_1001() {
    let sockets = Sockets::new();
    let addr = serve(app(&sockets)).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(open(addr, "/receiving").await);
        clients.push(open(addr, "/sending").await);
    }
    assert_eq!(sockets.len(), 10);
    // One that goes away is not waited for.
    drop(open(addr, "/sending").await);
    soon(count(&sockets, 10)).await;
    let closing = async {
        let waiting = timeout(Duration::from_secs(20), sockets.close(1001, "bye"));
        waiting.await.expect("all are gone").unwrap();
    };
    let received = async {
        for ws in &mut clients {
            while soon(ws.next()).await.unwrap().is_some() {}
            let outcome = ws.outcome().unwrap();
            assert_eq!((outcome.clean, outcome.code), (true, CloseCode::GOING_AWAY));
            assert_eq!(&*outcome.reason, "bye");
        }
    };
    tokio::join!(closing, received);
    assert!(sockets.is_empty());
    let error = connect(to(addr, "/receiving")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(response) if response.status() == 503));
}

// The close frame leaves, but nobody can end the handler.
#[tokio::test]
async fn handler_that_does_nothing_is_waited_for() {
    let sockets = Sockets::new();
    let addr = serve(app(&sockets)).await;
    let mut ws = open(addr, "/sleeping").await;
    let closing = sockets.close(CloseCode::SERVICE_RESTART, "");
    timeout(Duration::from_millis(200), closing)
        .await
        .unwrap_err();
    assert_eq!(sockets.len(), 1);
    let event = soon(ws.next_event()).await.unwrap();
    assert!(
        matches!(&event, Some(sansocket::Event::Close(close)) if close.code == 1012.into()),
        "{event:?}"
    );
}

#[tokio::test]
async fn socket_that_opens_meanwhile_is_closed_too() {
    let (sockets, gate) = (Sockets::new(), Arc::new(Notify::new()));
    let handler = async |ws: WebSocketUpgrade, Extension(gate): Extension<Arc<Notify>>| {
        let response = receiving(ws).await;
        gate.notified().await;
        response
    };
    let app = Router::new()
        .route("/", any(handler))
        .layer(Extension(gate.clone()))
        .layer(Extension(sockets.clone()));
    let addr = serve(app).await;
    let opening = tokio::spawn(async move { open(addr, "/").await });
    soon(count(&sockets, 1)).await;
    let closing = tokio::spawn({
        let sockets = sockets.clone();
        async move { sockets.close(1001, "").await }
    });
    // It has closed all that are there.
    sleep(Duration::from_millis(50)).await;
    gate.notify_one();
    let mut ws = soon(opening).await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    assert_eq!(ws.outcome().unwrap().code, CloseCode::GOING_AWAY);
    soon(closing).await.unwrap().unwrap();
}

#[tokio::test]
async fn code_that_must_not_be_sent_closes_nothing() {
    let sockets = Sockets::new();
    let addr = serve(app(&sockets)).await;
    let mut ws = open(addr, "/sending").await;
    let closed = sockets.close(CloseCode::ABNORMAL, "").await;
    assert_eq!(closed, Err(SendError::InvalidCloseCode));
    for _ in 0..10 {
        assert_eq!(soon(ws.next()).await.unwrap(), Some("tick".into()));
    }
    open(addr, "/sending").await;
}

// `axum::serve` waits for the streams of HTTP/2.
#[tokio::test]
async fn server_stops_in_order() {
    let sockets = Sockets::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = axum::serve(listener, app(&sockets)).with_graceful_shutdown(async move {
        stopped.await.unwrap();
        sockets.close(1001, "bye").await.unwrap();
    });
    let serving = tokio::spawn(async { serving.await });
    let mut one = open(addr, "/receiving").await;
    let mut two = connect_http2(addr, &to(addr, "/receiving")).await.unwrap();
    two.send("hello").await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(soon(one.next()).await.unwrap(), None);
    assert_eq!(one.outcome().unwrap().code, CloseCode::GOING_AWAY);
    assert_eq!(soon(two.next()).await.unwrap(), None);
    assert_eq!(two.outcome().unwrap().code, CloseCode::GOING_AWAY);
    drop((one, two));
    soon(serving).await.unwrap().unwrap();
}

// A handler that drops its WebSocket at once does not cut the close frame off.
#[test]
fn close_frame_has_left_when_all_are_closed() {
    let sockets = Sockets::new();
    let server = tokio::runtime::Runtime::new().unwrap();
    let handler = async |ws: WebSocketUpgrade| {
        let ws = ws.max_write_buffer_size(1 << 30);
        ws.on_upgrade(|mut socket| async move {
            socket.feed(vec![0; LEN].into()).await.unwrap();
            while socket.feed("tick".into()).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        })
    };
    const LEN: usize = 12 << 20;
    let app = Router::new().route("/", any(handler));
    let addr = server.block_on(serve(app.layer(Extension(sockets.clone()))));
    let client = tokio::runtime::Runtime::new().unwrap();
    let mut ws = client.block_on(open(addr, "/"));
    let receiving = std::thread::spawn(move || {
        client.block_on(async {
            sleep(Duration::from_millis(300)).await;
            while soon(ws.next()).await.unwrap().is_some() {}
            ws.outcome().unwrap().code
        })
    });
    server.block_on(async { soon(sockets.close(1001, "")).await.unwrap() });
    // As at the end of `main`.
    server.shutdown_background();
    assert_eq!(receiving.join().unwrap(), CloseCode::GOING_AWAY);
}

// HTTP/2 ends the stream after what was sent last, and does not reset it.
#[tokio::test]
async fn handler_that_drops_after_its_close_frame_ends_in_order() {
    let handler = async |ws: WebSocketUpgrade| {
        ws.on_upgrade(|mut socket| async move {
            socket.send(vec![7; 300_000].into()).await.unwrap();
            let frame = CloseFrame {
                code: close_code::RESTART,
                reason: "soon".into(),
            };
            socket.send(Message::Close(Some(frame))).await.unwrap();
        })
    };
    let addr = serve(Router::new().route("/", any(handler))).await;
    let mut ws = connect_http2(addr, &to(addr, "/")).await.unwrap();
    assert_eq!(soon(ws.next()).await.unwrap().unwrap().len(), 300_000);
    assert_eq!(soon(ws.next()).await.unwrap(), None);
    let outcome = ws.outcome().unwrap();
    assert_eq!(
        (outcome.clean, outcome.code),
        (true, CloseCode::SERVICE_RESTART)
    );
}

// It ends without a close frame, and is not waited for.
#[tokio::test]
async fn handler_that_drops_at_once_ends_the_stream_of_http2() {
    let sockets = Sockets::new();
    let handler = async |ws: WebSocketUpgrade| ws.on_upgrade(|socket| async move { drop(socket) });
    let app = Router::new().route("/", any(handler));
    let addr = serve(app.layer(Extension(sockets.clone()))).await;
    let mut ws = connect_http2(addr, &to(addr, "/")).await.unwrap();
    let error = soon(ws.next()).await.unwrap_err();
    assert!(matches!(error, Error::Failed(_)), "{error}");
    soon(sockets.close(1001, "")).await.unwrap();
    let error = connect_http2(addr, &to(addr, "/")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(response) if response.status() == 503));
}
