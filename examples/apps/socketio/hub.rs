//! Who is connected, in which rooms, and what those who lost their connection have
//! missed; no I/O.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sansocket::Prepared;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use crate::packet::{Kind, Packet};

/// How long a session waits for its client.
const SESSION_TIMEOUT: Duration = Duration::from_secs(120);
/// How many sessions wait, at most.
const MAX_SESSIONS: usize = 10_000;
/// What can be sent again: the last events, and their bytes.
const MAX_EVENTS: usize = 100;
const MAX_EVENT_BYTES: usize = 16 << 20;
/// How many packets a client may lag; more than can be sent again at once.
pub(crate) const MAX_QUEUED: usize = 2 * MAX_EVENTS;
const MAX_ROOMS: usize = 100;

/// A packet, framed once for all who receive it.
pub(crate) type Shared = Arc<[Prepared]>;

/// What a connection is to send.
#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) packets: mpsc::Sender<Shared>,
    /// The connection is too slow, or its sessions continue on another one.
    pub(crate) end: Arc<Notify>,
}

/// A member of a namespace, for as long as its connection.
pub(crate) type MemberId = u64;

#[derive(Default)]
pub(crate) struct Hub(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    members: HashMap<MemberId, Member>,
    /// Those that lost their connection, by their secret.
    waiting: HashMap<String, (Session, Instant)>,
    events: VecDeque<Event>,
    event_bytes: usize,
    last_offset: u64,
    last_member: MemberId,
}

struct Member {
    session: Session,
    queue: Queue,
}

/// What outlives a connection.
#[derive(Clone)]
pub(crate) struct Session {
    /// Known to all.
    pub(crate) id: String,
    /// Known to the client alone, which shows it to continue the session.
    secret: String,
    namespace: String,
    rooms: HashSet<String>,
    /// The last event before it began.
    since: u64,
}

struct Event {
    offset: u64,
    target: Target,
    packet: Shared,
}

/// To whom an event goes.
struct Target {
    namespace: String,
    /// `None`: everybody.
    room: Option<String>,
    /// The session that sent it.
    except: Option<String>,
}

impl Target {
    fn includes(&self, session: &Session) -> bool {
        let is_in = |room: &String| session.rooms.contains(room);
        session.namespace == self.namespace
            && self.room.as_ref().is_none_or(is_in)
            && self.except.as_ref() != Some(&session.id)
    }
}

impl Hub {
    /// Lets a client in, and queues the answer. A session that it had is continued
    /// with what it missed, if that is still known.
    pub(crate) fn connect(&self, request: &Packet, queue: Queue, new: [String; 2]) -> MemberId {
        let mut inner = self.lock();
        let namespace = &request.namespace;
        let text = |key| request.data.get(key).and_then(Value::as_str);
        let continued = text("pid").and_then(|secret| inner.take(secret, namespace));
        let [id, secret] = new;
        let fresh = Session {
            id,
            secret,
            namespace: namespace.clone(),
            rooms: HashSet::new(),
            since: inner.last_offset,
        };
        let (session, missed) = continued
            .and_then(|session| {
                // A client that has received nothing has no offset.
                let offset = text("offset").and_then(|offset| offset.parse().ok());
                let missed = inner.missed(&session, offset.unwrap_or(session.since))?;
                Some((session, missed))
            })
            .unwrap_or((fresh, Vec::new()));
        let answer = json!({ "sid": session.id, "pid": session.secret });
        let answer = Packet::new(Kind::Connect, namespace, answer);
        for packet in [shared(&answer)].into_iter().chain(missed) {
            // There is room for all of them.
            let _ = queue.packets.try_send(packet);
        }
        inner.last_member += 1;
        let member = inner.last_member;
        inner.members.insert(member, Member { session, queue });
        member
    }

    /// The client left.
    pub(crate) fn leave_all(&self, member: MemberId) {
        self.lock().members.remove(&member);
    }

    /// The client lost its connection: its session waits for it.
    pub(crate) fn suspend(&self, member: MemberId) {
        self.lock().suspend(member);
    }

    /// Returns how many are in the room, this one included; `None`: it is in too many.
    pub(crate) fn join(&self, member: MemberId, room: &str) -> Option<usize> {
        let mut inner = self.lock();
        let session = &mut inner.members.get_mut(&member)?.session;
        if session.rooms.len() >= MAX_ROOMS {
            return None;
        }
        session.rooms.insert(room.into());
        let target = Target {
            namespace: session.namespace.clone(),
            room: Some(room.into()),
            except: None,
        };
        Some(inner.receivers(&target).count())
    }

    pub(crate) fn leave(&self, member: MemberId, room: &str) {
        if let Some(leaving) = self.lock().members.get_mut(&member) {
            leaving.session.rooms.remove(room);
        }
    }

    /// Sends an event, whose data begins with its name, to others in a room, or to
    /// everybody in the namespace. The sender's id is added after the name. Returns
    /// how many receive it.
    pub(crate) fn emit(&self, from: MemberId, room: Option<&str>, mut packet: Packet) -> usize {
        let mut inner = self.lock();
        let Some(sender) = inner.members.get(&from) else {
            return 0;
        };
        let id = sender.session.id.clone();
        let target = Target {
            namespace: packet.namespace.clone(),
            room: room.map(str::to_owned),
            except: room.map(|_| id.clone()),
        };
        inner.last_offset += 1;
        let offset = inner.last_offset;
        if let Value::Array(args) = &mut packet.data {
            args.insert(1, id.into());
            // What the client shows to continue its session.
            args.push(offset.to_string().into());
        }
        let packet = shared(&packet);
        // A client that is too slow loses the connection, and can continue the session.
        let too_slow: Vec<_> = inner
            .receivers(&target)
            .filter(|(_, member)| member.queue.packets.try_send(packet.clone()).is_err())
            .map(|(id, _)| *id)
            .collect();
        let count = inner.receivers(&target).count() - too_slow.len();
        for member in too_slow {
            inner.suspend(member);
        }
        inner.remember(Event {
            offset,
            target,
            packet,
        });
        count
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn receivers(&self, target: &Target) -> impl Iterator<Item = (&MemberId, &Member)> {
        let members = self.members.iter();
        members.filter(|(_, member)| target.includes(&member.session))
    }

    fn suspend(&mut self, member: MemberId) {
        let Some(Member { session, queue }) = self.members.remove(&member) else {
            return;
        };
        queue.end.notify_one();
        let now = Instant::now();
        self.waiting.retain(|_, (_, until)| *until > now);
        if self.waiting.len() < MAX_SESSIONS {
            let waiting = (session.clone(), now + SESSION_TIMEOUT);
            self.waiting.insert(session.secret, waiting);
        }
    }

    /// A session to be continued.
    fn take(&mut self, secret: &str, namespace: &str) -> Option<Session> {
        let mut members = self.members.iter();
        let is_same = |(_, member): &(_, &Member)| member.session.secret == secret;
        // The end of the old connection has not been noticed yet.
        if let Some(member) = members.find(is_same).map(|(id, _)| *id) {
            self.suspend(member);
        }
        let (session, until) = self.waiting.remove(secret)?;
        (until > Instant::now() && session.namespace == namespace).then_some(session)
    }

    /// The events for a session after this offset, if all of them are still known.
    fn missed(&self, session: &Session, offset: u64) -> Option<Vec<Shared>> {
        let first = self.events.front();
        let known_after = first.map_or(self.last_offset, |event| event.offset - 1);
        if !(known_after..=self.last_offset).contains(&offset) {
            return None;
        }
        let missed = self.events.iter().filter(|event| event.offset > offset);
        let missed = missed.filter(|event| event.target.includes(session));
        Some(missed.map(|event| event.packet.clone()).collect())
    }

    fn remember(&mut self, event: Event) {
        self.event_bytes += event.len();
        self.events.push_back(event);
        while self.events.len() > MAX_EVENTS || self.event_bytes > MAX_EVENT_BYTES {
            let Some(first) = self.events.pop_front() else {
                return;
            };
            self.event_bytes -= first.len();
        }
    }
}

impl Event {
    fn len(&self) -> usize {
        let messages = self.packet.iter();
        messages.map(|message| message.payload().len()).sum()
    }
}

fn shared(packet: &Packet) -> Shared {
    packet.encode().iter().map(Prepared::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Client {
        member: MemberId,
        secret: String,
        queued: mpsc::Receiver<Shared>,
        end: Arc<Notify>,
    }

    impl Client {
        fn connect(hub: &Hub, data: Value) -> Self {
            let (packets, mut queued) = mpsc::channel(MAX_QUEUED);
            let end = Arc::new(Notify::new());
            let queue = Queue {
                packets,
                end: end.clone(),
            };
            let request = Packet::new(Kind::Connect, "/", data);
            let number = hub.lock().last_member;
            let new = [format!("id{number}"), format!("secret{number}")];
            let member = hub.connect(&request, queue, new);
            let answer = text(&queued.try_recv().unwrap());
            let answer: Value = serde_json::from_str(&answer[2..]).unwrap();
            Self {
                member,
                secret: answer["pid"].as_str().unwrap().into(),
                queued,
                end,
            }
        }

        fn received(&mut self) -> Vec<String> {
            std::iter::from_fn(|| self.queued.try_recv().ok())
                .map(|packet| text(&packet))
                .collect()
        }
    }

    fn text(packet: &Shared) -> String {
        String::from_utf8_lossy(packet[0].payload()).into()
    }

    fn event(name: &str) -> Packet {
        Packet::new(Kind::Event, "/", json!([name]))
    }

    #[test]
    fn events_reach_the_others_in_the_room() {
        let hub = Hub::default();
        let mut clients = [(); 3].map(|()| Client::connect(&hub, Value::Null));
        assert_eq!(hub.join(clients[0].member, "a"), Some(1));
        assert_eq!(hub.join(clients[1].member, "a"), Some(2));
        assert_eq!(hub.emit(clients[0].member, Some("a"), event("said")), 1);
        assert_eq!(clients[0].received(), [""; 0]);
        assert_eq!(clients[1].received(), [r#"42["said","id0","1"]"#]);
        hub.leave(clients[1].member, "a");
        assert_eq!(hub.emit(clients[0].member, Some("a"), event("said")), 0);
        assert_eq!(hub.emit(clients[0].member, None, event("shouted")), 3);
        for client in &mut clients {
            assert_eq!(client.received(), [r#"42["shouted","id0","3"]"#]);
        }
    }

    #[test]
    fn session_goes_on_with_what_it_missed() {
        let hub = Hub::default();
        let ada = Client::connect(&hub, Value::Null);
        let bob = Client::connect(&hub, Value::Null);
        hub.join(bob.member, "a");
        hub.emit(ada.member, Some("a"), event("one"));
        hub.suspend(bob.member);
        hub.emit(ada.member, Some("a"), event("two"));
        hub.emit(ada.member, Some("b"), event("elsewhere"));
        let known = json!({ "pid": bob.secret, "offset": "1" });
        let mut again = Client::connect(&hub, known.clone());
        assert_eq!(again.secret, bob.secret);
        assert_eq!(again.received(), [r#"42["two","id0","2"]"#]);
        // While the old connection seems to be open.
        let mut again = Client::connect(&hub, json!({ "pid": bob.secret }));
        assert_eq!(again.received().len(), 2, "all since it began");
        hub.leave_all(again.member);
        assert_ne!(Client::connect(&hub, known).secret, bob.secret);
    }

    #[test]
    fn session_is_new_if_events_are_forgotten() {
        let hub = Hub::default();
        let ada = Client::connect(&hub, Value::Null);
        let bob = Client::connect(&hub, Value::Null);
        hub.suspend(bob.member);
        for _ in 0..=MAX_EVENTS {
            hub.emit(ada.member, Some("a"), event("news"));
        }
        let lost = Client::connect(&hub, json!({ "pid": bob.secret, "offset": "0" }));
        assert_ne!(lost.secret, bob.secret);
        let invented = json!({ "pid": ada.secret, "offset": "1000" });
        assert_ne!(Client::connect(&hub, invented).secret, ada.secret);
    }

    #[test]
    fn slow_client_is_suspended() {
        let hub = Hub::default();
        let ada = Client::connect(&hub, Value::Null);
        let bob = Client::connect(&hub, Value::Null);
        hub.join(bob.member, "a");
        for _ in 0..MAX_QUEUED {
            assert_eq!(hub.emit(ada.member, Some("a"), event("news")), 1);
        }
        assert_eq!(hub.emit(ada.member, Some("a"), event("news")), 0);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut ended = std::pin::pin!(bob.end.notified());
        assert!(ended.as_mut().poll(&mut context).is_ready());
    }
}
