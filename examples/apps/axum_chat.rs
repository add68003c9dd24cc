//! What axum's own examples do: a chat with names at `/chat`, and at `/greet` a
//! ping, greetings, and two tasks on one socket.
//! `cargo run --release -p sansocket-apps --bin axum_chat [ADDR]`

use std::collections::HashSet;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use axum::{Error, Extension, Router};
use futures_util::{SinkExt, StreamExt};
use sansocket::axum::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use sansocket::{Config, OriginPolicy};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::sleep;

struct Room {
    names: Mutex<HashSet<String>>,
    said: broadcast::Sender<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9008")).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let room = Arc::new(Room {
        names: Mutex::default(),
        said: broadcast::channel(100).0,
    });
    let router = Router::new()
        .route("/greet", any(on_greet))
        .route("/chat", any(on_chat))
        .with_state(room)
        .layer(Extension(Config::new().with_origin(OriginPolicy::Any)));
    axum::serve(listener, router).await?;
    Ok(())
}

async fn on_greet(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(async |socket| log(greet(socket).await))
}

async fn on_chat(ws: WebSocketUpgrade, State(room): State<Arc<Room>>) -> Response {
    ws.on_upgrade(async |socket| log(chat(socket, room).await))
}

fn log(result: Result<(), Error>) {
    if let Err(error) = result {
        eprintln!("{error}");
    }
}

async fn greet(mut socket: WebSocket) -> Result<(), Error> {
    socket.send(Message::Ping(vec![1, 2, 3].into())).await?;
    println!("{:?}", socket.recv().await);
    for count in 1..5 {
        socket.send(format!("Hi {count} times!").into()).await?;
        sleep(Duration::from_millis(100)).await;
    }
    let (mut sink, mut stream) = socket.split();
    let sending = tokio::spawn(async move {
        for number in 0..20 {
            sink.send(format!("Server message {number} ...").into())
                .await?;
            sleep(Duration::from_millis(300)).await;
        }
        let (code, reason) = (close_code::NORMAL, "Goodbye".into());
        sink.send(Message::Close(Some(CloseFrame { code, reason })))
            .await
    });
    while let Some(message) = stream.next().await {
        println!("{:?}", message?);
    }
    sending.abort();
    Ok(())
}

/// The first message is a name that nobody has; what follows, all hear.
async fn chat(mut socket: WebSocket, room: Arc<Room>) -> Result<(), Error> {
    let Some(Message::Text(name)) = socket.recv().await.transpose()? else {
        return Ok(());
    };
    let names = || room.names.lock().unwrap_or_else(PoisonError::into_inner);
    if !names().insert(name.to_string()) {
        socket.send("Username already taken.".into()).await?;
        return socket.send(Message::Close(None)).await;
    }
    let mut heard = room.said.subscribe();
    let _ = room.said.send(format!("{name} joined."));
    let result = loop {
        let step = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let _ = room.said.send(format!("{name}: {text}"));
                    Ok(())
                }
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(error),
                None => break Ok(()),
            },
            Ok(text) = heard.recv() => socket.send(text.into()).await,
        };
        if step.is_err() {
            break step;
        }
    };
    let _ = room.said.send(format!("{name} left."));
    names().remove(&*name);
    result
}
