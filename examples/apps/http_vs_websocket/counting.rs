//! Bytes, counted at the socket.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What was spent on one purpose: bytes in both directions, for so many updates.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) bytes: AtomicU64,
    pub(crate) updates: AtomicU64,
}

/// Whom the bytes of a connection are charged to. A connection of HTTP serves
/// one purpose after another.
#[derive(Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<Reading>>);

#[derive(Default)]
struct Reading {
    account: Arc<Account>,
    /// Bytes that were read before it was known what for, as those of a head.
    uncharged: u64,
}

/// A stream whose bytes are counted. TCP's own headers are not.
pub(crate) struct Counting<S> {
    stream: S,
    meter: Meter,
}

impl Meter {
    /// Charges what was read since the last call, and all that is written from
    /// now on.
    pub(crate) fn charge(&self, account: &Arc<Account>) {
        let mut reading = self.lock();
        let uncharged = std::mem::take(&mut reading.uncharged);
        account.bytes.fetch_add(uncharged, Ordering::Relaxed);
        reading.account = account.clone();
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Counting<S> {
    pub(crate) const fn new(stream: S, meter: Meter) -> Self {
        Self { stream, meter }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.meter.lock().uncharged += (buf.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        let reading = self.meter.lock();
        reading
            .account
            .bytes
            .fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
