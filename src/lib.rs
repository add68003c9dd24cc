//! A WebSocket library (RFC 6455): a state machine without I/O, which turns received
//! bytes into events and messages into bytes, and thin adapters for std, tokio and
//! other runtimes.
//!
//! | for | start with |
//! |---|---|
//! | threads | [`blocking::connect`], [`blocking::accept`] |
//! | tokio | [`tokio::connect`], [`tokio::accept`] (feature `tokio`) |
//! | smol, async-std, glib and other runtimes | [`futures::connect_with`], [`futures::WebSocket`] (feature `futures`) |
//! | axum | [`axum::WebSocketUpgrade`], a drop-in replacement for axum's own (feature `axum`) |
//! | hyper, warp, salvo, poem | [`hyper::on_upgrade`], [`hyper::upgrade`] (feature `hyper`) |
//! | actix-web | [`upgrade`]; [an example](https://github.com/sansocket/sansocket/blob/main/tests/frameworks/src/main.rs) (features `http`, `tokio`) |
//! | HTTP/2 with the `h2` crate | [`h2::accept`], [`h2::connect_with`] (feature `h2`) |
//! | HTTP/3 with the `quiche` crate | [an example](https://github.com/sansocket/sansocket/tree/main/examples/apps/h3) |
//! | an event loop or HTTP stack of your own | [`Connection`], which explains the loop, errors, closing, time and memory; [`upgrade`] |
//! | relays and test tools | [`frame`], the frame layer |
//!
//! ```no_run
//! # #[cfg(feature = "std")]
//! # fn run() -> Result<(), sansocket::Error> {
//! use sansocket::{Config, blocking};
//!
//! let mut ws = blocking::connect("ws://127.0.0.1:9001", &Config::new())?;
//! ws.send("hello")?;
//! println!("{:?}", ws.next()?);
//! # Ok(())
//! # }
//! ```
//!
//! An echo server with tokio:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn echo(stream: ::tokio::net::TcpStream) -> Result<(), sansocket::Error> {
//! use sansocket::{Config, tokio};
//!
//! let mut ws = tokio::accept(stream, &Config::new()).await?;
//! while let Some(message) = ws.next().await? {
//!     ws.feed(message).await?; // `next` writes the replies together before it waits
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The loop
//!
//! An echo server over any blocking stream. Every adapter runs this loop, with its own
//! I/O:
//!
//! ```
//! use sansocket::{Config, Connection, Event, Input};
//! # use std::io::{self, Read, Write};
//!
//! # fn echo(socket: &mut (impl Read + Write)) -> Result<(), Box<dyn std::error::Error>> {
//! # let (config, mut buf, mut out) = (Config::new(), [0; 4096], Vec::new());
//! let mut ws = Connection::server(&config);
//! while !ws.is_closed() {
//!     let n = socket.read(&mut buf)?;
//!     let mut input = Input::new(&mut buf[..n]); // empty at the end of the stream
//!     while let Some(event) = ws.receive(&mut input, &mut out) {
//!         match event {
//!             Event::Request(request) => ws.respond(request.accept(), &mut out)?,
//!             Event::Message(message) => ws.send(message, &mut out)?,
//!             _ => {}
//!         }
//!     }
//!     socket.write_all(&out)?;
//!     out.clear();
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A client starts with [`Connection::client`] instead, and receives [`Event::Open`]
//! instead of [`Event::Request`].
//!
//! # The driver's four rules
//!
//! 1. Pass the bytes of each read to [`Connection::receive`]. An empty [`Input`] is the
//!    end of the stream.
//! 2. Call `receive` until it returns `None`.
//! 3. Write all of `out` before reading again.
//! 4. Stop when [`Connection::is_closed`] returns `true`.
//!
//! # What to expect
//!
//! - A message contained in one read is borrowed from the read buffer, without an
//!   allocation or a copy.
//! - The events, output and errors do not depend on how the byte stream is split into
//!   reads. There are two exceptions. A message that is contained in one read needs no
//!   memory of the budget that all connections share
//!   ([`Config::with_max_total_memory`]). And after [`Event::Yield`], a thread can serve
//!   other connections: a turn takes less than a millisecond, except for the end of a
//!   text above 1 MiB.
//! - No input causes a panic, and `unsafe` is forbidden. A fault of the peer is
//!   reported as [`Event::Failed`], and the close frame or HTTP response for it is
//!   already in `out`. A mistake of the caller is returned as a [`SendError`].
//! - Everything that a peer can make a connection hold has a limit in [`Config`], and
//!   everything that a connection waits for has a deadline.
//!
//! # The code
//!
//! ```text
//!  4  adapter     blocking   tokio   futures   http   hyper   axum   h2   (and testing)   sockets, clocks, runtimes
//! ──────────────────────────────────────────────  below: no I/O, no clock, no_std + alloc
//!  3  connection  (with event, config, upgrade)   composes the machines; contains no rule itself
//!  2  handshake   message   deflate   close   timer   one machine each, independent of one another
//!  1  frame       (header, mask, decoder, encoder)   budget
//!  0  error   deadline   entropy   input          leaves
//! ```
//!
//! Modules use only modules below them. In this documentation, `§` refers to a section
//! of [RFC 6455](https://www.rfc-editor.org/rfc/rfc6455), unless another RFC is named.
//!
//! # Guides
//!
//! The [guides](https://docs.rs/sansocket/latest/sansocket/guide/index.html) answer
//! one question each: a driver of your own, limits, deadlines, compression, closing,
//! security, attacks, tests, scaling out, dependencies, and moving from tungstenite,
//! tokio-tungstenite, fastwebsockets or [axum's `ws`][axum-migration].
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `std` | yes | [`blocking`], randomness from the system, run-time SIMD detection |
//! | `deflate` | no | permessage-deflate (RFC 7692); enables `std` |
//! | `tokio` | no | `tokio`: WebSockets over tokio's `AsyncRead` and `AsyncWrite` |
//! | `futures` | no | `futures`: the same for futures-io, which other runtimes use |
//! | `rustls` | no | `wss://` in all adapters |
//! | `http` | no | `adapter::http`: requests and responses of the `http` crate |
//! | `h2` | no | `h2`: many WebSockets over one HTTP/2 connection, with the `h2` crate |
//! | `hyper` | no | `hyper`: WebSockets in servers and clients of hyper 1, and in warp, salvo and poem |
//! | `axum` | no | `axum`: WebSockets in axum 0.8, a drop-in replacement for `axum::extract::ws` |
//! | `testing` | no | `testing`: connections in memory with a virtual clock, and peers that misbehave, for tests |
//! | `tracing` | no | events of the `tracing` crate, see [below](#tracing) |
//!
//! Without `std`, the crate is `no_std` + `alloc`, and a client needs a source of
//! randomness: see [`Config::with_entropy`].
//!
//! # Tracing
//!
//! With the feature `tracing`, a connection emits events with the target `sansocket`. All
//! have the level debug, because a peer can cause any number of them:
//!
//! | message | fields |
//! |---|---|
//! | `handshake completed` | `role`, `path` (server) or `host` (client), `subprotocol`, `compression` |
//! | `handshake refused` | `role`, `path` or `host`, `status`, `error` |
//! | `plain request answered` | `path`, `status`: plain HTTP, answered with a status below 400 |
//! | `connection closed` | `role`, `code`, `reason`, `initiator` |
//! | `connection failed` | `role`, `code`, `initiator`, `error`: a broken rule, a limit, a deadline or the end of the stream |
//!
//! There are no events for messages or frames, and no event contains a payload, a query,
//! or a header value other than the negotiated subprotocol. If another library does the
//! handshake, as with hyper, refusals emit no event, and the others have no `path`.

// Items of a feature that is off are linked to the full documentation.
#![doc = ""]
#![cfg_attr(feature = "tokio", doc = "[`tokio::connect`]: crate::tokio::connect")]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "[`tokio::connect`]: https://docs.rs/sansocket/latest/sansocket/tokio/fn.connect.html"
)]
#![cfg_attr(feature = "tokio", doc = "[`tokio::accept`]: crate::tokio::accept")]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "[`tokio::accept`]: https://docs.rs/sansocket/latest/sansocket/tokio/fn.accept.html"
)]
#![cfg_attr(
    feature = "futures",
    doc = "[`futures::connect_with`]: crate::futures::connect_with"
)]
#![cfg_attr(
    not(feature = "futures"),
    doc = "[`futures::connect_with`]: https://docs.rs/sansocket/latest/sansocket/futures/fn.connect_with.html"
)]
#![cfg_attr(
    feature = "futures",
    doc = "[`futures::WebSocket`]: crate::futures::WebSocket"
)]
#![cfg_attr(
    not(feature = "futures"),
    doc = "[`futures::WebSocket`]: https://docs.rs/sansocket/latest/sansocket/futures/type.WebSocket.html"
)]
#![cfg_attr(
    feature = "axum",
    doc = "[`axum::WebSocketUpgrade`]: crate::axum::WebSocketUpgrade\n[axum-migration]: crate::axum#migrating-from-axumextractws"
)]
#![cfg_attr(
    not(feature = "axum"),
    doc = "[`axum::WebSocketUpgrade`]: https://docs.rs/sansocket/latest/sansocket/axum/struct.WebSocketUpgrade.html\n[axum-migration]: https://docs.rs/sansocket/latest/sansocket/axum/index.html#migrating-from-axumextractws"
)]
#![cfg_attr(
    feature = "hyper",
    doc = "[`hyper::on_upgrade`]: crate::hyper::on_upgrade"
)]
#![cfg_attr(
    not(feature = "hyper"),
    doc = "[`hyper::on_upgrade`]: https://docs.rs/sansocket/latest/sansocket/hyper/fn.on_upgrade.html"
)]
#![cfg_attr(feature = "hyper", doc = "[`hyper::upgrade`]: crate::hyper::upgrade")]
#![cfg_attr(
    not(feature = "hyper"),
    doc = "[`hyper::upgrade`]: https://docs.rs/sansocket/latest/sansocket/hyper/fn.upgrade.html"
)]
#![cfg_attr(feature = "h2", doc = "[`h2::accept`]: crate::h2::accept")]
#![cfg_attr(
    not(feature = "h2"),
    doc = "[`h2::accept`]: https://docs.rs/sansocket/latest/sansocket/h2/fn.accept.html"
)]
#![cfg_attr(feature = "h2", doc = "[`h2::connect_with`]: crate::h2::connect_with")]
#![cfg_attr(
    not(feature = "h2"),
    doc = "[`h2::connect_with`]: https://docs.rs/sansocket/latest/sansocket/h2/fn.connect_with.html"
)]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// A peer chooses the bytes: nothing that can panic on them.
#![cfg_attr(
    not(test),
    warn(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
// A public type that may grow is `non_exhaustive`; others say why they may not.
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]
// A core import keeps the build without std honest.
#![warn(
    clippy::alloc_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core
)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "std")]
#[allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core)]
pub mod adapter;
mod budget;
#[cfg(doc)]
pub mod changelog;
mod close;
mod config;
mod connection;
mod deadline;
#[cfg(feature = "deflate")]
pub mod deflate;
mod entropy;
mod error;
mod event;
pub mod frame;
#[cfg(doc)]
pub mod guide;
mod handshake;
mod input;
mod message;
#[cfg(feature = "testing")]
pub mod testing;
mod timer;
#[cfg(feature = "std")]
pub mod upgrade;

// The public interface:
#[cfg(feature = "std")]
pub use adapter::Error;
#[cfg(feature = "axum")]
#[doc(inline)]
pub use adapter::axum;
#[cfg(feature = "std")]
#[doc(inline)]
pub use adapter::blocking;
#[cfg(feature = "futures")]
#[doc(inline)]
pub use adapter::futures;
#[cfg(feature = "h2")]
#[doc(inline)]
pub use adapter::h2;
#[cfg(feature = "hyper")]
#[doc(inline)]
pub use adapter::hyper;
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use adapter::tokio;
pub use close::{Close, CloseCode, Initiator, Outcome};
pub use config::Config;
pub use connection::{Connection, Counters, IoState, Traffic};
pub use deadline::{Deadline, DeadlineReason};
pub use entropy::{Entropy, NoEntropy};
pub use error::{
    ConnectionError, HandshakeError, HeaderField, LimitError, ProtocolError, SendError,
};
pub use event::Event;
pub use frame::Role;
pub use handshake::{
    Agreement, Answer, ClientRequest, Headers, Hosts, InvalidHost, InvalidOrigin, OriginList,
    OriginPolicy, RedirectError, Rejection, Request, RequestError, Response, Uri, UriError,
};
pub use input::Input;
pub use message::{Delivery, Fragment, Message, MessageKind, MessageRef, Prepared};

/// The code in the README is compiled by `.ci/run tests_docs`.
#[cfg(all(doctest, sansocket_docs, feature = "axum", feature = "rustls"))]
#[doc = include_str!("../README.md")]
struct Readme;
