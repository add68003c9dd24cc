//! Players see each other move, and one who does not read is dropped.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use sansocket::adapter::Connector;
use sansocket::blocking::{self, Socket, connect_on};
use sansocket::{Config, Message};

use crate::peers::{has_browser, is_missing, run_in_browser};
use crate::server::Server;

#[test]
fn tabs_see_each_other_move() {
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    let server = Server::start("game");
    run_in_browser("game.mjs", &[&server.page()]);
    server.interrupt();
}

/// How many players a state has.
fn players(message: &Message) -> u8 {
    message.as_bytes()[2]
}

#[test]
fn player_who_does_not_read_is_dropped_and_hurts_nobody() {
    let server = Server::start("game");
    let url = format!("{}arena", server.url);
    let connect = || blocking::connect(url.as_str(), &Config::new()).unwrap();
    let mut fast = connect();
    // With a small buffer it takes less time.
    let addr = fast.stream().tcp().peer_addr().unwrap();
    let stream = TcpStream::connect(addr).unwrap();
    let small = socket2::SockRef::from(&stream).set_recv_buffer_size(4096);
    small.unwrap();
    let connector = Connector::new(&Config::new());
    let slow = connect_on(stream, Socket::tcp(), url.as_str(), &connector).unwrap();

    let mut next = || fast.next().unwrap().expect("the game goes on");
    assert_eq!(next(), Message::from("1"));
    while players(&next()) < 2 {}
    let (start, mut states) = (Instant::now(), 0);
    while players(&next()) == 2 {
        states += 1;
        // Less than the write deadline, which would do it too.
        assert!(start.elapsed() < Duration::from_secs(25), "it stays");
    }
    let rate = f64::from(states) / start.elapsed().as_secs_f64();
    println!("{rate:.1} states a second");
    assert!(start.elapsed() > Duration::from_secs(1), "dropped at once");
    assert!(rate > 20.0 && rate < 62.0, "{rate} states a second");
    drop(slow);
}
