//! What the targets share: the drivers of the tests, random settings and cuts.

#[allow(dead_code)]
#[path = "../../tests/harness/drive.rs"]
mod drive;
#[allow(dead_code)]
#[path = "../../tests/harness/wire.rs"]
mod wire;

pub mod blocks;
pub mod differences;
pub mod head;
pub mod head_differences;
pub mod model;
pub mod parser;
pub mod peers;
pub mod stream;

use arbitrary::Arbitrary;
pub use drive::{Transcript, feed, open};
use model::Rules;
use sansocket::deflate::{Options, Parameters};
use sansocket::frame::{Header, Opcode};
use sansocket::{Agreement, ClientRequest, Config, Connection, Delivery, OriginPolicy, Role};
pub use wire::{config, peer_of};

/// Where a stream is cut: the lengths of its pieces, over and over.
#[derive(Arbitrary, Debug)]
pub struct Cuts([u8; 4]);

impl Cuts {
    /// The bytes in pieces: short ones of any length, and some up to 3584 bytes.
    pub fn split<'b>(&self, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut pieces = Vec::new();
        for number in self.0.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let len = match usize::from(*number) {
                short @ 0..200 => short + 1,
                number => (number - 199) * 64,
            };
            let (piece, rest) = bytes.split_at(bytes.len().min(len));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

/// A connection of any kind, with any limits.
#[derive(Arbitrary, Debug)]
pub struct Setup {
    is_client: bool,
    pub is_open: bool,
    pub in_fragments: bool,
    auto_pong: bool,
    allow_unmasked: bool,
    allow_invalid_utf8: bool,
    max_message_len: u16,
    max_frame_len: u16,
    max_fragments: u8,
    max_head_len: u16,
    max_headers: u8,
    max_body_len: u8,
}

impl Setup {
    /// The connection. A client's request goes nowhere.
    pub fn start(&self) -> Connection {
        match (self.role(), self.is_open) {
            (role, true) => open(role, &self.config()),
            (Role::Server, _) => Connection::server(&self.config()),
            (Role::Client, _) => client(&self.config()),
        }
    }

    /// What the connection receives: a head to begin with, unless it is open.
    pub fn stream(&self, bytes: &[u8]) -> Vec<u8> {
        if self.is_open {
            bytes.into()
        } else {
            with_lines(bytes)
        }
    }

    /// How much the connection may hold after so many bytes: what the page of
    /// `Connection` promises, and room for an outcome with its reason.
    pub fn max_memory_usage(&self, received: usize) -> usize {
        let limits = usize::from(self.max_message_len)
            + usize::from(self.max_head_len)
            + usize::from(self.max_body_len);
        // U+FFFD is three bytes for one.
        let longest = if self.allow_invalid_utf8 { 3 } else { 1 };
        1024 + 2 * longest * received.min(limits)
    }

    /// The rules by which an open connection of this kind reads, unless it is more
    /// lenient than the RFC.
    pub fn rules(&self) -> Option<Rules> {
        let is_strict = !self.allow_unmasked && !self.allow_invalid_utf8;
        is_strict.then(|| Rules {
            role: self.role(),
            max_message_len: self.max_message_len.into(),
            max_frame_len: self.max_frame_len.into(),
            // The configuration takes at least 1.
            max_fragments: self.max_fragments.max(1).into(),
        })
    }

    /// The role of the connection.
    pub fn role(&self) -> Role {
        if self.is_client {
            Role::Client
        } else {
            Role::Server
        }
    }

    fn config(&self) -> Config {
        let delivery = if self.in_fragments {
            Delivery::Fragments
        } else {
            Delivery::Messages
        };
        config()
            .with_origin(OriginPolicy::Any)
            .with_delivery(delivery)
            .with_auto_pong(self.auto_pong)
            .allow_unmasked(self.allow_unmasked)
            .allow_invalid_utf8(self.allow_invalid_utf8)
            .with_max_message_len(self.max_message_len.into())
            .with_max_frame_len(self.max_frame_len.into())
            .with_max_fragments(self.max_fragments.into())
            .with_max_head_len(self.max_head_len.into())
            .with_max_headers(self.max_headers.into())
            .with_max_body_len(self.max_body_len.into())
    }
}

/// A client that offers the subprotocol `echo`.
pub fn client(config: &Config) -> Connection {
    let request =
        ClientRequest::to("ws://example.com/").and_then(|request| request.with_subprotocol("echo"));
    Connection::client(&request.expect("valid"), config, &mut Vec::new()).expect("entropy")
}

/// The `Sec-WebSocket-Accept` that a client of [`config`] waits for.
pub const ACCEPT: &str = "pT25h6EVFbWDyyinkmTBvzUVxQo=";

/// Lines of heads, in place of the bytes 0x10 and up: no fuzzer finds a hash,
/// and few find six fields in a minute.
const LINES: [&str; 14] = [
    "GET / HTTP/1.1\r\n",
    "Host: example.com\r\n",
    "Upgrade: websocket\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Protocol: echo\r\n",
    "Origin: http://example.com\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "Sec-WebSocket-Accept: pT25h6EVFbWDyyinkmTBvzUVxQo=\r\n",
    "HTTP/1.1 401 Unauthorized\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "\r\n",
];

/// The bytes with lines of heads in place of those that stand for one.
pub fn with_lines(bytes: &[u8]) -> Vec<u8> {
    let line = |byte: &u8| LINES.get(usize::from(byte.wrapping_sub(0x10)));
    let expand = |byte| line(byte).map_or_else(|| vec![*byte], |line| line.as_bytes().into());
    bytes.iter().flat_map(expand).collect()
}

/// Settings of permessage-deflate.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Compression {
    takeover: bool,
    peer_takeover: bool,
    fallback: bool,
    window_bits: u8,
    peer_window_bits: u8,
    level: u8,
    mem_level: u8,
    threshold: u8,
    max_ratio: Option<u8>,
}

impl Compression {
    pub fn options(&self) -> Options {
        Options::new()
            .with_context_takeover(self.takeover)
            .with_peer_context_takeover(self.peer_takeover)
            .with_fallback(self.fallback)
            .with_window_bits(self.window_bits % 16)
            .with_peer_window_bits(self.peer_window_bits % 16)
            .with_level(self.level % 10)
            .with_mem_level(self.mem_level % 10)
            .with_threshold(self.threshold.into())
            .with_max_ratio(self.max_ratio.map(u32::from))
    }

    pub fn parameters(&self) -> Parameters {
        let mut parameters = Parameters::new()
            .with_server_max_window_bits(self.window_bits % 16)
            .with_client_max_window_bits(self.peer_window_bits % 16);
        if !self.takeover {
            parameters = parameters.with_server_no_context_takeover();
        }
        if !self.peer_takeover {
            parameters = parameters.with_client_no_context_takeover();
        }
        parameters
    }
}

/// The configuration with these settings of permessage-deflate, and no limit on
/// what compresses well.
pub fn with_deflate(config: Config, compression: Option<Compression>) -> Config {
    match compression {
        Some(compression) => config.with_deflate(compression.options().with_max_ratio(None)),
        None => config,
    }
}

/// A connection that agreed on these parameters.
pub fn open_with(role: Role, parameters: Parameters, config: &Config) -> Connection {
    let agreement = Agreement::default().with_deflate(parameters);
    Connection::upgraded(role, agreement, config)
}

/// Frames of one compressed message.
pub fn compressed(from: Role, is_text: bool, pieces: &[&[u8]]) -> Vec<u8> {
    let mut wire = wire::wire(from);
    let first = if is_text {
        Opcode::Text
    } else {
        Opcode::Binary
    };
    for (index, piece) in pieces.iter().enumerate() {
        let opcode = if index == 0 {
            first
        } else {
            Opcode::Continuation
        };
        let header = Header {
            fin: index + 1 == pieces.len(),
            rsv1: index == 0,
            ..Header::new(opcode, piece.len() as u64)
        };
        wire = wire.with_header(header, piece);
    }
    wire.bytes()
}

/// Pieces of lists of extensions, in place of the bytes 0x80 and up.
const PARAMETERS: [&str; 12] = [
    "permessage-deflate",
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
    "=8",
    "=15",
    "=\"10\"",
    "; ",
    ", ",
    "permessage-deflate; server_max_window_bits=9, permessage-deflate",
    "x-other; a=b",
];

/// The bytes with pieces of lists in place of those that stand for one, and
/// without what would end the field.
pub fn with_parameters(bytes: &[u8]) -> Vec<u8> {
    let piece = |byte: &u8| PARAMETERS.get(usize::from(byte.wrapping_sub(0x80)));
    let expand = |byte| piece(byte).map_or_else(|| vec![*byte], |piece| piece.as_bytes().into());
    let mut list: Vec<u8> = bytes.iter().flat_map(expand).collect();
    list.retain(|byte| !byte.is_ascii_control() || *byte == b'\t');
    list
}
