//! The echo server on completions: the kernel owns each buffer while it fills or
//! writes it, by io_uring where there is one.
//! `cargo run --release -p sansocket-apps --bin io_uring [ADDR]`

use std::env;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWrite};
use compio::net::{TcpListener, TcpStream};
use compio::time::{sleep, timeout};
use sansocket::{Config, Connection, Event, Input, IoState};

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pause.rs"]
mod pause;

const READ_LEN: usize = 64 * 1024;

/// How many events are handled in one turn.
const MAX_EVENTS: usize = 256;

#[compio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9009")).await?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");
    let config = common::config();
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                sleep(pause::after(&error)).await;
                continue;
            }
        };
        let config = config.clone();
        let serving = async move {
            if let Err(error) = serve(&socket, &config).await {
                eprintln!("{error}");
            }
        };
        compio::runtime::spawn(serving).detach();
    }
}

/// Lets the other connections have their turn.
async fn yield_now() {
    let mut is_over = false;
    poll_fn(|cx| {
        if mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn serve(socket: &TcpStream, config: &Config) -> Result<(), Box<dyn Error>> {
    socket.set_nodelay(true)?;
    let mut client = Client {
        socket,
        ws: Connection::server(config),
        out: Vec::new(),
        started: Instant::now(),
    };
    let mut buf = Vec::with_capacity(READ_LEN);
    while !client.ws.is_closed() {
        let mut reader = socket;
        let mut reading = pin!(reader.read(buf));
        let BufResult(read, mut filled) = loop {
            let wait = client.tick(IoState::reading());
            client.write().await?;
            if client.ws.is_closed() {
                return Ok(());
            }
            // The read goes on after a deadline: what it brings is not lost.
            if let Ok(done) = timeout(wait, &mut reading).await {
                break done;
            }
        };
        let mut input = Input::new(&mut filled[..read?]);
        while client.receive(&mut input)? {
            client.write().await?;
            yield_now().await;
        }
        client.write().await?;
        buf = filled;
    }
    Ok(())
}

struct Client<'s> {
    socket: &'s TcpStream,
    ws: Connection,
    out: Vec<u8>,
    started: Instant,
}

impl Client<'_> {
    /// Handles the next events. Returns whether there are more in the input.
    fn receive(&mut self, input: &mut Input<'_>) -> Result<bool, Box<dyn Error>> {
        let Self { ws, out, .. } = self;
        for _ in 0..MAX_EVENTS {
            match ws.receive(input, out) {
                Some(Event::Request(request)) => ws.respond(common::answer(&request), out)?,
                Some(Event::Message(message)) => ws.send(message, out)?,
                Some(Event::Failed(error)) => eprintln!("{error}"),
                Some(Event::Yield) => break,
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Passes the output to the kernel until all of it is written, or until the write
    /// deadline passes. The kernel owns the buffer meanwhile.
    async fn write(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let out = mem::take(&mut self.out);
            let io = IoState::paused().with_buffered_len(out.len());
            let mut writer = self.socket;
            let mut writing = pin!(writer.write(out));
            let BufResult(written, mut rest) = loop {
                let wait = self.tick(io);
                if self.ws.is_stalled() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                if let Ok(done) = timeout(wait, &mut writing).await {
                    break done;
                }
            };
            rest.drain(..written?);
            rest.append(&mut self.out);
            self.out = rest;
        }
        Ok(())
    }

    /// Reports the time. Returns how long to wait at most.
    fn tick(&mut self, io: IoState) -> Duration {
        let now = self.started.elapsed();
        let deadline = self.ws.handle_timeout(now, io, &mut self.out);
        deadline.map_or(Duration::MAX, |deadline| deadline.at.saturating_sub(now))
    }
}
