use std::hint::black_box;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use nago_wss::conn::{Connection, Role as Side};
use nago_wss::proto::handshake::{Parsed, build_response, parse_request};
use nago_wss::proto::{Limits, Message, mask};
use nago_wss::stream::{ByteStream, Errno, StreamExt};
use nago_wss::upgrade::{UpgradeOutcome, accept};
use nago_wss::{Header, OpCode};
use sansocket::Role;

use super::{Class, Head, Joiner, Keys, MAX_LEN, Outgoing, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};

/// Its headers and its masking. Its assembler takes owned payloads, so that
/// messages are the caller's.
pub const CORE: Peer = Peer {
    name: "nago-wss (proto)",
    class: Class::Core,
    is_ours: false,
    receive: |memory| {
        Box::new(Incoming {
            memory,
            buf: Vec::new(),
            rest: 0..0,
            joiner: Joiner::default(),
        })
    },
    send: Some(|role| {
        Box::new(Sender {
            keys: Keys::of(role),
            outgoing: Outgoing::new(),
        })
    }),
    handshake: Some(|mut memory| {
        let mut buf = [0; 1024];
        let len = memory.read_some(&mut buf);
        let parsed = parse_request(&buf[..len], 16 * 1024).expect("a request");
        let Parsed::Upgrade(request) = parsed else {
            panic!("no upgrade");
        };
        memory.write_some(&build_response(&request.key, None, &[]));
    }),
    deflate: None,
};

pub const PEER: Peer = Peer {
    name: "nago-wss",
    class: Class::Owning,
    is_ours: false,
    receive: |memory| Box::new(open(memory, Side::Server)),
    send: Some(|role| match role {
        Role::Server => Box::new(open(sink(), Side::Server)),
        Role::Client => Box::new(open(sink(), Side::Client)),
    }),
    handshake: Some(|memory| {
        let accepted = run(accept(memory, LIMITS, &[], |_| (None, Vec::new())));
        assert!(matches!(accepted, Ok(UpgradeOutcome::Upgraded(..))));
    }),
    deflate: None,
};

const LIMITS: Limits = Limits {
    max_frame: MAX_LEN as u64,
    max_message: MAX_LEN,
};

struct Incoming {
    memory: Memory,
    buf: Vec<u8>,
    /// What is left of the reads.
    rest: Range<usize>,
    joiner: Joiner,
}

impl Incoming {
    /// Reads behind what is left, which is moved to the front.
    fn fill(&mut self, room: usize) {
        self.buf.copy_within(self.rest.clone(), 0);
        self.rest = 0..self.rest.len();
        let room = room.max(self.memory.piece());
        if self.buf.len() < self.rest.end + room {
            self.buf.resize(self.rest.end + room, 0);
        }
        self.rest.end += self.memory.read_some(&mut self.buf[self.rest.end..]);
    }

    /// The next frame, when the whole of it is there.
    fn frame(&mut self) -> (Header, Range<usize>) {
        loop {
            let unread = &self.buf[self.rest.clone()];
            let decoded = Header::decode(unread, MAX_LEN as u64).expect("no error");
            let Ok((header, header_len)) = decoded else {
                self.fill(0);
                continue;
            };
            let len = header_len + header.payload_len as usize;
            if self.rest.len() < len {
                self.fill(len - self.rest.len());
                continue;
            }
            let payload = self.rest.start + header_len..self.rest.start + len;
            self.rest.start += len;
            return (header, payload);
        }
    }
}

impl Receive for Incoming {
    fn receive(&mut self, messages: usize) -> usize {
        let (mut seen, mut bytes) = (0, 0);
        while seen < messages {
            let (header, range) = self.frame();
            let payload = &mut self.buf[range];
            self.joiner.begin(&Head {
                opcode: header.opcode.to_bits(),
                fin: header.fin,
                is_masked: header.mask.is_some(),
                len: payload.len(),
            });
            if let Some(key) = header.mask {
                mask::apply(payload, key, 0);
            }
            if header.opcode == OpCode::Ping {
                let pong = [&[0x8a, payload.len() as u8][..], payload].concat();
                self.memory.write_some(&pong);
            } else if header.opcode.is_control() {
            } else if header.fin {
                self.joiner.finish(payload, |message| {
                    bytes += black_box(message).len();
                });
                seen += 1;
            } else {
                self.joiner.push(payload);
            }
        }
        bytes
    }
}

struct Sender {
    keys: Keys,
    outgoing: Outgoing,
}

impl Send for Sender {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let opcode = if is_text {
            OpCode::Text
        } else {
            OpCode::Binary
        };
        for _ in 0..messages {
            let header = Header {
                fin: true,
                opcode,
                mask: self.keys.next(),
                payload_len: payload.len() as u64,
            };
            let mut bytes = [0; Header::MAX_ENCODED_LEN];
            let len = header.encode(&mut bytes).expect("room");
            let mask = header.mask.map(|key| {
                move |payload: &mut [u8]| {
                    mask::apply(payload, key, 0);
                }
            });
            self.outgoing.frame(&bytes[..len], payload, mask);
        }
        self.outgoing.flush();
    }
}

/// Its read and write, and the two that a socket does better.
impl ByteStream for Memory {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Errno> {
        Ok(self.read_some(buf))
    }

    async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        self.write_whole(bytes);
        Ok(())
    }
}

impl StreamExt for Memory {
    async fn read_buf(&mut self, buf: &mut BytesMut) -> Result<usize, Errno> {
        let room = buf.capacity() - buf.len();
        Ok(self.read_into(&mut buf.limit(room)))
    }

    async fn write_all_vectored(&mut self, header: &[u8], payload: &[u8]) -> Result<(), Errno> {
        self.write_pair(header, payload);
        Ok(())
    }
}

fn open(memory: Memory, side: Side) -> Connection<Memory> {
    Connection::new(memory, side, LIMITS)
}

impl Receive for Connection<Memory> {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let (mut seen, mut bytes) = (0, 0);
            while seen < messages {
                match self.read().await.expect("no error").expect("no end") {
                    Message::Text(data) | Message::Binary(data) => {
                        bytes += black_box(&data[..]).len();
                        seen += 1;
                    }
                    Message::Ping(data) => self.pong(data).await.expect("it is open"),
                    _ => {}
                }
            }
            bytes
        })
    }
}

impl Send for Connection<Memory> {
    /// Several at once, as it buffers nothing otherwise.
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let message = |_| {
            let payload = payload.clone();
            if is_text {
                Message::Text(payload)
            } else {
                Message::Binary(payload)
            }
        };
        let at_once = 16 * 1024 / payload.len().max(1);
        run(async {
            let mut left = messages;
            while left > 0 {
                let count = at_once.clamp(1, left);
                let sent = if count == 1 {
                    self.write(message(0)).await
                } else {
                    self.write_all((0..count).map(message)).await
                };
                sent.expect("it is open");
                left -= count;
            }
        });
    }
}
