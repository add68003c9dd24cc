use std::hint::black_box;

use bytes::Bytes;
use sansocket::Role;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use web_socket::{DataType, Event, Frame, Stream, WebSocket};

use super::{Class, MAX_LEN, Peer, Receive, Send, check_text, sink};
use crate::memory::{Memory, run};

/// It has no handshake; its documentation asks for a buffered reader.
pub const PEER: Peer = Peer {
    name: "web-socket",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| {
        let piece = memory.piece();
        let ws = WebSocket::server(BufReader::with_capacity(piece, memory));
        Box::new(Incoming {
            ws: with_limit(ws),
            joined: Vec::new(),
        })
    },
    send: Some(|role| match role {
        Role::Server => Box::new(WebSocket::server(sink())),
        Role::Client => Box::new(WebSocket::client(sink())),
    }),
    handshake: None,
    deflate: None,
};

fn with_limit<S: AsyncRead + AsyncWrite>(mut ws: WebSocket<S>) -> WebSocket<S> {
    ws.max_payload_len = MAX_LEN;
    ws
}

struct Incoming {
    ws: WebSocket<BufReader<Memory>>,
    joined: Vec<u8>,
}

impl Receive for Incoming {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                match self.ws.recv().await.expect("no error") {
                    Event::Data { ty, data } => {
                        let (kind, message) = match ty {
                            DataType::Complete(kind) => (kind, &data[..]),
                            // Fragments are the caller's to join.
                            DataType::Stream(piece) => {
                                self.joined.extend_from_slice(&data);
                                let Stream::End(kind) = piece else { continue };
                                (kind, &self.joined[..])
                            }
                        };
                        // Text is the caller's to check.
                        if kind.is_text() {
                            check_text(message);
                        }
                        bytes += black_box(message).len();
                        self.joined.clear();
                        seen += 1;
                    }
                    Event::Ping(data) => {
                        self.ws.send_pong(data).await.expect("it is open");
                    }
                    other => panic!("{other:?}"),
                }
            }
            bytes
        })
    }
}

impl Send for WebSocket<Memory> {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let text = is_text.then(|| std::str::from_utf8(payload).expect("text"));
        run(async {
            for _ in 0..messages {
                let frame = match text {
                    Some(text) => Frame::from(text),
                    None => Frame::from(&payload[..]),
                };
                WebSocket::send(self, frame).await.expect("it is open");
            }
            self.flash().await.expect("it is open");
        });
    }
}
