//! Receiving on a whole socket.

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

/// Receive.
impl<T: Transport> WebSocket<T> {
    /// The next message, or `None` once the connection is closed. Pings,
    /// pongs and the close frame are skipped, an upgrade request is accepted,
    /// and under [`Delivery::Fragments`](crate::Delivery::Fragments) the pieces
    /// of a message are joined. What waits to leave is flushed meanwhile.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the connection failed, [`Error::Io`] if the stream
    /// did and [`Error::Refused`] if a server refused, once; then `None`
    /// from then on.
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

    /// The next event, owned, or `None` once the connection is closed. A
    /// failure is an error, not an event. Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and [`SendError::NotOpen`] while a request
    /// waits for its answer.
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

    /// Reads once and passes each event to `handle`, borrowed: no message is
    /// copied.
    /// `false` once the connection is closed. What `handle` sends leaves
    /// together with the next call. Cancel safe.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next), and what `handle` returns.
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
