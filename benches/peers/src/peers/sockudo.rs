use std::hint::black_box;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sansocket::Role;
use sockudo_ws::deflate::DeflateConfig;
use sockudo_ws::stream::{CompressedWebSocketStream, WebSocketStream};
use sockudo_ws::{Config, Message, handshake};

use super::{Class, Echo, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};
use crate::traffic::LEVEL;

pub const PEER: Peer = Peer {
    name: "sockudo-ws",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| Box::new(WebSocketStream::server(memory, config())),
    send: Some(|role| match role {
        Role::Server => Box::new(WebSocketStream::server(sink(), config())),
        Role::Client => Box::new(WebSocketStream::client(sink(), config())),
    }),
    handshake: Some(|mut memory| {
        run(handshake::server_handshake(&mut memory)).expect("a handshake");
    }),
    deflate: Some(|memory, takeover| {
        let deflate = DeflateConfig {
            server_no_context_takeover: !takeover,
            client_no_context_takeover: !takeover,
            compression_level: LEVEL.into(),
            ..DeflateConfig::default()
        };
        let ws = CompressedWebSocketStream::server(memory, config(), deflate);
        Some(Box::new(ws))
    }),
};

/// Its deadlines need a runtime.
fn config() -> Config {
    Config::builder()
        .max_message_size(MAX_LEN)
        .max_frame_size(MAX_LEN)
        .idle_timeout(0)
        .auto_ping(false)
        .build()
}

impl Receive for WebSocketStream<Memory> {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                let message = self.next().await.expect("no end").expect("no error");
                if message.is_text() || message.is_binary() {
                    bytes += black_box(message.as_bytes()).len();
                    seen += 1;
                }
            }
            bytes
        })
    }
}

impl Send for WebSocketStream<Memory> {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let message = if is_text {
            Message::Text(payload.clone())
        } else {
            Message::Binary(payload.clone())
        };
        run(async {
            for _ in 0..messages {
                self.feed(message.clone()).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
        });
    }
}

impl Echo for CompressedWebSocketStream<Memory> {
    fn echo(&mut self, messages: usize) -> usize {
        run(async {
            let mut bytes = 0;
            for _ in 0..messages {
                let message = self.next().await.expect("no end").expect("no error");
                bytes += message.as_bytes().len();
                self.feed(message).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
            bytes
        })
    }
}
