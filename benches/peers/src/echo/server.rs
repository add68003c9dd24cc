//! All servers, and the main function of a server process.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::accept::{plain, secure};
use super::{blocking, cores, framework, obvious, polled, process, runtime};
use crate::measure;

/// A server.
pub struct Server {
    pub name: &'static str,
    pub runtime: Runtime,
    run: fn(TcpListener) -> io::Result<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    Std,
    Mio,
    Tokio,
    /// On tokio, in an HTTP server.
    Axum,
}

const fn server(
    name: &'static str,
    runtime: Runtime,
    run: fn(TcpListener) -> io::Result<()>,
) -> Server {
    Server { name, runtime, run }
}

const fn tokio(name: &'static str, run: fn(TcpListener) -> io::Result<()>) -> Server {
    server(name, Runtime::Tokio, run)
}

/// Echoes by each library in its best documented use; ours in that of the documentation's
/// first page, and with `drive`, which is for many small messages. Each runtime has an echo of raw
/// bytes as its limit.
pub static ECHO: &[Server] = &[
    server("raw std", Runtime::Std, blocking::raw),
    server("sansocket std", Runtime::Std, blocking::ours),
    server("tungstenite", Runtime::Std, blocking::tungstenite),
    server("raw mio", Runtime::Mio, polled::raw),
    server("sansocket mio", Runtime::Mio, polled::ours),
    tokio("raw tokio", runtime::raw),
    tokio("sansocket tokio", obvious::ours),
    tokio("sansocket tokio, no deadlines", obvious::ours_untimed),
    tokio("sansocket tokio, drive", runtime::ours),
    tokio("tokio-tungstenite", runtime::tungstenite),
    tokio("fastwebsockets", runtime::fastwebsockets),
    tokio("tokio-websockets", runtime::tokio_websockets),
    tokio("sockudo-ws", runtime::sockudo),
    tokio("yawc", runtime::yawc),
    tokio("soketto", runtime::soketto),
    tokio("web-socket", runtime::web_socket),
    tokio("ratchet", runtime::ratchet),
    tokio("wtx", runtime::wtx),
    server("axum", Runtime::Axum, framework::axum),
    server("sansocket axum", Runtime::Axum, framework::ours),
];

/// Echoes with permessage-deflate.
pub static DEFLATE: &[Server] = &[
    tokio("sansocket tokio, deflate", runtime::ours_deflate),
    tokio("sockudo-ws, deflate", runtime::sockudo_deflate),
    tokio("yawc, deflate", runtime::yawc_deflate),
];

/// Echoes that reply to each message before they receive the next.
pub static LOOP: &[Server] = &[
    tokio("sansocket tokio", obvious::ours),
    tokio("sansocket tokio, no deadlines", obvious::ours_untimed),
    tokio("sansocket tokio, send", obvious::ours_send),
    tokio("tokio-tungstenite", obvious::tungstenite),
    tokio("fastwebsockets", runtime::fastwebsockets),
    tokio("tokio-websockets", obvious::tokio_websockets),
    tokio("sockudo-ws", obvious::sockudo),
    tokio("yawc", obvious::yawc),
    tokio("soketto", runtime::soketto),
    tokio("web-socket", runtime::web_socket),
    tokio("ratchet", runtime::ratchet),
    tokio("wtx", runtime::wtx),
    server("axum", Runtime::Axum, framework::axum),
    server("sansocket axum", Runtime::Axum, framework::ours),
];

/// Servers that do the opening handshake, over TCP.
pub static HANDSHAKE: &[Server] = &[
    tokio("raw tokio", plain::raw),
    tokio("sansocket tokio", plain::ours),
    tokio("tokio-tungstenite", plain::tungstenite),
    tokio("tokio-websockets", plain::tokio_websockets),
    tokio("fastwebsockets on hyper", plain::fastwebsockets),
    tokio("sockudo-ws", plain::sockudo),
    tokio("soketto", plain::soketto),
    tokio("yawc on hyper", plain::yawc),
    tokio("ratchet", plain::ratchet),
    server("axum", Runtime::Axum, framework::axum),
    server("sansocket axum", Runtime::Axum, framework::ours),
];

/// Servers that do the opening handshake, over TLS.
pub static TLS: &[Server] = &[
    tokio("raw tokio", secure::raw),
    tokio("sansocket tokio", secure::ours),
    tokio("tokio-tungstenite", secure::tungstenite),
    tokio("tokio-websockets", secure::tokio_websockets),
    tokio("fastwebsockets on hyper", secure::fastwebsockets),
    tokio("sockudo-ws", secure::sockudo),
    tokio("soketto", secure::soketto),
    tokio("yawc on hyper", secure::yawc),
    tokio("ratchet", secure::ratchet),
];

/// All lists, by the name passed to a server process.
static LISTS: &[(&str, &[Server])] = &[
    ("echo", ECHO),
    ("deflate", DEFLATE),
    ("loop", LOOP),
    ("handshake", HANDSHAKE),
    ("tls", TLS),
];

impl Server {
    pub fn is_raw(&self) -> bool {
        self.name.starts_with("raw")
    }

    pub fn is_deflate(&self) -> bool {
        self.name.ends_with("deflate")
    }

    /// The name of the list that contains it.
    pub fn list(&self) -> &'static str {
        let mut lists = LISTS.iter();
        let found = lists.find(|(_, list)| list.iter().any(|server| std::ptr::eq(server, self)));
        found.map_or("", |(name, _)| name)
    }
}

/// What a server process does besides serving.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    Nothing,
    /// Runs an unrelated timer in the runtime, if it is tokio.
    Timer,
    /// Counts heap bytes, which slows down servers that allocate.
    Heap,
}

impl Extra {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Timer => "timer",
            Self::Heap => "heap",
        }
    }
}

static HAS_TIMER: AtomicBool = AtomicBool::new(false);

pub fn has_timer() -> bool {
    HAS_TIMER.load(Relaxed)
}

/// The main function of a server process. It prints its address, serves until its
/// standard input ends, and prints its usage for each line of that.
pub fn serve(list: &str, name: &str, core: &str, extra: &str) -> io::Result<()> {
    let mut lists = LISTS.iter().filter(|(named, _)| *named == list);
    let mut servers = lists.next().ok_or(io::ErrorKind::NotFound)?.1.iter();
    let server = servers.find(|server| server.name == name);
    let server = server.ok_or(io::ErrorKind::NotFound)?;
    cores::pin(core.parse().map_err(io::Error::other)?);
    HAS_TIMER.store(extra == Extra::Timer.name(), Relaxed);
    if extra == Extra::Heap.name() {
        measure::count_always();
    }
    process::raise_files()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::thread::spawn(|| {
        for line in io::stdin().lines() {
            if line.is_err() {
                break;
            }
            println!("{}", process::usage());
            let _ = io::stdout().flush();
        }
        std::process::exit(0);
    });
    (server.run)(listener)
}
