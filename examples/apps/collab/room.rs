//! What all share: who is there, the board and the text.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sansocket::Prepared;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::text::{Id, Insert, Text};

/// How many lines a board holds; it is cleared when it is full.
const MAX_LINES: usize = 20_000;

/// How many characters of a name are kept.
const MAX_NAME_LEN: usize = 20;

/// An action of a user. The server puts all actions in one order, in which all users
/// receive them, including their own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    /// Comes, with a name.
    Hello(String),
    /// Points at a place of the board.
    Pointer([u16; 2]),
    /// Draws a line, to the second place.
    Line([u16; 4]),
    /// Clears the board.
    Clear,
    Insert(Insert),
    Delete(Vec<Id>),
    /// Moves the cursor in the text after this character.
    Cursor(Option<Id>),
    #[serde(skip_deserializing)]
    Left,
}

/// An act, and the number of who did it.
#[derive(Clone, Debug, Serialize)]
struct Done<'a> {
    by: u32,
    act: &'a Act,
}

/// The first message to a new user.
#[derive(Serialize)]
struct Welcome<'r> {
    you: u32,
    people: &'r BTreeMap<u32, String>,
    /// Each with the number of who drew it.
    lines: &'r [(u32, [u16; 4])],
    text: &'r Text,
}

#[derive(Clone)]
pub(crate) struct Room {
    state: Arc<Mutex<State>>,
    news: broadcast::Sender<Prepared>,
}

#[derive(Default)]
struct State {
    last: u32,
    people: BTreeMap<u32, String>,
    lines: Vec<(u32, [u16; 4])>,
    text: Text,
}

/// Somebody who is there, until this is dropped.
pub(crate) struct Member {
    room: Room,
    number: u32,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::default(),
            news: broadcast::channel(1024).0,
        }
    }

    /// Adds a user. Returns the current state and all news after it.
    pub(crate) fn join(&self, name: String) -> (Member, String, broadcast::Receiver<Prepared>) {
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        let news = self.news.subscribe();
        let _ = self.take(&mut state, number, Act::Hello(name));
        let welcome = Welcome {
            you: number,
            people: &state.people,
            lines: &state.lines,
            text: &state.text,
        };
        let welcome = serde_json::to_string(&welcome).unwrap_or_default();
        let room = self.clone();
        (Member { room, number }, welcome, news)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and informs all users, in one step.
    fn take(&self, state: &mut State, by: u32, mut act: Act) -> Result<(), &'static str> {
        state.apply(by, &mut act)?;
        self.tell(by, &act);
        if state.lines.len() >= MAX_LINES {
            state.lines.clear();
            self.tell(by, &Act::Clear);
        }
        Ok(())
    }

    /// Framed once for all.
    fn tell(&self, by: u32, act: &Act) {
        let done = serde_json::to_string(&Done { by, act }).unwrap_or_default();
        // Nobody may be there.
        let _ = self.news.send(Prepared::new(done));
    }
}

impl State {
    fn apply(&mut self, by: u32, act: &mut Act) -> Result<(), &'static str> {
        match act {
            Act::Hello(name) => {
                *name = name.chars().take(MAX_NAME_LEN).collect();
                self.people.insert(by, name.clone());
            }
            Act::Line(line) => self.lines.push((by, *line)),
            Act::Clear => self.lines.clear(),
            Act::Insert(insert) if insert.id.1 == by && self.text.insert(insert) => {}
            Act::Insert(_) => return Err("the edit is not valid, or the text is full"),
            Act::Delete(ids) => self.text.delete(ids),
            Act::Pointer(_) | Act::Cursor(_) => {}
            Act::Left => {
                self.people.remove(&by);
                if self.people.is_empty() {
                    self.text.compact();
                }
            }
        }
        Ok(())
    }
}

impl Member {
    /// Does what a message says.
    pub(crate) fn act(&self, message: &str) -> Result<(), &'static str> {
        let act = serde_json::from_str(message).map_err(|_| "an unknown act")?;
        self.room.take(&mut self.room.lock(), self.number, act)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        let _ = self.room.take(&mut state, self.number, Act::Left);
    }
}
