//! What each library is asked to do, in the way that its own documentation
//! shows. Where one needs owned payloads it is given shared ones, which is the
//! cheapest that it takes.

mod fastwebsockets;
mod ours;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod yawc;

use ::bytes::Bytes;
use sansocket::Role;

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

/// What a library can be asked.
pub struct Peer {
    pub name: &'static str,
    /// Beside these the ratios are counted.
    pub is_ours: bool,
    pub receive: fn(Memory) -> Box<dyn Receive>,
    pub send: fn(Role) -> Box<dyn Send>,
    /// A server's handshake: the length of the request in front.
    pub handshake: Option<fn(Memory)>,
    /// With or without context takeover.
    pub deflate: Option<Deflate>,
}

type Deflate = fn(Memory, bool) -> Box<dyn Echo>;

/// Ours first.
pub const PEERS: [Peer; 10] = [
    ours::CORE,
    ours::TOKIO,
    tungstenite::SYNC,
    tungstenite::TOKIO,
    fastwebsockets::PEER,
    tokio_websockets::PEER,
    sockudo::PEER,
    yawc::PEER,
    soketto::PEER,
    web_socket::PEER,
];

/// The largest message, and what goes around it.
const MAX_LEN: usize = 64 * 1024 * 1024;

/// A transport that is only written to.
fn sink() -> Memory {
    Memory::new([].into(), 0)
}
