//! The chat: its page, its slow readers, and several processes over Redis.

mod bench;
mod client;

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peers::{has_browser, is_missing, is_program, run_in_browser};
use crate::server::{Server, example};
use client::{Member, Socket};

/// Of the room whose processes are killed.
const MEMBERS: usize = 6;

/// A redis-server of the test's own, which keeps nothing.
struct Redis {
    child: Child,
    url: String,
}

impl Redis {
    /// None if it is not installed.
    fn start() -> Option<Self> {
        if is_missing("redis-server", is_program("redis-server")) {
            return None;
        }
        let addr = free_addr();
        let port = addr.rsplit(':').next().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", port, "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(&addr).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        let url = format!("redis://{addr}");
        Some(Self { child, url })
    }

    /// Runs a command and discards its answer.
    fn command(&self, command: &str) {
        let addr = self.url.strip_prefix("redis://").unwrap();
        let mut stream = TcpStream::connect(addr).unwrap();
        write!(stream, "{command}\r\n").unwrap();
        let _ = stream.read(&mut [0; 64]).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For servers that are started again where they were.
fn free_addr() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[track_caller]
fn join(server: &Server, name: &str, after: &Value) -> Socket {
    Socket::join(&server.url, "room", name, after).unwrap()
}

#[test]
fn pages_chat_and_come_back() {
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    let program = example("chat");
    run_in_browser("chat.mjs", &[&program.to_string_lossy()]);
}

#[test]
fn page_moves_to_another_process() {
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    let Some(redis) = Redis::start() else { return };
    let program = example("chat");
    run_in_browser("chat_move.mjs", &[&program.to_string_lossy(), &redis.url]);
}

#[test]
fn slow_reader_is_told_why_it_is_closed_and_hurts_nobody() {
    let server = Server::start("chat");
    let mut slow = join(&server, "Slow", &Value::Null);
    slow.until("people");
    let (mut ada, mut bob) = (
        join(&server, "Ada", &Value::Null),
        join(&server, "Bob", &Value::Null),
    );
    while bob.until("people")["names"] != json!(["Ada", "Bob", "Slow"]) {}

    let mut said = 0;
    let mut people = json!(["Ada", "Bob", "Slow"]);
    while people != json!(["Ada", "Bob"]) {
        assert!(said < 600, "nobody is put out");
        ada.say(&said.to_string(), "", 400_000).unwrap();
        ada.until("ack");
        loop {
            let message = bob.next().unwrap().expect("Bob stays");
            match message["type"].as_str() {
                Some("people") => people = message["names"].clone(),
                Some("post") => break assert_eq!(message["key"], said.to_string()),
                _ => {}
            }
        }
        said += 1;
    }

    let (posts, outcome) = slow.end();
    assert_eq!(u16::from(outcome.code), 1013);
    assert_eq!(&*outcome.reason, "too slow: 128 messages were waiting");
    assert!(outcome.clean, "{outcome:?}");
    assert!(posts.len() < said, "{} of {said}", posts.len());
    for (number, post) in posts.iter().enumerate() {
        assert_eq!(post["key"], number.to_string());
    }

    // Back again, it is sent what it missed; a room keeps 16 MiB.
    let last = posts.last().unwrap()["id"].clone();
    ada.say("end", "the end", 0).unwrap();
    let mut slow = join(&server, "Slow", &last);
    let missed = slow.until("post")["key"].as_str().unwrap().to_owned();
    let missed: usize = missed.parse().unwrap();
    assert!((posts.len()..said).contains(&missed), "{missed}");
    for number in missed + 1..said {
        assert_eq!(slow.until("post")["key"], number.to_string());
    }
    assert_eq!(slow.until("post")["text"], "the end");
}

fn says_twice(server: &Server, other: &Server) {
    let mut ada = join(server, "Ada", &Value::Null);
    ada.say("key", "hello", 0).unwrap();
    let id = ada.until("ack")["id"].clone();
    let mut again = join(other, "Ada", &Value::Null);
    again.say("key", "hello", 0).unwrap();
    assert_eq!(again.until("ack")["id"], id);
    again.say("other", "goodbye", 0).unwrap();
    let texts = [ada.until("post"), ada.until("post")].map(|post| post["text"].clone());
    assert_eq!(texts, ["hello", "goodbye"]);
}

#[test]
fn what_is_said_twice_is_posted_once() {
    let server = Server::start("chat");
    says_twice(&server, &server);
    let Some(redis) = Redis::start() else { return };
    let servers = [0, 1].map(|_| Server::start_with("chat", &["--redis", &redis.url]));
    says_twice(&servers[0], &servers[1]);
}

#[test]
fn what_is_not_allowed_ends_in_a_reason() {
    let server = Server::start("chat");
    let rows = [
        (json!({"type": "typing"}), "join a room first"),
        (json!({"type": "other"}), "not a message of this chat"),
        (
            json!({"type": "join", "room": "", "name": "Ada"}),
            "empty or too long",
        ),
        (
            json!({"type": "join", "room": "a", "name": "a".repeat(41)}),
            "empty or too long",
        ),
    ];
    for (message, reason) in rows {
        let ws = sansocket::blocking::connect(&*server.url, &sansocket::Config::new());
        let mut ws = ws.unwrap();
        ws.send(message.to_string()).unwrap();
        assert_eq!(ws.next().unwrap(), None);
        let outcome = ws.outcome().unwrap();
        assert_eq!((u16::from(outcome.code), &*outcome.reason), (1008, reason));
    }
    let mut ada = join(&server, "Ada", &Value::Null);
    ada.send(&json!({"type": "say", "key": "1", "text": ""}))
        .unwrap();
    assert_eq!(&*ada.end().1.reason, "empty or too long");
}

#[test]
fn connections_to_redis_may_break() {
    let Some(redis) = Redis::start() else { return };
    let servers = [0, 1].map(|_| Server::start_with("chat", &["--redis", &redis.url]));
    let [mut ada, mut bob] =
        [0, 1].map(|n| Member::new(n.to_string(), vec![servers[n].url.clone()]));
    for round in 0..3 {
        let key = format!("round {round}");
        ada.say(key.clone(), 0);
        bob.wait_for(&[key]);
        redis.command("CLIENT KILL TYPE pubsub");
        redis.command("CLIENT KILL TYPE normal");
    }
    assert_eq!(ada.acknowledged, bob.posts);
}

#[test]
fn people_of_a_killed_process_are_gone() {
    let Some(redis) = Redis::start() else { return };
    let [one, other] = [0, 1].map(|_| Server::start_with("chat", &["--redis", &redis.url]));
    let mut ada = join(&one, "Ada", &Value::Null);
    let _bob = join(&other, "Bob", &Value::Null);
    while ada.until("people")["names"] != json!(["Ada", "Bob"]) {}
    drop(other);
    while ada.until("people")["names"] != json!(["Ada"]) {}
}

/// How long processes are killed: a few seconds, or CHAT_SECONDS.
fn duration() -> Duration {
    let seconds = std::env::var("CHAT_SECONDS").map(|seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(4))
}

/// What a member has to do until it is told to stop. Returns when it has
/// received the last post of all.
fn chat_until(stop: &AtomicBool, number: usize, urls: &[String]) -> Member {
    let (later, first) = urls.split_at(number % urls.len());
    let mut member = Member::new(format!("member {number}"), [first, later].concat());
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let picture_len = if count % 8 == 0 { 10_000 } else { 0 };
        member.say(format!("{number}:{count}"), picture_len);
        thread::sleep(Duration::from_millis(20));
    }
    member.say(format!("{number}:end"), 0);
    member.wait_for(
        &(0..MEMBERS)
            .map(|number| format!("{number}:end"))
            .collect::<Vec<_>>(),
    );
    member
}

/// Kills one process after another, or stops it in order, and starts each again
/// where it was. Returns how many.
fn kill_at_random(servers: &mut [Option<Server>], addrs: &[String], args: &[&str]) -> usize {
    let start = Instant::now();
    let mut killed = 0;
    while start.elapsed() < duration() {
        let random = RandomState::new().build_hasher().finish();
        thread::sleep(Duration::from_millis(200 + random % 300));
        let index = (random >> 32) as usize % servers.len();
        let server = servers[index].take().expect("it runs");
        if random & (1 << 20) == 0 {
            server.interrupt();
        } else {
            drop(server);
        }
        thread::sleep(Duration::from_millis(random % 200));
        servers[index] = Some(Server::start_at(&addrs[index], "chat", args));
        killed += 1;
    }
    killed
}

/// All have received the same posts in the same order, each once, and among them
/// all that were acknowledged.
fn account(members: &[Member]) {
    let posts = &members[0].posts;
    for member in members {
        assert!(member.posts == *posts, "another order");
    }
    let ids: HashMap<_, _> = posts.iter().cloned().collect();
    assert_eq!(ids.len(), posts.len(), "a post is there twice");
    let acknowledged = members.iter().flat_map(|member| &member.acknowledged);
    let mut said = HashSet::new();
    for (key, id) in acknowledged {
        assert_eq!(ids.get(key), Some(id), "{key} is lost");
        said.insert(key);
    }
    assert_eq!(said.len(), posts.len(), "nobody said it");
    for (number, member) in members.iter().enumerate() {
        let own = format!("{number}:");
        let own = posts.iter().filter(|(key, _)| key.starts_with(&own));
        let order = member.acknowledged.iter();
        assert!(own.map(|(key, _)| key).eq(order.map(|(key, _)| key)));
    }
}

#[test]
fn processes_are_killed_and_nothing_acknowledged_is_lost() {
    let Some(redis) = Redis::start() else { return };
    let addrs = [(); 3].map(|()| free_addr());
    let urls = addrs.each_ref().map(|addr| format!("ws://{addr}"));
    let args = ["--redis", &redis.url, "--peers", &urls.join(",")];
    let mut servers = addrs
        .each_ref()
        .map(|addr| Some(Server::start_at(addr, "chat", &args)));
    let stop = AtomicBool::new(false);
    let (members, killed) = thread::scope(|scope| {
        let (stop, urls) = (&stop, &urls);
        let numbers: [usize; MEMBERS] = std::array::from_fn(|number| number);
        let chatting = numbers.map(|number| scope.spawn(move || chat_until(stop, number, urls)));
        let killed = kill_at_random(&mut servers, &addrs, &args);
        stop.store(true, Ordering::Relaxed);
        (chatting.map(|member| member.join().unwrap()), killed)
    });
    account(&members);
    let said_again: usize = members.iter().map(|member| member.said_again).sum();
    println!(
        "{} posts of {MEMBERS} members; processes stopped {killed} times; said again {said_again} times",
        members[0].posts.len(),
    );
}
