//! An echo server with one thread and one read buffer for thousands of
//! connections: `cargo run --release --example mio_echo [ADDR]`
//!
//! Shows that the core fits a readiness loop as it is: a connection that is
//! idle owns no buffer at all, and one that is busy does not delay the others.

use std::collections::{HashMap, HashSet};
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use sansocket::{Config, Connection, Event, Input, IoState, OriginPolicy};

#[path = "common/pause.rs"]
mod pause;

const LISTENER: Token = Token(usize::MAX);

/// How often the deadlines of all connections are looked at.
const TICK: Duration = Duration::from_secs(1);

/// How many events of one client are handled in its turn.
const MAX_EVENTS: usize = 256;

fn main() -> io::Result<()> {
    let addr = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9001".into());
    let addr = addr
        .parse()
        .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let mut listener = TcpListener::bind(addr)?;
    println!("listening on ws://{}", listener.local_addr()?);

    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server::new(poll.registry().try_clone()?);
    let mut events = Events::with_capacity(1024);
    let mut next_tick = Instant::now() + TICK;
    loop {
        let wait = if server.ready.is_empty() {
            next_tick.saturating_duration_since(Instant::now())
        } else {
            Duration::ZERO
        };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for readiness in &events {
            match readiness.token() {
                LISTENER => server.accept_all(&listener),
                token => drop(server.ready.insert(token)),
            }
        }
        server.serve_ready();
        if Instant::now() >= next_tick {
            server.accept_all(&listener);
            server.tick();
            next_tick = Instant::now() + TICK;
        }
    }
}

struct Server {
    registry: Registry,
    config: Config,
    origin: Instant,
    clients: HashMap<Token, Client>,
    /// The clients that get a turn.
    ready: HashSet<Token>,
    next_token: usize,
    /// The one buffer that all connections read into.
    buf: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    ws: Connection,
    /// Unsent bytes; without any capacity when there are none.
    out: Vec<u8>,
    /// Bytes that were read and not received in one turn, in the same way.
    rest: Vec<u8>,
}

impl Server {
    fn new(registry: Registry) -> Self {
        Self {
            registry,
            config: Config::new().with_origin(OriginPolicy::Any),
            origin: Instant::now(),
            clients: HashMap::new(),
            ready: HashSet::new(),
            next_token: 0,
            buf: vec![0; 64 * 1024],
        }
    }

    fn accept_all(&mut self, listener: &TcpListener) {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Readiness is not reported again: the next tick retries.
                Err(error) if !pause::after(&error).is_zero() => return,
                Err(_) => continue,
            };
            if let Err(error) = self.add(stream) {
                eprintln!("{error}");
            }
        }
    }

    fn add(&mut self, mut stream: TcpStream) -> io::Result<()> {
        let token = Token(self.next_token);
        self.next_token += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut stream, token, interest)?;
        stream.set_nodelay(true)?;
        let client = Client {
            stream,
            ws: Connection::server(&self.config),
            out: Vec::new(),
            rest: Vec::new(),
        };
        self.clients.insert(token, client);
        Ok(())
    }

    /// Gives each client that is ready one turn.
    fn serve_ready(&mut self) {
        for token in mem::take(&mut self.ready) {
            self.serve(token);
        }
    }

    fn serve(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let served = client.serve(&mut self.buf);
        if served.is_err() || client.ws.is_closed() && client.out.is_empty() {
            self.clients.remove(&token);
            return;
        }
        client.tick(self.origin.elapsed());
        if matches!(served, Ok(true)) {
            self.ready.insert(token);
        }
    }

    fn tick(&mut self) {
        let now = self.origin.elapsed();
        self.clients.retain(|_, client| {
            client.tick(now);
            client.flush().is_ok() && !(client.ws.is_closed() && client.out.is_empty())
        });
    }
}

impl Client {
    /// One turn: receives the rest of the last read, or reads once, unless what is owed
    /// cannot leave: a peer that does not read is not read from. Returns whether there
    /// may be more to do at once.
    fn serve(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        if !self.flush()? || self.ws.is_closed() {
            return Ok(false);
        }
        if !self.rest.is_empty() {
            let mut rest = mem::take(&mut self.rest);
            self.receive(Input::new(&mut rest))?;
        } else if self.ws.has_event() {
            self.receive(Input::none())?;
        } else {
            match self.stream.read(buf) {
                Ok(len) => self.receive(Input::new(&mut buf[..len]))?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.flush()
    }

    /// Handles the next events. What they leave of the input is kept.
    fn receive(&mut self, mut input: Input<'_>) -> io::Result<()> {
        for _ in 0..MAX_EVENTS {
            let sent = match self.ws.receive(&mut input, &mut self.out) {
                Some(Event::Request(request)) => self.ws.respond(request.accept(), &mut self.out),
                Some(Event::Message(message)) => self.ws.send(message, &mut self.out),
                // Enough was done in this turn, or everything.
                Some(Event::Yield) | None => break,
                Some(_) => Ok(()),
            };
            sent.map_err(io::Error::other)?;
        }
        self.rest = input.remaining().to_vec();
        Ok(())
    }

    /// A peer that does not take what it is owed is not read from.
    fn tick(&mut self, now: Duration) {
        let io = if self.out.is_empty() {
            IoState::reading()
        } else {
            IoState::paused()
        };
        self.ws.handle_timeout(now, io, &mut self.out);
    }

    /// Writes what is unsent. Returns whether all of it left.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => drop(self.out.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out = Vec::new();
        Ok(true)
    }
}
