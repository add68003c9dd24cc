use std::hint::black_box;

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role as Side, WebSocket};
use sansocket::Role;

use super::{Class, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};

/// Its handshake is hyper's.
pub const PEER: Peer = Peer {
    name: "fastwebsockets",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| Box::new(FragmentCollector::new(open(memory, Side::Server))),
    send: Some(|role| {
        let side = match role {
            Role::Server => Side::Server,
            Role::Client => Side::Client,
        };
        Box::new(open(sink(), side))
    }),
    handshake: None,
    deflate: None,
};

fn open(memory: Memory, side: Side) -> WebSocket<Memory> {
    let mut ws = WebSocket::after_handshake(memory, side);
    ws.set_max_message_size(MAX_LEN);
    ws
}

impl Receive for FragmentCollector<Memory> {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                let frame = self.read_frame().await.expect("no error");
                if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
                    bytes += black_box(&frame.payload[..]).len();
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
                let payload = Payload::Borrowed(payload);
                let frame = if is_text {
                    Frame::text(payload)
                } else {
                    Frame::binary(payload)
                };
                self.write_frame(frame).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
        });
    }
}
