//! The example servers outlive a flood of connections that takes all of their
//! descriptors: nobody is dropped, the processor is idle meanwhile, and new
//! connections are accepted later.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use sansocket::adapter::Connector;
use sansocket::blocking::{Client, Socket, connect_on};
use sansocket::{Config, Event};

use crate::server::Server;

/// Each with the path of its WebSocket, and a message that is answered.
const SERVERS: &[(&str, &str, &str)] = &[
    ("echo_server", "", "hello"),
    ("sans_io_server", "", "hello"),
    ("mio_echo", "", "hello"),
    ("io_uring", "", "hello"),
    ("echo_tokio", "", "hello"),
    ("broadcast", "", "hello"),
    ("echo_smol", "", "hello"),
    ("hyper", "", "hello"),
    ("socketio", "socket.io/?EIO=4&transport=websocket", ""),
    ("ticker", "compressed", ""),
    ("http_vs_websocket", "websocket", ""),
    ("collab", "room", r#"{"hello":"Ada"}"#),
    ("game", "arena", ""),
    ("chat", "", r#"{"type":"join","room":"a","name":"Ada"}"#),
];

/// More than a server needs to start.
const DESCRIPTORS: usize = 48;

/// What exceeds them fits into the listen backlog.
const FLOOD: usize = 64;

fn flood(name: &str, path: &str, greeting: &str) {
    let log = env::temp_dir().join(format!("sansocket-{name}-{}.log", std::process::id()));
    let server = Server::start_limited(name, DESCRIPTORS, &log);
    let url = format!("{}{path}", server.url);
    let addr = server.url.split('/').nth(2).expect("an authority");
    let connect = || TcpStream::connect(addr).expect("the backlog is longer");
    let mut old = open(connect(), &url, greeting);

    let flood: Vec<_> = (0..FLOOD).map(|_| connect()).collect();
    let waiting = connect();
    wait_for_pause(&log);

    let before = cpu_time(&server);
    thread::sleep(Duration::from_secs(1));
    let used = cpu_time(&server) - before;
    // Less than half, since the servers of a group share the processors.
    assert!(used < Duration::from_millis(250), "{name} spins: {used:?}");
    assert_alive(&mut old);

    drop(flood);
    drop(open(waiting, &url, greeting));
    drop(open(connect(), &url, greeting));
    assert_alive(&mut old);
    assert_eq!(pauses(&log), 1, "{name} says it once");
    fs::remove_file(log).expect("made above");
}

/// Opens a WebSocket, and waits for a message.
fn open(stream: TcpStream, url: &str, greeting: &str) -> Client {
    let connector = Connector::new(&Config::new());
    let mut ws = connect_on(stream, Socket::tcp(), url, &connector).expect("it is served");
    if !greeting.is_empty() {
        ws.send(greeting).expect("it is open");
    }
    assert!(ws.next().expect("it is open").is_some());
    ws
}

/// Pings, and waits for the pong among what is sent.
fn assert_alive(ws: &mut Client) {
    ws.ping(b"old").expect("it is open");
    loop {
        match ws.next_event().expect("it is open") {
            Some(Event::Pong(_)) => return,
            event => assert!(event.is_some(), "it is open"),
        }
    }
}

/// What the server used of a processor, by proc_pid_stat(5).
fn cpu_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u64 = ticks
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum();
    // USER_HZ is 100 on all usual machines.
    Duration::from_millis(ticks * 10)
}

fn wait_for_pause(log: &Path) {
    let start = Instant::now();
    while pauses(log) == 0 && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(20));
    }
}

fn pauses(log: &Path) -> usize {
    let log = fs::read_to_string(log).expect("made above");
    log.matches("new connections must wait").count()
}

#[test]
fn servers_outlive_running_out_of_descriptors() {
    let mut failed = Vec::new();
    for group in SERVERS.chunks(5) {
        let floods: Vec<_> = group
            .iter()
            .map(|&(name, path, hello)| (name, thread::spawn(move || flood(name, path, hello))))
            .collect();
        let ended = floods.into_iter();
        failed.extend(ended.filter_map(|(name, flood)| flood.join().err().map(|_| name)));
    }
    assert!(failed.is_empty(), "{failed:?}");
}
