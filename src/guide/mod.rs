//! Guides: one page for each task, with code that is compiled and tested.
//!
//! | page | answers |
//! |---|---|
//! | [`sans_io`] | How do I drive a [`Connection`](crate::Connection) from my own event loop? |
//! | [`devices`] | Does it fit a microcontroller? |
//! | [`limits`] | Which limits does my application need? |
//! | [`time`] | Which deadlines end a connection, and which values suit slow links? |
//! | [`compression`] | What does permessage-deflate cost, and when is it worth it? |
//! | [`closing`] | How do I end a connection without losing messages? |
//! | [`security`] | What must a server on the internet check? |
//! | [`attacks`] | What do attacks cost a server, and what bounds them? |
//! | [`testing`] | How do I test my protocol without a network? |
//! | [`promises`] | What is guaranteed, and which command checks it? |
//! | [`scaling`] | How do I scale from one process to many? |
//! | [`dependencies`] | Which crates does it need, and why these? |
//! | [`from_tungstenite`] | How do I move from tungstenite? |
//! | [`from_tokio_tungstenite`] | How do I move from tokio-tungstenite? |
//! | [`from_fastwebsockets`] | How do I move from fastwebsockets? |
//! | `sansocket::axum`, with its feature | How do I move from `axum::extract::ws`? |

#[doc = include_str!("sans_io.md")]
pub mod sans_io {}

#[doc = include_str!("devices.md")]
pub mod devices {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("time.md")]
pub mod time {}

#[doc = include_str!("compression.md")]
pub mod compression {}

#[doc = include_str!("closing.md")]
pub mod closing {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("attacks.md")]
#[doc = include_str!("attacks_measured.md")]
pub mod attacks {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("promises.md")]
pub mod promises {}

#[doc = include_str!("scaling.md")]
pub mod scaling {}

#[doc = include_str!("dependencies.md")]
pub mod dependencies {}

#[doc = include_str!("from_tungstenite.md")]
pub mod from_tungstenite {}

#[doc = include_str!("from_tokio_tungstenite.md")]
pub mod from_tokio_tungstenite {}

#[doc = include_str!("from_fastwebsockets.md")]
pub mod from_fastwebsockets {}
