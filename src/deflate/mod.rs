//! permessage-deflate (RFC 7692): messages compressed one by one.
//!
//! Knows the parameters that are negotiated, and how the bytes of a message are
//! compressed and inflated within limits; knows nothing of frames or heads.
//!
//! # What is negotiated
//!
//! A client offers what its [`Options`] say, a server with options of its own
//! answers the first offer that it can keep, and [`Parameters`] is what both
//! then have. Without options nothing is offered or accepted.
//!
//! # What is kept, and what it costs
//!
//! A window kept from message to message (*context takeover*) makes small
//! messages smaller, and keeps the state of both directions with the
//! connection. Without it, which is the default, state is borrowed from a pool
//! that all connections of one [`Config`](crate::Config) share, for as long as
//! a message lasts: an idle connection then holds no more than without
//! compression.
//!
//! | state | bytes |
//! |---|---|
//! | to inflate, whatever the window | 67 KiB |
//! | to compress, window of 15 bits, memory level 8 | 372 KiB |
//! | to compress, window of 12 bits, memory level 8 | 260 KiB |
//! | to compress, window of 9 bits, memory level 8 | 246 KiB |
//! | to compress, window of 15 bits, memory level 4 | 267 KiB |
//! | to compress, window of 12 bits, memory level 4 | 155 KiB |
//! | to compress, window of 9 bits, memory level 1 | 134 KiB |
//!
//! State is made by the first message that needs it.
//! [`Connection::release`](crate::Connection::release) gives back what a
//! connection can do without. The bench `deflate` prints these figures.
//!
//! # Secrets
//!
//! Who can make an endpoint compress text of their own together with a secret,
//! and see the length of what is sent, can find the secret out (CRIME,
//! BREACH). Compression is off unless asked for; a message with a secret is
//! sent with [`Compress::Never`].

mod codec;
mod compressor;
mod decompressor;
mod params;
mod pool;

use alloc::sync::Arc;

pub(crate) use codec::Codec;
pub(crate) use decompressor::Inflated;
pub use params::Parameters;
pub(crate) use params::{Element, NAME};
use pool::Pool;

/// What to offer or accept, and how to compress. All in all for
/// [`Config::deflate`](crate::Config::deflate).
///
/// The defaults cost an idle connection nothing: no context takeover in either
/// direction, the fastest level, windows of 15 bits.
///
/// ```
/// use sansocket::{Config, deflate};
///
/// // Small messages that resemble each other, on few connections.
/// let options = deflate::Options::new().takeover(true).peer_takeover(true).level(6);
/// let config = Config::new().deflate(options);
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    takeover: bool,
    peer_takeover: bool,
    window_bits: u8,
    peer_window_bits: u8,
    fallback: bool,
    level: u8,
    mem_level: u8,
    threshold: usize,
    max_ratio: Option<u32>,
    pool: Arc<Pool>,
}

/// Whether a message is compressed, where permessage-deflate was agreed on.
/// Where it was not, nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compress {
    /// If it is not shorter than [`Options::threshold`] and gains by it; with
    /// context takeover always, unless it is empty.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: of messages that are compressed already, or secret.
    Never,
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this end may keep its window from message to message. Default
    /// no. The peer can forbid it.
    #[must_use]
    pub const fn takeover(mut self, on: bool) -> Self {
        self.takeover = on;
        self
    }

    /// Whether the peer may. Default no: the state to inflate its messages is
    /// then borrowed from the pool. As a client see [`fallback`](Self::fallback).
    #[must_use]
    pub const fn peer_takeover(mut self, on: bool) -> Self {
        self.peer_takeover = on;
        self
    }

    /// How far this end looks back, as a power of 2: 8 to 15, and what is
    /// outside is taken for the nearest. Default 15. The peer can lower it.
    #[must_use]
    pub fn window_bits(mut self, bits: u8) -> Self {
        self.window_bits = params::window_bits(bits);
        self
    }

    /// How far the peer may look back, as [`window_bits`](Self::window_bits).
    /// Default 15. A server can demand it only of clients that let it, and
    /// nothing here is saved by it: for peers short of memory.
    #[must_use]
    pub fn peer_window_bits(mut self, bits: u8) -> Self {
        self.peer_window_bits = params::window_bits(bits);
        self
    }

    /// Whether a client offers the extension a second time, without the demands
    /// of [`peer_takeover`](Self::peer_takeover) and
    /// [`peer_window_bits`](Self::peer_window_bits), for servers that decline
    /// those. Default yes: some servers meet none. No effect on servers.
    #[must_use]
    pub const fn fallback(mut self, on: bool) -> Self {
        self.fallback = on;
        self
    }

    /// From 1, fast, to 9, small; what is outside is taken for the nearest.
    /// Default 1: of small messages it compresses ten times as many as 3 does,
    /// to about a third more bytes.
    #[must_use]
    pub fn level(mut self, level: u8) -> Self {
        self.level = level.clamp(1, 9);
        self
    }

    /// Memory for the symbols of a block: 1 to 9, and what is outside is taken
    /// for the nearest. Default 8. See [the table](self).
    #[must_use]
    pub fn mem_level(mut self, level: u8) -> Self {
        self.mem_level = level.clamp(1, 9);
        self
    }

    /// The shortest message that is compressed by itself, in bytes. Default
    /// 256: what is shorter gains little without a window. Not looked at where
    /// this end keeps its window.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How many times longer than its compressed form a message may be, once it
    /// is longer than 4 MiB. Default 200, above what is met outside of bombs;
    /// deflate ends at 1032. `None` is no limit. One that goes past it fails
    /// the connection with close code 1009.
    #[must_use]
    pub fn max_ratio(mut self, ratio: impl Into<Option<u32>>) -> Self {
        self.max_ratio = ratio.into();
        self
    }

    /// How many states the pool keeps for each direction; clones of these
    /// options share it. Default 16: those of more connections that are amid
    /// a message at one moment are made anew.
    #[must_use]
    pub fn max_pooled(mut self, states: usize) -> Self {
        self.pool = Arc::new(Pool::new(states));
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            takeover: false,
            peer_takeover: false,
            window_bits: 15,
            peer_window_bits: 15,
            fallback: true,
            level: 1,
            mem_level: 8,
            threshold: 256,
            max_ratio: Some(200),
            pool: Arc::new(Pool::new(16)),
        }
    }
}

impl Options {
    /// What a client offers, in order of preference.
    pub(crate) fn offers(&self) -> impl Iterator<Item = Element> {
        let first = Element::offer(self);
        let fallback = Some(first.without_demands());
        let fallback = fallback.filter(|fallback| self.fallback && *fallback != first);
        core::iter::once(first).chain(fallback)
    }
}
