//! WebSockets in axum 0.8: a drop-in replacement for `axum::extract::ws` with compression,
//! deadlines, keepalive, an origin check, and a shutdown that closes every WebSocket.
//!
//! ```no_run
//! # #[cfg(sansocket_docs)] // axum is there
//! # mod example {
//! use axum::{Router, response::Response, routing::any};
//! use sansocket::axum::{WebSocket, WebSocketUpgrade};
//!
//! async fn handler(ws: WebSocketUpgrade) -> Response {
//!     ws.on_upgrade(echo)
//! }
//!
//! async fn echo(mut socket: WebSocket) {
//!     while let Some(Ok(message)) = socket.recv().await {
//!         if socket.send(message).await.is_err() {
//!             return;
//!         }
//!     }
//! }
//!
//! # fn app() -> Router {
//! Router::new().route("/ws", any(handler))
//! # }
//! # }
//! ```
//!
//! # Configuration
//!
//! The extractor takes its [`Config`] and its [`Sockets`], both optional, from an
//! `axum::Extension` of the whole server or of one route. Handlers need not change.
//!
//! ```no_run
//! # #[cfg(all(sansocket_docs, feature = "deflate"))]
//! # mod example {
//! use std::time::Duration;
//!
//! use axum::{Extension, Router};
//! use sansocket::axum::Sockets;
//! use sansocket::{Config, InvalidOrigin, OriginPolicy, deflate};
//!
//! fn configured(app: Router, sockets: &Sockets) -> Result<Router, InvalidOrigin> {
//!     let config = Config::new()
//!         .with_deflate(deflate::Options::new())
//!         .with_origin(OriginPolicy::list(["https://example.com"])?)
//!         .with_ping_interval(Duration::from_secs(30));
//!     Ok(app.layer(Extension(config)).layer(Extension(sockets.clone())))
//! }
//! # }
//! ```
//!
//! When the server shuts down, [`Sockets::close`] closes all WebSockets with 1001.
//!
//! # What a handler receives
//!
//! Text and binary messages, pings, pongs and close frames, as [`Message`]s, in the order
//! in which they arrived. Pings and close frames have already been answered. If the
//! connection ends without a close frame, the last item is an error. After the close
//! frame or the error, [`recv`](WebSocket::recv) returns `None`.
//!
//! A handler does not need pings of its own to detect a peer that is gone: after 20
//! seconds of silence a ping is sent, and 20 seconds later `recv` returns an error (see
//! [`Config::with_ping_interval`]). This requires that the handler is receiving.
//!
//! # Migrating from `axum::extract::ws`
//!
//! Change the import. axum's feature `ws` is no longer needed.
//!
//! | `axum::extract::ws` | here |
//! |---|---|
//! | `WebSocketUpgrade`, `WebSocket`, `Message`, `CloseFrame`, `CloseCode`, `Utf8Bytes`, `close_code`, `rejection`, `OnFailedUpgrade` | the same names, with the same methods |
//! | `on_upgrade`, `on_failed_upgrade`, `protocols`, `requested_protocols`, `selected_protocol`, `set_selected_protocol` | the same |
//! | `max_message_size`, `max_frame_size`, `max_write_buffer_size`, `accept_unmasked_frames` | the same, or [`Config::with_max_message_len`], [`with_max_frame_len`](Config::with_max_frame_len), [`with_max_unsent_len`](Config::with_max_unsent_len), [`allow_unmasked`](Config::allow_unmasked) |
//! | `read_buffer_size`, `write_buffer_size` | accepted, without effect |
//! | `recv`, `send`, `protocol`, `Stream`, `Sink`, `StreamExt::split` | the same |
//! | `axum::Error` with an error of tungstenite | `axum::Error` with a [`sansocket::Error`](crate::Error) |
//! | a task that sends pings | [`Config::with_ping_interval`], enabled by default |
//! | a `CancellationToken` in each handler, for shutdown | [`Sockets`] |
//! | compression | [`Config::with_deflate`] |
//!
//! Differences:
//!
//! - A page of another origin is refused with status 403. To accept it, list it in
//!   [`Config::with_origin`], or allow all with
//!   [`OriginPolicy::Any`](crate::OriginPolicy::Any). Behind a proxy that changes `Host`,
//!   the server's own pages are refused too, unless they are listed.
//! - A silent peer is sent a ping, and disconnected 20 seconds later. A peer that reads
//!   nothing for 30 seconds is also disconnected.
//! - The default limit for a message is 16 MiB, fragmented or not. axum's limits are 64
//!   MiB, and 16 MiB for a frame.
//! - If the write buffer is full, senders wait. With axum's `max_write_buffer_size`, they
//!   get an error.
//! - The request is checked against all rules of RFC 6455: a key that is not 16 bytes, a
//!   repeated field or a body is refused, as
//!   [`Refused`](rejection::WebSocketUpgradeRejection::Refused). Plain HTTP and a wrong
//!   version are answered with 426 instead of 400, and the body of every refusal explains
//!   why.
//! - `requested_protocols` are in the client's order. `set_selected_protocol` ignores a
//!   protocol that the client does not offer.
//! - A close code that must not be sent, such as 1006 or 999, is an error, and the answer
//!   to a close frame has its code and no reason.
//! - `recv` returns a close frame only after the answer to it was sent, so a handler can
//!   drop its WebSocket at once.
//!
//! Before, a server with named rooms:
//!
//! ```no_run
//! # #[cfg(sansocket_docs)]
//! # mod example {
//! use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
//! use axum::{Router, extract::Path, response::Response, routing::any};
//!
//! fn app() -> Router {
//!     Router::new().route("/room/{name}", any(enter))
//! }
//!
//! async fn enter(ws: WebSocketUpgrade, Path(name): Path<String>) -> Response {
//!     ws.protocols(["room"]).max_message_size(4096).on_upgrade(|socket| greet(socket, name))
//! }
//!
//! async fn greet(mut socket: WebSocket, name: String) {
//!     let greeting = Message::text(format!("this is {name}"));
//!     if socket.send(greeting).await.is_ok() {
//!         let reason = "closed".into();
//!         let frame = CloseFrame { code: close_code::NORMAL, reason };
//!         let _ = socket.send(Message::Close(Some(frame))).await;
//!     }
//! }
//! # }
//! ```
//!
//! After, also with compression and a graceful shutdown:
//!
//! ```no_run
//! # #[cfg(all(sansocket_docs, feature = "deflate"))]
//! # mod example {
//! use axum::{Extension, Router, extract::Path, response::Response, routing::any};
//! use sansocket::axum::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
//! use sansocket::{Config, axum::Sockets, deflate};
//!
//! fn app(sockets: Sockets) -> Router {
//!     let config = Config::new().with_deflate(deflate::Options::new());
//!     Router::new()
//!         .route("/room/{name}", any(enter))
//!         .layer(Extension(config))
//!         .layer(Extension(sockets)) // `sockets.close(1001, "")` at the end
//! }
//!
//! async fn enter(ws: WebSocketUpgrade, Path(name): Path<String>) -> Response {
//!     ws.protocols(["room"]).max_message_size(4096).on_upgrade(|socket| greet(socket, name))
//! }
//!
//! async fn greet(mut socket: WebSocket, name: String) {
//!     let greeting = Message::text(format!("this is {name}"));
//!     if socket.send(greeting).await.is_ok() {
//!         let reason = "closed".into();
//!         let frame = CloseFrame { code: close_code::NORMAL, reason };
//!         let _ = socket.send(Message::Close(Some(frame))).await;
//!     }
//! }
//! # }
//! ```

// Only the types of axum's API; the adapter of hyper does the work.

pub mod close_code;
mod message;
pub mod rejection;
mod socket;
mod sockets;
mod upgrade;
mod utf8_bytes;

pub use message::{CloseCode, CloseFrame, Message};
pub use socket::WebSocket;
pub use sockets::Sockets;
pub use upgrade::{DefaultOnFailedUpgrade, OnFailedUpgrade, WebSocketUpgrade};
pub use utf8_bytes::Utf8Bytes;

#[cfg(doc)]
use crate::config::Config;
