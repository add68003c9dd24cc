//! The changes of each version.
//!
//! Versions follow [semantic versioning](https://semver.org). Before 1.0, a new
//! minor version can change the API, and this page explains how to adapt. Raising
//! the minimum Rust version is also a new minor version.
//!
//! # 0.1.0, not yet released
//!
//! The first version:
//!
//! - the state machine [`Connection`](crate::Connection), with deadlines,
//!   permessage-deflate and limits, also on the memory of all connections together,
//!   and without I/O (RFC 6455, RFC 7692);
//! - adapters for std, tokio, futures, hyper 1, h2 and the `http` crate, with the
//!   same methods, TLS, and HTTP and SOCKS proxies (RFC 8441 for HTTP/2);
//! - a drop-in for the WebSockets of axum 0.8;
//! - turns of bounded length while messages arrive, so that the other
//!   connections of a thread do not wait: see [`Event::Yield`](crate::Event::Yield);
//! - a kit for tests, `testing`: connections in memory with a virtual clock, every cut,
//!   and peers that misbehave;
//! - the layer of frames, [`frame`](crate::frame), and the handshake for use with
//!   other HTTP libraries, [`upgrade`](crate::upgrade).
