//! What passes: messages of several kinds as they stand on the wire.

use std::sync::Arc;

use sansocket::deflate::{Options, Parameters};
use sansocket::frame::{Header, MaskingKey, Opcode};
use sansocket::{Agreement, Config, Connection, Role};

/// What the messages hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Binary,
    Ascii,
    Mixed,
    Json,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ASCII text",
            Self::Mixed => "mixed text",
            Self::Json => "JSON",
        }
    }

    pub fn is_text(self) -> bool {
        self != Self::Binary
    }

    pub fn payload(self, len: usize) -> Vec<u8> {
        let pattern = match self {
            Self::Binary => "\u{1}\u{7f}binary",
            Self::Ascii => "the quick brown fox, ",
            Self::Mixed => "Съешь же ещё этих мягких французских булок, 語言文字 🦀 and tea. ",
            Self::Json => return json(len, 1),
        };
        let mut payload: Vec<u8> = pattern.bytes().cycle().take(len).collect();
        while self.is_text() && std::str::from_utf8(&payload).is_err() {
            payload.pop();
        }
        payload.resize(len, b'.');
        payload
    }
}

/// Records as an application sends them, others for each seed.
fn json(len: usize, seed: usize) -> Vec<u8> {
    let mut text = String::from("[");
    let mut state = seed as u32;
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, price) = (state >> 12, f64::from(state >> 8) / 100.0);
        let name = id % 97;
        text += &format!(r#"{{"id":{id},"name":"item {name}","price":{price:.2},"new":true}},"#);
    }
    text.truncate(len);
    text.into_bytes()
}

/// How each message stands on the wire.
#[derive(Clone, Copy)]
pub struct Shape {
    pub kind: Kind,
    pub len: usize,
    pub fragments: usize,
    /// A ping behind each message.
    pub pings: bool,
}

impl Shape {
    pub fn plain(kind: Kind, len: usize) -> Self {
        Self {
            kind,
            len,
            fragments: 1,
            pings: false,
        }
    }

    /// As many messages as stay in the second-level cache, as what a read
    /// returns does; large messages as they are.
    pub fn count(self) -> usize {
        (512 * 1024 / (self.len + 8)).max(1)
    }

    /// Masked frames of a client.
    pub fn stream(self) -> Arc<[u8]> {
        let payload = self.kind.payload(self.len);
        let mut out = Vec::new();
        let mut key = 1_u32;
        let mut frame = |opcode, is_final, payload: &[u8]| {
            key = key.wrapping_mul(2_654_435_761).wrapping_add(1);
            let key = MaskingKey::from(key.to_le_bytes());
            let mut header = Header::new(opcode, payload.len() as u64);
            header.fin = is_final;
            header.masking_key = Some(key);
            header.write(&mut out);
            let start = out.len();
            out.extend_from_slice(payload);
            key.apply(&mut out[start..]);
        };
        let opcode = if self.kind.is_text() {
            Opcode::Text
        } else {
            Opcode::Binary
        };
        for _ in 0..self.count() {
            let piece = self.len.div_ceil(self.fragments).max(1);
            let mut pieces = payload.chunks(piece).peekable();
            let mut opcode = opcode;
            if payload.is_empty() {
                frame(opcode, true, &[]);
            }
            while let Some(piece) = pieces.next() {
                frame(opcode, pieces.peek().is_none(), piece);
                opcode = Opcode::Continuation;
            }
            if self.pings {
                frame(Opcode::Ping, true, b"ping");
            }
        }
        out.into()
    }
}

/// An agreement on permessage-deflate, and what goes with it.
pub fn deflate(takeover: bool) -> (Agreement, Config) {
    let mut parameters = Parameters::new();
    if !takeover {
        parameters = parameters
            .with_server_no_context_takeover()
            .with_client_no_context_takeover();
    }
    let options = Options::new()
        .with_context_takeover(takeover)
        .with_peer_context_takeover(takeover);
    let options = options
        .with_level(LEVEL)
        .with_threshold(0)
        .with_max_ratio(None);
    let agreement = Agreement::default().with_deflate(parameters);
    (agreement, Config::new().with_deflate(options))
}

/// Of compression, for all.
pub const LEVEL: u8 = 1;

/// Compressed messages of a client, masked, each another.
pub fn compressed(len: usize, count: usize, takeover: bool) -> Arc<[u8]> {
    let (agreement, config) = deflate(takeover);
    let mut client = Connection::upgraded(Role::Client, agreement, &config);
    let mut out = Vec::new();
    for seed in 0..count {
        let payload = json(len, seed);
        let text = std::str::from_utf8(&payload).expect("text");
        client.send(text, &mut out).expect("an open connection");
    }
    out.into()
}
