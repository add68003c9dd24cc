//! What a connection reports to its driver.

use alloc::borrow::Cow;

use crate::close::Close;
use crate::error::ConnectionError;
use crate::handshake::{Rejection, Request, Response};
use crate::message::{Fragment, MessageRef};
#[cfg(feature = "std")]
use {
    crate::message::{Assembler, Message, join_fragments},
    alloc::boxed::Box,
};

/// Something that the peer did, in the order in which it did it.
///
/// Borrows the input that it came in, not the connection: answers can be sent
/// while it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A server received a request and owes the answer:
    /// [`respond`](crate::Connection::respond). An upgrade that breaks a rule is
    /// [`Rejected`](Self::Rejected) instead. A plain HTTP request has
    /// [`is_upgrade`](crate::Request::is_upgrade) false.
    Request(Request),
    /// A server refused a request by itself; the answer is in `out`.
    /// [`Event::Failed`] follows.
    Rejected(Rejection),
    /// A client's request was accepted: messages may be sent and received.
    Open(Response),
    /// A client's request was refused. [`Event::Failed`] follows.
    Refused(Response),
    /// A whole message ([`Delivery::Messages`](crate::Delivery::Messages)).
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
    /// [`auto_close`](crate::Connection::auto_close) is off. No message follows.
    Close(Close),
    /// The connection failed. The last event: the close frame or HTTP answer for
    /// the peer is in `out` already.
    Failed(ConnectionError),
}

impl Event<'_> {
    /// The message that this is, or that this fragment completes; `partial` has
    /// the fragments before it.
    #[cfg(feature = "std")]
    pub(crate) fn into_message(self, partial: &mut Option<Box<Assembler>>) -> Option<Message> {
        match self {
            Self::Message(message) => Some(message.into_owned()),
            Self::Fragment(fragment) => join_fragments(partial, fragment),
            _ => None,
        }
    }

    /// An event that borrows nothing. Copies what was borrowed.
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
            Self::Failed(error) => Event::Failed(error),
        }
    }
}
