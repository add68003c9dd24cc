//! A board to draw on together, and a text to write together, with everyone's
//! pointer and cursor: `cargo run --release -p sansocket-apps --bin collab [ADDR]`,
//! then open <http://127.0.0.1:9001> in several windows. Ctrl-C closes every
//! connection with 1001.
//!
//! The server puts all acts in one order, which settles the board: what was drawn
//! before it was cleared is gone. The text has a rule of its own, see `text.rs`,
//! so that a page shows what is typed at once.

use std::env;
use std::error::Error;
use std::pin::pin;

use sansocket::{Answer, CloseCode, Config, Message, Request, RequestError};
use sansocket::{tokio::WebSocket, tokio::accept_with};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::sync::{broadcast::error::RecvError, watch};
use tokio::task::JoinSet;

#[path = "../../common/accept.rs"]
mod accept;
mod room;
mod text;

use room::{Act, Room};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9001")).await?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    let config = Config::new().with_max_message_len(256 * 1024);
    let room = Room::new();
    let (stop, stopping) = watch::channel(false);
    let mut members = JoinSet::new();
    // Made once: an interrupt between two of them would be lost.
    let mut interrupt = pin!(ctrl_c());
    loop {
        tokio::select! {
            (stream, _) = accept::next(&listener) => {
                let (config, room, stopping) = (config.clone(), room.clone(), stopping.clone());
                members.spawn(async move {
                    if let Err(error) = serve(stream, &config, &room, stopping).await {
                        eprintln!("{error}");
                    }
                });
            }
            Some(_) = members.join_next() => {}
            _ = &mut interrupt => break,
        }
    }
    stop.send(true)?;
    while members.join_next().await.is_some() {}
    println!("stopped");
    Ok(())
}

/// Serves one connection: the page, or a user in the room.
async fn serve(
    stream: TcpStream,
    config: &Config,
    room: &Room,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), sansocket::Error> {
    // A handshake is not waited for when the server stops.
    let accepted = tokio::select! {
        accepted = accept_with(stream, config, answer) => accepted?,
        _ = stopping.changed() => return Ok(()),
    };
    let Some(mut ws) = accepted else {
        return Ok(());
    };
    let (code, reason) = meet(&mut ws, room, stopping).await?;
    ws.close_and_drain(code, reason).await
}

/// Serves a user. Returns why the connection ends.
async fn meet(
    ws: &mut WebSocket<TcpStream>,
    room: &Room,
    mut stopping: watch::Receiver<bool>,
) -> Result<(CloseCode, &'static str), sansocket::Error> {
    let first = ws.next().await?;
    let Some(Act::Hello(name)) = first.as_ref().and_then(parse) else {
        return Ok((CloseCode::POLICY_VIOLATION, "a name comes first"));
    };
    let (member, welcome, mut news) = room.join(name);
    ws.send(welcome).await?;
    loop {
        tokio::select! {
            news = news.recv() => match news {
                Ok(news) => ws.send_prepared(&news).await?,
                Err(RecvError::Lagged(_)) => return Ok((CloseCode::TRY_AGAIN_LATER, "too slow")),
                Err(RecvError::Closed) => return Ok((CloseCode::NORMAL, "")),
            },
            message = ws.next() => match message? {
                Some(message) => {
                    if let Err(reason) = member.act(message.as_text().unwrap_or_default()) {
                        return Ok((CloseCode::POLICY_VIOLATION, reason));
                    }
                }
                None => return Ok((CloseCode::NORMAL, "")),
            },
            _ = stopping.changed() => return Ok((CloseCode::GOING_AWAY, "the server stops")),
        }
    }
}

fn parse(message: &Message) -> Option<Act> {
    serde_json::from_str(message.as_text()?).ok()
}

fn answer(request: &Request) -> Answer {
    match (request.is_upgrade(), request.path()) {
        (true, "/room") => request.accept(),
        (false, "/") => page().unwrap_or_else(|_| request.reject(500)),
        _ => request.reject(404),
    }
}

fn page() -> Result<Answer, RequestError> {
    Ok(Answer::new(200)
        .with_header("Content-Type", "text/html; charset=utf-8")?
        .with_body(include_str!("page.html")))
}
