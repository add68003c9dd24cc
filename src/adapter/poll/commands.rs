//! Methods that are needed less often, of the WebSocket and of its halves.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::vec::Vec;

use super::driver::Driver;
use super::transport::Transport;
use super::wakers::Half;
use super::{Reader, WebSocket, Writer};
use crate::adapter::Error;
use crate::close::CloseCode;
use crate::connection::Connection;
use crate::message::{Fragment, MessageRef, Prepared};

impl<T: Transport> Driver<T> {
    /// Queues a message if there is room for it, and returns it otherwise.
    pub(super) fn try_take<'m>(
        &mut self,
        message: MessageRef<'m>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        if !self.has_room(message.len()) {
            return Ok(Some(message));
        }
        self.take(None, message).map(|()| None)
    }

    fn poll_fragment(
        &mut self,
        cx: &mut Context<'_>,
        fragment: &Fragment<'_>,
    ) -> Poll<Result<(), Error>> {
        let room = self.poll_room(cx, fragment.payload.len());
        room.map(|room| {
            room?;
            Ok(self
                .ws
                .send_fragment(fragment.clone(), self.write_queue.out())?)
        })
    }

    /// Calls `act` with the state machine and the output.
    pub(super) fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        act(&mut self.ws, self.write_queue.out())
    }
}

/// Less often.
impl<T: Transport> WebSocket<T> {
    /// Queues a message like [`feed`](Self::feed), without waiting. If
    /// [`max_unsent_len`](crate::Config::with_max_unsent_len) is reached, the
    /// message is returned.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if the connection is not open.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// if let Some(message) = ws.try_send("news")? {
    ///     println!("the peer is too slow for {message}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        self.driver.try_take(message.into())
    }

    /// Sends a message that was framed in advance for many connections, like
    /// [`send`](Self::send). Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sansocket::{Agreement, Config, Role, tokio::WebSocket};
    /// # let (near, far) = tokio::io::duplex(4096);
    /// # let (config, none) = (Config::new(), Agreement::default());
    /// # let mut ws = WebSocket::upgraded(near, Role::Server, none.clone(), Vec::new(), &config);
    /// # let mut peer = WebSocket::upgraded(far, Role::Client, none, Vec::new(), &config);
    /// use sansocket::Prepared;
    ///
    /// let news = Prepared::new("to all");
    /// for ws in [&mut ws] {
    ///     ws.send_prepared(&news).await?;
    /// }
    /// assert_eq!(peer.next().await?, Some("to all".into()));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared).await?;
        self.flush().await
    }

    /// Sends a fragment of a message, for messages that are produced piece by piece,
    /// like [`send`](Self::send). Cancel safe. See [`Connection::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and
    /// [`SendError::UnfinishedMessage`](crate::SendError) if the fragment has
    /// another type than those before.
    ///
    /// ```
    /// # #[cfg(feature = "tokio")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sansocket::{Agreement, Config, Role, tokio::WebSocket};
    /// # let (near, far) = tokio::io::duplex(4096);
    /// # let (config, none) = (Config::new(), Agreement::default());
    /// # let mut ws = WebSocket::upgraded(near, Role::Server, none.clone(), Vec::new(), &config);
    /// # let mut peer = WebSocket::upgraded(far, Role::Client, none, Vec::new(), &config);
    /// use sansocket::Fragment;
    ///
    /// for number in 1..=3 {
    ///     ws.send_fragment(Fragment::more(number.to_string())).await?;
    /// }
    /// ws.send_fragment(Fragment::last("")).await?;
    /// assert_eq!(peer.next().await?, Some("123".into()));
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub async fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment).await?;
        self.flush().await
    }

    /// Queues a fragment of a message, like [`feed`](Self::feed).
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub async fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_fragment(cx, &fragment)
            })
        })
        .await
    }

    /// Sends an unsolicited pong (§5.5.3) with a payload of at most 125 bytes, once
    /// the previous one has been written. Pings are answered automatically. Cancel
    /// safe.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(Half::Writer, cx, |driver, cx| {
                driver.poll_control(cx, |ws, out| ws.pong(payload, out))
            })
        })
        .await?;
        self.flush().await
    }

    /// Calls `act` with the state machine and its output, for what has no method
    /// here. What it appends is sent by the next call that writes, such as
    /// [`flush`](Self::flush).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// ws.with(|connection, out| connection.ping(b"now", out))?;
    /// ws.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        let progress = self.driver.progress();
        let result = self.driver.with(act);
        if self.driver.progress() != progress {
            self.wakers.wake_other_half(Half::Writer);
        }
        result
    }

    /// Closes the connection, and returns when the closing handshake is complete.
    /// Messages received meanwhile are discarded. Cancel safe: call it again, or
    /// [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close) and [`next`](Self::next).
    ///
    /// ```no_run
    /// # async fn end(
    /// #     mut ws: sansocket::adapter::poll::WebSocket<impl sansocket::adapter::poll::Transport>,
    /// # ) -> Result<(), sansocket::Error> {
    /// ws.close_and_drain(1001, "shutting down").await?;
    /// assert!(ws.connection().is_closed());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close_and_drain(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        self.with(|ws, out| ws.close(code, reason, out))?;
        while self.next().await?.is_some() {}
        Ok(())
    }
}

/// Less often.
impl<T: Transport> Reader<T> {
    /// Closes the connection, and returns when the closing handshake is complete:
    /// see [`WebSocket::close_and_drain`](super::WebSocket::close_and_drain).
    ///
    /// # Errors
    ///
    /// As `WebSocket::close_and_drain`.
    pub async fn close_and_drain(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<(), Error> {
        self.change(|driver| driver.with(|ws, out| ws.close(code, reason, out)))?;
        while self.next().await?.is_some() {}
        Ok(())
    }
}

/// Less often.
#[allow(clippy::needless_pass_by_ref_mut)]
impl<T: Transport> Writer<T> {
    /// Queues a message without waiting, see
    /// [`WebSocket::try_send`](super::WebSocket::try_send). If the
    /// [`Reader`](super::Reader) is waiting in another task, it sends the message.
    ///
    /// # Errors
    ///
    /// As `WebSocket::try_send`.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(ws: WebSocket<impl Transport + Send + 'static>) -> Result<(), sansocket::Error> {
    /// let (mut reader, mut writer) = ws.split();
    /// tokio::spawn(async move { while let Ok(Some(_)) = reader.next().await {} });
    /// // Can be called from code that is not async.
    /// if writer.try_send("news")?.is_some() {
    ///     println!("too slow: {} bytes unsent", writer.unsent_len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_send<'m>(
        &mut self,
        message: impl Into<MessageRef<'m>>,
    ) -> Result<Option<MessageRef<'m>>, Error> {
        self.change(|driver| driver.try_take(message.into()))
    }

    /// Sends a prepared message, see
    /// [`WebSocket::send_prepared`](super::WebSocket::send_prepared).
    ///
    /// # Errors
    ///
    /// As `WebSocket::send_prepared`.
    pub async fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), Error> {
        self.feed_prepared(prepared).await?;
        self.flush().await
    }

    /// Sends a fragment of a message, see
    /// [`WebSocket::send_fragment`](super::WebSocket::send_fragment). Until the last
    /// fragment, clones of this writer cannot send messages.
    ///
    /// # Errors
    ///
    /// As `WebSocket::send_fragment`.
    pub async fn send_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        self.feed_fragment(fragment).await?;
        self.flush().await
    }

    /// Queues a fragment of a message, see
    /// [`WebSocket::feed_fragment`](super::WebSocket::feed_fragment).
    ///
    /// # Errors
    ///
    /// As `WebSocket::send_fragment`.
    pub async fn feed_fragment(&mut self, fragment: Fragment<'_>) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx, |driver, cx| driver.poll_fragment(cx, &fragment))).await
    }

    /// Sends a pong, see [`WebSocket::pong`](super::WebSocket::pong).
    ///
    /// # Errors
    ///
    /// As `WebSocket::pong`.
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        poll_fn(|cx| {
            self.poll(cx, |driver, cx| {
                driver.poll_control(cx, |ws, out| ws.pong(payload, out))
            })
        })
        .await?;
        self.flush().await
    }

    /// Calls `act` with the state machine and its output, see
    /// [`WebSocket::with`](super::WebSocket::with). The other half waits until `act`
    /// returns.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(ws: WebSocket<impl Transport + Send + 'static>) -> Result<(), sansocket::Error> {
    /// let (_reader, mut writer) = ws.split();
    /// println!("{:?}", writer.with(|connection, _| connection.counters()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Connection, &mut Vec<u8>) -> R) -> R {
        self.change(|driver| driver.with(act))
    }
}
