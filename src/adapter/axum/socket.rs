//! The WebSocket that a handler is given.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::future::poll_fn;
use std::sync::Arc;
use std::vec::Vec;

use ::http::HeaderValue;
use axum_core::Error;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_sink::Sink;

use super::message::{CloseFrame, Message};
use super::sockets::Place;
use crate::adapter::hyper::{self, Reader, Writer};
use crate::close::CloseCode;
use crate::connection::Connection;
use crate::error::SendError;
use crate::event::Event;

/// An open WebSocket: the argument of the handler of
/// [`on_upgrade`](super::WebSocketUpgrade::on_upgrade).
///
/// It is also a [`Stream`] and a [`Sink`] of [`Message`]s, and can be split with
/// `StreamExt::split`. All methods are cancel safe. While it is polled, pings and close
/// frames are answered, and the deadlines of [`Config`](crate::Config) are enforced.
///
/// Dropping it ends the connection without a closing handshake, which the peer sees as
/// code 1006. To close it, send [`Message::Close`] and receive until `None`:
///
/// ```no_run
/// # use sansocket::axum::{Message, WebSocket};
/// async fn greet(mut socket: WebSocket) {
///     let _ = socket.send(Message::text("hello")).await;
///     let _ = socket.send(Message::Close(None)).await;
///     while let Some(Ok(message)) = socket.recv().await {
///         println!("received before the client closed: {message:?}");
///     }
/// }
/// ```
#[derive(Debug)]
pub struct WebSocket {
    /// First: it holds a clone of the writer.
    place: Option<Arc<Place>>,
    reader: Reader,
    writer: Writer,
    protocol: Option<HeaderValue>,
    is_terminated: bool,
}

impl WebSocket {
    pub(super) fn new(
        ws: hyper::WebSocket,
        protocol: Option<HeaderValue>,
        place: Option<Arc<Place>>,
    ) -> Self {
        let (reader, writer) = ws.split();
        if let Some(place) = &place {
            place.opened(&writer);
        }
        Self {
            place,
            reader,
            writer,
            protocol,
            is_terminated: false,
        }
    }

    /// Returns the next message or control frame, or `None` once the connection is closed.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// If the peer broke a rule, a limit or a deadline was exceeded, or the stream ended
    /// without a closing handshake. Further calls return `None`. The error contains a
    /// [`sansocket::Error`](crate::Error):
    ///
    /// ```no_run
    /// # use sansocket::axum::WebSocket;
    /// # async fn run(mut socket: WebSocket) {
    /// while let Some(received) = socket.recv().await {
    ///     match received.map_err(|error| error.into_inner().downcast::<sansocket::Error>()) {
    ///         Ok(message) => println!("{message:?}"),
    ///         Err(Ok(error)) => println!("{error}"), // such as `Error::Failed(..)`
    ///         Err(Err(other)) => println!("{other}"),
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Sends a message or control frame, and returns when it has been written and the
    /// stream has been flushed. Cancel safe: it is sent completely or not at all.
    ///
    /// # Errors
    ///
    /// If a close frame was sent or received, the stream failed, a deadline passed, a close
    /// code must not be sent, or a ping is longer than 125 bytes. The error contains a
    /// [`sansocket::Error`](crate::Error).
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| Pin::new(&mut *self).poll_ready(cx)).await?;
        Pin::new(&mut *self).start_send(message)?;
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Returns the selected subprotocol, if any.
    pub const fn protocol(&self) -> Option<&HeaderValue> {
        self.protocol.as_ref()
    }

    /// Splits into the halves of the underlying WebSocket, for what axum's API does not
    /// have: [prepared messages](Writer::send_prepared), the
    /// [outcome](Reader::outcome) of the connection, senders that can be cloned. It is then
    /// not closed by [`Sockets`] any more.
    ///
    /// [`Sockets`]: super::Sockets
    pub fn into_split(self) -> (Reader, Writer) {
        drop(self.place);
        (self.reader, self.writer)
    }

    fn start_message(&mut self, message: crate::Message) -> Result<(), Error> {
        let sent = Pin::new(&mut self.writer).start_send(message);
        sent.map_err(Error::new)
    }

    fn start_control(
        &mut self,
        send: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        let sent = self.writer.with(send).map_err(crate::Error::from);
        sent.map_err(Error::new)
    }

    fn start_close(&mut self) -> Result<(), Error> {
        self.start_control(|ws, out| ws.close(CloseCode::NO_STATUS, "", out))
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let message = match ready!(self.reader.poll_event(cx)) {
                Ok(Some(Event::Message(message))) => message.into_owned().into(),
                Ok(Some(Event::Ping(payload))) => Message::Ping(payload.into_owned().into()),
                Ok(Some(Event::Pong(payload))) => Message::Pong(payload.into_owned().into()),
                Ok(Some(Event::Close(close))) => Message::Close(CloseFrame::received(close)),
                // An upgraded server has no other event.
                Ok(Some(_)) => continue,
                Ok(None) => {
                    self.is_terminated = true;
                    return Poll::Ready(None);
                }
                Err(error) => return Poll::Ready(Some(Err(Error::new(error)))),
            };
            return Poll::Ready(Some(Ok(message)));
        }
    }
}

impl FusedStream for WebSocket {
    /// Whether `None` was returned.
    fn is_terminated(&self) -> bool {
        self.is_terminated
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.writer)
            .poll_ready(cx)
            .map_err(Error::new)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        match message {
            Message::Text(text) => self.start_message(crate::Message::Text(text.into())),
            Message::Binary(bytes) => self.start_message(crate::Message::Binary(bytes)),
            Message::Ping(payload) => self.start_control(|ws, out| ws.ping(&payload, out)),
            Message::Pong(payload) => self.start_control(|ws, out| ws.pong(&payload, out)),
            Message::Close(Some(CloseFrame { code, reason })) => {
                self.start_control(|ws, out| ws.close(code, &reason, out))
            }
            Message::Close(None) => self.start_close(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.writer)
            .poll_flush(cx)
            .map_err(Error::new)
    }

    /// Sends an empty close frame. To complete the closing handshake, receive messages
    /// until there are no more.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.start_close()?;
        self.poll_flush(cx)
    }
}
