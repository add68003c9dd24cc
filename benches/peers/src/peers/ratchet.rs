use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use ratchet_rs::deflate::{Compression, Deflate, DeflateConfig, DeflateExtProvider};
use ratchet_rs::{
    Extension, ExtensionProvider, HeaderMap, HeaderValue, Message, NoExt, PayloadType,
    Role as Side, WebSocket, WebSocketConfig,
};
use sansocket::Role;

use super::{Class, Echo, MAX_LEN, Peer, Receive, Send, check_text, sink};
use crate::memory::{Memory, run};
use crate::traffic::LEVEL;

/// It fills a buffer of the caller's.
pub const PEER: Peer = Peer {
    name: "ratchet",
    class: Class::Lending,
    is_ours: false,
    receive: |memory| {
        Box::new(Incoming {
            ws: open(memory, Side::Server),
            message: BytesMut::new(),
        })
    },
    send: Some(|role| match role {
        Role::Server => Box::new(open(sink(), Side::Server)),
        Role::Client => Box::new(open(sink(), Side::Client)),
    }),
    handshake: Some(|memory| {
        run(async {
            let upgrader = ratchet_rs::accept(memory, config()).await;
            let upgraded = upgrader.expect("a request").upgrade().await;
            drop(upgraded.expect("a handshake"));
        });
    }),
    deflate: Some(|memory, takeover| {
        let ws = with(memory, Side::Server, deflate(takeover));
        let message = BytesMut::new();
        Some(Box::new(Incoming { ws, message }))
    }),
};

type Ws<E = NoExt> = WebSocket<Memory, E>;

/// What is agreed on, as in its handshake.
fn deflate(takeover: bool) -> Deflate {
    let mut offer = String::from("permessage-deflate");
    if !takeover {
        offer += "; server_no_context_takeover; client_no_context_takeover";
    }
    let provider = DeflateExtProvider::with_config(DeflateConfig {
        request_server_no_context_takeover: !takeover,
        request_client_no_context_takeover: !takeover,
        accept_no_context_takeover: !takeover,
        compression_level: Compression::new(LEVEL.into()),
        ..DeflateConfig::default()
    });
    let mut headers = HeaderMap::new();
    let offer = HeaderValue::from_str(&offer).expect("a header");
    headers.insert("sec-websocket-extensions", offer);
    let agreed = provider.negotiate_server(&headers).expect("no error");
    agreed.expect("an agreement").0
}

fn config() -> WebSocketConfig {
    WebSocketConfig {
        max_message_size: MAX_LEN,
    }
}

fn open(memory: Memory, side: Side) -> Ws {
    with(memory, side, NoExt)
}

fn with<E: Extension>(memory: Memory, side: Side, extension: E) -> Ws<E> {
    WebSocket::from_upgraded(config(), memory, Some(extension), BytesMut::new(), side)
}

struct Incoming<E = NoExt> {
    ws: Ws<E>,
    message: BytesMut,
}

impl Receive for Incoming {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                let kind = self.ws.read(&mut self.message).await.expect("no error");
                if matches!(kind, Message::Text | Message::Binary) {
                    if kind == Message::Text {
                        check_text(&self.message);
                    }
                    bytes += black_box(&self.message[..]).len();
                    self.message.clear();
                    seen += 1;
                }
            }
            bytes
        })
    }
}

impl Echo for Incoming<Deflate> {
    fn echo(&mut self, messages: usize) -> usize {
        run(async {
            let mut bytes = 0;
            for _ in 0..messages {
                let kind = self.ws.read(&mut self.message).await.expect("no error");
                assert_eq!(kind, Message::Text);
                check_text(&self.message);
                bytes += self.message.len();
                let sent = self.ws.write(&self.message, PayloadType::Text).await;
                sent.expect("it is open");
                self.message.clear();
            }
            self.ws.flush().await.expect("it is open");
            bytes
        })
    }
}

impl Send for Ws {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        run(async {
            for _ in 0..messages {
                let kind = if is_text {
                    PayloadType::Text
                } else {
                    PayloadType::Binary
                };
                self.write(payload, kind).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
        });
    }
}
