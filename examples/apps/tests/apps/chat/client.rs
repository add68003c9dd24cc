//! A member of the chat, as the page is one.

use std::thread;
use std::time::{Duration, Instant};

use sansocket::blocking::{Client, Error, connect};
use sansocket::{Config, Message, Outcome};
use serde_json::{Value, json};

/// Longer without a byte, and the test has failed; less than the interval of
/// keepalive pings.
const SILENCE: Duration = Duration::from_secs(15);
/// Longer until something is acknowledged or received, and it has failed too.
const LIMIT: Duration = Duration::from_secs(30);

/// One connection, which has joined a room.
pub(crate) struct Socket(Client);

impl Socket {
    pub(crate) fn join(url: &str, room: &str, name: &str, after: &Value) -> Result<Self, Error> {
        let ws = connect(url, &Config::new())?;
        ws.stream().tcp().set_read_timeout(Some(SILENCE))?;
        let mut socket = Self(ws);
        socket.send(&json!({"type": "join", "room": room, "name": name, "after": after}))?;
        Ok(socket)
    }

    pub(crate) fn send(&mut self, message: &Value) -> Result<(), Error> {
        self.0.send(message.to_string())
    }

    /// With a picture of this length, or none.
    pub(crate) fn say(&mut self, key: &str, text: &str, len: usize) -> Result<(), Error> {
        let head = json!({"type": "say", "key": key, "text": text});
        if len == 0 {
            return self.send(&head);
        }
        let mut message = format!("{head}\nGIF8").into_bytes();
        message.resize(message.len() + len, 0);
        self.0.send(message)
    }

    /// Without the bytes of a picture.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, Error> {
        let head = |message: Message| {
            let head = message.as_bytes().split(|byte| *byte == b'\n').next();
            serde_json::from_slice(head.unwrap()).unwrap()
        };
        Ok(self.0.next()?.map(head))
    }

    /// Discards what comes before a message of this type.
    #[track_caller]
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().unwrap().expect(kind);
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// How the connection ends, and the posts before.
    pub(crate) fn end(mut self) -> (Vec<Value>, Outcome) {
        let mut posts = Vec::new();
        while let Some(message) = self.next().unwrap() {
            if message["type"] == "post" {
                posts.push(message);
            }
        }
        (posts, self.0.outcome().unwrap().clone())
    }
}

/// A member who comes back to the next server when one is gone.
pub(crate) struct Member {
    name: String,
    servers: Vec<String>,
    socket: Option<Socket>,
    unacknowledged: Option<(String, usize)>,
    /// Key and id of what was received.
    pub(crate) posts: Vec<(String, Value)>,
    /// Key and id of what was said.
    pub(crate) acknowledged: Vec<(String, Value)>,
    pub(crate) said_again: usize,
}

impl Member {
    pub(crate) fn new(name: String, servers: Vec<String>) -> Self {
        Self {
            name,
            servers,
            socket: None,
            unacknowledged: None,
            posts: Vec::new(),
            acknowledged: Vec::new(),
            said_again: 0,
        }
    }

    /// Returns when it is acknowledged.
    pub(crate) fn say(&mut self, key: String, len: usize) {
        if let Some(socket) = &mut self.socket {
            // An error is seen by the next call, which says it again.
            let _ = socket.say(&key, "hello", len);
        }
        if key.ends_with('7') {
            // Gone before it reads the acknowledgement, so it says this again.
            thread::sleep(Duration::from_millis(5));
            self.socket = None;
        }
        self.unacknowledged = Some((key, len));
        self.receive_until(|member| member.unacknowledged.is_none());
    }

    /// Returns when these posts were received.
    pub(crate) fn wait_for(&mut self, keys: &[String]) {
        for key in keys {
            self.receive_until(|member| member.posts.iter().any(|(posted, _)| posted == key));
        }
    }

    fn receive_until(&mut self, is_done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is_done(self) {
            assert!(start.elapsed() < LIMIT, "{} waits for ever", self.name);
            if let Some(Ok(Some(message))) = self.socket.as_mut().map(Socket::next) {
                self.receive(&message);
            } else if self.come_back().is_err() {
                self.servers.rotate_left(1);
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn come_back(&mut self) -> Result<(), Error> {
        let start = json!([0, 0]);
        let after = self.posts.last().map_or(&start, |(_, id)| id);
        let mut socket = Socket::join(&self.servers[0], "room", &self.name, after)?;
        if let Some((key, len)) = &self.unacknowledged {
            self.said_again += 1;
            socket.say(key, "hello", *len)?;
        }
        self.socket = Some(socket);
        Ok(())
    }

    fn receive(&mut self, message: &Value) {
        let key = || message["key"].as_str().unwrap().to_owned();
        let id = || message["id"].clone();
        match message["type"].as_str() {
            Some("post") => self.posts.push((key(), id())),
            Some("ack") => {
                self.acknowledged.push((key(), id()));
                self.unacknowledged.take_if(|(said, _)| *said == key());
            }
            _ => {}
        }
    }
}
