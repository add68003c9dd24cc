//! What axum's own examples do: a chat with names at `/chat`, and at `/greet` a
//! ping, greetings, and two tasks on one socket.
//! `cargo run --release -p sansocket-apps --bin axum_chat [ADDR]`

use std::collections::HashSet;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use sansocket::hyper::{Error, Upgrade, upgrade};
use sansocket::{Config, Message, OriginPolicy};
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
    let on_chat = async |State(room), request| open(request, |upgrade| chat(upgrade, room));
    let router = Router::new()
        .route("/greet", get(async |request| open(request, greet)))
        .route("/chat", get(on_chat))
        .with_state(room);
    axum::serve(listener, router).await?;
    Ok(())
}

/// Accepts the request, and runs what is to be done on the connection.
fn open<F>(mut request: Request, run: impl FnOnce(Upgrade) -> F) -> Response
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let config = Config::new().with_origin(OriginPolicy::Any);
    let (response, upgrade) = upgrade(&mut request, &config, sansocket::Request::accept);
    if let Some(running) = upgrade.map(run) {
        tokio::spawn(async move {
            if let Err(error) = running.await {
                eprintln!("{error}");
            }
        });
    }
    response
}

async fn greet(upgrade: Upgrade) -> Result<(), Error> {
    let mut ws = upgrade.await?;
    ws.ping(&[1, 2, 3]).await?;
    println!("{:?}", ws.next_event().await?);
    for count in 1..5 {
        ws.send(format!("Hi {count} times!")).await?;
        sleep(Duration::from_millis(100)).await;
    }
    let (mut reader, mut writer) = ws.split();
    let sending = tokio::spawn(async move {
        for number in 0..20 {
            writer.send(format!("Server message {number} ...")).await?;
            sleep(Duration::from_millis(300)).await;
        }
        writer.close(1000, "Goodbye").await
    });
    while let Some(event) = reader.next_event().await? {
        println!("{event:?}");
    }
    sending.abort();
    Ok(())
}

/// The first message is a name that nobody has; what follows, all hear.
async fn chat(upgrade: Upgrade, room: Arc<Room>) -> Result<(), Error> {
    let mut ws = upgrade.await?;
    let Some(Message::Text(name)) = ws.next().await? else {
        return Ok(());
    };
    let names = || room.names.lock().unwrap_or_else(PoisonError::into_inner);
    if !names().insert(name.to_string()) {
        ws.send("Username already taken.").await?;
        return ws.close(1000, "").await;
    }
    let mut heard = room.said.subscribe();
    let _ = room.said.send(format!("{name} joined."));
    let result = loop {
        let step = tokio::select! {
            message = ws.next() => match message {
                Ok(Some(Message::Text(text))) => {
                    let _ = room.said.send(format!("{name}: {text}"));
                    Ok(())
                }
                Ok(Some(_)) => Ok(()),
                Ok(None) => break Ok(()),
                Err(error) => Err(error),
            },
            Ok(text) = heard.recv() => ws.send(text).await,
        };
        if step.is_err() {
            break step;
        }
    };
    let _ = room.said.send(format!("{name} left."));
    names().remove(&*name);
    result
}
