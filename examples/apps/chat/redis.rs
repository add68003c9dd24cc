//! The store of several processes. A stream for each room holds its posts and
//! orders them; a channel carries signals.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::ConnectionManager;
use redis::{Client, Cmd, FromRedisValue, cmd};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::protocol::{Id, Post};
use crate::store::{BATCH, Entry, KEPT, Signal};

const CHANNEL: &str = "chat";
/// How long a room is kept after its last post.
const ROOM_SECONDS: u32 = 7 * 24 * 3600;
/// How long a client may take to come back and say again what was not
/// acknowledged.
const KEY_SECONDS: u32 = 3600;
/// Between attempts to connect again.
const PAUSE: Duration = Duration::from_millis(200);

/// Redis runs a script in one piece: of two processes that bring the same key,
/// one appends. KEYS: the stream, the client's key.
const APPEND: &str = r#"
    local id = redis.call('GET', KEYS[2])
    if id then return id end
    id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'post', ARGV[2], 'picture', ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    redis.call('SET', KEYS[2], id, 'EX', ARGV[5])
    local json = '{"type":"posted","room":' .. cjson.encode(ARGV[7]) .. ',"id":[' .. id:gsub('%-', ',') .. ']}'
    redis.call('PUBLISH', ARGV[6], json)
    return id"#;

pub(crate) struct Redis(ConnectionManager);

#[derive(Debug, thiserror::Error)]
pub(crate) enum RedisError {
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("redis holds something else: {0}")]
    Content(#[from] serde_json::Error),
    #[error("redis has an unknown form of id")]
    Id,
}

/// An entry of a stream: its id, and fields with their values.
type Raw = (String, Vec<(String, Vec<u8>)>);

impl Redis {
    /// Connects, and again whenever the connection breaks.
    pub(crate) async fn connect(
        url: &str,
        signals: mpsc::Sender<Signal>,
    ) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let connection = client.get_connection_manager().await?;
        tokio::spawn(async move {
            while !signals.is_closed() {
                if let Err(error) = listen(&client, &signals).await {
                    eprintln!("{error}");
                }
                sleep(PAUSE).await;
            }
        });
        Ok(Self(connection))
    }

    pub(crate) async fn append(&self, room: &str, post: &Post) -> Result<Id, RedisError> {
        let mut append = cmd("EVAL");
        append.arg(APPEND).arg(2).arg(stream(room));
        append.arg(format!("chat:{{{room}}}:key:{}", post.key));
        append.arg(KEPT).arg(serde_json::to_string(post)?);
        append.arg(&post.picture).arg(ROOM_SECONDS);
        append.arg(KEY_SECONDS).arg(CHANNEL).arg(room);
        let id: String = self.query(&append).await?;
        parse_id(&id)
    }

    pub(crate) async fn after(&self, room: &str, id: Id) -> Result<Vec<Entry>, RedisError> {
        let Id(ms, number) = id;
        let mut range = cmd("XRANGE");
        range
            .arg(stream(room))
            .arg(format!("({ms}-{number}"))
            .arg("+");
        let raw: Vec<Raw> = self.query(range.arg("COUNT").arg(BATCH)).await?;
        raw.into_iter().map(entry).collect()
    }

    pub(crate) async fn recent(&self, room: &str, count: usize) -> Result<Vec<Entry>, RedisError> {
        let mut range = cmd("XREVRANGE");
        range.arg(stream(room)).arg("+").arg("-");
        let raw: Vec<Raw> = self.query(range.arg("COUNT").arg(count)).await?;
        raw.into_iter().rev().map(entry).collect()
    }

    pub(crate) async fn tell(&self, signal: &Signal) -> Result<(), RedisError> {
        let signal = serde_json::to_string(signal)?;
        self.query(cmd("PUBLISH").arg(CHANNEL).arg(signal)).await
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        // Clones share one connection, on which commands overtake no answer.
        Ok(command.query_async(&mut self.0.clone()).await?)
    }
}

/// Passes signals on until the connection breaks.
async fn listen(client: &Client, signals: &mpsc::Sender<Signal>) -> Result<(), RedisError> {
    let mut pubsub = client.get_async_pubsub().await?;
    pubsub.subscribe(CHANNEL).await?;
    let mut messages = pubsub.into_on_message();
    let _ = signals.send(Signal::Resumed).await;
    while let Some(message) = messages.next().await {
        match serde_json::from_slice(message.get_payload_bytes()) {
            Ok(signal) => drop(signals.send(signal).await),
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}

/// The name of the room's stream. In a cluster, what is in braces decides on the
/// node, the same for the keys of its clients.
fn stream(room: &str) -> String {
    format!("chat:{{{room}}}")
}

fn entry((id, fields): Raw) -> Result<Entry, RedisError> {
    let id = parse_id(&id)?;
    let field = |name| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map_or(&[][..], |(_, value)| value)
    };
    let mut post: Post = serde_json::from_slice(field("post"))?;
    post.picture = field("picture").to_vec();
    Ok(Entry {
        id,
        frame: post.prepare(id),
    })
}

fn parse_id(id: &str) -> Result<Id, RedisError> {
    let (ms, number) = id.split_once('-').ok_or(RedisError::Id)?;
    match (ms.parse(), number.parse()) {
        (Ok(ms), Ok(number)) => Ok(Id(ms, number)),
        _ => Err(RedisError::Id),
    }
}
