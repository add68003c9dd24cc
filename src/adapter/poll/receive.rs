//! Receiving on an unsplit WebSocket.

use std::future::poll_fn;
use std::vec::Vec;

use super::WebSocket;
use super::driver::Driver;
use super::transport::Transport;
use super::wakers::Half;
use crate::adapter::Error;
use crate::connection::Connection;
use crate::error::SendError;
use crate::event::Event;
use crate::message::Message;

/// Receiving.
impl<T: Transport> WebSocket<T> {
    /// Returns the next message, or `None` once the connection is closed.
    ///
    /// Pings, pongs and the close frame are handled and skipped. If the handshake
    /// is not complete, a server accepts the request. With
    /// [`Delivery::Fragments`](crate::Delivery::Fragments), the pieces of a message
    /// are joined. Before this waits, and while it does, unsent bytes are written.
    ///
    /// [`outcome`](Self::outcome) returns how the connection ended.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: if it is used in `select!` and another branch
    /// completes first, no message is lost.
    ///
    /// # Errors
    ///
    /// - [`Error::Failed`] if the connection failed: the peer broke a rule, a
    ///   limit or a deadline was exceeded, or the stream ended early.
    /// - [`Error::Io`] if the stream failed.
    /// - [`Error::Refused`] if the server refused a client's request.
    ///
    /// The error is returned once, after all messages received before it. Further
    /// calls return `None`.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// while let Some(message) = ws.next().await? {
    ///     println!("{message}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll(Half::Reader, cx, Driver::poll_message)).await
    }

    /// Returns the next event, or `None` once the connection is closed: for servers
    /// that answer requests themselves, and for applications that handle pings,
    /// close frames or fragments. A failure is returned as an error, not as an
    /// event.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe, as [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`SendError::NotOpen`] if a request has not been
    /// answered with [`respond`](Self::respond).
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// use sansocket::Event;
    ///
    /// while let Some(event) = ws.next_event().await? {
    ///     match event {
    ///         Event::Message(message) => println!("{message}"),
    ///         Event::Close(close) => println!("closed with {}", close.code),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_event(&mut self) -> Result<Option<Event<'static>>, Error> {
        poll_fn(|cx| self.poll(Half::Reader, cx, Driver::poll_event)).await
    }

    /// Reads once and passes each event to `handle`, without copying messages.
    /// Returns `false` once the connection is closed. Between two events, other tasks
    /// can run.
    ///
    /// What `handle` sends is written together, with the next call. This is the
    /// fastest way to process many small messages.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: `handle` is called only for events that are then
    /// consumed.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and any error that `handle` returns.
    ///
    /// ```no_run
    /// # use sansocket::adapter::poll::{Transport, WebSocket};
    /// # async fn run(mut ws: WebSocket<impl Transport>) -> Result<(), sansocket::Error> {
    /// use sansocket::Event;
    ///
    /// while ws
    ///     .drive(|ws, event, out| match event {
    ///         Event::Message(message) => ws.send(message, out),
    ///         _ => Ok(()),
    ///     })
    ///     .await?
    /// {}
    /// # Ok(())
    /// # }
    /// ```
    pub async fn drive(
        &mut self,
        mut handle: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Result<bool, Error> {
        poll_fn(|cx| {
            self.poll(Half::Reader, cx, |driver, cx| {
                driver.poll_drive(cx, &mut handle)
            })
        })
        .await
    }
}
