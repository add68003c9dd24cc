//! What each library is asked to do, in the way that its own documentation
//! shows. Where one needs owned payloads it is given shared ones, which is the
//! cheapest that it takes. What the documentation leaves to the caller, the
//! caller does.

mod caller;
mod fastwebsockets;
mod nago_wss;
mod ours;
mod ratchet;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod websocket_sans_io;
mod wtx;
mod yawc;

use ::bytes::Bytes;
use sansocket::Role;

pub use caller::BY_CALLER;
use caller::{Head, Joiner, Keys, Outgoing, check_text};

use crate::memory::Memory;

/// A connection, its handshake over.
pub trait Receive {
    /// Receives so many messages, and tells the sum of their lengths.
    fn receive(&mut self, messages: usize) -> usize;
}

/// A connection, its handshake over.
pub trait Send {
    /// Sends the message so many times, and flushes.
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize);
}

/// A connection with permessage-deflate.
pub trait Echo {
    /// Sends back so many messages, and tells the sum of their lengths.
    fn echo(&mut self, messages: usize) -> usize;
}

/// Like is compared with like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Adapters that return messages to keep.
    Owning,
    /// Adapters that lend messages, or fill a buffer of the caller's.
    Lending,
    /// No I/O of their own: the caller reads, writes and lends the buffers.
    Core,
}

/// What a library can be asked.
pub struct Peer {
    pub name: &'static str,
    pub class: Class,
    /// Beside these the ratios are counted.
    pub is_ours: bool,
    pub receive: fn(Memory) -> Box<dyn Receive>,
    pub send: Option<fn(Role) -> Box<dyn Send>>,
    /// A server's handshake: the length of the request in front.
    pub handshake: Option<fn(Memory)>,
    /// With or without context takeover, as far as it has that.
    pub deflate: Option<Deflate>,
}

type Deflate = fn(Memory, bool) -> Option<Box<dyn Echo>>;

/// Ours first.
pub const PEERS: [Peer; 16] = [
    ours::CORE,
    ours::TOKIO,
    ours::DRIVE,
    tungstenite::SYNC,
    tungstenite::TOKIO,
    fastwebsockets::PEER,
    tokio_websockets::PEER,
    sockudo::PEER,
    yawc::PEER,
    web_socket::PEER,
    nago_wss::PEER,
    soketto::PEER,
    ratchet::PEER,
    wtx::PEER,
    nago_wss::CORE,
    websocket_sans_io::PEER,
];

/// The largest message, and what goes around it.
const MAX_LEN: usize = 64 * 1024 * 1024;

/// A transport that is only written to.
fn sink() -> Memory {
    Memory::new([].into(), 0)
}
