use std::hint::black_box;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use sansocket::{Agreement, Config, Connection, Event, Input, MessageRef, Request, Role, tokio};

use super::{Class, Echo, MAX_LEN, Peer, Receive, Send, sink};
use crate::memory::{Memory, run};
use crate::traffic;

pub const CORE: Peer = Peer {
    name: "sansocket",
    class: Class::Core,
    is_ours: true,
    receive: |memory| Box::new(Core::new(memory, Agreement::default(), config())),
    send: Some(|role| {
        Box::new(Sender {
            role,
            ws: Connection::upgraded(role, Agreement::default(), config()),
            out: Vec::new(),
            sink: sink(),
        })
    }),
    handshake: Some(handshake),
    deflate: Some(|memory, takeover| {
        let (agreement, config) = traffic::deflate(takeover);
        Some(Box::new(Core::new(memory, agreement, &config)))
    }),
};

pub const TOKIO: Peer = Peer {
    name: "sansocket (tokio)",
    class: Class::Owning,
    is_ours: true,
    receive: |memory| Box::new(stream(memory, Role::Server, Agreement::default(), config())),
    send: Some(|role| Box::new(stream(sink(), role, Agreement::default(), config()))),
    handshake: Some(|memory| drop(run(tokio::accept_on(memory, config(), Request::accept)))),
    deflate: Some(|memory, takeover| {
        let (agreement, config) = traffic::deflate(takeover);
        Some(Box::new(stream(memory, Role::Server, agreement, &config)))
    }),
};

/// The loop that lends.
pub const DRIVE: Peer = Peer {
    name: "sansocket (tokio, drive)",
    class: Class::Lending,
    is_ours: true,
    receive: |memory| {
        Box::new(Driven {
            ws: stream(memory, Role::Server, Agreement::default(), config()),
            ahead: 0,
            len: 0,
        })
    },
    send: None,
    handshake: None,
    deflate: None,
};

/// As generous as the others; made once, as a server does.
fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        Config::new()
            .with_max_message_len(MAX_LEN)
            .with_max_frame_len(MAX_LEN)
            .with_max_control_frames(u32::MAX)
    })
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
    fn new(memory: Memory, agreement: Agreement, config: &Config) -> Self {
        Self {
            buf: vec![0; memory.piece()],
            memory,
            ws: Connection::upgraded(Role::Server, agreement, config),
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
                let (ws, memory) = (&mut self.ws, &mut self.memory);
                // As the adapters read large messages.
                let read = ws.receive_into_message(self.buf.len(), |room| memory.read_into(room));
                if read.is_some() {
                    continue;
                }
                self.rest = 0..self.memory.read_some(&mut self.buf);
            }
            let mut input = Input::new(&mut self.buf[self.rest.clone()]);
            while seen < messages
                && let Some(event) = self.ws.receive(&mut input, &mut self.out)
            {
                match event {
                    Event::Message(message) => {
                        handle(&mut self.ws, message, &mut self.out);
                        seen += 1;
                    }
                    Event::Failed(error) => panic!("{error}"),
                    _ => {}
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
        self.sink.write_whole(&self.out);
        self.out.clear();
    }
}

impl Send for Sender {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let text = is_text.then(|| std::str::from_utf8(payload).expect("text"));
        for _ in 0..messages {
            let message = match text {
                Some(text) => MessageRef::from(text),
                None => MessageRef::from(&payload[..]),
            };
            if payload.len() >= LARGE && self.role == Role::Server {
                // By reference, as a vectored write does.
                let (kind, len) = (message.kind(), message.len());
                let headed = self.ws.send_header(kind, len, &mut self.out);
                headed.expect("it is open");
                self.sink.write_pair(&self.out, payload);
                self.out.clear();
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
    let mut ws = Connection::server(config());
    let mut out = Vec::new();
    if let Some(Event::Request(request)) = ws.receive(&mut input, &mut out) {
        ws.respond(request.accept(), &mut out).expect("an answer");
    }
    assert!(ws.is_open());
    memory.write_some(&out);
}

type Stream = tokio::WebSocket<Memory>;

fn stream(memory: Memory, role: Role, agreement: Agreement, config: &Config) -> Stream {
    Stream::upgraded(memory, role, agreement, Vec::new(), config)
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

struct Driven {
    ws: Stream,
    /// Messages that came together with those asked for.
    ahead: usize,
    /// Of a message.
    len: usize,
}

impl Receive for Driven {
    fn receive(&mut self, messages: usize) -> usize {
        // All are as long as each other.
        let (mut seen, mut bytes) = (self.ahead, self.ahead * self.len);
        run(async {
            while seen < messages {
                let handled = self.ws.drive(|_, event, _| {
                    if let Event::Message(message) = event {
                        bytes += black_box(message.as_bytes()).len();
                        seen += 1;
                    }
                    Ok(())
                });
                assert!(handled.await.expect("no error"));
            }
        });
        self.ahead = seen - messages;
        self.len = bytes / seen;
        messages * self.len
    }
}

impl Send for Stream {
    fn send(&mut self, payload: &Bytes, is_text: bool, messages: usize) {
        let text = is_text.then(|| std::str::from_utf8(payload).expect("text"));
        run(async {
            for _ in 0..messages {
                let message = match text {
                    Some(text) => MessageRef::from(text),
                    None => MessageRef::from(&payload[..]),
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
