//! The connection: composes the machines for handshake, frames, messages,
//! closing and time.
//!
//! It contains no protocol rule itself: a new rule goes into the machine that
//! it belongs to.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::close::{Ending, Outcome};
use crate::config::Config;
#[cfg(feature = "deflate")]
use crate::deflate::Codec;
use crate::entropy::MaskingKeys;
use crate::frame::{ControlRate, Decoder, Mask, Opcode, Role};
use crate::handshake::Agreement;
use crate::message::{MessageKind, Receiver};
use crate::timer::Timer;
use counters::{FrameCounts, NonMessageCounts};
use lifecycle::{Lifecycle, Stage};

// In the order in which the documentation lists their methods.
mod start;

mod receive;

mod fragments;

mod payload;

mod send;

mod prepared;

mod closing;

#[cfg(feature = "deflate")]
mod compression;

#[cfg(feature = "std")]
mod join;

mod deadlines;

mod complete;
mod counters;
mod lifecycle;
mod trace;

pub use counters::{Counters, Traffic};
pub use deadlines::IoState;

/// A WebSocket connection, client or server: a state machine that turns received
/// bytes into events and messages into bytes to send.
///
/// It covers the whole life of a connection, from the first byte of the opening
/// handshake to the last byte of the closing handshake, and does no I/O itself.
/// The code that moves its bytes between this type and a socket is called the
/// *driver* here. The [adapters](crate::adapter) are ready-made drivers.
///
/// # Overview of the methods
///
/// - Constructors: [`server`](Self::server), [`client`](Self::client), and
///   [`upgraded`](Self::upgraded) if another library did the opening handshake.
/// - Input: [`receive`](Self::receive) takes bytes and returns events.
///   [`receive_into_message`](Self::receive_into_message) saves a copy of large messages.
/// - Output: [`respond`](Self::respond), [`send`](Self::send),
///   [`send_fragment`](Self::send_fragment), [`send_header`](Self::send_header),
///   [`send_prepared`](Self::send_prepared), [`ping`](Self::ping),
///   [`pong`](Self::pong) and [`close`](Self::close) append to `out`.
/// - Time: [`handle_timeout`](Self::handle_timeout).
/// - State: [`is_open`](Self::is_open), [`is_closed`](Self::is_closed),
///   [`outcome`](Self::outcome), [`latency`](Self::latency),
///   [`counters`](Self::counters), [`memory_usage`](Self::memory_usage) and others.
///
/// # The loop
///
/// The driver owns the read buffer and the output buffer, `out`, and follows four
/// rules:
///
/// 1. Pass the bytes of each read to [`receive`](Self::receive). An empty
///    [`Input`](crate::Input) is the end of the stream.
/// 2. Call `receive` until it returns `None`.
/// 3. Write all of `out` before reading again. Then a peer that sends pings
///    without reading the pongs cannot make `out` grow.
/// 4. Stop when [`is_closed`](Self::is_closed) returns `true`.
///
/// ```
/// use sansocket::{Config, Connection, Event, Input};
/// # use std::io::{self, Read, Write};
///
/// # fn echo(socket: &mut (impl Read + Write)) -> Result<(), Box<dyn std::error::Error>> {
/// # let (config, mut buf, mut out) = (Config::new(), [0; 4096], Vec::new());
/// let mut ws = Connection::server(&config);
/// while !ws.is_closed() {
///     let n = socket.read(&mut buf)?;
///     let mut input = Input::new(&mut buf[..n]);
///     while let Some(event) = ws.receive(&mut input, &mut out) {
///         match event {
///             Event::Request(request) => ws.respond(request.accept(), &mut out)?,
///             Event::Message(message) => ws.send(message, &mut out)?,
///             _ => {}
///         }
///     }
///     socket.write_all(&out)?;
///     out.clear();
/// }
/// # Ok(())
/// # }
/// ```
///
/// A driver that serves several connections in one thread gives each a turn: it leaves
/// the loop at [`Event::Yield`](crate::Event::Yield), or after a number of other
/// events, and keeps the rest of the input until the others had theirs. `receive`
/// returns `Yield` after 256 frames or 32 KiB of inflated payload, so a turn
/// takes less than a millisecond, with one exception: a text above 1 MiB in
/// several pieces is validated again when it is complete, which takes up to 1 ms
/// for each MiB.
///
/// `receive` consumes all of its input, with one exception: between
/// [`Event::Request`](crate::Event::Request) and [`respond`](Self::respond) it
/// takes nothing, so that the body of a plain HTTP request is left for the
/// driver. If the driver responds later, it keeps the rest of the input until
/// then.
///
/// # Errors
///
/// The peer's faults and the caller's mistakes are reported in different ways:
///
/// - `receive` never fails. A peer that breaks a rule, exceeds a limit, misses a
///   deadline or ends the stream early is reported as
///   [`Event::Failed`](crate::Event::Failed) with a
///   [`ConnectionError`](crate::ConnectionError), after every message received before the fault. It is
///   the last event, and the close frame or HTTP response that reports the fault
///   to the peer is already in `out`.
/// - Methods that append to `out` return a [`SendError`](crate::SendError) for a mistake of the
///   caller, such as sending on a closed connection. Then nothing was appended
///   and the connection is unchanged.
///
/// # Closing
///
/// Either endpoint starts the closing handshake with [`close`](Self::close). The
/// other one receives [`Event::Close`](crate::Event::Close), and its close frame
/// is sent automatically. A server is closed once both close frames were
/// exchanged or the connection failed; it may then [linger](Self::is_lingering).
/// A client also waits for the server to end the stream (§7.1.1), at most until
/// its close deadline. [`outcome`](Self::outcome) returns how the connection
/// ended.
///
/// With [`auto_close(false)`](Self::auto_close), each endpoint closes its own
/// direction, and can go on sending after the peer has closed the other one.
///
/// # Time
///
/// The connection does not read a clock. For deadlines, the driver calls
/// [`handle_timeout`](Self::handle_timeout) after each read and write, and when
/// the deadline that the last call returned has come. It passes the current time
/// and an [`IoState`]: how many bytes are unsent besides those in `out`, and
/// whether it is reading. A driver that needs no deadlines never calls it.
///
/// | deadline | default | runs | when it passes |
/// |---|---|---|---|
/// | [`handshake_timeout`](Config::with_handshake_timeout) | 10 s | until the peer's head is complete | fails; a server answers with 408 |
/// | [`ping_interval`](Config::with_ping_interval) | 20 s | since the last received byte, while the driver reads | a ping is sent |
/// | [`pong_timeout`](Config::with_pong_timeout) | 20 s | since that ping was sent, while nothing is received | fails with 1011 |
/// | [`idle_timeout`](Config::with_idle_timeout) | none | since the last received byte, while the driver reads | fails with 1001 |
/// | [`close_timeout`](Config::with_close_timeout) | 5 s | since the close frame was sent | fails; the transport may be dropped |
/// | [`write_timeout`](Config::with_write_timeout) | 30 s | while bytes are unsent and the transport accepts none | fails; `out` is cleared |
///
/// ```
/// use core::time::Duration;
/// use sansocket::{Agreement, Config, Connection, DeadlineReason, IoState, Role};
///
/// let config = Config::new();
/// let mut ws = Connection::upgraded(Role::Server, Agreement::default(), &config);
/// let (mut now, mut out) = (Duration::ZERO, Vec::new());
///
/// let next = ws.handle_timeout(now, IoState::reading(), &mut out).expect("a deadline");
/// assert_eq!(next.reason, DeadlineReason::Ping);
///
/// // Wait until the socket is readable or the deadline has come. Here, nothing
/// // was received:
/// now = next.at;
/// ws.handle_timeout(now, IoState::reading(), &mut out);
/// assert_eq!(out[0], 0x89, "a ping");
/// ```
///
/// # Memory
///
/// An idle connection holds less than 1 KiB of heap. A peer can make it hold
/// more, up to a limit: an incomplete head
/// ([`max_head_len`](Config::with_max_head_len)), or an incomplete message (twice
/// the bytes received so far, at most twice
/// [`max_message_len`](Config::with_max_message_len)) and a control frame (125
/// bytes). The length that a frame header declares reserves no memory. All
/// connections of a [`Config`] together have a limit too:
/// [`max_total_memory`](Config::with_max_total_memory).
#[derive(Debug)]
pub struct Connection {
    config: Config,
    lifecycle: Lifecycle,
    agreement: Option<Box<Agreement>>,
    #[cfg(feature = "deflate")]
    codec: Option<Box<Codec>>,
    timer: Option<Box<Timer>>,
    keys: MaskingKeys,

    decoder: Decoder,
    frame: Frame,
    receiver: Receiver,
    received: FrameCounts,

    sent: FrameCounts,
    /// The message that `send_fragment` began.
    sending: Option<PartialMessage>,

    rare: Option<Box<Rare>>,
    role: Role,
    /// Whether the next frame may be delivered as a borrow, see `receive`.
    borrows: bool,
}

/// The frame whose payload is arriving.
#[derive(Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    mask: Option<Mask>,
}

/// A message of which more is to be sent.
#[derive(Clone, Copy, Debug)]
struct PartialMessage {
    kind: MessageKind,
    compressed: bool,
}

/// State that a connection allocates with its first control frame or fragment,
/// or when `auto_close` is switched off.
#[derive(Debug, Default)]
struct Rare {
    control_rate: ControlRate,
    /// The part received so far of an incomplete control payload.
    control: Vec<u8>,
    received: NonMessageCounts,
    sent: NonMessageCounts,
    /// Pings that were sent and for which no pong was received.
    unanswered_pings: u32,
    /// Whether the application answers the peer's close frame.
    is_close_manual: bool,
    /// The path or host of the handshake, for tracing.
    #[cfg(feature = "tracing")]
    subject: Option<Box<str>>,
}

impl Connection {
    /// Returns `true` if messages can be sent: the opening handshake is complete
    /// and neither endpoint has sent a close frame. With
    /// [`auto_close(false)`](Self::auto_close), messages can still be sent after
    /// the peer's close frame.
    pub fn is_open(&self) -> bool {
        self.lifecycle.may_send()
    }

    /// Returns `true` if the peer's close frame was received and the application
    /// has not answered it with [`close`](Self::close) yet. Possible only with
    /// [`auto_close(false)`](Self::auto_close).
    pub fn is_half_closed(&self) -> bool {
        matches!(self.lifecycle.stage(), Some(Stage::HalfClosed { .. }))
    }

    /// Returns `true` if the transport may be dropped once `out` is written, see
    /// [Closing](#closing).
    pub fn is_closed(&self) -> bool {
        let end = self.lifecycle.end();
        end.is_some_and(|end| end.ending != Ending::AwaitEnd)
    }

    /// Returns `true` if the connection [`is_closed`](Self::is_closed), but the
    /// transport should be kept open a little longer, mostly by a server.
    ///
    /// The driver then shuts down the transport's write half, and continues to
    /// read and to call [`receive`](Self::receive) until this returns `false`: at
    /// the end of the stream, at the close deadline, or after 4 MiB. If a TCP
    /// connection is dropped while the peer is still sending, it is reset, and the
    /// peer may lose the close frame or the HTTP response (§7.1.1, RFC 9112 §9.6).
    pub fn is_lingering(&self) -> bool {
        let end = self.lifecycle.end();
        end.is_some_and(|end| end.ending == Ending::Linger)
    }

    /// Returns `true` if [`receive`](Self::receive) has something to do without
    /// more input: to return [`Event::Failed`](crate::Event::Failed) after a
    /// deadline has passed, or to inflate the rest of a message after
    /// [`Event::Yield`](crate::Event::Yield). Pass
    /// [`Input::none`](crate::Input::none) to continue.
    pub fn has_event(&self) -> bool {
        match self.lifecycle.end() {
            Some(end) => end.event.is_some() || end.failure.is_some(),
            None => self.has_compressed(),
        }
    }

    /// Returns how the connection ended, or `None` while it has not. It does not
    /// change afterwards.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.lifecycle.end().map(|end| &end.outcome)
    }

    /// Returns whether this endpoint is the client or the server.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Returns the negotiated subprotocol (§1.9), if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreement.as_ref()?.subprotocol()
    }

    /// Returns how many payload bytes of the current frame have not been received
    /// yet, or 0 between frames.
    ///
    /// A driver can use it to size its next read, so that large frames arrive in
    /// few pieces. The value is declared by the peer and can be as large as
    /// 2^63 - 1, so limit it.
    pub const fn remaining_payload_len(&self) -> u64 {
        self.decoder.remaining_payload_len()
    }

    /// Returns how many bytes of heap this connection holds, excluding the shared
    /// [`Config`].
    pub fn memory_usage(&self) -> usize {
        #[cfg(feature = "deflate")]
        let codec = self.codec.as_ref().map_or(0, |codec| codec.memory_usage());
        #[cfg(not(feature = "deflate"))]
        let codec = 0;
        self.lifecycle.memory_usage()
            + self.agreement.as_ref().map_or(0, |agreement| {
                size_of::<Agreement>() + agreement.memory_usage()
            })
            + self.timer.as_ref().map_or(0, |_| size_of::<Timer>())
            + self.keys.memory_usage()
            + self.receiver.memory_usage()
            + self
                .rare
                .as_ref()
                .map_or(0, |rare| size_of::<Rare>() + rare.control.capacity())
            + codec
    }

    #[cfg(feature = "std")]
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_small() {
        assert!(
            size_of::<Connection>() <= 160,
            "{}",
            size_of::<Connection>()
        );
    }
}
