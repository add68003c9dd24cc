//! Packets of Socket.IO (protocol 5) within those of Engine.IO (protocol 4), parsed
//! and encoded; no I/O.
//!
//! ```text
//!  4 2 /admin, 7 ["say","news",{"_placeholder":true,"num":0}]   then one binary message
//!  │ │ │       │ └ data                                              for each attachment
//!  │ │ │       └ id, if an acknowledgement is asked for
//!  │ │ └ namespace, unless it is /
//!  │ └ kind; 5 and 6 are followed by the number of attachments and a hyphen
//!  └ Engine.IO: message
//! ```

use bytes::Bytes;
use sansocket::Message;
use serde_json::Value;

/// The most attachments of one packet, as in the clients.
const MAX_ATTACHMENTS: usize = 10;

/// A message of Engine.IO over WebSocket. The handshake (`0`) is only sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'t> {
    Close,
    Ping,
    Pong,
    /// A packet of Socket.IO, without its attachments.
    Message(&'t str),
    /// Switches to another transport, which do not exist here.
    Ignored,
}

/// What a client sent that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketError {
    UnknownFrame,
    UnknownKind,
    InvalidAttachments,
    InvalidData,
    /// A binary message that no packet announced, or text before the last one.
    UnexpectedMessage,
}

impl<'t> Frame<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, PacketError> {
        match text.split_at_checked(1) {
            Some(("1", _)) => Ok(Self::Close),
            Some(("2", _)) => Ok(Self::Ping),
            Some(("3", _)) => Ok(Self::Pong),
            Some(("4", packet)) => Ok(Self::Message(packet)),
            Some(("5" | "6", _)) => Ok(Self::Ignored),
            _ => Err(PacketError::UnknownFrame),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

/// A packet with its attachments, to which `{"_placeholder":true,"num":N}` in its
/// data refers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) id: Option<u64>,
    /// `Null` if there is none.
    pub(crate) data: Value,
    pub(crate) attachments: Vec<Bytes>,
}

impl Packet {
    pub(crate) fn new(kind: Kind, namespace: &str, data: Value) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            id: None,
            data,
            attachments: Vec::new(),
        }
    }

    /// The messages that carry it: one of text, and one for each attachment.
    pub(crate) fn encode(&self) -> Vec<Message> {
        let count = self.attachments.len();
        let mut text = match (self.kind, count) {
            (Kind::Connect, _) => "40".into(),
            (Kind::Disconnect, _) => "41".into(),
            (Kind::Event, 0) => "42".into(),
            (Kind::Ack, 0) => "43".into(),
            (Kind::ConnectError, _) => "44".into(),
            (Kind::Event, _) => format!("45{count}-"),
            (Kind::Ack, _) => format!("46{count}-"),
        };
        if self.namespace != "/" {
            text = format!("{text}{},", self.namespace);
        }
        if let Some(id) = self.id {
            text += &id.to_string();
        }
        if !self.data.is_null() {
            text += &self.data.to_string();
        }
        let attachments = self.attachments.iter().map(Message::from);
        [text.into()].into_iter().chain(attachments).collect()
    }

    /// A packet, and how many attachments follow it.
    fn parse(text: &str) -> Result<(Self, usize), PacketError> {
        let (kind, rest) = text.split_at_checked(1).ok_or(PacketError::UnknownKind)?;
        let (kind, is_binary) = match kind {
            "0" => (Kind::Connect, false),
            "1" => (Kind::Disconnect, false),
            "2" => (Kind::Event, false),
            "3" => (Kind::Ack, false),
            "5" => (Kind::Event, true),
            "6" => (Kind::Ack, true),
            _ => return Err(PacketError::UnknownKind),
        };
        let (attachments, rest) = match rest.split_once('-').filter(|_| is_binary) {
            Some((count, rest)) => (count.parse().unwrap_or(usize::MAX), rest),
            None => (usize::from(is_binary) * usize::MAX, rest),
        };
        if attachments > MAX_ATTACHMENTS {
            return Err(PacketError::InvalidAttachments);
        }
        let (namespace, rest) = match rest.split_once(',') {
            Some((name, rest)) if name.starts_with('/') => (name, rest),
            _ if rest.starts_with('/') => (rest, ""),
            _ => ("/", rest),
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, data) = rest.split_at(digits);
        let packet = Self {
            kind,
            // A query is not part of the name.
            namespace: namespace.split('?').next().unwrap_or_default().into(),
            id: id.parse().ok(),
            data: parse_data(kind, data)?,
            attachments: Vec::new(),
        };
        Ok((packet, attachments))
    }
}

fn parse_data(kind: Kind, data: &str) -> Result<Value, PacketError> {
    let data = match data {
        "" => Value::Null,
        data => serde_json::from_str(data).map_err(|_| PacketError::InvalidData)?,
    };
    let is_valid = match kind {
        Kind::Connect => data.is_object() || data.is_null(),
        Kind::Disconnect => data.is_null(),
        Kind::Event => data.get(0).is_some_and(Value::is_string),
        Kind::Ack | Kind::ConnectError => data.is_array(),
    };
    is_valid.then_some(data).ok_or(PacketError::InvalidData)
}

/// Joins packets with their attachments.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// With the number of attachments that are still to come.
    partial: Option<(Packet, usize)>,
}

impl Decoder {
    /// A packet, unless attachments follow it.
    pub(crate) fn text(&mut self, text: &str) -> Result<Option<Packet>, PacketError> {
        if self.partial.is_some() {
            return Err(PacketError::UnexpectedMessage);
        }
        let (packet, missing) = Packet::parse(text)?;
        Ok(self.complete(packet, missing))
    }

    /// The packet whose last attachment this is.
    pub(crate) fn binary(&mut self, bytes: Bytes) -> Result<Option<Packet>, PacketError> {
        let partial = self.partial.take();
        let (mut packet, missing) = partial.ok_or(PacketError::UnexpectedMessage)?;
        packet.attachments.push(bytes);
        Ok(self.complete(packet, missing - 1))
    }

    fn complete(&mut self, packet: Packet, missing: usize) -> Option<Packet> {
        if missing == 0 {
            return Some(packet);
        }
        self.partial = Some((packet, missing));
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of the protocol's specification.
    #[test]
    fn packets_are_parsed_and_encoded_alike() {
        let rows = [
            ("0", Kind::Connect, "/", None, json!(null)),
            (
                "0/admin,{\"a\":1}",
                Kind::Connect,
                "/admin",
                None,
                json!({ "a": 1 }),
            ),
            ("1/admin,", Kind::Disconnect, "/admin", None, json!(null)),
            ("2[\"foo\"]", Kind::Event, "/", None, json!(["foo"])),
            (
                "2/admin,12[\"a,b\"]",
                Kind::Event,
                "/admin",
                Some(12),
                json!(["a,b"]),
            ),
            ("312[\"bar\"]", Kind::Ack, "/", Some(12), json!(["bar"])),
        ];
        for (text, kind, namespace, id, data) in rows {
            let packet = Decoder::default().text(text).unwrap().unwrap();
            let expected = Packet {
                id,
                ..Packet::new(kind, namespace, data)
            };
            assert_eq!(packet, expected);
            assert_eq!(packet.encode(), [format!("4{text}").into()]);
        }
    }

    #[test]
    fn attachments_follow_their_packet() {
        let text =
            "52-/a,3[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]";
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(text), Ok(None));
        assert_eq!(decoder.binary(Bytes::from_static(b"1")), Ok(None));
        let packet = decoder.binary(Bytes::from_static(b"2")).unwrap().unwrap();
        assert_eq!((packet.kind, packet.id), (Kind::Event, Some(3)));
        let messages = packet.encode();
        assert_eq!(messages[1..], [b"1"[..].into(), b"2"[..].into()]);
        assert!(
            messages[0]
                .as_text()
                .unwrap()
                .starts_with("452-/a,3[\"x\",")
        );
        // The next packet is on its own again.
        assert!(decoder.text("2[\"foo\"]").unwrap().is_some());
    }

    #[test]
    fn broken_packets_are_refused() {
        let rows = [
            ("", PacketError::UnknownKind),
            ("é", PacketError::UnknownKind),
            ("9", PacketError::UnknownKind),
            ("4{}", PacketError::UnknownKind),
            ("5[\"x\"]", PacketError::InvalidAttachments),
            ("511-[\"x\"]", PacketError::InvalidAttachments),
            ("2[\"x\"", PacketError::InvalidData),
            ("2[]", PacketError::InvalidData),
            ("2{}", PacketError::InvalidData),
            ("0[]", PacketError::InvalidData),
            ("1{}", PacketError::InvalidData),
        ];
        for (text, expected) in rows {
            assert_eq!(Decoder::default().text(text), Err(expected), "{text}");
        }
        let mut decoder = Decoder::default();
        let unexpected = Err(PacketError::UnexpectedMessage);
        assert_eq!(decoder.binary(Bytes::new()), unexpected);
        assert_eq!(decoder.text("51-[\"x\"]"), Ok(None));
        assert_eq!(decoder.text("2[\"x\"]"), unexpected);
        assert_eq!(Frame::parse("x"), Err(PacketError::UnknownFrame));
        assert_eq!(Frame::parse("42[]"), Ok(Frame::Message("2[]")));
    }
}
