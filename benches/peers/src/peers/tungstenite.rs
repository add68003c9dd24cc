use std::hint::black_box;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sansocket::Role;
use tokio_tungstenite::WebSocketStream;
use tungstenite::protocol::{Role as Side, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::{Class, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};

pub const SYNC: Peer = Peer {
    name: "tungstenite",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| {
        let config = Some(config());
        Box::new(WebSocket::from_raw_socket(memory, Side::Server, config))
    },
    send: Some(|role| {
        let config = Some(config());
        Box::new(WebSocket::from_raw_socket(sink(), side(role), config))
    }),
    handshake: Some(|memory| drop(tungstenite::accept(memory).expect("a handshake"))),
    deflate: None,
};

pub const TOKIO: Peer = Peer {
    name: "tokio-tungstenite",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| Box::new(stream(memory, Role::Server)),
    send: Some(|role| Box::new(stream(sink(), role))),
    handshake: Some(|memory| {
        drop(run(tokio_tungstenite::accept_async(memory)).expect("a handshake"));
    }),
    deflate: None,
};

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_LEN))
        .max_frame_size(Some(MAX_LEN))
}

fn side(role: Role) -> Side {
    match role {
        Role::Server => Side::Server,
        Role::Client => Side::Client,
    }
}

fn stream(memory: Memory, role: Role) -> WebSocketStream<Memory> {
    run(WebSocketStream::from_raw_socket(
        memory,
        side(role),
        Some(config()),
    ))
}

/// Text is shared as its own type, which was checked when it was made.
fn message(payload: &Bytes, is_text: bool) -> Message {
    if is_text {
        Message::Text(payload.clone().try_into().expect("text"))
    } else {
        Message::Binary(payload.clone())
    }
}

/// What was received, where it lies.
fn data(message: &Message) -> &[u8] {
    black_box(match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes,
        _ => &[],
    })
}

impl Receive for WebSocket<Memory> {
    fn receive(&mut self, messages: usize) -> usize {
        let (mut seen, mut bytes) = (0, 0);
        while seen < messages {
            let message = self.read().expect("no error");
            if message.is_text() || message.is_binary() {
                bytes += data(&message).len();
                seen += 1;
            }
        }
        bytes
    }
}

impl Send for WebSocket<Memory> {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let message = message(payload, is_text);
        for _ in 0..messages {
            self.write(message.clone()).expect("it is open");
        }
        self.flush().expect("it is open");
    }
}

impl Receive for WebSocketStream<Memory> {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                let message = self.next().await.expect("no end").expect("no error");

                if message.is_text() || message.is_binary() {
                    bytes += data(&message).len();
                    seen += 1;
                }
            }
            bytes
        })
    }
}

impl Send for WebSocketStream<Memory> {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let message = message(payload, is_text);
        run(async {
            for _ in 0..messages {
                self.feed(message.clone()).await.expect("it is open");
            }
            SinkExt::flush(self).await.expect("it is open");
        });
    }
}
