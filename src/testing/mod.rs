//! For tests: connections in memory, with a virtual clock.
//!
//! - [`Pair`] is a client and a server without a network.
//! - [`ScriptedPeer`] is one connection whose peer is the test: it breaks rules, is
//!   silent, or reads slowly.
//! - [`Frames`] and [`Frame`] are what such a peer writes and reads, also for tests of an
//!   adapter over a stream in memory.
//!
//! Nothing waits: bytes move when the test says so, and hours pass in an instant, so that
//! a test is fast and gives the same result in each run.
//!
//! ```
//! # if !cfg!(feature = "std") { return Ok(()); }
//! use sansocket::testing::{Endpoint, Pair};
//! use sansocket::{Config, Message, SendError};
//!
//! /// The code to be tested: greets each client by its name.
//! fn greet(server: &mut Endpoint) -> Result<(), SendError> {
//!     for name in server.take_messages() {
//!         server.send(format!("hello, {name}"))?;
//!     }
//!     Ok(())
//! }
//!
//! Pair::every_cut(|| Pair::new(&Config::new()), |pair| {
//!     pair.client.send("Ada")?;
//!     pair.deliver();
//!     greet(&mut pair.server)?;
//!     pair.deliver();
//!     assert_eq!(pair.client.take_messages(), [Message::from("hello, Ada")]);
//!     Ok::<(), SendError>(())
//! })?;
//! # Ok::<(), SendError>(())
//! ```
//!
//! A peer that vanishes:
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

mod endpoint;
mod frames;
mod log;
mod pair;
mod peer;

pub use endpoint::Endpoint;
pub use frames::{Frame, Frames};
pub use log::LogEntry;
pub use pair::Pair;
pub use peer::ScriptedPeer;

use core::time::Duration;

/// When to call a connection back. A deadline takes effect at a call some time after one
/// at which it had passed, see [`Connection::handle_timeout`]: its next one is later then.
///
/// [`Connection::handle_timeout`]: crate::Connection::handle_timeout
fn next_call(deadline: Duration, now: Duration) -> Duration {
    deadline.max(now + Duration::from_millis(1))
}
