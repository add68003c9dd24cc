//! Connecting to several addresses side by side, on any runtime (RFC 8305 §5).

use std::boxed::Box;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::{self, Vec};

use super::{ATTEMPT_DELAY, interleave_families};

/// Connects to the first address that answers. The next one is tried when the one before
/// has failed, or has not answered for 250 ms.
pub(in crate::adapter) async fn race<T>(
    addresses: impl Iterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> Attempt<T>,
    sleep: impl Fn(Duration) -> Attempt<()>,
) -> io::Result<T> {
    let mut race = Race {
        untried: interleave_families(addresses).into_iter(),
        attempts: Vec::new(),
        delay: None,
        error: io::ErrorKind::NotFound.into(),
    };
    poll_fn(|cx| race.poll(cx, &connect, &sleep)).await
}

/// A future that connects, or waits.
pub(in crate::adapter) type Attempt<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

struct Race<T> {
    untried: vec::IntoIter<SocketAddr>,
    attempts: Vec<Attempt<T>>,
    /// Until the next attempt begins.
    delay: Option<Attempt<()>>,
    error: io::Error,
}

impl<T> Race<T> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connect: impl Fn(SocketAddr) -> Attempt<T>,
        sleep: impl Fn(Duration) -> Attempt<()>,
    ) -> Poll<io::Result<T>> {
        loop {
            if let Some(connected) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(connected));
            }
            if let Some(delay) = &mut self.delay
                && delay.as_mut().poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            self.delay = None;
            if let Some(address) = self.untried.next() {
                self.attempts.push(connect(address));
                self.delay = Some(sleep(ATTEMPT_DELAY));
            } else if self.attempts.is_empty() {
                let error = std::mem::replace(&mut self.error, io::ErrorKind::NotFound.into());
                return Poll::Ready(Err(error));
            } else {
                return Poll::Pending;
            }
        }
    }

    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<T> {
        let (mut connected, error) = (None, &mut self.error);
        let before = self.attempts.len();
        self.attempts
            .retain_mut(|attempt| match attempt.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    connected.get_or_insert(stream);
                    false
                }
                Poll::Ready(Err(failed)) => {
                    *error = failed;
                    false
                }
            });
        if self.attempts.len() < before {
            // The next attempt can begin at once.
            self.delay = None;
        }
        connected
    }
}
