//! One connection: a page that is fetched, or a player.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use sansocket::{
    Answer, CloseCode, Config, Connection, Event, Input, IoState, Prepared, Request, RequestError,
};

use crate::world::World;

/// After how many states in a row that there was no room for a player is dropped.
const MAX_MISSED: u32 = 60;

pub(crate) struct Client {
    stream: TcpStream,
    ws: Connection,
    /// Unsent bytes: at most a state and what the protocol adds.
    out: Vec<u8>,
    player: Option<u16>,
    missed: u32,
}

impl Client {
    pub(crate) fn new(stream: TcpStream, config: &Config) -> Self {
        Self {
            stream,
            ws: Connection::server(config),
            out: Vec::new(),
            player: None,
            missed: 0,
        }
    }

    /// Reads once, unless what is owed cannot leave. Returns whether there may be more.
    pub(crate) fn serve(&mut self, buf: &mut [u8], world: &mut World) -> io::Result<bool> {
        if !self.flush()? || self.ws.is_closed() {
            return Ok(false);
        }
        let len = match self.stream.read(buf) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        let mut input = Input::new(&mut buf[..len]);
        while let Some(event) = self.ws.receive(&mut input, &mut self.out) {
            match event {
                Event::Request(request) => self.open(&request, world)?,
                Event::Message(message) => {
                    world.steer(self.player.unwrap_or(0), message.as_bytes());
                }
                _ => {}
            }
        }
        self.flush()
    }

    /// Answers with the page, or lets a player in and says which one it is.
    fn open(&mut self, request: &Request, world: &mut World) -> io::Result<()> {
        let (ws, out) = (&mut self.ws, &mut self.out);
        ws.respond(answer(request), out).map_err(io::Error::other)?;
        if ws.is_open() {
            let player = world.join();
            self.player = Some(player);
            ws.send(player.to_string(), out).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Sends the state, which all share, unless the one before is still here:
    /// who is slow misses some, and who is too slow is dropped.
    pub(crate) fn push(&mut self, state: &Prepared) -> io::Result<()> {
        if !self.flush()? {
            self.missed += 1;
            return match self.missed {
                ..=MAX_MISSED => Ok(()),
                _ => Err(ErrorKind::TimedOut.into()),
            };
        }
        self.missed = 0;
        if self.player.is_some() && self.ws.is_open() {
            let frame = self.ws.share_prepared(state).map_err(io::Error::other)?;
            let written = match self.stream.write(&frame) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                written => written?,
            };
            self.out.extend_from_slice(&frame[written..]);
        }
        Ok(())
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        let io = if self.out.is_empty() {
            IoState::reading()
        } else {
            IoState::paused()
        };
        self.ws.handle_timeout(now, io, &mut self.out);
    }

    /// Begins the end of an open connection. Another is closed already.
    pub(crate) fn close(&mut self) -> bool {
        let (code, reason) = (CloseCode::GOING_AWAY, "the server stops");
        self.ws.is_open() && self.ws.close(code, reason, &mut self.out).is_ok()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.ws.is_closed() && self.out.is_empty()
    }

    pub(crate) const fn player(&self) -> Option<u16> {
        self.player
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
        Ok(true)
    }
}

fn answer(request: &Request) -> Answer {
    match (request.is_upgrade(), request.path()) {
        (true, "/arena") => request.accept(),
        (false, "/") => page().unwrap_or_else(|_| request.reject(500)),
        _ => request.reject(404),
    }
}

fn page() -> Result<Answer, RequestError> {
    Ok(Answer::new(200)
        .with_header("Content-Type", "text/html; charset=utf-8")?
        .with_body(include_str!("page.html")))
}
