//! What the adapters for async runtimes share: a WebSocket that is polled.
//! Applications name these types as `tokio::WebSocket<S>` or
//! `futures::WebSocket<S>`.
//!
//! ```text
//!  WebSocket   Reader   Writer   Tunnel     what applications hold
//!  Tasks                                    who is woken
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

mod buffers;
pub(super) mod connect;
mod driver;
mod ending;
mod sending;
mod tls;
mod transport;
mod tunnel;
mod wakers;
mod write_queue;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::Vec;

use futures_core::Stream;
use futures_sink::Sink;

pub(super) use handshake::opened;
pub use split::{Reader, ReuniteError, Writer};
pub use tls::MaybeTls;
#[cfg(feature = "rustls")]
pub use tls::TlsIo;
pub use transport::Transport;
pub use tunnel::Tunnel;

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
/// [`next`](Self::next) receives and [`send`](Self::send) sends; both are
/// [`Stream`] and [`Sink`] too. Nothing is lost when a future is dropped: what
/// was received comes out of the next call, a message that was taken leaves
/// with it, and one that was not is not sent.
///
/// Pongs, close frames and refusals leave with whatever call is polled, and all
/// deadlines of [`Config`] are kept by whatever waits.
///
/// An idle connection holds no buffers; what it holds, with the state machine,
/// is less than 1 KiB of heap, and the timer that the runtime needs. A client
/// also keeps the server's [`response`](Self::response) until it is taken.
#[derive(Debug)]
pub struct WebSocket<T> {
    driver: Driver<T>,
    wakers: SocketWakers,
}

/// Start.
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

    /// One poll of a side. The other may wait in another task, which is woken
    /// too when the connection closes or ends.
    fn poll<R>(
        &mut self,
        half: Half,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Driver<T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let progress = self.driver.progress();
        let polled = match self.wakers.register(half, cx.waker()) {
            None => poll(&mut self.driver, cx),
            Some(waker) => poll(&mut self.driver, &mut Context::from_waker(&waker)),
        };
        if polled.is_ready() {
            self.wakers.unregister(half);
        }
        if self.driver.progress() != progress {
            self.wakers.wake_other_half(half);
        }
        polled
    }
}

/// Share.
impl<T: Transport> WebSocket<T> {
    /// Splits into owned halves for two tasks. The opening handshake must be
    /// over.
    ///
    /// No lock is held while a half waits, and automatic replies leave through
    /// whichever half is polled. `StreamExt::split` works too: a socket wakes
    /// both tasks that use it.
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

    /// The binary messages as a stream of bytes, in both directions.
    pub fn into_tunnel(self) -> Tunnel<T> {
        Tunnel::new(self)
    }
}

/// Questions.
impl<T: Transport> WebSocket<T> {
    /// The state machine, with all that it can be asked.
    pub const fn connection(&self) -> &Connection {
        &self.driver.ws
    }

    /// How the connection ended, once that is certain.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.driver.ws.outcome()
    }

    /// The subprotocol that the handshake settled.
    pub fn subprotocol(&self) -> Option<&str> {
        self.driver.ws.subprotocol()
    }

    /// How many bytes wait to leave.
    pub const fn unsent_len(&self) -> usize {
        self.driver.write_queue.len()
    }

    /// The heap bytes that this connection holds by itself: those of the state
    /// machine and the buffers, without the stream, the timer and the shared
    /// [`Config`].
    pub fn memory_usage(&self) -> usize {
        self.driver.memory_usage()
    }

    /// Gives back memory, see [`Connection::release`].
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
        // That there is room for one byte more.
        self.poll(Half::Writer, cx, |driver, cx| driver.poll_room(cx, 1))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.driver.take(None, message.into())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(Half::Writer, cx, Driver::poll_flush)
    }

    /// Sends a close frame with 1000. To see the closing through, take
    /// messages until there are none.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll(Half::Writer, cx, |driver, cx| {
            driver.poll_close(cx, CloseCode::NORMAL, "")
        })
    }
}
