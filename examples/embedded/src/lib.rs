//! An echo server over any `embedded-io-async` socket, with deadlines.

#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use sansocket::{Config, Connection, Event, Input, IoState, SendError};

/// Limits for a device with a few ten kilobytes of memory.
pub fn config() -> Config {
    Config::new()
        .with_max_message_len(2048)
        .with_max_head_len(1024)
        .with_max_headers(24)
}

/// The clock of the device.
pub trait Clock {
    /// The time since any fixed moment.
    fn now(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()>;
}

/// Why a connection ended early.
#[derive(Debug)]
pub enum Error<E> {
    /// The socket failed.
    Socket(E),
    /// An answer could not be sent.
    Send(SendError),
}

/// Serves one client until the connection is closed. The read of `socket` must
/// be cancel-safe, as those of embassy-net and of tokio are.
pub async fn serve<S: Read + Write>(
    socket: &mut S,
    config: &Config,
    clock: &impl Clock,
) -> Result<(), Error<S::Error>> {
    let (mut buf, mut out) = ([0; 512], Vec::new());
    let mut ws = Connection::server(config);
    while !ws.is_closed() {
        let now = clock.now();
        let deadline = ws.handle_timeout(now, IoState::reading(), &mut out);
        let wait = deadline.map_or(Duration::MAX, |deadline| deadline.at.saturating_sub(now));
        write(socket, &mut out).await?;
        if let Either::First(read) = select(socket.read(&mut buf), clock.sleep(wait)).await {
            let len = read.map_err(Error::Socket)?;
            echo(&mut ws, &mut buf[..len], &mut out).map_err(Error::Send)?;
            write(socket, &mut out).await?;
        }
    }
    write(socket, &mut out).await
}

fn echo(ws: &mut Connection, bytes: &mut [u8], out: &mut Vec<u8>) -> Result<(), SendError> {
    let mut input = Input::new(bytes);
    while let Some(event) = ws.receive(&mut input, out) {
        match event {
            Event::Request(request) => ws.respond(request.accept(), out)?,
            Event::Message(message) => ws.send(message, out)?,
            _ => {}
        }
    }
    Ok(())
}

/// Writes all of `out` and gives its memory back.
async fn write<S: Write>(socket: &mut S, out: &mut Vec<u8>) -> Result<(), Error<S::Error>> {
    if !out.is_empty() {
        socket.write_all(out).await.map_err(Error::Socket)?;
        socket.flush().await.map_err(Error::Socket)?;
        *out = Vec::new();
    }
    Ok(())
}
