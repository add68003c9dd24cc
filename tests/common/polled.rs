//! An async adapter with the calls of the blocking one, on a stream that does
//! not block: each future is polled once and dropped. That nothing is lost by
//! that is what cancel safety means.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sansocket::adapter::Error;

/// Polls once.
pub(crate) fn now<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    #[cfg(feature = "tokio")]
    let _runtime = RUNTIME.enter();
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(std::io::Error::from(std::io::ErrorKind::WouldBlock).into()),
    }
}

/// For its timer.
#[cfg(feature = "tokio")]
pub(crate) static RUNTIME: std::sync::LazyLock<::tokio::runtime::Runtime> =
    std::sync::LazyLock::new(|| {
        ::tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    });

macro_rules! polled {
    ($inner:ty) => {
        use crate::polled::now;

        struct WebSocket<S>($inner, std::marker::PhantomData<S>);

        impl WebSocket<Duplex> {
            fn new(inner: impl FnOnce() -> $inner) -> Self {
                #[cfg(feature = "tokio")]
                let _runtime = crate::polled::RUNTIME.enter();
                Self(inner(), std::marker::PhantomData)
            }

            fn server(stream: Duplex, config: &Config) -> Self {
                // As a blocking stream without timeouts: waits for nobody.
                let config = &config.clone().close_timeout(None);
                Self::new(|| <$inner>::server(stream, config))
            }

            fn client(
                stream: Duplex,
                request: &ClientRequest,
                config: &Config,
            ) -> Result<Self, SendError> {
                Ok(Self::new(|| {
                    <$inner>::client(stream, request, config).expect("entropy")
                }))
            }

            fn upgraded(
                stream: Duplex,
                role: Role,
                agreement: Agreement,
                read_ahead: Vec<u8>,
                config: &Config,
            ) -> Self {
                // As a blocking stream without timeouts: waits for nobody.
                let config = &config.clone().close_timeout(None);
                Self::new(|| <$inner>::upgraded(stream, role, agreement, read_ahead, config))
            }

            fn next(&mut self) -> Result<Option<Message>, Error> {
                now(self.0.next())
            }

            fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
                now(self.0.next_event())
            }

            fn drive(
                &mut self,
                handle: impl FnMut(
                    &mut sansocket::Connection,
                    Event<'_>,
                    &mut Vec<u8>,
                ) -> Result<(), SendError>,
            ) -> Result<bool, Error> {
                now(self.0.drive(handle))
            }

            fn send<'m>(
                &mut self,
                message: impl Into<sansocket::MessageRef<'m>>,
            ) -> Result<(), Error> {
                self.feed(message)?;
                match self.flush() {
                    Err(error) if error.is_would_block() => Ok(()),
                    flushed => flushed,
                }
            }

            #[cfg(feature = "deflate")]
            fn send_with<'m>(
                &mut self,
                message: impl Into<sansocket::MessageRef<'m>>,
                choice: sansocket::deflate::Compress,
            ) -> Result<(), Error> {
                now(self.0.send_with(message, choice))
            }

            fn try_send<'m>(
                &mut self,
                message: impl Into<sansocket::MessageRef<'m>>,
            ) -> Result<Option<sansocket::MessageRef<'m>>, Error> {
                let message = message.into();
                match self.send(message.clone()) {
                    Ok(()) => Ok(None),
                    Err(error) if error.is_would_block() => Ok(Some(message)),
                    Err(error) => Err(error),
                }
            }

            fn feed<'m>(
                &mut self,
                message: impl Into<sansocket::MessageRef<'m>>,
            ) -> Result<(), Error> {
                now(self.0.feed(message))
            }

            fn feed_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
                now(self.0.feed_prepared(prepared))
            }

            fn flush(&mut self) -> Result<(), Error> {
                now(self.0.flush())
            }

            fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
                now(self.0.ping(payload))
            }

            fn close(&mut self, code: u16, reason: &str) -> Result<(), Error> {
                now(self.0.close(code, reason))
            }

            fn respond(&mut self, answer: sansocket::Answer) -> Result<(), Error> {
                now(self.0.respond(answer))
            }

            fn unsent(&self) -> usize {
                self.0.unsent()
            }

            fn outcome(&self) -> Option<&sansocket::Outcome> {
                self.0.outcome()
            }

            fn connection(&self) -> &sansocket::Connection {
                self.0.connection()
            }

            fn into_stream(self) -> (Duplex, Vec<u8>) {
                self.0.into_stream()
            }
        }
    };
}
