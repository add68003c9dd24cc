use std::hint::black_box;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sansocket::Role;
use yawc::{CompressionLevel, Frame, OpCode, Options, Role as Side, WebSocket};

use super::{Class, Echo, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};
use crate::traffic::LEVEL;

/// Its handshake is hyper's.
pub const PEER: Peer = Peer {
    name: "yawc",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| Box::new(open(memory, Side::Server)),
    send: Some(|role| match role {
        Role::Server => Box::new(open(sink(), Side::Server)),
        Role::Client => Box::new(open(sink(), Side::Client)),
    }),
    handshake: None,
    deflate: Some(|memory, takeover| {
        let mut agreed = String::from("permessage-deflate");
        let level = CompressionLevel::new(LEVEL.into());
        let mut options = options().with_compression_level(level);
        if !takeover {
            agreed += "; server_no_context_takeover; client_no_context_takeover";
            options = options
                .server_no_context_takeover()
                .client_no_context_takeover();
        }
        let ws =
            WebSocket::from_stream_with_extensions(memory, Side::Server, Some(&agreed), options);
        Some(Box::new(ws.expect("an agreement")))
    }),
};

fn options() -> Options {
    Options::default()
        .with_utf8()
        .with_limits(MAX_LEN, 2 * MAX_LEN)
}

fn open(memory: Memory, side: Side) -> WebSocket<Memory> {
    WebSocket::from_stream(memory, side, options()).expect("a connection")
}

fn is_data(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}

impl Receive for WebSocket<Memory> {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                let frame = self.next().await.expect("no end");
                if is_data(&frame) {
                    bytes += black_box(&frame.payload()[..]).len();
                    seen += 1;
                }
            }
            bytes
        })
    }
}

impl Send for WebSocket<Memory> {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        run(async {
            for _ in 0..messages {
                let frame = if is_text {
                    Frame::text(payload.clone())
                } else {
                    Frame::binary(payload.clone())
                };
                self.feed(frame).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
        });
    }
}

impl Echo for WebSocket<Memory> {
    fn echo(&mut self, messages: usize) -> usize {
        run(async {
            let mut bytes = 0;
            for _ in 0..messages {
                let frame = self.next().await.expect("no end");
                bytes += frame.payload().len();
                self.feed(frame).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
            bytes
        })
    }
}
