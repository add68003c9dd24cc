//! The implementation that the adapters for async runtimes share.
//!
//! Applications use these types under the names `tokio::WebSocket<S>` or
//! `futures::WebSocket<S>`. To support another runtime, implement [`Transport`].
//!
//! ```text
//!  WebSocket   Reader   Writer   Tunnel     what applications hold
//!  Wakers                                   which tasks are woken
//!  ───────────────────────────────────
//!  Driver                                   the loop, as polls
//!  WriteQueue                                 bytes between two polls
//!  Transport   buffers                      a runtime's stream and clock; pooled memory
//! ```

// In the order in which the documentation lists their methods.
mod handshake;

mod receive;

mod send;

mod commands;
mod split;
mod writer;

mod buffers;
pub(super) mod connect;
mod driver;
mod ending;
mod receiving;
mod sending;
mod shared;
mod tls;
mod transport;
mod tunnel;
mod turn;
mod wakers;
mod write_queue;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::Vec;

use futures_core::Stream;
use futures_sink::Sink;

pub(super) use handshake::opened;
pub use split::{Reader, ReuniteError};
pub use tls::MaybeTls;
#[cfg(feature = "rustls")]
pub use tls::TlsIo;
pub use transport::Transport;
pub use tunnel::Tunnel;
pub use writer::Writer;

use super::Error;
use super::parts::Parts;
use super::read_buffer::ReadBuffer;
use crate::close::{CloseCode, Outcome};
use crate::config::Config;
use crate::connection::Connection;
use crate::error::SendError;
use crate::frame::Role;
use crate::handshake::{Agreement, ClientRequest};
use crate::message::Message;
use driver::Driver;
use wakers::{Half, SocketWakers};

/// A WebSocket over an async stream.
///
/// [`next`](Self::next) receives a message and [`send`](Self::send) sends one. It is
/// also a [`Stream`] and a [`Sink`] of messages.
///
/// Pongs, close frames and refusals are sent by whichever call is being polled, and
/// every call that waits enforces the deadlines of [`Config`]. A connection on
/// which no call is polled does neither: keep a `next` pending to answer pings.
///
/// # Replies
///
/// | method | writes | use it |
/// |---|---|---|
/// | [`send`](Self::send) | one for each message | in a handler that then waits for something else |
/// | [`feed`](Self::feed) | one for all replies to the messages of one read | in a loop of `next` and replies |
/// | [`drive`](Self::drive) | the same; messages are borrowed, not copied | for many small messages |
///
/// What `feed` and `drive` queue is written by the next call that receives, before it
/// waits: once all messages that were read together are handled. With 64 messages in
/// flight, this loop is several times as fast as with `send`, because most of the time of
/// a small reply is spent on its write:
///
/// ```no_run
/// # use sansocket::adapter::poll::{Transport, WebSocket};
/// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
/// while let Some(message) = ws.next().await? {
///     ws.feed(message).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// A handler that takes long for one message, or waits for anything else, such as a
/// database or another socket, delays the replies that were fed before. Use `send` there:
/// when it returns, the reply has left.
///
/// # Cancel safety
///
/// All methods that take `&mut self` are cancel safe: if a future is dropped before
/// it completes, nothing is lost and nothing is sent twice. Received data is returned by
/// the next call. A message is either queued completely, and then sent by the next call
/// of any method, or not at all. So a call can be a branch of `tokio::select!` in a loop:
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
/// # let (updates, mut queue) = tokio::sync::mpsc::channel(8);
/// # updates.send("news").await?;
/// # peer.send("hello").await?;
/// # let mut received = false;
/// let mut sent = 0;
/// loop {
///     tokio::select! {
///         Some(update) = queue.recv() => { ws.send(update).await?; sent += 1 }
///         message = ws.next() => match message? {
///             Some(message) => println!("received {message}"),
///             None => break,
///         }
///     }
/// #   if sent == 1 { break }
/// }
/// # assert_eq!(peer.next().await?, Some("news".into()));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "tokio"))] fn main() {}
/// ```
///
/// # Memory
///
/// An idle connection holds no buffers. With the state machine, it takes less than
/// 1 KiB of heap, in addition to the runtime's timer. While there are more messages of
/// one read to return, it also holds the buffer of that read: 68 KiB, or 128 KiB after a
/// large frame. A client keeps the server's [`response`](Self::response) until it is
/// taken.
#[derive(Debug)]
pub struct WebSocket<T> {
    driver: Driver<T>,
    wakers: SocketWakers,
}

/// Constructors.
impl<T: Transport> WebSocket<T> {
    pub(super) fn server_on(io: T, config: &Config) -> Self {
        Self::new(io, Connection::server(config), &[])
    }

    pub(super) fn client_on(
        io: T,
        request: &ClientRequest,
        config: &Config,
    ) -> Result<Self, SendError> {
        let mut out = Vec::new();
        let ws = Connection::client(request, config, &mut out)?;
        Ok(Self::new(io, ws, &out))
    }

    pub(super) fn upgraded_on(
        io: T,
        role: Role,
        agreement: Agreement,
        read_ahead: Vec<u8>,
        config: &Config,
    ) -> Self {
        let mut this = Self::new(io, Connection::upgraded(role, agreement, config), &[]);
        this.driver.read_buffer = ReadBuffer::read_ahead(read_ahead);
        this
    }

    fn new(io: T, ws: Connection, out: &[u8]) -> Self {
        Self::of(Driver::new(io, ws, out))
    }

    fn of(driver: Driver<T>) -> Self {
        Self {
            driver,
            wakers: SocketWakers::default(),
        }
    }

    /// Polls one half. The other one may be waiting in another task, which is woken
    /// too when the connection closes or ends.
    #[inline]
    fn poll<R>(
        &mut self,
        half: Half,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let shared_waker = self.wakers.register(half, cx.waker());
        let progress = shared_waker.as_ref().map(|_| self.driver.progress());
        let polled = match &shared_waker {
            None => poll(&mut self.driver, cx),
            Some(waker) => poll(&mut self.driver, &mut Context::from_waker(waker)),
        };
        if polled.is_ready() {
            self.wakers.unregister(half);
        }
        if progress.is_some_and(|progress| progress != self.driver.progress()) {
            self.wakers.wake_other_half(half);
        }
        polled
    }
}

/// Splitting.
impl<T: Transport> WebSocket<T> {
    /// Splits into an owned [`Reader`] and an owned [`Writer`], for two tasks. The
    /// opening handshake must be complete.
    ///
    /// No lock is held while a half waits, and automatic replies are sent by
    /// whichever half is polled. `StreamExt::split` of the `futures` crate works
    /// too.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(
    /// #     ws: WebSocket<impl Transport + Send + 'static>,
    /// # ) -> Result<(), sansocket::Error> {
    /// let (mut reader, mut writer) = ws.split();
    /// tokio::spawn(async move { writer.send("hello").await });
    /// println!("{:?}", reader.next().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(self) -> (Reader<T>, Writer<T>) {
        split::split(self.driver)
    }

    /// Converts into a stream of bytes, which are carried in binary messages.
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
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let (mut near, mut far) = (ws.into_tunnel(), peer.into_tunnel());
    /// near.write_all(b"bytes of another protocol").await?;
    /// near.flush().await?;
    /// let mut buf = [0; 5];
    /// far.read_exact(&mut buf).await?;
    /// assert_eq!(&buf, b"bytes");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "tokio"))] fn main() {}
    /// ```
    pub fn into_tunnel(self) -> Tunnel<T> {
        Tunnel::new(self)
    }
}

/// State.
impl<T: Transport> WebSocket<T> {
    /// Returns the state machine, for its state and counters.
    pub const fn connection(&self) -> &Connection {
        &self.driver.ws
    }

    /// Returns how the connection ended, or `None` while it has not.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.driver.ws.outcome()
    }

    /// Returns the negotiated subprotocol, if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.driver.ws.subprotocol()
    }

    /// Returns the number of unsent bytes.
    pub const fn unsent_len(&self) -> usize {
        self.driver.write_queue.len()
    }

    /// Returns how many bytes of heap this connection holds: the state machine and
    /// the buffers, excluding the stream, the timer and the shared [`Config`].
    pub fn memory_usage(&self) -> usize {
        self.driver.memory_usage()
    }

    /// Frees the memory of the compressor, see [`Connection::release`].
    #[cfg(feature = "deflate")]
    pub fn release(&mut self) {
        self.driver.ws.release();
    }

    pub(super) fn into_parts(self) -> Parts<T> {
        Parts {
            stream: self.driver.io,
            read_ahead: self.driver.read_buffer.into_rest(),
            unsent: self.driver.write_queue.into_unsent(),
        }
    }

    /// The transport.
    pub(super) const fn io(&self) -> &T {
        &self.driver.io
    }

    pub(super) const fn io_mut(&mut self) -> &mut T {
        &mut self.driver.io
    }
}

impl<T: Transport + Unpin> Stream for WebSocket<T> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(Half::Reader, cx, Driver::poll_message)
            .map(Result::transpose)
    }
}

impl<T: Transport + Unpin> Sink<Message> for WebSocket<T> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Room for one more byte is enough.
        self.poll(Half::Writer, cx, |driver, cx| driver.poll_room(cx, 1))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.driver.take(None, message.into())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(Half::Writer, cx, Driver::poll_flush)
    }

    /// Sends a close frame with code 1000. To complete the closing handshake,
    /// receive messages until there are no more.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(Half::Writer, cx, |driver, cx| {
            driver.poll_close(cx, CloseCode::NORMAL, "")
        })
    }
}
