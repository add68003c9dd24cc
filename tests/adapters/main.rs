//! The adapters for std, tokio and futures, over streams in memory and over
//! sockets.

#![cfg(feature = "std")]

#[cfg(all(feature = "tokio", feature = "futures"))]
#[path = "../harness/compat.rs"]
mod compat;
mod duplex;
#[cfg(any(feature = "tokio", feature = "futures"))]
mod polled;
#[path = "../harness/tcp.rs"]
mod tcp;
#[cfg(all(feature = "tokio", feature = "futures"))]
mod uncompat;
#[cfg_attr(
    not(all(feature = "tokio", feature = "futures")),
    expect(dead_code, reason = "tunnels need more of it than the others")
)]
#[path = "../harness/wire.rs"]
mod wire;

mod blocking;
mod blocking_duplex;
mod every_adapter;
#[cfg(feature = "tokio")]
mod handles;
mod proxies;
mod sockets;
#[cfg(all(feature = "tokio", feature = "futures"))]
mod tunnel;
