//! The timeout of a step, on any runtime.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

/// Returns the result of `work`, or `TimedOut` if `timer` completes first.
pub(in crate::adapter) async fn with_timeout<R>(
    timer: Option<impl Future<Output = ()>>,
    work: impl Future<Output = io::Result<R>>,
) -> io::Result<R> {
    let (mut timer, mut work) = (pin!(timer), pin!(work));
    poll_fn(|cx| {
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        match timer.as_mut().as_pin_mut() {
            None => Poll::Pending,
            Some(timer) => timer.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    })
    .await
}
