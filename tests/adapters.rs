//! What every adapter does alike: one source, once for each.

#![cfg(feature = "std")]

mod common;
#[cfg(any(feature = "tokio", feature = "futures"))]
#[macro_use]
#[path = "common/polled.rs"]
mod polled;

mod blocking {
    use sansocket::blocking::WebSocket;

    /// The bound, and the answers to one read.
    const MAX_UNREAD: usize = 128 * 1024;

    include!("common/behaviour.rs");
}

/// The adapter for tokio, each call polled once.
#[cfg(feature = "tokio")]
mod tokio {
    polled!(sansocket::tokio::WebSocket<Duplex>);

    /// The bound, and the answers to one read.
    const MAX_UNREAD: usize = 128 * 1024;

    include!("common/behaviour.rs");
}

/// The adapter for futures-io, each call polled once.
#[cfg(feature = "futures")]
mod futures {
    polled!(sansocket::futures::WebSocket<Duplex>);

    const MAX_UNREAD: usize = 128 * 1024;

    include!("common/behaviour.rs");
}
