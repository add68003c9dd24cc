use std::hint::black_box;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sansocket::Role;
use tokio_websockets::{ClientBuilder, Limits, Message, ServerBuilder, WebSocketStream};

use super::{Class, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};

pub const PEER: Peer = Peer {
    name: "tokio-websockets",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| Box::new(server().serve(memory)),
    send: Some(|role| match role {
        Role::Server => Box::new(server().serve(sink())),
        Role::Client => Box::new(ClientBuilder::new().limits(limits()).take_over(sink())),
    }),
    handshake: Some(|memory| {
        drop(run(server().accept(memory)).expect("a handshake"));
    }),
    deflate: None,
};

fn server() -> ServerBuilder {
    ServerBuilder::new().limits(limits())
}

fn limits() -> Limits {
    Limits::default().max_payload_len(Some(MAX_LEN))
}

impl Receive for WebSocketStream<Memory> {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                let message = self.next().await.expect("no end").expect("no error");
                if message.is_text() || message.is_binary() {
                    bytes += black_box(&message.as_payload()[..]).len();
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
            Message::text(payload.clone())
        } else {
            Message::binary(payload.clone())
        };
        run(async {
            for _ in 0..messages {
                self.feed(message.clone()).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
        });
    }
}
