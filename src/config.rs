//! The settings of a connection, with their defaults and the reasons for them.
//!
//! Knows every setting; decides nothing: each machine is handed its own part.

use alloc::sync::Arc;
use core::time::Duration;

#[cfg(feature = "deflate")]
use crate::deflate;
use crate::entropy::Entropy;
use crate::handshake::{self, Hosts, OriginPolicy};
use crate::message::{self, Delivery};
use crate::timer::{Timeout, Timeouts};

/// Limits, deadlines and switches. The defaults are safe for a server that
/// faces the internet.
///
/// Cheap to clone: connections share it.
///
/// ```
/// use core::time::Duration;
/// use sansocket::{Config, Delivery, OriginPolicy};
///
/// let config = Config::new()
///     .with_max_message_len(64 * 1024)
///     .with_origin(OriginPolicy::Any)
///     .with_ping_interval(Duration::from_secs(30))
///     .with_delivery(Delivery::Fragments);
/// # let _ = config;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config(Arc<Settings>);

/// What [`Config`] holds.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) handshake: handshake::Settings,
    pub(crate) message: message::Settings,
    max_message_len: Option<usize>,
    max_fragments: Option<u32>,
    pub(crate) max_control_frames: u32,
    pub(crate) max_sent_frame_len: usize,
    pub(crate) timeouts: Timeouts,
    pub(crate) auto_pong: bool,
    pub(crate) allow_unmasked: bool,
    pub(crate) max_unsent_len: usize,
    pub(crate) entropy: Entropy,
}

fn seconds(seconds: u64) -> Timeout {
    Some(Duration::from_secs(seconds)).into()
}

const DEFAULT_MAX_MESSAGE_LEN: usize = 16 * 1024 * 1024;
const DEFAULT_MAX_FRAGMENTS: u32 = 128 * 1024;

impl Settings {
    /// Fragments are not kept, so only explicitly set limits apply to them.
    fn apply_message_limits(&mut self) {
        let (max_len, max_fragments) = match self.message.delivery {
            Delivery::Messages => (DEFAULT_MAX_MESSAGE_LEN, DEFAULT_MAX_FRAGMENTS),
            Delivery::Fragments => (usize::MAX, u32::MAX),
        };
        let limits = &mut self.message.limits;
        limits.max_message_len = self.max_message_len.unwrap_or(max_len);
        limits.max_fragments = self.max_fragments.unwrap_or(max_fragments);
        self.message.max_borrowed_len = limits.max_message_len.min(limits.max_frame_len);
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handshake: handshake::Settings {
                limits: handshake::Limits {
                    max_head_len: 16 * 1024,
                    max_headers: 100,
                    max_body_len: 64 * 1024,
                },
                origin: OriginPolicy::SameOrigin,
                hosts: None,
                #[cfg(feature = "deflate")]
                deflate: None,
            },
            message: message::Settings {
                limits: message::Limits {
                    max_message_len: DEFAULT_MAX_MESSAGE_LEN,
                    max_frame_len: usize::MAX,
                    max_fragments: DEFAULT_MAX_FRAGMENTS,
                },
                delivery: Delivery::Messages,
                allow_invalid_utf8: false,
                max_borrowed_len: DEFAULT_MAX_MESSAGE_LEN,
            },
            max_message_len: None,
            max_fragments: None,
            max_control_frames: 1000,
            max_sent_frame_len: usize::MAX,
            timeouts: Timeouts {
                handshake: seconds(10),
                ping: seconds(20),
                pong: seconds(20),
                idle: None.into(),
                close: seconds(5),
                write_stall: seconds(30),
                min_write_rate: 0,
            },
            auto_pong: true,
            allow_unmasked: false,
            max_unsent_len: 64 * 1024,
            entropy: Entropy::default(),
        }
    }
}

/// Limits: what one peer can make a connection hold or do.
impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The longest message to receive, in bytes of payload after
    /// decompression. Default 16 MiB, which most uploads need; with
    /// [`Delivery::Fragments`] no limit, as nothing is kept. A longer one fails
    /// the connection with close code 1009 as soon as its frame header shows it.
    ///
    /// A compressed message is also limited on the wire, to an eighth more.
    #[must_use]
    pub fn with_max_message_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_message_len = Some(bytes))
    }

    /// The longest frame to receive, in bytes of payload. Default: no limit
    /// besides that on messages. A longer one fails the connection with close
    /// code 1009.
    #[must_use]
    pub fn with_max_frame_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.message.limits.max_frame_len = bytes)
    }

    /// The most frames in one message, empty ones included. Default 131 072: a
    /// message of 8 MiB in fragments of 64 bytes; with [`Delivery::Fragments`]
    /// no limit. At least 1, as each message has a frame. More fail the
    /// connection with close code 1008.
    #[must_use]
    pub fn with_max_fragments(self, frames: u32) -> Self {
        self.with(|settings| settings.max_fragments = Some(frames.max(1)))
    }

    /// The most control frames to receive in one second. Default 1000, far
    /// above any keepalive. More fail the connection with close code 1008.
    ///
    /// Seconds are those of
    /// [`handle_timeout`](crate::Connection::handle_timeout): a driver that
    /// never calls it has no such limit, and is protected by writing its
    /// output before it reads again.
    #[must_use]
    pub fn with_max_control_frames(self, frames: u32) -> Self {
        self.with(|settings| settings.max_control_frames = frames)
    }

    /// The longest HTTP head to read, in bytes. Default 16 KiB: twice what
    /// common servers allow for cookies and tokens. A longer request is
    /// answered with 431.
    #[must_use]
    pub fn with_max_head_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.handshake.limits.max_head_len = bytes)
    }

    /// The most header fields in an HTTP head. Default 100, as in Apache
    /// httpd. A request with more is answered with 431.
    #[must_use]
    pub fn with_max_headers(self, fields: usize) -> Self {
        self.with(|settings| settings.handshake.limits.max_headers = fields)
    }

    /// How much of a refusal's body a client keeps, in bytes. Default 64 KiB:
    /// enough for any explanation. A longer body is truncated.
    #[must_use]
    pub fn with_max_body_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.handshake.limits.max_body_len = bytes)
    }

    /// How many unsent bytes an adapter lets pile up before a sender has to
    /// wait. Default 64 KiB: a few round trips of small messages. A single
    /// longer message is still accepted. The core itself keeps no unsent bytes.
    #[must_use]
    pub fn with_max_unsent_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_unsent_len = bytes)
    }
}

/// Deadlines, kept by [`handle_timeout`](crate::Connection::handle_timeout).
/// `None` disables a deadline.
impl Config {
    /// How long the opening handshake may take: the time in which the peer owes
    /// bytes of its head, and as a client also of a refusal's body. The time in
    /// which the application decides on a request does not count. Default 10 s.
    #[must_use]
    pub fn with_handshake_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.handshake = timeout.into().into())
    }

    /// How long the peer may be silent before a keepalive ping is sent, while the
    /// driver reads.
    /// Default 20 s: less than the 60 s after which common proxies drop a silent
    /// connection.
    #[must_use]
    pub fn with_ping_interval(self, interval: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.ping = interval.into().into())
    }

    /// How long after such a ping something must be received: any byte, not
    /// only the pong. Runs from the moment the ping has left, while the driver
    /// reads. Default 20 s.
    ///
    /// A byte has left when the transport has taken it. On a slow link, what
    /// the operating system buffers must reach the peer within this time.
    #[must_use]
    pub fn with_pong_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.pong = timeout.into().into())
    }

    /// How long the peer may send nothing at all, while the driver reads.
    /// Default: no limit, as keepalive pings detect peers that are gone.
    #[must_use]
    pub fn with_idle_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.idle = timeout.into().into())
    }

    /// How long the peer may take to finish the closing handshake, from the
    /// moment the close frame has left. Default 5 s. Where
    /// [`auto_close`](crate::Connection::auto_close) is off, each received byte
    /// restarts it.
    #[must_use]
    pub fn with_close_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.close = timeout.into().into())
    }

    /// How long bytes may be unsent without any of them leaving, or, with
    /// [`min_write_rate`](Self::with_min_write_rate), without enough of them leaving.
    /// Runs before and after the end of the connection. Default 30 s.
    #[must_use]
    pub fn with_write_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.write_stall = timeout.into().into())
    }

    /// The slowest peer to send to, in bytes per second, measured over each
    /// [`write_timeout`](Self::with_write_timeout) in which bytes are unsent all the
    /// time. Default 0: one byte is enough. A peer that reads one byte every 29
    /// seconds is ended with it.
    #[must_use]
    pub fn with_min_write_rate(self, bytes_per_second: u32) -> Self {
        self.with(|settings| settings.timeouts.min_write_rate = bytes_per_second)
    }
}

/// Switches.
impl Config {
    /// Which pages' requests a server accepts. Defaults to
    /// [`OriginPolicy::SameOrigin`]: other sites' pages cannot use a visitor's
    /// cookies here (§10.2), and non-browser clients are unaffected.
    #[must_use]
    pub fn with_origin(self, policy: OriginPolicy) -> Self {
        self.with(|settings| settings.handshake.origin = policy)
    }

    /// The hosts that a server answers for. A request for another one, plain
    /// HTTP too, is refused with 421 (Misdirected Request, RFC 9110 §15.5.20),
    /// which stops DNS rebinding, see [`OriginPolicy::SameOrigin`]. A request
    /// without a host, which only HTTP/1.0 allows, passes. Defaults to every
    /// host.
    #[must_use]
    pub fn with_hosts(self, hosts: Hosts) -> Self {
        self.with(|settings| settings.handshake.hosts = Some(hosts))
    }

    /// Offers permessage-deflate as a client, accepts it as a server (RFC 7692).
    /// Default no: see [what it costs](deflate) and
    /// [security](deflate#security).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(self, options: deflate::Options) -> Self {
        self.with(|settings| settings.handshake.deflate = Some(options))
    }

    /// How messages are delivered. Default [`Delivery::Messages`].
    #[must_use]
    pub fn with_delivery(self, delivery: Delivery) -> Self {
        self.with(|settings| settings.message.delivery = delivery)
    }

    /// The longest frame that `send` writes, in bytes of payload: a longer
    /// message leaves in several fragments, between which control frames can
    /// pass. At least 1. Default: no limit.
    #[must_use]
    pub fn with_max_sent_frame_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_sent_frame_len = bytes.max(1))
    }

    /// Whether pings are answered (§5.5.2). Default yes. When switched off, the
    /// application owes the pongs.
    #[must_use]
    pub fn with_auto_pong(self, on: bool) -> Self {
        self.with(|settings| settings.auto_pong = on)
    }

    /// Whether frames are accepted with or without a mask, whichever the role
    /// demands (§5.1). Default no. For peers on a trusted link that skip
    /// masking.
    #[must_use]
    pub fn allow_unmasked(self, on: bool) -> Self {
        self.with(|settings| settings.allow_unmasked = on)
    }

    /// Whether text that is not UTF-8 (§8.1) is delivered, with U+FFFD for what
    /// is wrong: up to three bytes for one, beyond
    /// [`max_message_len`](Self::with_max_message_len), which counts what came.
    /// Default no: it fails the connection with close code 1007. Who
    /// needs the bytes as they came uses [`frame`](crate::frame).
    #[must_use]
    pub fn allow_invalid_utf8(self, on: bool) -> Self {
        self.with(|settings| settings.message.allow_invalid_utf8 = on)
    }

    /// Where masking keys and nonces come from. Default: the system, with the
    /// feature `std`.
    #[must_use]
    pub fn with_entropy(self, entropy: Entropy) -> Self {
        self.with(|settings| settings.entropy = entropy)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let settings = Arc::make_mut(&mut self.0);
        change(settings);
        settings.apply_message_limits();
        self
    }
}
