//! What page and server say to each other: text messages are JSON. A binary
//! message is the same JSON, a line feed, and the bytes of a picture.

use sansocket::{Message, Prepared};
use serde::{Deserialize, Serialize};

/// In bytes. The page scales larger pictures down.
pub(crate) const MAX_PICTURE_LEN: usize = 512 * 1024;
/// In bytes, the JSON around it included.
pub(crate) const MAX_TEXT_LEN: usize = 16 * 1024;
/// In characters, of a name and of a room's.
const MAX_NAME_LEN: usize = 40;
const MAX_KEY_LEN: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum FromClient {
    /// The first message of a connection.
    Join(Join),
    /// A text, or a caption if the message is binary. The `key` is chosen by the
    /// client at random: said again with the same key, it is not said twice.
    Say { key: String, text: String },
    /// The user is writing.
    Typing,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Join {
    pub(crate) room: String,
    pub(crate) name: String,
    /// The last post that the client has seen.
    pub(crate) after: Option<Id>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ToClient<'a> {
    /// Answers `Join`. `peers` are URLs of servers with the same rooms.
    Welcome {
        peers: &'a [String],
    },
    Post {
        id: Id,
        #[serde(flatten)]
        post: &'a Post,
    },
    /// The post with this key is stored, with this id.
    Ack {
        key: &'a str,
        id: Id,
    },
    /// Who is in the room.
    People {
        names: Vec<&'a str>,
    },
    Typing {
        name: &'a str,
    },
}

/// What somebody said, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Post {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) text: String,
    /// The bytes follow in the same message.
    #[serde(skip)]
    pub(crate) picture: Vec<u8>,
}

/// Orders the posts of a room: milliseconds since 1970, and a number within
/// them, as in a stream of Redis. `[ms, number]` in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Id(pub(crate) u64, pub(crate) u64);

impl Id {
    /// After all others.
    pub(crate) const LAST: Self = Self(u64::MAX, u64::MAX);
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("not a message of this chat")]
    Json(#[from] serde_json::Error),
    #[error("a picture has no head")]
    NoHead,
    #[error("not a PNG, JPEG, GIF or WebP picture")]
    NotAPicture,
    #[error("empty or too long")]
    Len,
    #[error("joined a room before")]
    Joined,
}

/// Parses a message of a client. What follows the head of a binary one is a
/// picture.
pub(crate) fn parse(message: &Message) -> Result<(FromClient, &[u8]), Invalid> {
    let bytes = message.as_bytes();
    let (head, picture) = match message {
        Message::Text(_) => (bytes, &[][..]),
        Message::Binary(_) => {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (head, picture) = bytes.split_at(end.ok_or(Invalid::NoHead)?);
            (head, check_picture(&picture[1..])?)
        }
    };
    let parsed = serde_json::from_slice(head)?;
    let is_valid = match &parsed {
        FromClient::Join(join) => is_name(&join.name) && is_name(&join.room),
        FromClient::Say { key, text } => {
            (1..=MAX_KEY_LEN).contains(&key.len())
                && text.len() <= MAX_TEXT_LEN
                && !(text.is_empty() && picture.is_empty())
        }
        FromClient::Typing => true,
    };
    if is_valid {
        Ok((parsed, picture))
    } else {
        Err(Invalid::Len)
    }
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= MAX_NAME_LEN
}

/// By what such files begin with: nobody shares other files here.
fn check_picture(bytes: &[u8]) -> Result<&[u8], Invalid> {
    let starts: [&[u8]; 4] = [b"\x89PNG", b"\xFF\xD8\xFF", b"GIF8", b"RIFF"];
    let is_picture = starts.iter().any(|start| bytes.starts_with(start));
    if is_picture && bytes.len() <= MAX_PICTURE_LEN {
        Ok(bytes)
    } else {
        Err(Invalid::NotAPicture)
    }
}

impl ToClient<'_> {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("no map has other keys than strings")
    }
}

impl Post {
    /// Frames it once for all who receive it.
    pub(crate) fn prepare(&self, id: Id) -> Prepared {
        let mut json = ToClient::Post { id, post: self }.to_json();
        if self.picture.is_empty() {
            return Prepared::new(json);
        }
        json.push('\n');
        Prepared::new([json.as_bytes(), &self.picture].concat())
    }
}
