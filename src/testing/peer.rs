//! A peer that the test plays: it sends any bytes, is silent, or reads slowly.

use alloc::vec::Vec;
use core::time::Duration;

use super::endpoint::Endpoint;
use super::frames::{Frame, Frames};
use super::next_call;
use crate::connection::Connection;
use crate::frame::Role;
use crate::input::Input;

/// A connection whose peer is the test, with a virtual clock.
///
/// [`endpoint`](Self::endpoint) is the side that is tested, and the methods are what its
/// peer does: send frames or bytes that no connection would, end the stream, read slowly
/// or not at all, or let time pass in silence.
///
/// ```
/// # if !cfg!(feature = "std") { return Ok(()); }
/// use core::time::Duration;
/// use sansocket::testing::{Endpoint, ScriptedPeer};
/// use sansocket::{Agreement, Config, Connection, ConnectionError, DeadlineReason, Event, Role};
///
/// /// The code to be tested: a server that counts, and reports why a client is gone.
/// fn serve(server: &mut Endpoint) -> Result<Option<ConnectionError>, sansocket::SendError> {
///     for event in server.take_events() {
///         match event {
///             Event::Message(message) => server.send(message.as_bytes().len().to_string())?,
///             Event::Failed(error) => return Ok(Some(error)),
///             _ => {}
///         }
///     }
///     Ok(None)
/// }
///
/// let open = || Connection::upgraded(Role::Server, Agreement::default(), &Config::new());
///
/// // A message, and then a violation: a frame that is not masked.
/// let mut client = ScriptedPeer::new(open());
/// client.send(&client.frames().text("four"));
/// assert_eq!(serve(&mut client.endpoint)?, None);
/// client.send(&client.frames().raw(b"\x81\x00"));
/// assert!(matches!(serve(&mut client.endpoint)?, Some(ConnectionError::Protocol(_))));
/// let received = client.receive()?;
/// assert_eq!(received[0].payload, b"4");
/// assert_eq!(received[1].payload, 1002_u16.to_be_bytes());
///
/// // A client that never answers a ping.
/// let mut client = ScriptedPeer::new(open());
/// client.advance(Duration::from_secs(60));
/// let silence = ConnectionError::Timeout(DeadlineReason::Pong);
/// assert_eq!(serve(&mut client.endpoint)?, Some(silence));
///
/// // A client that does not read what it asked for.
/// let mut client = ScriptedPeer::new(open());
/// client.set_reading(false);
/// client.send(&client.frames().text("four"));
/// serve(&mut client.endpoint)?;
/// client.advance(Duration::from_secs(60));
/// let stall = ConnectionError::Timeout(DeadlineReason::WriteStall);
/// assert_eq!(serve(&mut client.endpoint)?, Some(stall));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScriptedPeer {
    /// The side that is tested.
    pub endpoint: Endpoint,
    now: Duration,
    /// Received by the peer.
    received: Vec<u8>,
    is_reading: bool,
}

impl ScriptedPeer {
    /// Returns the peer of this connection, which can be in any state: `client` and
    /// `server` begin with the handshake, `upgraded` is open.
    pub fn new(ws: Connection) -> Self {
        let mut peer = Self {
            endpoint: Endpoint::new(ws, Vec::new()),
            now: Duration::ZERO,
            received: Vec::new(),
            is_reading: true,
        };
        peer.deliver();
        peer
    }

    /// Returns an empty sequence of frames from this peer.
    pub const fn frames(&self) -> Frames {
        Frames::new(match self.endpoint.connection().role() {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        })
    }

    /// Sends frames to the endpoint.
    pub fn send(&mut self, frames: &Frames) {
        self.send_bytes(frames.as_bytes());
    }

    /// Sends bytes to the endpoint, such as a request. Does nothing if `bytes` is empty:
    /// that is not the end of the stream, see [`end_stream`](Self::end_stream).
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.endpoint.receive(Input::new(&mut bytes.to_vec()));
        }
        self.deliver();
    }

    /// Ends the stream that the endpoint reads.
    pub fn end_stream(&mut self) {
        self.endpoint.end_stream();
        self.deliver();
    }

    /// Sets whether the peer reads. While it does not, what the endpoint sends stays
    /// unsent.
    pub fn set_reading(&mut self, is_reading: bool) {
        self.is_reading = is_reading;
        self.deliver();
    }

    /// Reads at most this many bytes, even if the peer does not read otherwise: a slow
    /// peer. They are returned by the next [`receive`](Self::receive).
    pub fn read(&mut self, max_len: usize) {
        self.endpoint.with(|_, out| {
            let len = max_len.min(out.len());
            self.received.extend(out.drain(..len));
        });
        self.deliver();
    }

    /// Returns the frames that the endpoint sent since the last call, as far as the peer
    /// has read them.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`](crate::ProtocolError) if the bytes are not frames. During the
    /// handshake, use [`receive_bytes`](Self::receive_bytes) instead.
    pub fn receive(&mut self) -> Result<Vec<Frame>, crate::ProtocolError> {
        Frame::split(self.receive_bytes())
    }

    /// Returns the bytes that the endpoint sent since the last call, as far as the peer
    /// has read them.
    pub fn receive_bytes(&mut self) -> Vec<u8> {
        self.deliver();
        core::mem::take(&mut self.received)
    }

    /// Returns the time since the start.
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Lets time pass, in which the peer sends nothing. The endpoint is called back at
    /// each of its deadlines.
    pub fn advance(&mut self, time: Duration) {
        let end = self.now.saturating_add(time);
        while let Some(next) = self.deliver().filter(|next| *next <= end) {
            self.now = next;
        }
        self.now = end;
        self.deliver();
    }

    /// Moves what the endpoint sends. Returns when it must be called next.
    fn deliver(&mut self) -> Option<Duration> {
        if self.is_reading {
            self.endpoint.with(|_, out| self.received.append(out));
        }
        let before = self.endpoint.unsent_len();
        let next = self.endpoint.tick(self.now);
        if self.is_reading && self.endpoint.unsent_len() > before {
            return self.deliver();
        }
        next.map(|next| next_call(next, self.now))
    }
}
