use std::hint::black_box;

use bytes::Bytes;
use sansocket::Role;
use wtx::collection::Vector;
use wtx::rng::{Xorshift64, simple_seed};
use wtx::stream::{StreamReader, StreamWriter};
use wtx::web_socket::{
    Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
};

use super::{Class, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};

pub const PEER: Peer = Peer {
    name: "wtx",
    class: Class::Lending,
    is_ours: false,
    receive: |memory| {
        Box::new(Incoming {
            ws: open::<false>(memory),
            joined: Vector::new(),
        })
    },
    send: Some(|role| match role {
        Role::Server => Box::new(open::<false>(sink())),
        Role::Client => Box::new(open::<true>(sink())),
    }),
    handshake: Some(|memory| {
        let accepted: wtx::Result<_> = run(WebSocketAcceptor::default().accept(memory));
        accepted.expect("a handshake");
    }),
    deflate: None,
};

type Ws<const IS_CLIENT: bool> = WebSocketOwned<(), Xorshift64, Memory, IS_CLIENT>;

fn open<const IS_CLIENT: bool>(memory: Memory) -> Ws<IS_CLIENT> {
    let rng = Xorshift64::from(simple_seed());
    let mut ws = Ws::new((), false, rng, memory, WebSocketBuffer::new());
    ws.set_max_payload_len(MAX_LEN);
    ws
}

impl StreamReader for Memory {
    async fn read(&mut self, buf: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.read_some(buf))
    }
}

impl StreamWriter for Memory {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.write_whole(bytes);
        Ok(())
    }

    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        let [header, payload] = slices else {
            panic!("a header and a payload");
        };
        self.write_pair(header, payload);
        Ok(())
    }
}

struct Incoming {
    ws: Ws<false>,
    /// Where it joins fragments.
    joined: Vector<u8>,
}

impl Receive for Incoming {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                self.joined.clear();
                let origin = WebSocketPayloadOrigin::Adaptive;
                let frame = self.ws.read_frame(&mut self.joined, origin).await;
                let frame = frame.expect("no error");
                if matches!(frame.op_code(), OpCode::Text | OpCode::Binary) {
                    bytes += black_box(&frame.payload()[..]).len();
                    seen += 1;
                }
            }
            bytes
        })
    }
}

impl<const IS_CLIENT: bool> Send for Ws<IS_CLIENT> {
    /// A client masks where the payload lies, so that it is given a copy, once.
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let mut payload = payload.to_vec();
        let kind = if is_text {
            OpCode::Text
        } else {
            OpCode::Binary
        };
        run(async {
            for _ in 0..messages {
                let mut frame = Frame::new_fin(kind, &mut payload[..]);
                self.write_frame(&mut frame).await.expect("it is open");
            }
        });
    }
}
