//! The configuration of connections, with the reasons for the defaults.

use alloc::sync::Arc;
use core::time::Duration;

#[cfg(feature = "deflate")]
use crate::deflate;
use crate::entropy::Entropy;
use crate::handshake::{Hosts, OriginPolicy};
use crate::message::Delivery;
use settings::Settings;

mod memory;
mod settings;

/// The limits, deadlines and options of connections. The defaults are safe for a
/// server that faces the internet.
///
/// Cheap to clone: all clones, and all connections created from them, share one
/// allocation.
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

/// Limits on what a peer can make a connection hold or do.
impl Config {
    /// Returns the default configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum length of a received message, in bytes of payload after
    /// decompression. Defaults to 16 MiB, or to no limit with
    /// [`Delivery::Fragments`], which keeps nothing in memory. A longer message
    /// fails the connection with close code 1009, as soon as a frame header
    /// declares too much.
    ///
    /// The compressed form of a message is limited too, to an eighth more than
    /// this.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, LimitError, Role};
    ///
    /// let config = Config::new().with_max_message_len(64 * 1024);
    /// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
    /// // The header of a frame of 65,537 bytes, before any of its payload.
    /// let (mut header, mut out) = (*b"\x82\x7f\0\0\0\0\0\x01\0\x01", Vec::new());
    /// let event = ws.receive(&mut Input::new(&mut header), &mut out);
    /// assert_eq!(event, Some(Event::Failed(LimitError::MessageTooLong.into())));
    /// ```
    #[must_use]
    pub fn with_max_message_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_message_len = Some(bytes))
    }

    /// Sets the maximum length of a received frame, in bytes of payload.
    /// Defaults to no limit other than the one on messages. A longer frame fails
    /// the connection with close code 1009.
    #[must_use]
    pub fn with_max_frame_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.message.limits.max_frame_len = bytes)
    }

    /// Sets the maximum number of frames in one message, including empty frames.
    /// Defaults to 131,072, which is a message of 8 MiB in fragments of 64 bytes,
    /// or to no limit with [`Delivery::Fragments`]. 0 is treated as 1. More
    /// frames fail the connection with close code 1008.
    #[must_use]
    pub fn with_max_fragments(self, frames: u32) -> Self {
        self.with(|settings| settings.max_fragments = Some(frames.max(1)))
    }

    /// Sets the maximum number of control frames received in one second.
    /// Defaults to 1000, far above any keepalive. More fail the connection with
    /// close code 1008.
    ///
    /// The time is measured by
    /// [`handle_timeout`](crate::Connection::handle_timeout). A driver that
    /// never calls it has no such limit; writing all output before the next read
    /// still bounds what a flood of pings can cost.
    #[must_use]
    pub fn with_max_control_frames(self, frames: u32) -> Self {
        self.with(|settings| settings.max_control_frames = frames)
    }

    /// Sets the maximum length of an HTTP head, in bytes. Defaults to 16 KiB,
    /// twice what common servers allow for cookies and tokens. A longer request
    /// is answered with 431 (Request Header Fields Too Large).
    ///
    /// ```
    /// use sansocket::{Config, Connection, Input};
    ///
    /// let mut ws = Connection::server(&Config::new().with_max_head_len(1024));
    /// let (mut head, mut out) = ([b'a'; 1025], Vec::new());
    /// head[..11].copy_from_slice(b"GET / HTTP/");
    /// ws.receive(&mut Input::new(&mut head), &mut out);
    /// assert!(out.starts_with(b"HTTP/1.1 431 "));
    /// ```
    #[must_use]
    pub fn with_max_head_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.handshake.limits.max_head_len = bytes)
    }

    /// Sets the maximum number of header fields in an HTTP head. Defaults to
    /// 100, as in Apache httpd. A request with more is answered with 431.
    #[must_use]
    pub fn with_max_headers(self, fields: usize) -> Self {
        self.with(|settings| settings.handshake.limits.max_headers = fields)
    }

    /// Sets how much of the body of a refusal a client keeps, in bytes. Defaults
    /// to 64 KiB. A longer body is truncated, see
    /// [`Response::is_truncated`](crate::Response::is_truncated).
    #[must_use]
    pub fn with_max_body_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.handshake.limits.max_body_len = bytes)
    }

    /// Sets how many unsent bytes an adapter queues before a sender has to wait.
    /// Defaults to 64 KiB. A single longer message is still accepted when the
    /// queue is empty. [`Connection`](crate::Connection) itself queues nothing
    /// and ignores this.
    #[must_use]
    pub fn with_max_unsent_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_unsent_len = bytes)
    }
}

/// Deadlines, enforced by [`handle_timeout`](crate::Connection::handle_timeout).
/// `None` disables a deadline.
impl Config {
    /// Sets how long the peer may take for its part of the opening handshake:
    /// the head, and for a client also the body of a refusal. The time that the
    /// application takes to answer a request does not count. Defaults to 10 s.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansocket::{Config, Connection, DeadlineReason, IoState};
    ///
    /// let mut out = Vec::new();
    /// let config = Config::new().with_handshake_timeout(Duration::from_secs(3));
    /// let next = Connection::server(&config).handle_timeout(Duration::ZERO, IoState::reading(), &mut out);
    /// assert_eq!(next.map(|deadline| deadline.at), Some(Duration::from_secs(3)));
    ///
    /// let config = config.with_handshake_timeout(None);
    /// let next = Connection::server(&config).handle_timeout(Duration::ZERO, IoState::reading(), &mut out);
    /// assert_eq!(next, None);
    /// ```
    #[must_use]
    pub fn with_handshake_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.handshake = timeout.into().into())
    }

    /// Sets how long the peer may be silent before a keepalive ping is sent.
    /// Runs only while the driver reads. Defaults to 20 s, less than the 60 s
    /// after which common proxies drop a silent connection. At most one keepalive
    /// ping is unsent at a time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansocket::Config;
    ///
    /// // A peer that is gone is detected after 15 seconds.
    /// let config = Config::new()
    ///     .with_ping_interval(Duration::from_secs(10))
    ///     .with_pong_timeout(Duration::from_secs(5));
    /// // No keepalive: the peer sends its own.
    /// let config = config.with_ping_interval(None).with_idle_timeout(Duration::from_secs(60));
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn with_ping_interval(self, interval: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.ping = interval.into().into())
    }

    /// Sets how long after a keepalive ping something must be received: any byte
    /// counts, not only the pong. Otherwise the connection fails with close code
    /// 1011. Runs from when the ping was sent, and only while the driver reads.
    /// Defaults to 20 s.
    ///
    /// The ping counts as sent once the transport has accepted it. On a slow
    /// link, everything that the operating system has buffered must reach the
    /// peer within this time.
    #[must_use]
    pub fn with_pong_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.pong = timeout.into().into())
    }

    /// Sets how long the peer may send nothing at all, before the connection
    /// fails with close code 1001. Runs only while the driver reads. Defaults to
    /// `None`, because keepalive pings detect peers that are gone.
    ///
    /// Pongs count as activity: to close idle connections, set this shorter than
    /// the [ping interval](Self::with_ping_interval) or disable the keepalive.
    #[must_use]
    pub fn with_idle_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.idle = timeout.into().into())
    }

    /// Sets how long the peer may take to complete the closing handshake after
    /// the close frame was sent. Defaults to 5 s. If
    /// [`auto_close`](crate::Connection::auto_close) is off, each received byte
    /// restarts it.
    #[must_use]
    pub fn with_close_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.close = timeout.into().into())
    }

    /// Sets how long the transport may accept none of the unsent bytes, or, with
    /// [`with_min_write_rate`](Self::with_min_write_rate), too few of them. Runs
    /// in every phase, including the opening and closing handshakes. Defaults to
    /// 30 s. With `None`, a connection that is closing or has ended is given up
    /// after the [`close_timeout`](Self::with_close_timeout) instead.
    #[must_use]
    pub fn with_write_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.with(|settings| settings.timeouts.write_stall = timeout.into().into())
    }

    /// Sets the minimum rate at which the peer must read, in bytes per second,
    /// measured over each [`write_timeout`](Self::with_write_timeout) during
    /// which there always were unsent bytes. Defaults to 0, where one byte per
    /// write timeout is enough.
    ///
    /// With it, a peer cannot hold a connection and its output by reading one
    /// byte every 29 seconds.
    #[must_use]
    pub fn with_min_write_rate(self, bytes_per_second: u32) -> Self {
        self.with(|settings| settings.timeouts.min_write_rate = bytes_per_second)
    }
}

/// Options.
impl Config {
    /// Sets which web pages may connect to a server. Defaults to
    /// [`OriginPolicy::SameOrigin`]: pages of other sites cannot connect with a
    /// visitor's cookies (§10.2). Non-browser clients, which send no `Origin`,
    /// are unaffected. A refused request is answered with 403 (Forbidden).
    ///
    /// ```
    /// # #[cfg(feature = "std")] {
    /// use sansocket::{Config, OriginPolicy, Rejection, Request, upgrade};
    ///
    /// // The page is served from another host than the WebSocket.
    /// let policy = OriginPolicy::list(["https://www.example.com"])?;
    /// let config = Config::new().with_origin(policy);
    ///
    /// let from = |origin: &'static [u8]| -> Result<Request, Rejection> {
    ///     let fields: [(&str, &[u8]); 6] = [
    ///         ("host", b"chat.example.com"),
    ///         ("origin", origin),
    ///         // …
    /// #       ("upgrade", b"websocket"),
    /// #       ("connection", b"Upgrade"),
    /// #       ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    /// #       ("sec-websocket-version", b"13"),
    ///     ];
    ///     upgrade::request("GET", "/", fields, &config)
    /// };
    /// assert!(from(b"https://www.example.com").is_ok());
    /// assert_eq!(from(b"https://evil.example").unwrap_err().status(), 403);
    /// # }
    /// # Ok::<(), sansocket::InvalidOrigin>(())
    /// ```
    #[must_use]
    pub fn with_origin(self, policy: OriginPolicy) -> Self {
        self.with(|settings| settings.handshake.origin = policy)
    }

    /// Sets the hosts that a server answers for. A request for another host,
    /// including plain HTTP, is refused with 421 (Misdirected Request, RFC 9110
    /// §15.5.20). This prevents DNS rebinding, see [`OriginPolicy::SameOrigin`].
    /// A request without a host, which only HTTP/1.0 allows, is accepted.
    /// Defaults to every host.
    ///
    /// ```
    /// use sansocket::{Config, Connection, Hosts, Input};
    ///
    /// let config = Config::new().with_hosts(Hosts::list(["chat.example.com"])?);
    /// let (mut ws, mut out) = (Connection::server(&config), Vec::new());
    /// let mut request = *b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    /// ws.receive(&mut Input::new(&mut request), &mut out);
    /// assert!(out.starts_with(b"HTTP/1.1 421 "));
    /// # Ok::<(), sansocket::InvalidHost>(())
    /// ```
    #[must_use]
    pub fn with_hosts(self, hosts: Hosts) -> Self {
        self.with(|settings| settings.handshake.hosts = Some(hosts))
    }

    /// Enables permessage-deflate (RFC 7692): a client offers it, a server
    /// accepts it. Disabled by default, see its [memory use](deflate#memory) and
    /// [security](deflate#security).
    ///
    /// ```
    /// use sansocket::{Config, deflate};
    ///
    /// let config = Config::new().with_deflate(deflate::Options::new().with_threshold(1024));
    /// # let _ = config;
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(self, options: deflate::Options) -> Self {
        self.with(|settings| settings.handshake.deflate = Some(options))
    }

    /// Sets how messages are delivered. Defaults to [`Delivery::Messages`]: each
    /// message as a whole.
    #[must_use]
    pub fn with_delivery(self, delivery: Delivery) -> Self {
        self.with(|settings| settings.message.delivery = delivery)
    }

    /// Sets the maximum length of a frame that `send` writes, in bytes of
    /// payload. A longer message is sent in several fragments. 0 is treated as
    /// 1. Defaults to no limit.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Role};
    ///
    /// let config = Config::new().with_max_sent_frame_len(3);
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    /// let mut out = Vec::new();
    /// ws.send("Hello", &mut out)?;
    /// assert_eq!(out, b"\x01\x03Hel\x80\x02lo");
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    #[must_use]
    pub fn with_max_sent_frame_len(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_sent_frame_len = bytes.max(1))
    }

    /// Sets whether pings are answered automatically (§5.5.2). Defaults to
    /// `true`. When disabled, the application must answer each
    /// [`Event::Ping`](crate::Event::Ping).
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Role};
    ///
    /// let config = Config::new().with_auto_pong(false);
    /// # let config = config.with_entropy(sansocket::Entropy::new(|bytes| Ok(bytes.fill(0))));
    /// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
    /// let (mut ping, mut out) = (*b"\x89\x02hi", Vec::new());
    /// if let Some(Event::Ping(payload)) = ws.receive(&mut Input::new(&mut ping), &mut out) {
    ///     assert!(out.is_empty());
    ///     ws.pong(&payload, &mut out)?;
    /// }
    /// assert_eq!(out[0], 0x8a);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    #[must_use]
    pub fn with_auto_pong(self, on: bool) -> Self {
        self.with(|settings| settings.auto_pong = on)
    }

    /// Sets whether received frames may be masked or unmasked whatever the role,
    /// which §5.1 forbids. Defaults to `false`. For peers on a trusted link that
    /// skip masking.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Role};
    ///
    /// let config = Config::new().allow_unmasked(true);
    /// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
    /// let (mut unmasked, mut out) = (*b"\x81\x02hi", Vec::new());
    /// let event = ws.receive(&mut Input::new(&mut unmasked), &mut out);
    /// assert_eq!(event, Some(Event::Message("hi".into())));
    /// ```
    #[must_use]
    pub fn allow_unmasked(self, on: bool) -> Self {
        self.with(|settings| settings.allow_unmasked = on)
    }

    /// Sets whether a text message that is not UTF-8 (§8.1) is delivered, with
    /// U+FFFD in place of each invalid sequence. Defaults to `false`: such a
    /// message fails the connection with close code 1007.
    ///
    /// A replacement is three bytes long, so the delivered text can be up to
    /// three times as long as the received bytes, which are what
    /// [`with_max_message_len`](Self::with_max_message_len) limits. To receive
    /// the bytes unchanged, use the [`frame`](crate::frame) layer.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Role};
    ///
    /// let config = Config::new().allow_invalid_utf8(true);
    /// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &config);
    /// let (mut latin1, mut out) = (*b"\x81\x04caf\xe9", Vec::new());
    /// let event = ws.receive(&mut Input::new(&mut latin1), &mut out);
    /// assert_eq!(event, Some(Event::Message("caf\u{fffd}".into())));
    /// ```
    #[must_use]
    pub fn allow_invalid_utf8(self, on: bool) -> Self {
        self.with(|settings| settings.message.allow_invalid_utf8 = on)
    }

    /// Sets the source of masking keys and nonces. Defaults to the operating
    /// system with the feature `std`; without it, a client needs a source from
    /// the caller, see [`Entropy`].
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
