//! All servers, by their names, and the process of one.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::accept::{plain, secure};
use super::{blocking, cores, framework, obvious, polled, process, runtime};
use crate::measure;

/// A server, by its name.
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
    /// On tokio, behind a server of HTTP.
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

/// Each library in its best documented use. The limit of each runtime is an echo of
/// raw bytes.
pub static ECHO: &[Server] = &[
    server("raw std", Runtime::Std, blocking::raw),
    server("sansocket std", Runtime::Std, blocking::ours),
    server("tungstenite", Runtime::Std, blocking::tungstenite),
    server("raw mio", Runtime::Mio, polled::raw),
    server("sansocket mio", Runtime::Mio, polled::ours),
    tokio("raw tokio", runtime::raw),
    tokio("sansocket tokio", runtime::ours),
    tokio("sansocket tokio, no deadlines", runtime::ours_untimed),
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

/// With permessage-deflate.
pub static DEFLATE: &[Server] = &[
    tokio("sansocket tokio, deflate", runtime::ours_deflate),
    tokio("sockudo-ws, deflate", runtime::sockudo_deflate),
    tokio("yawc, deflate", runtime::yawc_deflate),
];

/// One message is received and sent back before the next is received.
pub static LOOP: &[Server] = &[
    tokio("sansocket tokio", obvious::ours),
    tokio("sansocket tokio, no deadlines", obvious::ours_untimed),
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

/// Only shakes hands.
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

/// The same over TLS.
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

/// All lists, by the names that a process is started with.
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

    /// The list that contains it.
    pub fn list(&self) -> &'static str {
        let mut lists = LISTS.iter();
        let found = lists.find(|(_, list)| list.iter().any(|server| std::ptr::eq(server, self)));
        found.map_or("", |(name, _)| name)
    }
}

/// What a server's process does besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extra {
    Nothing,
    /// Another task of its runtime waits with a timer.
    Timer,
    /// Counts the heap. It costs those time that allocate.
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

/// The process of a server: prints its address, serves until its standard input
/// ends, and for each line of that prints what it holds and used.
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
