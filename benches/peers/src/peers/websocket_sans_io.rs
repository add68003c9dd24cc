use std::hint::black_box;

use bytes::Bytes;
use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent as Event,
};

use super::{Class, Head, Joiner, Keys, Outgoing, Peer, Receive, Send};
use crate::memory::Memory;

/// Frames only: messages and pongs are the caller's.
pub const PEER: Peer = Peer {
    name: "websocket-sans-io",
    class: Class::Core,
    is_ours: false,
    receive: |memory| {
        Box::new(Incoming {
            buf: vec![0; memory.piece()],
            memory,
            decoder: WebsocketFrameDecoder::new(),
            start: 0,
            end: 0,
            joiner: Joiner::default(),
            pong: Vec::new(),
        })
    },
    send: Some(|role| {
        Box::new(Sender {
            keys: Keys::of(role),
            encoder: WebsocketFrameEncoder::new(),
            outgoing: Outgoing::new(),
        })
    }),
    handshake: None,
    deflate: None,
};

struct Incoming {
    memory: Memory,
    decoder: WebsocketFrameDecoder,
    buf: Vec<u8>,
    /// What is left of the last read.
    start: usize,
    end: usize,
    joiner: Joiner,
    pong: Vec<u8>,
}

impl Receive for Incoming {
    fn receive(&mut self, messages: usize) -> usize {
        let (mut seen, mut bytes) = (0, 0);
        // Where the last piece of the present message lies in the buffer.
        let mut lent = 0..0;
        while seen < messages {
            if self.start == self.end {
                self.joiner.push(&self.buf[lent]);
                lent = 0..0;
                (self.start, self.end) = (0, self.memory.read_some(&mut self.buf));
            }
            let unread = &mut self.buf[self.start..self.end];
            let result = self.decoder.add_data(unread).expect("no error");
            let piece = self.start..self.start + result.consumed_bytes;
            self.start = piece.end;
            match result.event {
                Some(Event::Start { frame_info, .. }) => self.begin(&frame_info),
                Some(Event::PayloadChunk { original_opcode }) => {
                    if original_opcode.is_control() {
                        self.pong.extend_from_slice(&self.buf[piece]);
                    } else {
                        self.joiner.push(&self.buf[lent]);
                        lent = piece;
                    }
                }
                Some(Event::End { frame_info, .. }) if frame_info.opcode.is_control() => {
                    self.answer(frame_info.opcode);
                }
                Some(Event::End { frame_info, .. }) if frame_info.fin => {
                    self.joiner.finish(&self.buf[lent], |message| {
                        bytes += black_box(message).len();
                    });
                    lent = 0..0;
                    seen += 1;
                }
                _ => {}
            }
        }
        bytes
    }
}

impl Incoming {
    fn begin(&mut self, info: &FrameInfo) {
        assert!(info.is_reasonable(), "{info:?}");
        self.joiner.begin(&Head {
            opcode: info.opcode as u8,
            fin: info.fin,
            is_masked: info.mask.is_some(),
            len: info.payload_length as usize,
        });
    }

    fn answer(&mut self, opcode: Opcode) {
        if opcode == Opcode::Ping {
            let info = info(Opcode::Pong, self.pong.len(), None);
            let header = WebsocketFrameEncoder::new().start_frame(&info);
            self.memory.write_some(&header);
            self.memory.write_some(&self.pong);
        }
        self.pong.clear();
    }
}

fn info(opcode: Opcode, len: usize, mask: Option<[u8; 4]>) -> FrameInfo {
    FrameInfo {
        opcode,
        payload_length: len as u64,
        mask,
        fin: true,
        reserved: 0,
    }
}

struct Sender {
    keys: Keys,
    encoder: WebsocketFrameEncoder,
    outgoing: Outgoing,
}

impl Send for Sender {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let opcode = if is_text {
            Opcode::Text
        } else {
            Opcode::Binary
        };
        for _ in 0..messages {
            let info = info(opcode, payload.len(), self.keys.next());
            let header = self.encoder.start_frame(&info);
            let mask = self.encoder.transform_needed().then_some({
                let encoder = &mut self.encoder;
                |payload: &mut [u8]| encoder.transform_frame_payload(payload)
            });
            self.outgoing.frame(&header, payload, mask);
        }
        self.outgoing.flush();
    }
}
