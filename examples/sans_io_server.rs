//! The loop of the crate's first page over `std::net`, one thread for each
//! connection: `cargo run --example sans_io_server [ADDR]`

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread};

use sansocket::{Config, Connection, Event, Input, OriginPolicy};

#[path = "common/pause.rs"]
mod pause;

fn main() -> Result<(), Box<dyn Error>> {
    let addr = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(addr)?;
    println!("listening on ws://{}", listener.local_addr()?);
    let config = Config::new().with_origin(OriginPolicy::Any);
    for socket in listener.incoming() {
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => {
                thread::sleep(pause::after(&error));
                continue;
            }
        };
        let config = config.clone();
        thread::spawn(move || {
            if let Err(error) = echo(socket, &config) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn echo(mut socket: TcpStream, config: &Config) -> Result<(), Box<dyn Error>> {
    let (mut buf, mut out) = (vec![0; 64 * 1024], Vec::new());
    let mut ws = Connection::server(config);
    while !ws.is_closed() {
        // 1. Hand over what one read returned; no bytes are the end of the stream.
        let n = socket.read(&mut buf)?;
        let mut input = Input::new(&mut buf[..n]);
        // 2. Take events until there are none.
        while let Some(event) = ws.receive(&mut input, &mut out) {
            match event {
                Event::Request(request) => ws.respond(request.accept(), &mut out)?,
                Event::Rejected(rejection) => eprintln!("{rejection}"),
                Event::Message(message) => ws.send(message, &mut out)?,
                _ => {}
            }
        }
        // 3. Write all of `out` before reading again.
        socket.write_all(&out)?;
        out.clear();
        // 4. Stop when the connection is closed.
    }
    Ok(())
}
