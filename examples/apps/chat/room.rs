//! Who is in which room of this process, and what they are sent.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sansocket::Prepared;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::protocol::{Id, ToClient};
use crate::redis::RedisError;
use crate::store::{SIGNALS, Signal, Store};

/// How many messages may wait for a member. One more, and the member is put out.
pub(crate) const QUEUE: usize = 128;
/// How soon others are told who came and left.
const TOLD_AFTER: Duration = Duration::from_millis(100);
/// How often a process tells who is there.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// After so long without a word of a process, its people are gone.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(6);
/// Between attempts to read from a store that failed.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Hub {
    store: Store,
    /// Other processes know this one by it.
    process: String,
    next_member: AtomicU64,
    rooms: Mutex<HashMap<String, Room>>,
}

struct Room {
    members: HashMap<u64, Member>,
    /// The last post that members were sent.
    last: Id,
    /// The names that each process told, and when.
    people: HashMap<String, (Vec<String>, Instant)>,
    /// When this process told its names, unless they changed since.
    told: Option<Instant>,
}

struct Member {
    name: String,
    queue: mpsc::Sender<Outgoing>,
    /// Dropped with the member, which its connection notices at once.
    _presence: oneshot::Sender<()>,
}

/// A message to members, and the id if it is a post.
pub(crate) type Outgoing = (Option<Id>, Prepared);

/// A member's place: dropped, the member leaves.
pub(crate) struct Seat {
    hub: Arc<Hub>,
    member: u64,
    pub(crate) room: String,
    pub(crate) name: String,
}

/// The ends of a member's queue, for its connection.
pub(crate) struct Inbox {
    pub(crate) queue: mpsc::Receiver<Outgoing>,
    /// Ends when the member was put out for being too slow.
    pub(crate) put_out: oneshot::Receiver<()>,
}

impl Hub {
    pub(crate) fn new(store: Store, process: String) -> Self {
        Self {
            store,
            process,
            next_member: AtomicU64::new(0),
            rooms: Mutex::default(),
        }
    }

    /// Adds a member. What is posted from now on is in its queue.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        room: String,
        name: String,
    ) -> Result<(Seat, Inbox), RedisError> {
        // Read before others see the room: nothing is between it and the queue.
        let recent = self.store.recent(&room, 1).await?;
        let last = recent.last().map_or_else(Id::default, |post| post.id);
        let member = self.next_member.fetch_add(1, Ordering::Relaxed);
        let (sender, queue) = mpsc::channel(QUEUE);
        let (presence, put_out) = oneshot::channel();
        let mut rooms = self.rooms();
        let entered = rooms.entry(room.clone()).or_insert_with(|| Room {
            members: HashMap::new(),
            last,
            people: HashMap::new(),
            told: None,
        });
        entered.told = None;
        // The queue is empty.
        let _ = sender.try_send((None, entered.people()));
        let entering = Member {
            name: name.clone(),
            queue: sender,
            _presence: presence,
        };
        entered.members.insert(member, entering);
        drop(rooms);
        let hub = Arc::clone(self);
        let seat = Seat {
            hub,
            member,
            room,
            name,
        };
        Ok((seat, Inbox { queue, put_out }))
    }

    /// Tells members what the store signals, until the server stops. However many
    /// signals wait, each room is read once, and all of them at the same time.
    pub(crate) async fn run(&self, mut signals: mpsc::Receiver<Signal>) {
        let mut batch = Vec::new();
        while signals.recv_many(&mut batch, SIGNALS).await > 0 {
            let mut posted = HashMap::new();
            for signal in batch.drain(..) {
                match signal {
                    Signal::Posted { room, id } => drop(posted.insert(room, id)),
                    Signal::People {
                        room,
                        process,
                        names,
                    } => self.update_people(&room, process, names),
                    Signal::Typing { room, name } => {
                        let typing = Prepared::new(ToClient::Typing { name: &name }.to_json());
                        self.with(&room, |room| room.deliver(&(None, typing)));
                    }
                    Signal::Resumed => {
                        posted.extend(self.rooms().keys().map(|room| (room.clone(), Id::LAST)));
                    }
                }
            }
            let posted = posted.iter();
            join_all(posted.map(|(room, id)| self.deliver_posts(room, *id))).await;
        }
    }

    /// Tells others who is here, and forgets processes that are silent.
    pub(crate) async fn announce(&self) {
        loop {
            sleep(TOLD_AFTER).await;
            for (room, names) in self.due() {
                let process = self.process.clone();
                let signal = Signal::People {
                    room,
                    process,
                    names,
                };
                if let Err(error) = self.store.tell(signal).await {
                    eprintln!("{error}");
                }
            }
        }
    }

    /// The rooms that are due to be announced, with their names at this process.
    /// Empty ones are removed.
    fn due(&self) -> Vec<(String, Vec<String>)> {
        let mut due = Vec::new();
        self.rooms().retain(|name, room| {
            room.forget_silent();
            if room.told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
                room.told = Some(Instant::now());
                let names: BTreeSet<_> = room.members.values().map(|member| &member.name).collect();
                due.push((name.clone(), names.into_iter().cloned().collect()));
            }
            !room.members.is_empty()
        });
        due
    }

    /// Sends what is new up to this post, in the order of the store.
    async fn deliver_posts(&self, name: &str, newest: Id) {
        while let Some(last) = self
            .with(name, |room| room.last)
            .filter(|last| *last < newest)
        {
            let posts = match self.store.after(name, last).await {
                Ok(posts) if posts.is_empty() => return,
                Ok(posts) => posts,
                Err(error) => {
                    eprintln!("{error}");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            self.with(name, |room| {
                for post in posts {
                    room.last = post.id;
                    room.deliver(&(Some(post.id), post.frame));
                }
            });
        }
    }

    fn update_people(&self, room: &str, process: String, names: Vec<String>) {
        let is_other = process != self.process;
        self.with(room, |room| {
            let before = if names.is_empty() {
                room.people.remove(&process)
            } else {
                let told = (names.clone(), Instant::now());
                room.people.insert(process, told)
            };
            // A process that came late has to be told.
            if before.is_none() && is_other {
                room.told = None;
            }
            if before.is_none_or(|(before, _)| before != names) {
                room.deliver(&(None, room.people()));
            }
        });
    }

    fn with<R>(&self, room: &str, act: impl FnOnce(&mut Room) -> R) -> Option<R> {
        self.rooms().get_mut(room).map(act)
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Never waits: who has not read the last [`QUEUE`] messages is put out.
    fn deliver(&mut self, message: &Outgoing) {
        let count = self.members.len();
        self.members
            .retain(|_, member| member.queue.try_send(message.clone()).is_ok());
        if self.members.len() < count {
            self.told = None;
        }
    }

    fn people(&self) -> Prepared {
        let names = self.people.values().flat_map(|(names, _)| names);
        let names: BTreeSet<_> = names.map(String::as_str).collect();
        let names = names.into_iter().collect();
        Prepared::new(ToClient::People { names }.to_json())
    }

    fn forget_silent(&mut self) {
        let count = self.people.len();
        self.people
            .retain(|_, (_, heard)| heard.elapsed() < FORGOTTEN_AFTER);
        if self.people.len() < count {
            self.deliver(&(None, self.people()));
        }
    }
}

impl Seat {
    pub(crate) fn store(&self) -> &Store {
        &self.hub.store
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.with(&self.room, |room| {
            room.members.remove(&self.member);
            room.told = None;
        });
    }
}
