//! permessage-deflate: per-message compression (RFC 7692).
//!
//! Compression is off by default. To enable it, pass [`Options`] to
//! [`Config::with_deflate`](crate::Config::with_deflate):
//!
//! ```
//! use sansocket::{Config, deflate};
//!
//! let config = Config::new().with_deflate(deflate::Options::new());
//! # let _ = config;
//! ```
//!
//! # Negotiation
//!
//! A client offers the extension with the parameters that its [`Options`] ask
//! for. A server accepts the first offer that is compatible with its own
//! options. Both endpoints then use the same [`Parameters`]. An endpoint
//! without options neither offers nor accepts the extension.
//!
//! # Memory
//!
//! With *context takeover*, the compression window is kept from one message to
//! the next. Small messages compress better, but the connection keeps the state
//! of both directions for as long as it lives. Without context takeover, which
//! is the default, a message borrows its state from a pool and returns it at
//! the end of the message: an idle connection holds no more memory than one
//! without compression.
//!
//! | state | size |
//! |---|---|
//! | to decompress, with any window | 67 KiB |
//! | to compress, window of 15 bits, memory level 8 | 372 KiB |
//! | to compress, window of 12 bits, memory level 8 | 260 KiB |
//! | to compress, window of 9 bits, memory level 8 | 246 KiB |
//! | to compress, window of 15 bits, memory level 4 | 267 KiB |
//! | to compress, window of 12 bits, memory level 4 | 155 KiB |
//! | to compress, window of 9 bits, memory level 1 | 134 KiB |
//!
//! State is allocated by the first message that needs it. A compressor also
//! keeps its output buffer, of at most 64 KiB, between messages.
//!
//! There is one pool for the process, shared by all connections whatever their
//! [`Config`](crate::Config). It keeps at most 16 compressors and 16
//! decompressors, 8 MiB in total with the default options, for the lifetime of
//! the process. States are reset before they are reused. When no state fits, a
//! new one is allocated; when the pool is full, a returned state replaces the
//! oldest.
//!
//! [`Connection::release`](crate::Connection::release) returns the compressor
//! of a connection that uses context takeover to the pool.
//! [`Connection::memory_usage`](crate::Connection::memory_usage) includes all state
//! that a connection holds.
//!
//! # Security
//!
//! Compression can reveal secrets (CRIME, BREACH): an attacker who can place
//! text of their own next to a secret, and can see the length of the compressed
//! message, can guess the secret. Send messages that contain secrets with
//! [`Compress::Never`].

mod codec;
mod compressor;
mod decompressor;
mod params;
mod pool;

pub(crate) use codec::Codec;
pub(crate) use decompressor::Inflated;
pub use params::Parameters;
pub(crate) use params::{Element, NAME};

/// The options of [`Config::with_deflate`](crate::Config::with_deflate): what to offer
/// or accept in the handshake, and how to compress.
///
/// The defaults add no memory to an idle connection: no context takeover in
/// either direction, the fastest level, windows of 15 bits.
///
/// ```
/// use sansocket::{Config, deflate};
///
/// // Few connections, with many small and similar messages.
/// let options = deflate::Options::new().with_context_takeover(true).with_peer_context_takeover(true).with_level(6);
/// let config = Config::new().with_deflate(options);
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
}

/// Whether to compress a message. Has no effect unless permessage-deflate was
/// negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one variant for each answer")]
pub enum Compress {
    /// Compresses a message of at least [`Options::with_threshold`] bytes if that
    /// makes it shorter. With context takeover, compresses every message that
    /// is not empty.
    #[default]
    Auto,
    /// Always compresses, even if the message becomes longer.
    Always,
    /// Never compresses: for messages that contain secrets or are compressed
    /// already.
    Never,
}

impl Options {
    /// Returns the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether this endpoint uses context takeover for the messages that it
    /// sends. Defaults to `false`. The peer can disable it.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Role, deflate};
    ///
    /// let options = deflate::Options::new().with_context_takeover(true);
    /// let config = Config::new().with_deflate(options);
    /// let agreement = Agreement::default().with_deflate(deflate::Parameters::new());
    /// let mut ws = Connection::upgraded(Role::Server, agreement, &config);
    /// let (mut first, mut second) = (Vec::new(), Vec::new());
    /// let message = r#"{"symbol":"ABC","price":"12.50"}"#;
    /// ws.send(message, &mut first)?;
    /// ws.send(message, &mut second)?; // refers to the first one
    /// assert!(second.len() < first.len() / 2);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    #[must_use]
    pub const fn with_context_takeover(mut self, on: bool) -> Self {
        self.takeover = on;
        self
    }

    /// Whether the peer may use context takeover. Defaults to `false`: the
    /// state to decompress its messages is then borrowed from the pool. For
    /// clients, see also [`fallback`](Self::with_fallback).
    #[must_use]
    pub const fn with_peer_context_takeover(mut self, on: bool) -> Self {
        self.peer_takeover = on;
        self
    }

    /// The window of this endpoint's compressor, as a power of 2: 8 to 15.
    /// Values outside the range are clamped. Defaults to 15. The peer can
    /// request a smaller window.
    #[must_use]
    pub fn with_window_bits(mut self, bits: u8) -> Self {
        self.window_bits = params::window_bits(bits);
        self
    }

    /// The largest window that the peer may use, as a power of 2: 8 to 15.
    /// Values outside the range are clamped. Defaults to 15. A server can limit
    /// only clients that offered `client_max_window_bits`. A smaller window
    /// saves memory at the peer only.
    #[must_use]
    pub fn with_peer_window_bits(mut self, bits: u8) -> Self {
        self.peer_window_bits = params::window_bits(bits);
        self
    }

    /// Whether a client adds a second offer, without the requirements of
    /// [`peer_takeover`](Self::with_peer_context_takeover) and
    /// [`peer_window_bits`](Self::with_peer_window_bits), for servers that decline
    /// them. Defaults to `true`, because some servers support neither. Has no
    /// effect on servers.
    #[must_use]
    pub const fn with_fallback(mut self, on: bool) -> Self {
        self.fallback = on;
        self
    }

    /// The compression level, from 1 (fastest) to 9 (smallest). Values outside
    /// the range are clamped. Defaults to 1, which compresses small messages
    /// ten times as fast as 3, to about a third more bytes.
    #[must_use]
    pub fn with_level(mut self, level: u8) -> Self {
        self.level = level.clamp(1, 9);
        self
    }

    /// The memory level of the compressor, from 1 to 9: how many symbols it
    /// buffers before it writes a block. Values outside the range are clamped.
    /// Defaults to 8. See [the table](self#memory).
    #[must_use]
    pub fn with_mem_level(mut self, level: u8) -> Self {
        self.mem_level = level.clamp(1, 9);
        self
    }

    /// The length in bytes of the shortest message that [`Compress::Auto`]
    /// compresses. Defaults to 256: shorter messages gain little without a
    /// window. Ignored while this endpoint uses context takeover.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Role, deflate};
    ///
    /// let config = Config::new().with_deflate(deflate::Options::new().with_threshold(100));
    /// let agreement = Agreement::default().with_deflate(deflate::Parameters::new());
    /// let mut ws = Connection::upgraded(Role::Server, agreement, &config);
    /// let mut out = Vec::new();
    /// ws.send("a".repeat(99), &mut out)?;
    /// assert_eq!(out.len(), 2 + 99);
    /// ws.send("a".repeat(100), &mut out)?;
    /// assert!(out.len() < 2 + 99 + 20);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    #[must_use]
    pub const fn with_threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// The maximum compression ratio of a received message that is longer than
    /// 4 MiB. Defaults to 200, more than messages other than decompression
    /// bombs reach; the format allows at most 1032. `None` disables the limit.
    /// A message that exceeds it fails the connection with close code 1009.
    #[must_use]
    pub fn with_max_ratio(mut self, ratio: impl Into<Option<u32>>) -> Self {
        self.max_ratio = ratio.into();
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
        }
    }
}

impl Options {
    /// The offers of a client, in order of preference.
    pub(crate) fn offers(&self) -> impl Iterator<Item = Element> {
        let first = Element::offer(self);
        let fallback = Some(first.without_demands());
        let fallback = fallback.filter(|fallback| self.fallback && *fallback != first);
        core::iter::once(first).chain(fallback)
    }
}
