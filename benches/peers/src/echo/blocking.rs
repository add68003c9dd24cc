//! A thread for each connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use sansocket::{Config, Event, blocking};

fn serve(listener: &TcpListener, echo: fn(TcpStream) -> io::Result<()>) -> io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn(move || echo(stream))?;
    }
    Ok(())
}

pub fn raw(listener: TcpListener) -> io::Result<()> {
    serve(&listener, |mut stream| {
        let mut buf = vec![0; 64 * 1024];
        loop {
            match stream.read(&mut buf)? {
                0 => return Ok(()),
                len => stream.write_all(&buf[..len])?,
            }
        }
    })
}

pub fn ours(listener: TcpListener) -> io::Result<()> {
    serve(&listener, |stream| {
        let mut ws = blocking::accept(stream, &Config::new()).map_err(io::Error::other)?;
        while ws
            .drive(|ws, event, out| match event {
                Event::Message(message) => ws.send(message, out),
                _ => Ok(()),
            })
            .map_err(io::Error::other)?
        {}
        Ok(())
    })
}

pub fn tungstenite(listener: TcpListener) -> io::Result<()> {
    serve(&listener, |stream| {
        let mut ws = tungstenite::accept(stream).map_err(io::Error::other)?;
        loop {
            let message = ws.read().map_err(io::Error::other)?;
            if message.is_binary() {
                ws.send(message).map_err(io::Error::other)?;
            }
        }
    })
}
