//! The connection: composes the machines for handshake, frames, messages,
//! closing and time into the one object that a driver drives.
//!
//! Owns no rule itself: a new one goes to the machine that it belongs to.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::close::{Ending, Outcome};
use crate::config::Config;
#[cfg(feature = "deflate")]
use crate::deflate::Codec;
use crate::entropy::MaskingKeys;
use crate::error::SendError;
use crate::frame::{ControlRate, Decoder, Mask, Opcode, Role};
use crate::handshake::{Agreement, ClientRequest, RequestReader, ResponseReader};
use crate::message::{MessageKind, Receiver};
use crate::timer::Timer;
use counters::{FrameCounts, NonMessageCounts};
use lifecycle::{Lifecycle, Stage};

mod closing;
#[cfg(feature = "deflate")]
mod compression;
mod counters;
mod deadlines;
mod lifecycle;
mod receive;
mod send;
mod trace;

pub use counters::{Counters, Traffic};
pub use deadlines::IoState;

/// One WebSocket connection, from the first byte of the opening handshake to
/// the last of the closing one: a state machine without socket, clock or
/// thread.
///
/// # The methods, by kind
///
/// - *Start*: [`server`](Self::server), [`client`](Self::client), or
///   [`upgraded`](Self::upgraded) where the handshake was done elsewhere.
/// - *Input*: [`receive`](Self::receive) takes bytes and returns events.
/// - *Commands*: [`respond`](Self::respond), [`send`](Self::send),
///   [`send_fragment`](Self::send_fragment), [`send_header`](Self::send_header),
///   [`send_prepared`](Self::send_prepared), [`ping`](Self::ping),
///   [`pong`](Self::pong), [`close`](Self::close). They append to `out` or
///   return a [`SendError`], and then nothing was appended.
///   [`auto_close`](Self::auto_close) is a switch.
/// - *Time*: [`handle_timeout`](Self::handle_timeout).
/// - *Questions*: [`is_open`](Self::is_open), [`is_closed`](Self::is_closed),
///   [`outcome`](Self::outcome), [`latency`](Self::latency),
///   [`counters`](Self::counters), [`memory_usage`](Self::memory_usage) and others.
///
/// # The loop
///
/// The driver owns both buffers and keeps four rules:
///
/// 1. Hand over what one read returned; no bytes are the end of the stream.
/// 2. Take events until there are none.
/// 3. Write all of `out` before reading again. A peer that does not read then
///    cannot make `out` grow, not even with a flood of pings.
/// 4. Stop when [`is_closed`](Self::is_closed).
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
/// All input is always consumed, with one exception: between
/// [`Event::Request`](crate::Event::Request) and [`respond`](Self::respond)
/// nothing is taken, so that the bytes after a plain HTTP request stay with the
/// driver. A driver that responds later keeps the rest of the input until then.
///
/// # Closing
///
/// Either side calls [`close`](Self::close) or receives
/// [`Event::Close`](crate::Event::Close), which is answered automatically. A
/// server is closed once both close frames have passed or the connection
/// failed; then it may [linger](Self::is_lingering). A client waits
/// for the server to end the stream (§7.1.1), at most until its close deadline.
/// [`outcome`](Self::outcome) returns the result.
///
/// With [`auto_close(false)`](Self::auto_close) each side closes its own
/// direction, and can go on sending after the peer has closed the other.
///
/// # Time
///
/// Nothing here reads a clock. A driver that wants deadlines calls
/// [`handle_timeout`](Self::handle_timeout) after each read and write and when
/// the deadline comes that it returned. It passes the time and an [`IoState`]:
/// how many bytes wait outside of `out`, and whether it reads. A driver that
/// wants no deadlines never calls it.
///
/// | deadline | default | runs | when it passes |
/// |---|---|---|---|
/// | [`handshake_timeout`](Config::with_handshake_timeout) | 10 s | while the peer owes bytes of its head | 408 as a server; fails |
/// | [`ping_interval`](Config::with_ping_interval) | 20 s | since the last received byte, while the driver reads | a ping is sent |
/// | [`pong_timeout`](Config::with_pong_timeout) | 20 s | since that ping has left, while nothing is received | fails, 1011 |
/// | [`idle_timeout`](Config::with_idle_timeout) | none | since the last received byte, while the driver reads | fails, 1001 |
/// | [`close_timeout`](Config::with_close_timeout) | 5 s | since the close frame has left | fails; the transport may be dropped |
/// | [`write_timeout`](Config::with_write_timeout) | 30 s | while bytes are unsent and none leave | fails; `out` is cleared |
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
/// // Wait until the socket is readable, or until then: nothing was received.
/// now = next.at;
/// ws.handle_timeout(now, IoState::reading(), &mut out);
/// assert_eq!(out[0], 0x89, "a ping");
/// ```
///
/// # Memory
///
/// An idle connection holds less than 1 KiB of heap. What a peer can add is
/// bounded: an incomplete head (`max_head_len`), or an incomplete message
/// (twice the bytes received of it, at most twice `max_message_len`), and a
/// control frame (125 bytes). Nothing is reserved because a header declares it.
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
    /// Whether the next frame may be borrowed whole, see `receive`.
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

/// What a connection holds once a control frame or a fragment has passed, or
/// `auto_close` was switched off.
#[derive(Debug, Default)]
struct Rare {
    control_rate: ControlRate,
    /// A control payload of which the input contained only a part.
    control: Vec<u8>,
    received: NonMessageCounts,
    sent: NonMessageCounts,
    /// Whether the application answers the peer's close frame.
    is_close_manual: bool,
    /// The path or host of a handshake that is traced.
    #[cfg(feature = "tracing")]
    subject: Option<Box<str>>,
}

impl Connection {
    /// A server that waits for a request.
    pub fn server(config: &Config) -> Self {
        let lifecycle = Lifecycle::at(Stage::Request(RequestReader::default()));
        Self::new(Role::Server, lifecycle, config)
    }

    /// A client that asks. The request is appended to `out`.
    ///
    /// # Errors
    ///
    /// [`SendError::NoEntropy`] if no nonce could be drawn (§4.1).
    ///
    /// ```
    /// use sansocket::{ClientRequest, Config, Connection};
    ///
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// let mut out = Vec::new();
    /// let request = ClientRequest::to("ws://example.com/chat")?.with_subprotocol("echo")?;
    /// let ws = Connection::client(&request, &Config::new(), &mut out)?;
    /// assert!(out.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
    /// assert!(!ws.is_open());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn client(
        request: &ClientRequest,
        config: &Config,
        out: &mut Vec<u8>,
    ) -> Result<Self, SendError> {
        let mut nonce = [0; 16];
        config
            .settings()
            .entropy
            .fill(&mut nonce)
            .map_err(|_| SendError::NoEntropy)?;
        let before = out.len();
        let expected = request.write(nonce, &config.settings().handshake, out);
        let reader = ResponseReader::new(expected);
        let mut ws = Self::new(Role::Client, Lifecycle::at(Stage::Response(reader)), config);
        ws.count_sent(before, out);
        ws.trace_subject(request.uri().host());
        Ok(ws)
    }

    /// A connection whose opening handshake was done elsewhere, with what it
    /// settled. Bytes that were read after the head are its first input.
    pub fn upgraded(role: Role, agreement: Agreement, config: &Config) -> Self {
        let mut ws = Self::new(role, Lifecycle::OPEN, config);
        ws.open(agreement);
        ws
    }

    /// The opening handshake is over.
    fn open(&mut self, agreement: Agreement) {
        self.lifecycle = Lifecycle::OPEN;
        self.agreement = agreement.into_box();
        #[cfg(feature = "deflate")]
        self.start_codec();
        self.borrows = self.can_borrow();
        self.trace_open();
    }

    fn new(role: Role, lifecycle: Lifecycle, config: &Config) -> Self {
        Self {
            config: config.clone(),
            lifecycle,
            agreement: None,
            #[cfg(feature = "deflate")]
            codec: None,
            timer: None,
            keys: MaskingKeys::default(),
            decoder: Decoder::new(),
            frame: Frame {
                opcode: Opcode::Continuation,
                fin: true,
                mask: None,
            },
            receiver: Receiver::default(),
            received: FrameCounts::default(),
            sent: FrameCounts::default(),
            sending: None,
            rare: None,
            role,
            borrows: false,
        }
    }

    /// Whether messages may be sent: the opening handshake is over, and no
    /// close frame was sent, or received unless
    /// [`auto_close`](Self::auto_close) is off.
    pub fn is_open(&self) -> bool {
        self.lifecycle.may_send()
    }

    /// Whether the peer's close frame was received and waits for its answer,
    /// [`close`](Self::close), see [`auto_close`](Self::auto_close).
    pub fn is_half_closed(&self) -> bool {
        matches!(self.lifecycle.stage(), Some(Stage::HalfClosed { .. }))
    }

    /// Whether the transport may be dropped, see [Closing](#closing). Write
    /// `out` first.
    pub fn is_closed(&self) -> bool {
        let end = self.lifecycle.end();
        end.is_some_and(|end| end.ending != Ending::AwaitEnd)
    }

    /// Whether the transport of a connection that [`is_closed`](Self::is_closed)
    /// should be kept a little longer, mostly by a server: end its outgoing
    /// direction, then read and call [`receive`](Self::receive) until this is
    /// `false`, which is at the end of the stream or at the close deadline. A
    /// transport that is dropped while the peer still sends is reset, and the
    /// peer may lose the close frame or the response (§7.1.1, RFC 9112 §9.6).
    pub fn is_lingering(&self) -> bool {
        let end = self.lifecycle.end();
        end.is_some_and(|end| end.ending == Ending::Linger)
    }

    /// Whether [`receive`](Self::receive) has an event to return that needs no
    /// input, [`Input::none`](crate::Input::none): the failure of a connection
    /// whose deadline has passed, for example.
    pub fn has_event(&self) -> bool {
        let end = self.lifecycle.end();
        end.is_some_and(|end| end.event.is_some() || end.failure.is_some())
    }

    /// How the connection ended, once that is certain. It never changes.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.lifecycle.end().map(|end| &end.outcome)
    }

    /// Which end this is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The subprotocol that the handshake settled (§1.9).
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreement.as_ref()?.subprotocol()
    }

    /// How many bytes of the present frame are still to come. Zero between
    /// frames.
    ///
    /// A driver may make its next read that large: big frames then arrive in
    /// few pieces. A peer can declare up to 2^63 - 1, so bound it.
    pub const fn remaining_payload_len(&self) -> u64 {
        self.decoder.remaining_payload_len()
    }

    /// The heap bytes that this connection holds by itself, the shared
    /// [`Config`] left out.
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
