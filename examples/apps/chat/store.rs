//! Where posts are kept and signals pass: in this process, or in Redis, where
//! several processes share them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sansocket::Prepared;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::protocol::{Id, Post};
use crate::redis::{Redis, RedisError};

/// How many posts a room keeps.
pub(crate) const KEPT: usize = 1000;
/// How many posts are read at once.
pub(crate) const BATCH: usize = 50;
/// Of all posts of a room in memory.
const MAX_ROOM_LEN: usize = 16 * 1024 * 1024;
/// In memory: beyond them the room that was silent longest is forgotten.
const MAX_ROOMS: usize = 1000;
/// How many signals may wait. Those who post wait then.
pub(crate) const SIGNALS: usize = 1024;

pub(crate) enum Store {
    Memory(Memory),
    Redis(Redis),
}

/// What all processes are told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Signal {
    /// The newest post has this id.
    Posted {
        room: String,
        id: Id,
    },
    /// Who is in the room at this process.
    People {
        room: String,
        process: String,
        names: Vec<String>,
    },
    Typing {
        room: String,
        name: String,
    },
    /// Signals may have been missed until now.
    Resumed,
}

/// A post, ready to send.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) frame: Prepared,
}

pub(crate) struct Memory {
    rooms: Mutex<HashMap<String, Log>>,
    signals: mpsc::Sender<Signal>,
}

#[derive(Default)]
struct Log {
    /// With their keys.
    entries: VecDeque<(Entry, String)>,
    ids: HashMap<String, Id>,
    /// In bytes.
    len: usize,
    last: Id,
}

impl Store {
    /// Connects to Redis, if there is a URL of one.
    pub(crate) async fn open(
        redis: Option<&str>,
    ) -> Result<(Self, mpsc::Receiver<Signal>), RedisError> {
        let (signals, receiver) = mpsc::channel(SIGNALS);
        let store = match redis {
            Some(url) => Self::Redis(Redis::connect(url, signals).await?),
            None => Self::Memory(Memory {
                rooms: Mutex::default(),
                signals,
            }),
        };
        Ok((store, receiver))
    }

    /// Keeps a post and tells all processes, unless its key is known already.
    /// Returns its id.
    pub(crate) async fn append(&self, room: &str, post: &Post) -> Result<Id, RedisError> {
        match self {
            Self::Memory(memory) => Ok(memory.append(room, post).await),
            Self::Redis(redis) => redis.append(room, post).await,
        }
    }

    /// The posts after this one, at most [`BATCH`].
    pub(crate) async fn after(&self, room: &str, id: Id) -> Result<Vec<Entry>, RedisError> {
        match self {
            Self::Memory(memory) => Ok(memory.after(room, id)),
            Self::Redis(redis) => redis.after(room, id).await,
        }
    }

    /// The last posts, at most so many.
    pub(crate) async fn recent(&self, room: &str, count: usize) -> Result<Vec<Entry>, RedisError> {
        match self {
            Self::Memory(memory) => Ok(memory.recent(room, count)),
            Self::Redis(redis) => redis.recent(room, count).await,
        }
    }

    /// Tells all processes, this one included.
    pub(crate) async fn tell(&self, signal: Signal) -> Result<(), RedisError> {
        match self {
            Self::Memory(memory) => memory.tell(signal).await,
            Self::Redis(redis) => redis.tell(&signal).await?,
        }
        Ok(())
    }
}

impl Memory {
    async fn append(&self, room: &str, post: &Post) -> Id {
        let (id, is_new) = self.with(|rooms| {
            if rooms.len() >= MAX_ROOMS && !rooms.contains_key(room) {
                let silent = rooms.iter().min_by_key(|(_, log)| log.last);
                let silent = silent.map(|(name, _)| name.clone());
                silent.and_then(|name| rooms.remove(&name));
            }
            rooms.entry(room.to_owned()).or_default().append(post)
        });
        if is_new {
            let room = room.to_owned();
            self.tell(Signal::Posted { room, id }).await;
        }
        id
    }

    fn after(&self, room: &str, id: Id) -> Vec<Entry> {
        self.with(|rooms| {
            let Some(log) = rooms.get(room) else {
                return Vec::new();
            };
            let start = log.entries.partition_point(|(entry, _)| entry.id <= id);
            let after = log.entries.range(start..).take(BATCH);
            after.map(|(entry, _)| entry.clone()).collect()
        })
    }

    fn recent(&self, room: &str, count: usize) -> Vec<Entry> {
        self.with(|rooms| {
            let Some(log) = rooms.get(room) else {
                return Vec::new();
            };
            let start = log.entries.len().saturating_sub(count);
            let recent = log.entries.range(start..);
            recent.map(|(entry, _)| entry.clone()).collect()
        })
    }

    async fn tell(&self, signal: Signal) {
        // Nobody listens any more when the server stops.
        let _ = self.signals.send(signal).await;
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<String, Log>) -> R) -> R {
        act(&mut self.rooms.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log {
    /// Returns the id, and whether the post is new.
    fn append(&mut self, post: &Post) -> (Id, bool) {
        if let Some(id) = self.ids.get(&post.key) {
            return (*id, false);
        }
        let id = self.next_id();
        let frame = post.prepare(id);
        self.last = id;
        self.len += frame.payload().len();
        self.ids.insert(post.key.clone(), id);
        let entry = (Entry { id, frame }, post.key.clone());
        self.entries.push_back(entry);
        while self.entries.len() > KEPT || self.len > MAX_ROOM_LEN {
            let Some((entry, key)) = self.entries.pop_front() else {
                break;
            };
            self.len -= entry.frame.payload().len();
            self.ids.remove(&key);
        }
        (id, true)
    }

    /// Later than all before, those before a restart included.
    fn next_id(&self) -> Id {
        let ms = since_1970().as_millis().try_into().unwrap_or(u64::MAX);
        let Id(last, number) = self.last;
        if ms > last {
            Id(ms, 0)
        } else {
            Id(last, number + 1)
        }
    }
}

fn since_1970() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}
