use std::hint::black_box;

use bytes::Bytes;
use sansocket::Role;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use web_socket::{DataType, Event, Frame, MessageType, Stream, WebSocket};

use super::{MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};

/// It has no handshake; its documentation asks for a buffered reader.
pub const PEER: Peer = Peer {
    name: "web-socket",
    is_ours: false,
    receive: |memory| {
        let piece = memory.piece();
        let ws = WebSocket::server(BufReader::with_capacity(piece, memory));
        Box::new(Incoming {
            ws: with_limit(ws),
            joined: Vec::new(),
        })
    },
    send: |role| match role {
        Role::Server => Box::new(WebSocket::server(sink())),
        Role::Client => Box::new(WebSocket::client(sink())),
    },
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
                        let ended = match ty {
                            DataType::Complete(kind) => {
                                bytes += black_box(&data[..]).len();
                                check(kind, &data);
                                true
                            }
                            // Fragments are the caller's to join.
                            DataType::Stream(piece) => {
                                self.joined.extend_from_slice(&data);
                                matches!(piece, Stream::End(_))
                            }
                        };
                        if ended && !self.joined.is_empty() {
                            bytes += black_box(&self.joined[..]).len();
                            check(MessageType::Binary, &self.joined);
                            self.joined.clear();
                        }
                        seen += usize::from(ended);
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

/// Text is the caller's to check.
fn check(kind: MessageType, data: &[u8]) {
    if kind.is_text() {
        simdutf8::basic::from_utf8(data).expect("text");
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
