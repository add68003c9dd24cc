//! The echo server on completions: the kernel owns each buffer while it fills or
//! writes it, by io_uring where there is one.
//! `cargo run --release --example io_uring [ADDR]`

use std::env;
use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::time::timeout;
use sansocket::{Connection, Event, Input, IoState};

mod common;

const READ_LEN: usize = 64 * 1024;

#[compio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args().nth(1);
    let listener = TcpListener::bind(addr.as_deref().unwrap_or("127.0.0.1:9009")).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let serving = async move {
            if let Err(error) = serve(&socket).await {
                eprintln!("{error}");
            }
        };
        compio::runtime::spawn(serving).detach();
    }
}

async fn serve(socket: &TcpStream) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let (mut buf, mut out) = (Vec::with_capacity(READ_LEN), Vec::new());
    let mut ws = Connection::server(&common::config());
    while !ws.is_closed() {
        let mut reader = socket;
        let mut reading = pin!(reader.read(buf));
        let BufResult(read, mut filled) = loop {
            let deadline = ws.handle_timeout(started.elapsed(), IoState::reading(), &mut out);
            out = write(socket, out).await?;
            if ws.is_closed() {
                return Ok(());
            }
            let wait = deadline.map_or(Duration::MAX, |deadline| {
                deadline.at.saturating_sub(started.elapsed())
            });
            // The read goes on behind a deadline: what it brings is not lost.
            if let Ok(done) = timeout(wait, &mut reading).await {
                break done;
            }
        };
        let mut input = Input::new(&mut filled[..read?]);
        while let Some(event) = ws.receive(&mut input, &mut out) {
            match event {
                Event::Request(request) => ws.respond(common::answer(&request), &mut out)?,
                Event::Message(message) => ws.send(message, &mut out)?,
                Event::Failed(error) => eprintln!("{error}"),
                _ => {}
            }
        }
        buf = filled;
        out = write(socket, out).await?;
    }
    Ok(())
}

/// Hands the bytes to the kernel, and their buffer back, empty.
async fn write(mut socket: &TcpStream, out: Vec<u8>) -> io::Result<Vec<u8>> {
    if out.is_empty() {
        return Ok(out);
    }
    let BufResult(written, mut out) = socket.write_all(out).await;
    written?;
    out.clear();
    Ok(out)
}
