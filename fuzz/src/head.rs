//! Heads from parts: requests and responses that are mostly valid, with fields
//! missing, repeated or changed.

use arbitrary::Arbitrary;

/// The head of a request or a response.
#[derive(Arbitrary, Debug)]
pub struct Head<'b> {
    start: Start,
    /// Which of the required fields are left out, if any.
    missing: u8,
    more: Vec<Field<'b>>,
    is_rotated: bool,
    end: End,
}

/// The first line.
#[derive(Arbitrary, Debug)]
enum Start {
    Valid,
    Other(u8),
}

/// A further field, after those that are required.
#[derive(Arbitrary, Debug)]
struct Field<'b> {
    name: u8,
    value: Value<'b>,
    format: u8,
}

#[derive(Arbitrary, Debug)]
enum Value<'b> {
    Known(u8),
    Bytes(&'b [u8]),
}

/// How the head ends, and what follows it.
#[derive(Arbitrary, Debug)]
enum End {
    Valid,
    Body(u8),
    Missing,
}

const REQUEST_LINES: [&str; 16] = [
    "GET / HTTP/1.1",
    "GET /chat?room=1 HTTP/1.1",
    "GET http://h/ HTTP/1.1",
    "GET * HTTP/1.1",
    "GET h:80 HTTP/1.1",
    "GET / HTTP/1.0",
    "GET / HTTP/2.0",
    "GET / HTTP/1.2",
    "POST / HTTP/1.1",
    "HEAD / HTTP/1.1",
    "get / HTTP/1.1",
    "GET  / HTTP/1.1",
    "GET /\tx HTTP/1.1",
    "GET /# HTTP/1.1",
    "GET /%00 HTTP/1.1",
    "",
];

const STATUS_LINES: [&str; 10] = [
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/1.1 101 ",
    "HTTP/1.1 101",
    "HTTP/1.0 101 Switching Protocols",
    "HTTP/1.1 200 OK",
    "HTTP/1.1 401 Unauthorized",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 1010 X",
    "HTTP/1.1  101 X",
    "",
];

const REQUEST: [(&str, &str); 5] = [
    ("Host", "example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

const RESPONSE: [(&str, &str); 3] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", super::ACCEPT),
];

const NAMES: [&str; 14] = [
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Accept",
    "Origin",
    "Content-Length",
    "Transfer-Encoding",
    "sec-websocket-KEY",
    "X-Other",
    "",
];

const VALUES: [&str; 20] = [
    "example.com",
    "websocket",
    "WebSocket",
    "h2c, websocket",
    "Upgrade",
    "keep-alive, Upgrade",
    "close",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "dGhlIHNhbXBsZSBub25jZR==",
    "dGhlIHNhbXBsZSBub25jZQ",
    "pT25h6EVFbWDyyinkmTBvzUVxQo=",
    "13",
    "8, 13",
    "echo",
    "chat, echo",
    "permessage-deflate",
    "http://example.com",
    "0",
    "5",
    "chunked",
];

impl Head<'_> {
    /// As the head of a request.
    pub fn request(&self) -> Vec<u8> {
        self.write(&REQUEST_LINES, &REQUEST)
    }

    /// As the head of a response.
    pub fn response(&self) -> Vec<u8> {
        self.write(&STATUS_LINES, &RESPONSE)
    }

    fn write(&self, lines: &[&str], required: &[(&str, &str)]) -> Vec<u8> {
        let line = match self.start {
            Start::Valid => lines[0],
            Start::Other(number) => lines[usize::from(number) % lines.len()],
        };
        let mut fields = Vec::new();
        for (index, (name, value)) in required.iter().enumerate() {
            // Most heads miss nothing.
            if usize::from(self.missing) != 200 + index {
                fields.push(format!("{name}: {value}\r\n").into_bytes());
            }
        }
        fields.extend(self.more.iter().map(Field::bytes));
        if self.is_rotated && !fields.is_empty() {
            fields.rotate_right(1);
        }
        let mut head = format!("{line}\r\n").into_bytes();
        head.extend(fields.concat());
        match self.end {
            End::Valid => head.extend(b"\r\n"),
            End::Body(len) => {
                head.extend(b"\r\n");
                head.extend(vec![b'b'; len.into()]);
            }
            End::Missing => {}
        }
        head
    }
}

impl Field<'_> {
    fn bytes(&self) -> Vec<u8> {
        let name = NAMES[usize::from(self.name) % NAMES.len()].as_bytes();
        let value = match &self.value {
            Value::Known(number) => VALUES[usize::from(*number) % VALUES.len()].as_bytes(),
            Value::Bytes(bytes) => bytes,
        };
        let (before, after): (&[u8], &[u8]) = match self.format {
            200..=209 => (b":", b"\r\n"),
            210..=219 => (b":\t ", b" \t\r\n"),
            220..=224 => (b" : ", b"\r\n"),
            225..=229 => (b": ", b"\n"),
            230..=234 => (b": ", b"\r"),
            235..=239 => (b": ", b"\r\n folded\r\n"),
            240..=244 => (b"", b"\r\n"),
            _ => (b": ", b"\r\n"),
        };
        [name, before, value, after].concat()
    }
}
