use std::hint::black_box;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use sansocket::{
    Agreement, Config, Connection, Event, Input, Message, MessageRef, Request, Role, tokio,
};

use super::{Echo, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};
use crate::traffic;

pub const CORE: Peer = Peer {
    name: "sansocket",
    is_ours: true,
    receive: |memory| Box::new(Core::new(memory, Agreement::default(), config())),
    send: |role| {
        Box::new(Sender {
            role,
            ws: Connection::upgraded(role, Agreement::default(), &config()),
            out: Vec::new(),
            sink: sink(),
        })
    },
    handshake: Some(handshake),
    deflate: Some(|memory, takeover| {
        let (agreement, config) = traffic::deflate(takeover);
        Box::new(Core::new(memory, agreement, config))
    }),
};

pub const TOKIO: Peer = Peer {
    name: "sansocket (tokio)",
    is_ours: true,
    receive: |memory| Box::new(stream(memory, Role::Server, Agreement::default(), config())),
    send: |role| Box::new(stream(sink(), role, Agreement::default(), config())),
    handshake: Some(|memory| drop(run(tokio::accept_on(memory, &config(), Request::accept)))),
    deflate: Some(|memory, takeover| {
        let (agreement, config) = traffic::deflate(takeover);
        Box::new(stream(memory, Role::Server, agreement, config))
    }),
};

/// As generous as the others; made once, as a server does.
fn config() -> Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        Config::new()
            .with_max_message_len(MAX_LEN)
            .with_max_frame_len(MAX_LEN)
            .with_max_control_frames(u32::MAX)
    });
    config.clone()
}

struct Core {
    memory: Memory,
    ws: Connection,
    buf: Vec<u8>,
    /// What is left of the last read.
    rest: Range<usize>,
    out: Vec<u8>,
}

impl Core {
    fn new(memory: Memory, agreement: Agreement, config: Config) -> Self {
        Self {
            buf: vec![0; memory.piece()],
            memory,
            ws: Connection::upgraded(Role::Server, agreement, &config),
            rest: 0..0,
            out: Vec::new(),
        }
    }

    /// The loop of a driver, until so many messages came.
    fn drive(
        &mut self,
        messages: usize,
        mut handle: impl FnMut(&mut Connection, MessageRef<'_>, &mut Vec<u8>),
    ) {
        let mut seen = 0;
        while seen < messages {
            if self.rest.is_empty() {
                self.rest = 0..self.memory.read_some(&mut self.buf);
            }
            let mut input = Input::new(&mut self.buf[self.rest.clone()]);
            while seen < messages
                && let Some(event) = self.ws.receive(&mut input, &mut self.out)
            {
                if let Event::Message(message) = event {
                    handle(&mut self.ws, message, &mut self.out);
                    seen += 1;
                }
            }
            self.rest.start = self.rest.end - input.remaining().len();
            self.memory.write_some(&self.out);
            self.out.clear();
        }
    }
}

impl Receive for Core {
    fn receive(&mut self, messages: usize) -> usize {
        let mut bytes = 0;
        self.drive(messages, |_, message, _| {
            bytes += black_box(message.as_bytes()).len();
        });
        bytes
    }
}

impl Echo for Core {
    fn echo(&mut self, messages: usize) -> usize {
        let mut bytes = 0;
        self.drive(messages, |ws, message, out| {
            bytes += message.len();
            ws.send(message, out).expect("it is open");
        });
        bytes
    }
}

struct Sender {
    role: Role,
    ws: Connection,
    out: Vec<u8>,
    sink: Memory,
}

impl Sender {
    fn write(&mut self) {
        let mut written = 0;
        while written < self.out.len() {
            written += self.sink.write_some(&self.out[written..]);
        }
        self.out.clear();
    }
}

impl Send for Sender {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let text = is_text.then(|| std::str::from_utf8(payload).expect("text"));
        for _ in 0..messages {
            let message = match text {
                Some(text) => Message::from(text),
                None => Message::from(&payload[..]),
            };
            if payload.len() >= LARGE && self.role == Role::Server {
                // By reference, as a vectored write does.
                let (kind, len) = (message.kind(), message.len());
                let headed = self.ws.send_header(kind, len, &mut self.out);
                headed.expect("it is open");
                self.write();
                let mut written = 0;
                while written < payload.len() {
                    written += self.sink.write_some(&payload[written..]);
                }
                continue;
            }
            self.ws.send(message, &mut self.out).expect("it is open");
            if self.out.len() >= 16 * 1024 {
                self.write();
            }
        }
        self.write();
    }
}

/// What the adapters do not copy.
const LARGE: usize = 16 * 1024;

fn handshake(mut memory: Memory) {
    let mut buf = [0; 1024];
    let len = memory.read_some(&mut buf);
    let mut input = Input::new(&mut buf[..len]);
    let mut ws = Connection::server(&config());
    let mut out = Vec::new();
    if let Some(Event::Request(request)) = ws.receive(&mut input, &mut out) {
        ws.respond(request.accept(), &mut out).expect("an answer");
    }
    assert!(ws.is_open());
    memory.write_some(&out);
}

type Stream = tokio::WebSocket<Memory>;

fn stream(memory: Memory, role: Role, agreement: Agreement, config: Config) -> Stream {
    Stream::upgraded(memory, role, agreement, Vec::new(), &config)
}

impl Receive for Stream {
    fn receive(&mut self, messages: usize) -> usize {
        run(async {
            let mut bytes = 0;
            for _ in 0..messages {
                let message = self.next().await.expect("no error").expect("no end");
                bytes += black_box(message.as_bytes()).len();
            }
            bytes
        })
    }
}

impl Send for Stream {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let text = is_text.then(|| std::str::from_utf8(payload).expect("text"));
        run(async {
            for _ in 0..messages {
                let message = match text {
                    Some(text) => Message::from(text),
                    None => Message::from(&payload[..]),
                };
                self.feed(message).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
        });
    }
}

impl Echo for Stream {
    fn echo(&mut self, messages: usize) -> usize {
        run(async {
            let mut bytes = 0;
            for _ in 0..messages {
                let message = self.next().await.expect("no error").expect("no end");
                bytes += message.len();
                self.feed(message).await.expect("it is open");
            }
            self.flush().await.expect("it is open");
            bytes
        })
    }
}
