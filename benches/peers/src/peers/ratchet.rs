use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use ratchet_rs::{Message, NoExt, PayloadType, Role as Side, WebSocket, WebSocketConfig};
use sansocket::Role;

use super::{Class, MAX_LEN, Peer, Receive, Send, check_text, sink};
use crate::memory::{Memory, run};

/// It fills a buffer of the caller's. Its permessage-deflate can only be agreed
/// on by its own handshake.
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
    deflate: None,
};

type Ws = WebSocket<Memory, NoExt>;

fn config() -> WebSocketConfig {
    WebSocketConfig {
        max_message_size: MAX_LEN,
    }
}

fn open(memory: Memory, side: Side) -> Ws {
    WebSocket::from_upgraded(config(), memory, Some(NoExt), BytesMut::new(), side)
}

struct Incoming {
    ws: Ws,
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
