//! The payload of a message, of every type that it is made from.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use sansocket::{Message, MessageKind, MessageRef, Prepared};

/// What a message tells of itself, owned and borrowed.
fn assert_payload(message: impl Into<Message>, borrowed: MessageRef<'_>, text: Option<&str>) {
    let message = message.into();
    let kind = text.map_or(MessageKind::Binary, |_| MessageKind::Text);
    let displayed = text.unwrap_or("2 bytes");
    assert_eq!((message.kind(), borrowed.kind()), (kind, kind));
    assert_eq!((message.as_text(), borrowed.as_text()), (text, text));
    assert_eq!(
        (message.as_bytes(), borrowed.as_bytes()),
        (&b"hi"[..], &b"hi"[..])
    );
    assert_eq!((message.len(), borrowed.len()), (2, 2));
    assert!(!message.is_empty() && !borrowed.is_empty());
    assert_eq!(
        (message.to_string(), borrowed.to_string()),
        (displayed.into(), displayed.into())
    );
    assert_eq!(MessageRef::from(&message), borrowed);
    assert_eq!(MessageRef::from(&borrowed), borrowed);
    assert_eq!(borrowed.into_owned(), message);
    assert_eq!(MessageRef::from(message.clone()).into_owned(), message);
    assert_eq!(message.into_bytes(), &b"hi"[..]);
}

#[test]
fn message_is_the_same_from_every_type() {
    let (string, text, message) = (
        String::from("hi"),
        ByteString::from("hi"),
        Message::from("hi"),
    );
    let hi = Some("hi");
    assert_payload("hi", "hi".into(), hi);
    assert_payload(&string, (&string).into(), hi);
    assert_payload(string.clone(), string.clone().into(), hi);
    assert_payload(&text, (&text).into(), hi);
    assert_payload(text.clone(), text.clone().into(), hi);
    assert_payload(Cow::Borrowed("hi"), Cow::Borrowed("hi").into(), hi);
    assert_payload(
        Cow::Owned(string.clone()),
        Cow::<str>::Owned(string).into(),
        hi,
    );
    assert_payload(message.clone(), (&message).into(), hi);

    let (vec, bytes, message) = (
        b"hi".to_vec(),
        Bytes::from_static(b"hi"),
        Message::from(b"hi"),
    );
    assert_payload(&b"hi"[..], (&b"hi"[..]).into(), None);
    assert_payload(b"hi", b"hi".into(), None);
    assert_payload(&vec, (&vec).into(), None);
    assert_payload(vec.clone(), vec.into(), None);
    assert_payload(&bytes, (&bytes).into(), None);
    assert_payload(bytes.clone(), bytes.into(), None);
    assert_payload(message.clone(), (&message).into(), None);
    assert_ne!(message, Message::from("hi"));
    assert!(Message::from("").is_empty() && MessageRef::from("").is_empty());
}

#[test]
fn prepared_messages_are_equal_if_their_payloads_and_kinds_are() {
    let (text, binary) = (Prepared::new("hi"), Prepared::new(b"hi"));
    assert_eq!(
        (text.kind(), binary.kind()),
        (MessageKind::Text, MessageKind::Binary)
    );
    assert_eq!(text, Prepared::new(String::from("hi")));
    assert_ne!(text, binary);
    assert_ne!(text, Prepared::new("ho"));
}
