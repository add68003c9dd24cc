//! The load: frames written without any library, and echoes compared byte by byte.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::many;

/// What is sent on how many connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    pub connections: usize,
    pub len: usize,
    /// Messages in flight on each connection.
    pub window: usize,
}

const KIB: usize = 1024;

impl Scenario {
    /// Ping-pong, and several messages in flight.
    pub fn all() -> Vec<Self> {
        let ping_pong = [16, KIB, 4 * KIB, 64 * KIB, 1024 * KIB].map(|len| (len, 1));
        let pipelined = [(16, 64), (KIB, 64), (4 * KIB, 16), (64 * KIB, 4)];
        let messages = ping_pong.into_iter().chain(pipelined);
        let scenario = |connections, (len, window)| Self {
            connections,
            len,
            window,
        };
        let with = |connections| messages.clone().map(move |it| scenario(connections, it));
        let mut all: Vec<Self> = [1, 64, 1000].into_iter().flat_map(with).collect();
        // More than the socket buffers hold in total measures the load.
        all.retain(|scenario| scenario.connections * scenario.len <= 64 * KIB * KIB);
        all
    }

    pub fn is_ping_pong(&self) -> bool {
        self.window == 1
    }

    /// A light scenario.
    pub fn is_small(&self) -> bool {
        self.connections <= 64 && self.len <= KIB
    }
}

/// The figures of one turn.
pub struct Sample {
    pub messages: usize,
    pub took: Duration,
    /// From the first byte sent to the last received.
    pub p50: Duration,
    pub p99: Duration,
    /// Microseconds of the server.
    pub cpu: u64,
}

/// Connections to one server.
pub struct Load {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    sent: Vec<u8>,
    expected: Vec<u8>,
    window: usize,
    buf: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    /// Bytes written and read in the current round.
    written: usize,
    read: usize,
    started: Instant,
    is_idle: bool,
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The response to it.
pub const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Header length of a masked frame of 126 to 65,535 bytes.
const HEADER_LEN: usize = 8;

/// One binary frame, masked or not (RFC 6455 §5.2).
pub fn frame(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = vec![0x82];
    let bit = if key.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..126 => frame.push(bit | len as u8),
        len @ 126..65_536 => {
            frame.push(bit | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(bit | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(key.iter().flatten());
    let key = key.unwrap_or_default();
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

impl Load {
    /// Connects, and does the opening handshake unless the server echoes raw bytes.
    pub fn connect(addr: SocketAddr, scenario: &Scenario, is_raw: bool) -> io::Result<Self> {
        let payload: Vec<u8> = (0..scenario.len).map(|n| (n * 7 + n / 251) as u8).collect();
        let sent = frame(&payload, Some(KEY)).repeat(scenario.window);
        let expected = match is_raw {
            true => sent.clone(),
            false => frame(&payload, None).repeat(scenario.window),
        };
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for index in 0..scenario.connections {
            let mut stream = std::net::TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            if !is_raw {
                stream.write_all(REQUEST)?;
                shaken(&mut stream)?;
            }
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(index), interest)?;
            clients.push(Client {
                stream,
                written: 0,
                read: 0,
                started: Instant::now(),
                is_idle: true,
            });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            clients,
            sent,
            expected,
            window: scenario.window,
            buf: vec![0; 256 * 1024],
        })
    }

    /// Runs one round on every connection.
    pub fn once(&mut self) -> io::Result<Sample> {
        self.run(Duration::ZERO)
    }

    /// Sends one message on every connection, without reading the echo.
    pub fn say(&mut self) -> io::Result<()> {
        (0..self.clients.len()).try_for_each(|index| self.begin(index))
    }

    /// Sends one byte of a message on every connection in each period. The first is
    /// sent with the header.
    pub fn say_slowly(&mut self, times: u32, period: Duration) -> io::Result<()> {
        for _ in 0..times {
            many::spread(self.clients.len(), period, |index| {
                let client = &mut self.clients[index];
                if client.written == self.sent.len() {
                    client.written = 0;
                }
                let end = (client.written + 1).max(HEADER_LEN + 1);
                client.write(&self.sent[..end])
            })?;
        }
        Ok(())
    }

    /// Runs rounds until the time is over, and finishes those in progress.
    pub fn run(&mut self, turn: Duration) -> io::Result<Sample> {
        let started = Instant::now();
        let mut times = Vec::new();
        for index in 0..self.clients.len() {
            self.begin(index)?;
        }
        let mut running = self.clients.len();
        while running > 0 {
            self.poll
                .poll(&mut self.events, Some(Duration::from_secs(20)))?;
            if self.events.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
            for index in ready {
                while let Some(took) = self.go_on(index)? {
                    times.push(took);
                    if started.elapsed() >= turn {
                        running -= 1;
                        break;
                    }
                    self.begin(index)?;
                }
            }
        }
        let took = started.elapsed();
        times.sort_unstable();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
        Ok(Sample {
            messages: times.len() * self.window,
            took,
            p50: at(0.5),
            p99: at(0.99),
            cpu: 0,
        })
    }

    fn begin(&mut self, index: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        (client.written, client.read) = (0, 0);
        client.started = Instant::now();
        client.is_idle = false;
        client.write(&self.sent)
    }

    /// Writes and reads as much as possible. Returns the time of a round that ended.
    fn go_on(&mut self, index: usize) -> io::Result<Option<Duration>> {
        let client = &mut self.clients[index];
        if client.is_idle {
            return Ok(None);
        }
        client.write(&self.sent)?;
        while client.read < self.expected.len() {
            let room = (self.expected.len() - client.read).min(self.buf.len());
            let len = match client.stream.read(&mut self.buf[..room]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            if self.buf[..len] != self.expected[client.read..client.read + len] {
                return Err(io::Error::other("another echo"));
            }
            client.read += len;
            client.write(&self.sent)?;
        }
        client.is_idle = true;
        Ok(Some(client.started.elapsed()))
    }
}

impl Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        while self.written < bytes.len() {
            match self.stream.write(&bytes[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Reads the response. Nothing may follow it.
pub fn shaken(stream: &mut impl Read) -> io::Result<()> {
    let (mut head, mut buf) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buf)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            len => head.extend_from_slice(&buf[..len]),
        }
    }
    if head.get(..12) != ACCEPTED.get(..12) {
        return Err(io::Error::other("refused"));
    }
    Ok(())
}
