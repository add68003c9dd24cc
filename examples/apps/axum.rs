//! WebSockets within axum: state, a page, subprotocols, an origin check, tokens,
//! and an end that closes every socket with 1001 and waits.
//! `cargo run --release -p sansocket-apps --bin axum [ADDR]`, then open
//! <http://127.0.0.1:9007>; `/chat?token=secret` is for those with the token.

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Router, serve};
use sansocket::axum::{Message, Sockets, WebSocket, WebSocketUpgrade};
use sansocket::{Config, OriginPolicy};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tokio::sync::{broadcast, oneshot};
use tokio::time::{sleep, timeout};

const TOKEN: &str = "secret";

type Room = broadcast::Sender<Message>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9007")).await?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    // Pages of the same site, and non-browser clients.
    let config = Config::new().with_origin(OriginPolicy::SameOrigin);
    #[cfg(feature = "deflate")]
    let config = config.with_deflate(sansocket::deflate::Options::new().with_max_ratio(None));
    let sockets = Sockets::new();
    let router = Router::new()
        .route("/", any(index))
        .route("/chat", any(chat))
        .with_state(broadcast::channel(64).0)
        .layer(Extension(config))
        .layer(Extension(sockets.clone()));
    let (closed, is_closed) = oneshot::channel();
    let serving = serve(listener, router).with_graceful_shutdown(async move {
        let _ = ctrl_c().await;
        let closing = sockets.close(1001, "the server stops");
        let _ = timeout(Duration::from_secs(10), closing).await;
        let _ = closed.send(());
    });
    tokio::select! {
        served = serving.into_future() => served?,
        () = grace(is_closed) => {}
    }
    println!("stopped");
    Ok(())
}

/// Waits for plain requests once all sockets are closed. `axum::serve` alone would
/// wait forever for a peer that sent half of a request.
async fn grace(is_closed: oneshot::Receiver<()>) {
    let _ = is_closed.await;
    sleep(Duration::from_secs(2)).await;
}

/// The page on a plain GET, the echo on an upgrade.
async fn index(ws: Option<WebSocketUpgrade>) -> Response {
    match ws {
        Some(ws) => ws.protocols(["echo"]).on_upgrade(echo),
        None => Html(include_str!("../common/echo.html")).into_response(),
    }
}

/// Each message goes to every member.
async fn chat(
    ws: WebSocketUpgrade,
    State(room): State<Room>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if !is_allowed(&headers, &uri) {
        return (StatusCode::UNAUTHORIZED, "a token is needed\n").into_response();
    }
    ws.protocols(["chat"])
        .on_upgrade(|socket| member(socket, room))
}

/// The token is in a header, in a cookie, in the query, or, as a page can set no
/// header, among the subprotocols that it offers.
fn is_allowed(headers: &HeaderMap, uri: &Uri) -> bool {
    let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = field("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let cookies = field("cookie").unwrap_or_default().split("; ");
    let mut cookie = cookies.filter_map(|cookie| cookie.strip_prefix("token="));
    let queries = uri.query().unwrap_or_default().split('&');
    let mut query = queries.filter_map(|query| query.strip_prefix("token="));
    let subprotocols = field("sec-websocket-protocol").unwrap_or_default();
    let mut subprotocol = subprotocols
        .split(',')
        .filter_map(|name| name.trim().strip_prefix("token."));
    let tokens = [bearer, cookie.next(), query.next(), subprotocol.next()];
    tokens.contains(&Some(TOKEN))
}

async fn echo(mut socket: WebSocket) {
    while let Some(received) = socket.recv().await {
        let result = match received {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            eprintln!("{error}");
        }
    }
}

async fn member(mut socket: WebSocket, room: Room) {
    let mut said = room.subscribe();
    loop {
        tokio::select! {
            received = socket.recv() => match received {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    let _ = room.send(message);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => eprintln!("{error}"),
                None => return,
            },
            Ok(message) = said.recv() => {
                // Why it fails, `recv` returns.
                let _ = socket.send(message).await;
            }
        }
    }
}
