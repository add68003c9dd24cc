//! The connection: composes the machines for handshake, frames, messages,
//! closing and time into the one object that a driver drives.
//!
//! Owns no rule itself: a new one goes to the machine that it belongs to.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::close::{Closing, Outcome};
use crate::config::Config;
#[cfg(feature = "deflate")]
use crate::deflate::Codec;
use crate::entropy::MaskingKeys;
use crate::error::{Error, SendError};
use crate::frame::{Decoder, Mask, Opcode, Role};
use crate::handshake::{Agreement, Answer, ClientRequest, RequestReader, ResponseReader};
use crate::message::assembler::Assembler;
use crate::message::utf8::Utf8;
use crate::message::{MessageKind, Sequence};
use crate::timer::Timer;

#[cfg(feature = "deflate")]
mod compression;
mod receive;
mod send;
mod time;

/// One WebSocket connection, from the first byte of the opening handshake to
/// the last of the closing one: a state machine without socket, clock or
/// thread.
///
/// # The methods, by kind
///
/// - *Start*: [`server`](Self::server), [`client`](Self::client), or
///   [`upgraded`](Self::upgraded) where the handshake was done elsewhere.
/// - *Input*: [`receive`](Self::receive) takes bytes and tells events.
/// - *Commands*: [`respond`](Self::respond), [`send`](Self::send),
///   [`send_fragment`](Self::send_fragment), [`send_header`](Self::send_header),
///   [`send_prepared`](Self::send_prepared), [`ping`](Self::ping),
///   [`pong`](Self::pong), [`close`](Self::close). They append to `out` or
///   return a [`SendError`], and then nothing was appended.
/// - *Time*: [`handle_timeout`](Self::handle_timeout).
/// - *Questions*: [`is_open`](Self::is_open), [`is_closed`](Self::is_closed),
///   [`outcome`](Self::outcome), [`held_bytes`](Self::held_bytes) and others.
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
/// nothing is taken, so that the bytes behind a plain HTTP request stay with
/// the driver. Who answers later keeps the rest of the input until then.
///
/// # Closing
///
/// Either side calls [`close`](Self::close) or receives
/// [`Event::Close`](crate::Event::Close); the answer is sent without further
/// ado. A server is closed once both close frames have passed or the connection
/// failed. A client then waits for the server to end the stream (§7.1.1), at
/// most until its close deadline. [`outcome`](Self::outcome) tells the result.
///
/// # Time
///
/// Nothing here reads a clock. A driver that wants deadlines calls
/// [`handle_timeout`](Self::handle_timeout) after each read and write and at
/// the moment that it returned; one that does not, never calls it.
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
    /// The opening handshake, until it is over.
    opening: Option<Box<Opening>>,
    agreement: Option<Box<Agreement>>,
    #[cfg(feature = "deflate")]
    codec: Option<Box<Codec>>,
    closing: Closing,
    timer: Option<Box<Timer>>,
    keys: MaskingKeys,

    decoder: Decoder,
    frame: Frame,
    sequence: Sequence,
    utf8: Utf8,
    assembler: Option<Box<Assembler>>,
    /// A control payload of which the input held only a part.
    control: Box<[u8]>,
    /// Control frames since the timer began the present second.
    control_frames: u32,

    /// A failure that was not told as an event yet.
    failure: Option<Error>,
    /// The message that `send_fragment` began.
    sending: Option<Sending>,
    role: Role,
    /// Whether the next frame may be lent whole, see `receive`.
    lends: bool,
    /// Whether bytes came, and whether any left, since the last
    /// `handle_timeout`.
    received: bool,
    written: bool,
    /// Whether nobody read since then.
    unread: bool,
    /// Whether the transport may be dropped.
    is_closed: bool,
}

/// How far the opening handshake is.
#[derive(Debug)]
enum Opening {
    /// A server reads the request.
    Request(RequestReader),
    /// A server owes the answer, without a body if the request is a HEAD.
    Answer { is_to_head: bool },
    /// A client reads the response.
    Response(ResponseReader),
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
struct Sending {
    kind: MessageKind,
    compressed: bool,
}

impl Connection {
    /// A server that waits for a request.
    pub fn server(config: &Config) -> Self {
        let opening = Opening::Request(RequestReader::default());
        Self::new(Role::Server, Some(Box::new(opening)), config)
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
    /// let request = ClientRequest::to("ws://example.com/chat")?.subprotocol("echo")?;
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
        let expected = request.write(nonce, &config.settings().handshake, out);
        let opening = Opening::Response(ResponseReader::new(expected));
        Ok(Self::new(Role::Client, Some(Box::new(opening)), config))
    }

    /// A connection whose opening handshake somebody else did, with what it
    /// settled. Bytes that were read behind the head are its first input.
    pub fn upgraded(role: Role, agreement: Agreement, config: &Config) -> Self {
        let mut ws = Self::new(role, None, config);
        ws.open(agreement);
        ws
    }

    /// The opening handshake is over.
    fn open(&mut self, agreement: Agreement) {
        self.opening = None;
        self.agreement = agreement.into_box();
        #[cfg(feature = "deflate")]
        self.start_codec();
        self.lends = self.may_lend();
    }

    fn new(role: Role, opening: Option<Box<Opening>>, config: &Config) -> Self {
        Self {
            config: config.clone(),
            opening,
            agreement: None,
            #[cfg(feature = "deflate")]
            codec: None,
            closing: Closing::default(),
            timer: None,
            keys: MaskingKeys::default(),
            decoder: Decoder::new(),
            frame: Frame {
                opcode: Opcode::Continuation,
                fin: true,
                mask: None,
            },
            sequence: Sequence::default(),
            utf8: Utf8::default(),
            assembler: None,
            control: Box::default(),
            control_frames: 0,
            failure: None,
            sending: None,
            role,
            lends: false,
            received: false,
            written: false,
            unread: false,
            is_closed: false,
        }
    }

    /// Whether messages may be sent: the opening handshake is over and no
    /// close frame was sent or received.
    pub const fn is_open(&self) -> bool {
        self.opening.is_none() && matches!(self.closing, Closing::Open)
    }

    /// Whether the transport may be dropped, see [Closing](#closing). Write
    /// `out` first.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// How the connection ended, once that is certain. It never changes.
    pub const fn outcome(&self) -> Option<&Outcome> {
        self.closing.outcome()
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
    pub fn held_bytes(&self) -> usize {
        #[cfg(feature = "deflate")]
        let codec = self.codec.as_ref().map_or(0, |codec| codec.held_bytes());
        #[cfg(not(feature = "deflate"))]
        let codec = 0;
        self.opening
            .as_ref()
            .map_or(0, |opening| size_of::<Opening>() + opening.held_bytes())
            + self.agreement.as_ref().map_or(0, |agreement| {
                size_of::<Agreement>() + agreement.held_bytes()
            })
            + self.closing.held_bytes()
            + self.timer.as_ref().map_or(0, |_| size_of::<Timer>())
            + self.keys.held_bytes()
            + self.assembler.as_ref().map_or(0, |assembler| {
                size_of::<Assembler>() + assembler.held_bytes()
            })
            + self.control.len()
            + codec
    }

    #[cfg(feature = "std")]
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Ends the connection and appends what tells the peer. The first failure
    /// counts, and none behind the closing handshake does.
    fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        if self.outcome().is_some() {
            return;
        }
        if let Some(refusal) = self.refusal(error) {
            refusal.write(false, out);
        }
        if let Some(code) = self.closing.fail(error) {
            // Without a key there is no frame; the outcome still tells.
            let _ = self.write_close(code, "", out);
        }
        // RFC 6455 §7.1.1: a client lets the server end the stream, if there
        // is still one that answers.
        let peer_ends = matches!(error, Error::Protocol(_) | Error::Limit(_));
        self.is_closed = self.role == Role::Server || !peer_ends;
        self.failure = Some(error);
        self.lends = false;
        self.discard();
    }

    /// The HTTP answer that a server owes for a failure before it is open.
    fn refusal(&self, error: Error) -> Option<Answer> {
        match (self.role, self.opening.as_deref()?, error) {
            (Role::Server, _, Error::Timeout(_)) => Some(Answer::new(408)),
            _ => None,
        }
    }

    /// No message will be received or sent: gives back what was held for it.
    fn discard(&mut self) {
        self.opening = None;
        #[cfg(feature = "deflate")]
        {
            self.codec = None;
        }
        self.assembler = None;
        self.control = Box::default();
    }
}

impl Opening {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Request(reader) => reader.held_bytes(),
            Self::Answer { .. } => 0,
            Self::Response(reader) => reader.held_bytes(),
        }
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
