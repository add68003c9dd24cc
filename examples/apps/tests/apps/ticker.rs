//! Prices reach the page at their rate, and a slow subscriber skips to the newest.

use std::thread::sleep;
use std::time::Duration;

use sansocket::{Config, Message, blocking};

use crate::peers::{has_browser, is_missing, run_in_browser};
use crate::server::Server;

#[test]
fn page_shows_prices_and_what_compression_saves() {
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    let server = Server::start("ticker");
    run_in_browser("ticker.mjs", &[&server.page()]);
    server.interrupt();
}

/// The number of the tick that the prices are of.
fn tick(message: &Message) -> Option<u64> {
    let rest = message.as_text()?.strip_prefix(r#"{"tick":"#)?;
    rest.split(',').next()?.parse().ok()
}

fn next_tick(ws: &mut blocking::Client) -> u64 {
    loop {
        let message = ws.next().unwrap().expect("the market is open");
        if let Some(tick) = tick(&message) {
            return tick;
        }
    }
}

#[test]
fn slow_subscriber_skips_to_the_newest_prices() {
    let server = Server::start("ticker");
    let url = format!("{}plain", server.url);
    let connect = || blocking::connect(url.as_str(), &Config::new()).unwrap();
    let mut slow = connect();
    let first = next_tick(&mut slow);
    // 400 kB: more than the buffers of the two sockets hold.
    sleep(Duration::from_secs(6));
    let newest = next_tick(&mut connect());
    assert!(newest > first + 150, "from {first} to {newest}");
    let mut ticks = vec![first];
    while ticks.last() < Some(&newest) {
        ticks.push(next_tick(&mut slow));
    }
    let skipped = ticks.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(skipped > Some(50), "it skipped {skipped:?}");
}
