//! One thread, one read buffer, and readiness by mio.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sansocket::{Config, Connection, Event, Input};

/// Takes what was read, and appends what is to be written.
trait Echo {
    fn echo(&mut self, bytes: &mut [u8], out: &mut Vec<u8>);
}

struct Raw;

impl Echo for Raw {
    fn echo(&mut self, bytes: &mut [u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
    }
}

impl Echo for Connection {
    fn echo(&mut self, bytes: &mut [u8], out: &mut Vec<u8>) {
        let mut input = Input::new(bytes);
        while let Some(event) = self.receive(&mut input, out) {
            let sent = match event {
                Event::Request(request) => self.respond(request.accept(), out),
                Event::Message(message) => self.send(message, out),
                _ => Ok(()),
            };
            sent.expect("it is open");
        }
    }
}

pub fn raw(listener: net::TcpListener) -> io::Result<()> {
    serve(listener, || Raw)
}

pub fn ours(listener: net::TcpListener) -> io::Result<()> {
    let config = Config::new();
    serve(listener, || Connection::server(&config))
}

struct Client<E> {
    stream: TcpStream,
    echo: E,
    out: Vec<u8>,
    /// Of these bytes so many left.
    written: usize,
}

fn serve<E: Echo>(listener: net::TcpListener, open: impl Fn() -> E) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    let listening = Token(usize::MAX);
    poll.registry()
        .register(&mut listener, listening, Interest::READABLE)?;
    let mut clients = HashMap::new();
    let (mut events, mut buf) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    let mut next = 0;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() != listening {
                let client: Option<&mut Client<E>> = clients.get_mut(&event.token());
                let Some(client) = client else { continue };
                if client.serve(&mut buf).is_err() {
                    clients.remove(&event.token());
                }
                continue;
            }
            while let Ok((mut stream, _)) = listener.accept() {
                stream.set_nodelay(true)?;
                let (token, interest) = (Token(next), Interest::READABLE | Interest::WRITABLE);
                next += 1;
                poll.registry().register(&mut stream, token, interest)?;
                let client = Client {
                    stream,
                    echo: open(),
                    out: Vec::new(),
                    written: 0,
                };
                clients.insert(token, client);
            }
        }
    }
}

impl<E: Echo> Client<E> {
    /// Who does not read is not read from.
    fn serve(&mut self, buf: &mut [u8]) -> io::Result<()> {
        while self.flush()? {
            match self.stream.read(buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.echo.echo(&mut buf[..len], &mut self.out),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.out = Vec::new();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<bool> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(true)
    }
}
