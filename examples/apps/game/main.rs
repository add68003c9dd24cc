//! A game at 60 ticks a second, in one thread with mio and the core alone:
//! `cargo run --release -p sansocket-apps --bin game [ADDR]`, then open
//! <http://127.0.0.1:9001> in several windows. Ctrl-C closes every connection
//! with 1001.
//!
//! The state of a tick is framed once, and all players are sent the same memory.
//! Who does not read misses ticks and is dropped after a second of them, without
//! a delay for others.

use std::collections::{HashMap, HashSet};
use std::env;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use sansocket::{Config, Prepared};

mod client;
#[path = "../../common/pause.rs"]
mod pause;
mod world;

use client::Client;
use world::World;

const LISTENER: Token = Token(usize::MAX);

/// Between two states.
const TICK: Duration = Duration::from_nanos(1_000_000_000 / 60);

/// How many bytes may wait in the kernel for a slow player.
const SEND_BUFFER: usize = 16 * 1024;

/// How many bytes one player is read before the others have their turn: less than a
/// thousand frames.
const READ_LEN: usize = 4 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let addr = addr.as_deref().unwrap_or("127.0.0.1:9001").parse()?;
    let mut listener = TcpListener::bind(addr)?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    let is_stopping = Arc::new(AtomicBool::new(false));
    let stop = is_stopping.clone();
    ctrlc::set_handler(move || stop.store(true, Ordering::SeqCst))?;

    let mut poll = Poll::new()?;
    let registry = poll.registry();
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server::new(registry.try_clone()?);
    let mut events = Events::with_capacity(1024);
    let mut next_tick = Instant::now() + TICK;
    while !is_stopping.load(Ordering::SeqCst) {
        server.turn(&mut poll, &mut events, &listener, &mut next_tick)?;
    }
    server.close();
    while !server.clients.is_empty() {
        server.turn(&mut poll, &mut events, &listener, &mut next_tick)?;
    }
    println!("stopped");
    Ok(())
}

struct Server {
    registry: Registry,
    config: Config,
    origin: Instant,
    clients: HashMap<Token, Client>,
    /// The clients that get a turn.
    ready: HashSet<Token>,
    next_token: usize,
    is_closing: bool,
    world: World,
    /// The one buffer that all connections read into.
    buf: Vec<u8>,
}

impl Server {
    fn new(registry: Registry) -> Self {
        Self {
            registry,
            // Players send two bytes at a time.
            config: Config::new().with_max_message_len(16),
            origin: Instant::now(),
            clients: HashMap::new(),
            ready: HashSet::new(),
            next_token: 0,
            is_closing: false,
            world: World::new(),
            buf: vec![0; READ_LEN],
        }
    }

    /// Waits for the network or the next tick, and serves either.
    fn turn(
        &mut self,
        poll: &mut Poll,
        events: &mut Events,
        listener: &TcpListener,
        next_tick: &mut Instant,
    ) -> io::Result<()> {
        let left = if self.ready.is_empty() {
            next_tick.saturating_duration_since(Instant::now())
        } else {
            Duration::ZERO
        };
        match poll.poll(events, Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for readiness in events.iter() {
            match readiness.token() {
                LISTENER => self.accept_all(listener),
                token => drop(self.ready.insert(token)),
            }
        }
        for token in mem::take(&mut self.ready) {
            self.serve(token);
        }
        let now = Instant::now();
        if now >= *next_tick {
            self.accept_all(listener);
            self.tick();
            // Ticks that were missed are not made up for.
            *next_tick = (*next_tick + TICK).max(now);
        }
        Ok(())
    }

    fn accept_all(&mut self, listener: &TcpListener) {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) if !self.is_closing => stream,
                Ok(_) => continue,
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
        stream.set_nodelay(true)?;
        socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER)?;
        let token = Token(self.next_token);
        self.next_token += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut stream, token, interest)?;
        self.clients
            .insert(token, Client::new(stream, &self.config));
        Ok(())
    }

    fn serve(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let served = client.serve(&mut self.buf, &mut self.world);
        if served.is_err() || client.is_finished() {
            self.remove(token);
        } else if matches!(served, Ok(true)) {
            self.ready.insert(token);
        }
    }

    /// Moves the world, and sends it to all.
    fn tick(&mut self) {
        self.world.step();
        let state = Prepared::new(self.world.state());
        let now = self.origin.elapsed();
        let mut gone = Vec::new();
        for (token, client) in &mut self.clients {
            client.handle_timeout(now);
            if client.push(&state).is_err() || client.is_finished() {
                gone.push(*token);
            }
        }
        for token in gone {
            self.remove(token);
        }
    }

    /// Dropping a stream closes it.
    fn remove(&mut self, token: Token) {
        let client = self.clients.remove(&token);
        if let Some(player) = client.and_then(|client| client.player()) {
            self.world.leave(player);
        }
    }

    fn close(&mut self) {
        self.is_closing = true;
        self.clients.retain(|_, client| client.close());
    }
}
