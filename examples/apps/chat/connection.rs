//! One connection: from the message that joins a room to the closing handshake.

use std::sync::Arc;
use std::time::Duration;

use sansocket::CloseCode;
use sansocket::tokio::{Error, Reader, WebSocket, Writer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::protocol::{FromClient, Id, Invalid, Join, Post, ToClient, parse};
use crate::redis::RedisError;
use crate::room::{Hub, Inbox, QUEUE, Seat};
use crate::store::{BATCH, Signal};

/// How long a client may take to join a room.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Between messages of one client: a flood waits in its own socket.
const PACE: Duration = Duration::from_millis(5);

/// What every connection needs.
pub(crate) struct Server {
    pub(crate) hub: Arc<Hub>,
    pub(crate) peers: Vec<String>,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Why the server closes a connection: all but the first are told to the client.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("{0}")]
    Socket(#[from] Error),
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("join a room first")]
    NotJoined,
    #[error("too slow: {QUEUE} messages were waiting")]
    TooSlow,
    #[error("messages cannot be stored at the moment")]
    Store(#[from] RedisError),
    #[error("the server stops")]
    Stopping,
}

impl End {
    /// After 1008 the page gives up; after the others it comes back.
    const fn code(&self) -> CloseCode {
        match self {
            Self::Invalid(_) | Self::NotJoined => CloseCode::POLICY_VIOLATION,
            Self::TooSlow => CloseCode::TRY_AGAIN_LATER,
            Self::Socket(_) | Self::Store(_) => CloseCode::INTERNAL_ERROR,
            Self::Stopping => CloseCode::GOING_AWAY,
        }
    }
}

/// Serves a connection until it is closed.
pub(crate) async fn serve(ws: WebSocket<TcpStream>, server: &Server) -> Result<(), Error> {
    let mut stopping = server.stopping.clone();
    let (mut reader, mut writer) = ws.split();
    let served = tokio::select! {
        served = converse(&mut reader, &mut writer, server) => served,
        _ = stopping.wait_for(|stopping| *stopping) => Err(End::Stopping),
    };
    match served {
        Ok(()) => Ok(()),
        // The client is closing, which the reader sees through.
        Err(End::Socket(Error::Send(_))) => {
            while reader.next().await?.is_some() {}
            Ok(())
        }
        Err(End::Socket(error)) => Err(error),
        Err(end) => {
            if let End::Store(error) = &end {
                eprintln!("{error}");
            }
            reader.close_and_drain(end.code(), &end.to_string()).await
        }
    }
}

async fn converse(
    reader: &mut Reader<TcpStream>,
    writer: &mut Writer<TcpStream>,
    server: &Server,
) -> Result<(), End> {
    let first = timeout(JOIN_TIMEOUT, reader.next()).await;
    let Some(first) = first.map_err(|_| End::NotJoined)?? else {
        return Ok(());
    };
    let (FromClient::Join(join), _) = parse(&first)? else {
        return Err(End::NotJoined);
    };
    let Join { room, name, after } = join;
    let (seat, mut inbox) = server.hub.enter(room, name).await?;
    let peers = &server.peers;
    writer.send(ToClient::Welcome { peers }.to_json()).await?;
    let acks = writer.clone();
    tokio::select! {
        ended = listen(reader, acks, &seat) => ended,
        ended = speak(writer, &seat, &mut inbox, after) => ended,
    }
}

/// Stores what the client says, until it leaves. While it does not read the
/// acknowledgements, no more is read from it.
async fn listen(
    reader: &mut Reader<TcpStream>,
    mut acks: Writer<TcpStream>,
    seat: &Seat,
) -> Result<(), End> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(message) = reader.next().await? {
        pace.tick().await;
        match parse(&message)? {
            (FromClient::Join(_), _) => return Err(Invalid::Joined.into()),
            (FromClient::Say { key, text }, picture) => {
                let post = Post {
                    key,
                    name: seat.name.clone(),
                    text,
                    picture: picture.to_vec(),
                };
                let id = seat.store().append(&seat.room, &post).await?;
                let key = &post.key;
                acks.send(ToClient::Ack { key, id }.to_json()).await?;
            }
            (FromClient::Typing, _) => {
                let (room, name) = (seat.room.clone(), seat.name.clone());
                seat.store().tell(Signal::Typing { room, name }).await?;
            }
        }
    }
    Ok(())
}

/// Sends what was said before, and then what is in the queue, until the member
/// is put out.
async fn speak(
    writer: &mut Writer<TcpStream>,
    seat: &Seat,
    inbox: &mut Inbox,
    after: Option<Id>,
) -> Result<(), End> {
    let Inbox { queue, put_out } = inbox;
    let speaking = async {
        let mut seen = catch_up(writer, seat, after).await?;
        while let Some((id, frame)) = queue.recv().await {
            if id.is_none_or(|id| id > seen) {
                writer.feed_prepared(&frame).await?;
            }
            seen = id.map_or(seen, |id| id.max(seen));
            if queue.is_empty() {
                writer.flush().await?;
            }
        }
        Ok(())
    };
    tokio::select! {
        spoken = speaking => spoken,
        _ = put_out => Err(End::TooSlow),
    }
}

/// Sends what the client has missed, or the end of it to a new one. Returns the
/// last id.
async fn catch_up(
    writer: &mut Writer<TcpStream>,
    seat: &Seat,
    after: Option<Id>,
) -> Result<Id, End> {
    let mut seen = after.unwrap_or_default();
    let mut posts = match after {
        Some(after) => seat.store().after(&seat.room, after).await?,
        None => seat.store().recent(&seat.room, BATCH).await?,
    };
    while let Some(last) = posts.last() {
        seen = last.id;
        for post in &posts {
            writer.feed_prepared(&post.frame).await?;
        }
        posts = seat.store().after(&seat.room, seen).await?;
    }
    writer.flush().await?;
    Ok(seen)
}
