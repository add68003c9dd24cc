use std::hint::black_box;

use bytes::Bytes;
use sansocket::Role;
use wtx::collection::Vector;
use wtx::rng::{Xorshift64, simple_seed};
use wtx::stream::{StreamReader, StreamWriter};
use wtx::web_socket::compression::{
    Compression, CompressionLevel, DeflateConfig, Flate2, NegotiatedCompression, NegotiatedFlate2,
    WindowBits,
};
use wtx::web_socket::{
    Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
};

use super::{Class, Echo, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};

pub const PEER: Peer = Peer {
    name: "wtx",
    class: Class::Lending,
    is_ours: false,
    receive: |memory| {
        Box::new(Incoming {
            ws: open((), memory),
            joined: Vector::new(),
        })
    },
    send: Some(|role| match role {
        Role::Server => Box::new(open::<_, false>((), sink())),
        Role::Client => Box::new(open::<_, true>((), sink())),
    }),
    handshake: Some(|memory| {
        let accepted: wtx::Result<_> = run(WebSocketAcceptor::default().accept(memory));
        accepted.expect("a handshake");
    }),
    // It has no context takeover.
    deflate: Some(|memory, takeover| {
        let ws = (!takeover).then(|| open(deflate(), memory))?;
        let joined = Vector::new();
        Some(Box::new(Incoming { ws, joined }))
    }),
};

type Ws<C, const IS_CLIENT: bool> = WebSocketOwned<C, Xorshift64, Memory, IS_CLIENT>;

fn open<C: NegotiatedCompression, const IS_CLIENT: bool>(
    agreed: C,
    memory: Memory,
) -> Ws<C, IS_CLIENT> {
    let rng = Xorshift64::from(simple_seed());
    let mut ws = Ws::new(agreed, false, rng, memory, WebSocketBuffer::new());
    ws.set_max_payload_len(MAX_LEN);
    ws
}

type Deflate = Option<NegotiatedFlate2>;

/// What is agreed on, as in its handshake.
fn deflate() -> Deflate {
    let config = DeflateConfig {
        client_max_window_bits: WindowBits::Fifteen,
        compression_level: CompressionLevel::One,
        server_max_window_bits: WindowBits::Fifteen,
    };
    let offer: [&[u8]; 2] = [b"sec-websocket-extensions", b"permessage-deflate"];
    let agreed = Compression::<false>::negotiate(Flate2::from(config), [offer].into_iter());
    agreed.expect("an agreement")
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

struct Incoming<C> {
    ws: Ws<C, false>,
    /// Where it joins fragments.
    joined: Vector<u8>,
}

impl Receive for Incoming<()> {
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

impl Echo for Incoming<Deflate> {
    fn echo(&mut self, messages: usize) -> usize {
        run(async {
            let mut bytes = 0;
            let (mut common, mut reader, mut writer) = self.ws.split_mut();
            for _ in 0..messages {
                self.joined.clear();
                let origin = WebSocketPayloadOrigin::Adaptive;
                let frame = reader.read_frame(&mut self.joined, &mut common, origin);
                let mut frame = frame.await.expect("no error");
                bytes += frame.payload().len();
                let sent = writer.write_frame(&mut common, &mut frame);
                sent.await.expect("it is open");
            }
            bytes
        })
    }
}

impl<const IS_CLIENT: bool> Send for Ws<(), IS_CLIENT> {
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
