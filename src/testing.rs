//! For tests: two connections joined in memory, with a virtual clock.
//!
//! A [`Pair`] is a client and a server without a network. Nothing waits: bytes move
//! when the test says so, and hours pass in an instant, so that a test is fast and
//! gives the same result in each run.
//!
//! ```
//! # if !cfg!(feature = "std") { return Ok(()); }
//! use sansocket::{Config, Message, testing::Pair};
//!
//! let mut pair = Pair::new(&Config::new());
//! pair.client.send("hello")?;
//! pair.deliver();
//! assert_eq!(pair.server.take_messages(), [Message::from("hello")]);
//! # Ok::<(), sansocket::SendError>(())
//! ```
//!
//! A whole protocol, with a peer that vanishes:
//!
//! ```
//! # if !cfg!(feature = "std") { return Ok(()); }
//! use core::time::Duration;
//! use sansocket::{Config, ConnectionError, DeadlineReason, Event, testing::Pair};
//!
//! let mut pair = Pair::new(&Config::new());
//! pair.advance(Duration::from_secs(3600)); // pings and pongs keep it open
//! assert!(pair.server.connection().is_open());
//!
//! pair.set_connected(false); // a cable is cut: no bytes, and no end of the stream
//! pair.advance(Duration::from_secs(60));
//! let failure = Event::Failed(ConnectionError::Timeout(DeadlineReason::Pong));
//! assert_eq!(pair.server.take_events().pop(), Some(failure));
//! # Ok::<(), sansocket::SendError>(())
//! ```

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use crate::close::CloseCode;
use crate::config::Config;
use crate::connection::{Connection, IoState};
use crate::error::SendError;
use crate::event::Event;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, ClientRequest, Request};
use crate::input::Input;
use crate::message::{Message, MessageRef};

/// A client and a server, joined in memory, with one virtual clock.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    now: Duration,
    max_piece_len: usize,
    is_connected: bool,
}

impl Pair {
    /// Returns two open connections with the same options. The handshake is skipped,
    /// and nothing was negotiated.
    pub fn new(config: &Config) -> Self {
        let open = |role| Connection::upgraded(role, Agreement::default(), config);
        Self::of(open(Role::Client), open(Role::Server), Vec::new())
    }

    /// Returns two connections that have delivered the opening handshake. `answer`
    /// decides on the request, and is not called for one that breaks a rule.
    ///
    /// # Errors
    ///
    /// Those of [`Connection::client`], and of [`Connection::respond`] to the answer.
    ///
    /// ```
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// use sansocket::{ClientRequest, Config, OriginPolicy, testing::Pair};
    ///
    /// let page = ClientRequest::to("ws://example.com/chat")?.with_origin("https://evil.example")?;
    /// let config = Config::new().with_origin(OriginPolicy::SameOrigin);
    /// let pair = Pair::connect(&page, &Config::new(), &config, |request| request.accept())?;
    /// assert!(!pair.client.connection().is_open());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connect(
        request: &ClientRequest,
        client: &Config,
        server: &Config,
        answer: impl FnMut(&Request) -> Answer,
    ) -> Result<Self, SendError> {
        let mut out = Vec::new();
        let client = Connection::client(request, client, &mut out)?;
        let mut pair = Self::of(client, Connection::server(server), out);
        pair.deliver_answering(answer)?;
        Ok(pair)
    }

    fn of(client: Connection, server: Connection, request: Vec<u8>) -> Self {
        Self {
            client: Endpoint::new(client, request),
            server: Endpoint::new(server, Vec::new()),
            now: Duration::ZERO,
            max_piece_len: usize::MAX,
            is_connected: true,
        }
    }

    /// Delivers at most this many bytes at once, at least 1: a read of a driver.
    #[must_use]
    pub fn with_max_piece_len(mut self, bytes: usize) -> Self {
        self.max_piece_len = bytes.max(1);
        self
    }

    /// Whether bytes arrive. While they do not, they still leave their sender, as
    /// they do with a cut cable: neither side sees an end of the stream. They arrive
    /// once the pair is connected again.
    ///
    /// ```
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// use sansocket::{Config, Message, testing::Pair};
    ///
    /// let mut pair = Pair::new(&Config::new());
    /// pair.set_connected(false);
    /// pair.client.send("late")?;
    /// pair.deliver();
    /// assert_eq!(pair.client.unsent_len(), 0);
    /// assert!(pair.server.take_messages().is_empty());
    ///
    /// pair.set_connected(true);
    /// pair.deliver();
    /// assert_eq!(pair.server.take_messages(), [Message::from("late")]);
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn set_connected(&mut self, is_connected: bool) {
        self.is_connected = is_connected;
    }

    /// Returns the time since the pair was made.
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Moves bytes in both directions until there are none left to move. A request is
    /// accepted.
    pub fn deliver(&mut self) {
        // The answer to a request that was received is valid.
        let _ = self.deliver_answering(Request::accept);
    }

    fn deliver_answering(
        &mut self,
        mut answer: impl FnMut(&Request) -> Answer,
    ) -> Result<(), SendError> {
        self.tick();
        if !self.is_connected {
            self.client.depart();
            self.server.depart();
        }
        while self.is_connected {
            let max_len = self.max_piece_len;
            let is_client_idle = self
                .client
                .send_piece(max_len, &mut self.server, &mut answer)?;
            let is_server_idle = self
                .server
                .send_piece(max_len, &mut self.client, &mut answer)?;
            if is_client_idle && is_server_idle {
                break;
            }
            self.tick();
        }
        Ok(())
    }

    /// Lets time pass. Both sides are called back at each of their deadlines, and bytes
    /// are delivered in between.
    pub fn advance(&mut self, time: Duration) {
        let end = self.now.saturating_add(time);
        self.deliver();
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.now = next;
            self.deliver();
        }
        self.now = end;
        self.deliver();
    }

    /// A deadline takes effect at a call some time after one at which it had passed,
    /// see [`Connection::handle_timeout`]: its next one is later then.
    fn next_deadline(&mut self) -> Option<Duration> {
        let now = self.now;
        let [client, server] = [&mut self.client, &mut self.server].map(|side| side.tick(now));
        let next = client.into_iter().chain(server).min()?;
        Some(next.max(now + Duration::from_millis(1)))
    }

    fn tick(&mut self) {
        self.client.tick(self.now);
        self.server.tick(self.now);
    }
}

/// One side of a [`Pair`]: a connection, its unsent bytes, and a log of its events.
#[derive(Debug)]
pub struct Endpoint {
    ws: Connection,
    out: Vec<u8>,
    /// Bytes that have left, and did not arrive yet.
    on_the_way: Vec<u8>,
    events: Vec<Event<'static>>,
    is_reading: bool,
}

impl Endpoint {
    fn new(ws: Connection, out: Vec<u8>) -> Self {
        Self {
            ws,
            out,
            on_the_way: Vec::new(),
            events: Vec::new(),
            is_reading: true,
        }
    }

    /// Sends a message. It arrives with the next [`deliver`](Pair::deliver).
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), SendError> {
        self.ws.send(message, &mut self.out)
    }

    /// Begins the closing handshake.
    ///
    /// # Errors
    ///
    /// As [`Connection::close`].
    pub fn close(&mut self, code: impl Into<CloseCode>, reason: &str) -> Result<(), SendError> {
        self.ws.close(code, reason, &mut self.out)
    }

    /// Calls any other method of the connection, with the unsent bytes.
    ///
    /// ```
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// use sansocket::{Config, Event, testing::Pair};
    ///
    /// let mut pair = Pair::new(&Config::new());
    /// pair.client.with(|ws, out| ws.ping(b"?", out))?;
    /// // The server is sent bytes that no connection would send.
    /// pair.client.with(|_, out| out.extend(b"\xff\xff"));
    /// pair.deliver();
    /// let events = pair.server.take_events();
    /// assert!(matches!(events[..], [Event::Ping(_), Event::Failed(_)]));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        act(&mut self.ws, &mut self.out)
    }

    /// Whether this side reads. While it does not, the bytes of its peer wait.
    pub fn set_reading(&mut self, is_reading: bool) {
        self.is_reading = is_reading;
    }

    /// Ends the stream that this side reads, as a peer does that closes TCP.
    pub fn end_stream(&mut self) {
        // No request is complete at the end of the stream.
        let _ = self.receive(Input::new(&mut []), &mut Request::accept);
    }

    /// Returns the connection, for its state.
    pub const fn connection(&self) -> &Connection {
        &self.ws
    }

    /// Returns how many bytes wait to leave, because the peer does not read.
    pub const fn unsent_len(&self) -> usize {
        self.out.len()
    }

    /// Takes the events since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Event<'static>> {
        mem::take(&mut self.events)
    }

    /// Takes the messages since the last call, and discards other events.
    pub fn take_messages(&mut self) -> Vec<Message> {
        let message = |event| match event {
            Event::Message(message) => Some(message.into_owned()),
            _ => None,
        };
        self.take_events().into_iter().filter_map(message).collect()
    }

    fn depart(&mut self) {
        self.on_the_way.append(&mut self.out);
    }

    /// Moves bytes to the other side, if it reads. Returns whether there were none.
    fn send_piece(
        &mut self,
        max_len: usize,
        receiver: &mut Self,
        answer: &mut impl FnMut(&Request) -> Answer,
    ) -> Result<bool, SendError> {
        if receiver.is_reading {
            self.depart();
        }
        if self.on_the_way.is_empty() || !receiver.is_reading {
            return Ok(true);
        }
        let len = self.on_the_way.len().min(max_len);
        let mut piece: Vec<u8> = self.on_the_way.drain(..len).collect();
        receiver.receive(Input::new(&mut piece), answer)?;
        Ok(false)
    }

    fn receive(
        &mut self,
        mut input: Input<'_>,
        answer: &mut impl FnMut(&Request) -> Answer,
    ) -> Result<(), SendError> {
        while let Some(event) = self.ws.receive(&mut input, &mut self.out) {
            if let Event::Request(request) = &event {
                self.ws.respond(answer(request), &mut self.out)?;
            }
            // It depends on how the bytes are cut.
            if !matches!(event, Event::Yield) {
                self.events.push(event.into_owned());
            }
        }
        Ok(())
    }

    /// Reports the time, and takes the failure of a deadline that has passed.
    fn tick(&mut self, now: Duration) -> Option<Duration> {
        let io = if self.is_reading {
            IoState::reading()
        } else {
            IoState::paused()
        };
        let deadline = self.ws.handle_timeout(now, io, &mut self.out);
        // A failure is no request.
        let _ = self.receive(Input::none(), &mut Request::accept);
        deadline.map(|deadline| deadline.at)
    }
}
