//! Echoes every message, and serves a page that shows it:
//! `cargo run --release --example echo_server [ADDR]`, then open
//! <http://127.0.0.1:9001>. Ctrl-C closes every connection with 1001.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

use sansocket::{CloseCode, Config, blocking};

mod common;
#[path = "common/pause.rs"]
mod pause;

/// How long connections may take to close when the server stops.
const GRACE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(addr)?;
    let addr = listener.local_addr()?;
    println!("listening on ws://{addr}\nopen http://{addr}/");

    let server = Arc::new(Server::new());
    let stopping = server.clone();
    ctrlc::set_handler(move || {
        stopping.is_stopping.store(true, Ordering::SeqCst);
        // Wakes up the loop below.
        let _ = TcpStream::connect(addr);
    })?;

    for stream in listener.incoming() {
        if server.is_stopping.load(Ordering::SeqCst) {
            break;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                thread::sleep(pause::after(&error));
                continue;
            }
        };
        let server = server.clone();
        thread::spawn(move || {
            if let Err(error) = server.echo(stream) {
                eprintln!("{error}");
            }
        });
    }
    server.stop();
    println!("stopped");
    Ok(())
}

/// What the threads share: whom to close when it is time to stop.
struct Server {
    config: Config,
    is_stopping: AtomicBool,
    writers: Mutex<HashMap<SocketAddr, blocking::Writer<TcpStream>>>,
}

type Error = sansocket::Error;

impl Server {
    fn new() -> Self {
        Self {
            config: common::config(),
            is_stopping: AtomicBool::new(false),
            writers: Mutex::default(),
        }
    }

    /// Serves one connection, from the first byte to the last.
    fn echo(&self, stream: TcpStream) -> Result<(), Error> {
        let peer = stream.peer_addr()?;
        let Some(ws) = blocking::accept_with(stream, &self.config, common::answer)? else {
            return Ok(());
        };
        let (mut reader, mut writer) = ws.split();
        self.writers().insert(peer, writer.clone());
        let result = echo_all(&mut reader, &mut writer);
        self.writers().remove(&peer);
        result
    }

    /// Begins the closing handshake on every connection and waits for all.
    fn stop(&self) {
        let writers: Vec<_> = self.writers().values().cloned().collect();
        for mut writer in writers {
            // Waits for a peer that does not read, which must not delay the others.
            thread::spawn(move || writer.close(CloseCode::GOING_AWAY, "the server stops"));
        }
        let start = Instant::now();
        while !self.writers().is_empty() && start.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn writers(&self) -> MutexGuard<'_, HashMap<SocketAddr, blocking::Writer<TcpStream>>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn echo_all(
    reader: &mut blocking::Reader<TcpStream>,
    writer: &mut blocking::Writer<TcpStream>,
) -> Result<(), Error> {
    while let Some(message) = reader.next()? {
        writer.send(message)?;
    }
    Ok(())
}
