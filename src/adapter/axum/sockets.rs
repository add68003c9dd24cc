//! The open WebSockets of a server, to close them all at shutdown.

use core::fmt;
use std::collections::HashMap;
use std::future::poll_fn;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::vec::Vec;

use crate::adapter::hyper::Writer;
use crate::close::CloseCode;
use crate::error::SendError;

/// The open WebSockets of a server, to close them all at shutdown.
///
/// Add it as an `axum::Extension`: every [`WebSocketUpgrade`](super::WebSocketUpgrade) of
/// these routes then registers its WebSocket. Handlers need not change. Clones share one
/// set.
///
/// Afterwards, `axum::serve` waits for plain requests that have begun, without a limit: a
/// peer that sends half of a request delays the end forever. The example
/// [`axum`](https://github.com/sansocket/sansocket/blob/main/examples/apps/axum.rs) bounds
/// this, too.
///
/// ```no_run
/// # #[cfg(sansocket_docs)] // axum is there
/// # mod example {
/// use std::time::Duration;
///
/// use axum::{Extension, Router};
/// use sansocket::axum::Sockets;
///
/// async fn serve(app: Router, listener: tokio::net::TcpListener) -> std::io::Result<()> {
///     let sockets = Sockets::new();
///     let app = app.layer(Extension(sockets.clone()));
///     axum::serve(listener, app)
///         .with_graceful_shutdown(async move {
///             let _ = tokio::signal::ctrl_c().await;
///             let closing = sockets.close(1001, "shutting down");
///             let _ = tokio::time::timeout(Duration::from_secs(10), closing).await;
///         })
///         .await
/// }
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Sockets(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By number.
    open: HashMap<u64, Entry>,
    next_number: u64,
    closing: Option<(CloseCode, String)>,
    /// The tasks that wait until none is open.
    waiting: Vec<Waker>,
}

struct Entry {
    /// `None` until hyper has handed over the stream.
    writer: Option<Writer>,
    place: Weak<Place>,
}

/// A WebSocket's place among the open ones, given back when dropped: by its
/// handler, and by the task that closes it.
#[derive(Debug)]
pub(super) struct Place {
    sockets: Sockets,
    number: u64,
}

impl Sockets {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes all WebSockets with this code and reason, and waits until the close
    /// frames have left and the handlers have dropped their WebSockets. An upgrade
    /// that arrives meanwhile, or later, is refused with status 503.
    ///
    /// The close frames are sent at once, whatever the handlers are doing. A handler that
    /// is receiving gets the peer's close frame and then `None`, within
    /// [`close_timeout`](crate::Config::with_close_timeout). A handler that sends gets an
    /// error. A handler that does neither can keep its WebSocket for any time, so limit the
    /// wait, as in the example above.
    ///
    /// With HTTP/2, `axum::serve` waits for their streams: close them before it
    /// ends, as in the example above.
    ///
    /// Connections without a WebSocket are axum's: it waits for peers that have
    /// connected and not sent a whole request. The example `axum` drops those shortly
    /// after the WebSockets are closed.
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`] if the code must not be sent. Then nothing was
    /// closed.
    ///
    /// # Panics
    ///
    /// If called outside of a tokio runtime.
    pub async fn close(&self, code: impl Into<CloseCode>, reason: &str) -> Result<(), SendError> {
        let code = code.into();
        if !code.is_sendable() {
            return Err(SendError::InvalidCloseCode);
        }
        for (writer, place) in self.begin_close(code, reason) {
            place.close(writer, code, reason.into());
        }
        poll_fn(|cx| self.poll_empty(cx)).await;
        Ok(())
    }

    /// Returns the number of open WebSockets, including upgrades whose response was not
    /// sent yet.
    ///
    /// If a handler or middleware discards the response of `on_upgrade`, that upgrade is
    /// counted, and [`close`](Self::close) waits for it, until its client disconnects.
    pub fn len(&self) -> usize {
        self.lock().open.len()
    }

    /// Returns `true` if no WebSocket is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A place for one more, unless all are closed.
    pub(super) fn enter(&self) -> Option<Arc<Place>> {
        let mut state = self.lock();
        if state.closing.is_some() {
            return None;
        }
        let number = state.next_number;
        state.next_number += 1;
        let place = Arc::new(Place {
            sockets: self.clone(),
            number,
        });
        let entry = Entry {
            writer: None,
            place: Arc::downgrade(&place),
        };
        state.open.insert(number, entry);
        Some(place)
    }

    /// Lets no more in, and returns those to be closed.
    fn begin_close(&self, code: CloseCode, reason: &str) -> Vec<(Writer, Arc<Place>)> {
        let mut state = self.lock();
        state.closing.get_or_insert_with(|| (code, reason.into()));
        let opened = state.open.values().filter_map(|entry| {
            // The writer first: a place is not dropped under the lock.
            let writer = entry.writer.clone()?;
            Some((writer, entry.place.upgrade()?))
        });
        opened.collect()
    }

    fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.open.is_empty() {
            return Poll::Ready(());
        }
        let waker = cx.waker();
        if !state.waiting.iter().any(|known| known.will_wake(waker)) {
            state.waiting.push(waker.clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Place {
    /// The stream is there.
    pub(super) fn opened(self: &Arc<Self>, writer: &Writer) {
        let mut state = self.sockets.lock();
        let closing = state.closing.clone();
        if let Some(entry) = state.open.get_mut(&self.number) {
            entry.writer = Some(writer.clone());
        }
        drop(state);
        if let Some((code, reason)) = closing {
            self.clone().close(writer.clone(), code, reason);
        }
    }

    /// Closes in a task of its own: one slow peer delays no other.
    fn close(self: Arc<Self>, mut writer: Writer, code: CloseCode, reason: String) {
        ::tokio::spawn(async move {
            // One that has failed is closed too.
            let _ = writer.close(code, &reason).await;
            // A handler that has dropped it already does not cut it short.
            drop(self);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.sockets.lock();
        let entry = state.open.remove(&self.number);
        let waiting = if state.open.is_empty() {
            core::mem::take(&mut state.waiting)
        } else {
            Vec::new()
        };
        // Not under the lock: what they run is not ours.
        drop(state);
        drop(entry);
        waiting.into_iter().for_each(Waker::wake);
    }
}
