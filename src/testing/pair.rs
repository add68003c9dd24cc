//! A client and a server in memory, with a virtual clock.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::endpoint::Endpoint;
use super::log::LogEntry;
use super::next_call;
use crate::config::Config;
use crate::connection::Connection;
use crate::error::SendError;
use crate::frame::Role;
use crate::handshake::{Agreement, Answer, ClientRequest, Request};

/// A client and a server, joined in memory, with one virtual clock.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    now: Duration,
    max_piece_len: usize,
    /// Where the bytes of each direction are cut in two.
    cut_at: usize,
    is_connected: bool,
    log: Vec<LogEntry>,
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
            cut_at: 0,
            is_connected: true,
            log: Vec::new(),
        }
    }

    /// Sets how many bytes are delivered at once, at most, like the length of a driver's
    /// reads. At least 1.
    #[must_use]
    pub fn with_max_piece_len(mut self, bytes: usize) -> Self {
        self.max_piece_len = bytes.max(1);
        self
    }

    /// Runs a scenario with the bytes of both directions cut in every way: not at all,
    /// byte by byte, and in two at each position. The scenario is run with a new pair
    /// each time, about as often as there are bytes, so it should be short.
    ///
    /// The cuts count from when `new` has returned. Those within the handshake can be
    /// tested with [`with_max_piece_len`](Self::with_max_piece_len).
    ///
    /// # Errors
    ///
    /// The first error of `scenario`.
    ///
    /// ```
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// use sansocket::{Config, Message, SendError, testing::Pair};
    ///
    /// let new = || Pair::new(&Config::new());
    /// Pair::every_cut(new, |pair| -> Result<(), SendError> {
    ///     pair.client.send("hello")?;
    ///     pair.client.close(1000, "done")?;
    ///     pair.deliver();
    ///     assert_eq!(pair.server.take_messages(), [Message::from("hello")]);
    ///     assert!(pair.server.connection().is_closed());
    ///     Ok(())
    /// })?;
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn every_cut<E>(
        new: impl Fn() -> Self,
        mut scenario: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut whole = new();
        let before = whole.longest_direction();
        scenario(&mut whole)?;
        scenario(&mut new().with_max_piece_len(1))?;
        for cut in before + 1..whole.longest_direction() {
            let mut pair = new();
            pair.cut_at = cut;
            scenario(&mut pair)?;
        }
        Ok(())
    }

    /// How many bytes arrived in the direction with more of them.
    fn longest_direction(&self) -> usize {
        self.client.arrived_len().max(self.server.arrived_len())
    }

    /// Sets whether bytes arrive. While they do not, they still leave their sender, as
    /// with a cut cable: neither side sees an end of the stream. They arrive once the
    /// pair is connected again.
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

    /// Takes the log: the events of both sides since the last call, in the order in which
    /// they happened, with their times. [`Endpoint::take_events`] takes nothing from it.
    ///
    /// ```
    /// # if !cfg!(feature = "std") { return Ok(()); }
    /// use core::time::Duration;
    /// use sansocket::{Config, Event, Role, testing::Pair};
    ///
    /// let mut pair = Pair::new(&Config::new().with_ping_interval(Duration::from_secs(20)));
    /// pair.advance(Duration::from_secs(30));
    /// let log = pair.take_log();
    /// assert!(log.iter().all(|entry| entry.at == Duration::from_secs(20)));
    /// assert_eq!(log[0].role, Role::Server);
    /// assert!(matches!(log[0].event, Event::Ping(_)));
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn take_log(&mut self) -> Vec<LogEntry> {
        self.gather_log();
        mem::take(&mut self.log)
    }

    fn gather_log(&mut self) {
        self.log.append(&mut self.client.take_log());
        self.log.append(&mut self.server.take_log());
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
            if self.move_pieces(&mut answer)? {
                break;
            }
            self.tick();
        }
        Ok(())
    }

    /// Moves a piece in each direction. Returns whether there was none.
    fn move_pieces(
        &mut self,
        answer: &mut impl FnMut(&Request) -> Answer,
    ) -> Result<bool, SendError> {
        let (max_len, cut_at) = (self.max_piece_len, self.cut_at);
        let (client, server) = (&mut self.client, &mut self.server);
        let is_client_idle = client.send_piece(max_len, cut_at, server, answer)?;
        self.gather_log();
        let (client, server) = (&mut self.client, &mut self.server);
        let is_server_idle = server.send_piece(max_len, cut_at, client, answer)?;
        self.gather_log();
        Ok(is_client_idle && is_server_idle)
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

    fn next_deadline(&mut self) -> Option<Duration> {
        let now = self.now;
        let [client, server] = [&mut self.client, &mut self.server].map(|side| side.tick(now));
        let next = client.into_iter().chain(server).min()?;
        Some(next_call(next, now))
    }

    fn tick(&mut self) {
        self.client.tick(self.now);
        self.server.tick(self.now);
        self.gather_log();
    }
}
