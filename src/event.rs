//! What a connection reports to its driver.

use alloc::borrow::Cow;

use crate::close::Close;
use crate::error::ConnectionError;
use crate::handshake::{Rejection, Request, Response};
use crate::message::{Fragment, MessageRef};

/// What a connection reports to its driver, in the order in which it happened.
///
/// Returned by [`Connection::receive`](crate::Connection::receive). An event
/// borrows from the input, not from the connection, so the connection can send
/// while the event is held.
///
/// ```
/// use sansocket::{Connection, Event, Input, SendError};
///
/// /// Handles what one read returned. Echoes messages.
/// fn handle(ws: &mut Connection, bytes: &mut [u8], out: &mut Vec<u8>) -> Result<(), SendError> {
///     let mut input = Input::new(bytes);
///     while let Some(event) = ws.receive(&mut input, out) {
///         match event {
///             Event::Request(request) => ws.respond(request.accept(), out)?,
///             Event::Open(response) => assert_eq!(response.status(), 101),
///             Event::Message(message) => ws.send(message, out)?,
///             Event::Close(close) => println!("closed with {}", close.code),
///             Event::Failed(error) => println!("failed: {error}"),
///             _ => {}
///         }
///     }
///     Ok(())
/// }
/// # let mut ws = Connection::upgraded(sansocket::Role::Server, Default::default(), &Default::default());
/// # let mut out = Vec::new();
/// # handle(&mut ws, &mut b"\x81\x82\0\0\0\0hi".to_owned(), &mut out).unwrap();
/// # assert_eq!(out, b"\x81\x02hi");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A server received a request, which the application answers with
    /// [`respond`](crate::Connection::respond): an upgrade, or a plain HTTP
    /// request, for which [`is_upgrade`](crate::Request::is_upgrade) is `false`.
    /// A request that breaks a rule is [`Rejected`](Self::Rejected) instead.
    Request(Request),
    /// A server refused a request that breaks a rule or a limit. The answer is
    /// in `out`. [`Event::Failed`] follows.
    Rejected(Rejection),
    /// The server accepted a client's request: messages can be sent and received.
    Open(Response),
    /// The server refused a client's request. [`Event::Failed`] follows.
    Refused(Response),
    /// A message, complete ([`Delivery::Messages`](crate::Delivery::Messages)).
    Message(MessageRef<'i>),
    /// A piece of a message
    /// ([`Delivery::Fragments`](crate::Delivery::Fragments)).
    Fragment(Fragment<'i>),
    /// A ping with its payload, at most 125 bytes. It has already been answered
    /// unless [`auto_pong`](crate::Config::with_auto_pong) is off.
    Ping(Cow<'i, [u8]>),
    /// A pong with its payload, at most 125 bytes.
    Pong(Cow<'i, [u8]>),
    /// The peer's close frame. It has already been answered unless
    /// [`auto_close`](crate::Connection::auto_close) is off. No messages follow.
    Close(Close),
    /// There is nothing for the application yet, and there is more input: call
    /// [`receive`](crate::Connection::receive) again.
    ///
    /// Returned after 256 frames or 32 KiB of inflated payload of one input, so that no
    /// call of `receive` takes long: a message of 16 MiB can arrive in a few bytes, and
    /// 10,000 empty frames in one read. Messages that are borrowed from the input do not
    /// count, and events in between do not start the count anew. Only the call that
    /// returns a text of more than 1 MiB takes longer, see
    /// [`limits`](crate::guide::limits#long-messages-and-latency).
    ///
    /// A driver that serves one connection ignores this event. One that serves
    /// several in a thread lets the others have their turn, keeps the rest of the
    /// input, and continues with it before it reads again. If there is no rest, it continues with
    /// [`Input::none`](crate::Input::none), as
    /// [`has_event`](crate::Connection::has_event) returns `true`.
    Yield,
    /// The connection failed. This is the last event. The close frame or HTTP
    /// response that reports the failure to the peer is already in `out`.
    Failed(ConnectionError),
}

impl Event<'_> {
    /// Converts into an event that borrows nothing, copying the payload if it was
    /// borrowed.
    ///
    /// ```
    /// use sansocket::{Agreement, Config, Connection, Event, Input, Role};
    ///
    /// let mut ws = Connection::upgraded(Role::Client, Agreement::default(), &Config::new());
    /// let (mut buf, mut out) = (*b"\x81\x02hi", Vec::new());
    /// let event = ws.receive(&mut Input::new(&mut buf), &mut out).map(Event::into_owned);
    /// buf.fill(0); // the buffer is free for the next read
    /// assert_eq!(event, Some(Event::Message("hi".into())));
    /// ```
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Request(request) => Event::Request(request),
            Self::Rejected(rejection) => Event::Rejected(rejection),
            Self::Open(response) => Event::Open(response),
            Self::Refused(response) => Event::Refused(response),
            Self::Message(message) => Event::Message(message.into_owned().into()),
            Self::Fragment(fragment) => Event::Fragment(fragment.into_owned()),
            Self::Ping(payload) => Event::Ping(Cow::Owned(payload.into_owned())),
            Self::Pong(payload) => Event::Pong(Cow::Owned(payload.into_owned())),
            Self::Close(close) => Event::Close(close),
            Self::Yield => Event::Yield,
            Self::Failed(error) => Event::Failed(error),
        }
    }
}
