//! What every adapter does alike: one source, once for each.

mod blocking {
    use sansocket::blocking::WebSocket;

    /// The bound, and the answers to one read.
    const MAX_UNREAD: usize = 128 * 1024;

    include!("behaviour.rs");
}

/// The async adapters, each call polled once: by one task, by one that receives
/// and another one that sends, and by two that have a half each.
#[cfg(any(feature = "tokio", feature = "futures"))]
macro_rules! polled {
    ($($name:ident = $adapter:ident by $tasks:ident;)*) => {$(
        mod $name {
            type WebSocket<S> =
                crate::polled::Polled<sansocket::$adapter::Io<S>, { crate::polled::$tasks }>;

            /// The bound, and the answers to one read.
            const MAX_UNREAD: usize = 128 * 1024;

            include!("behaviour.rs");
        }
    )*};
}

#[cfg(feature = "tokio")]
polled! {
    tokio = tokio by ONE_TASK;
    tokio_by_two_tasks = tokio by TWO_TASKS;
    tokio_halves = tokio by HALVES;
}

#[cfg(feature = "futures")]
polled! {
    futures = futures by ONE_TASK;
    futures_by_two_tasks = futures by TWO_TASKS;
    futures_halves = futures by HALVES;
}
