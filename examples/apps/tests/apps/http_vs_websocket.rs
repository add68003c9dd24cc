//! What the ways cost, by the program's own client and by a browser.

use std::process::{Command, Stdio};

use crate::peers::{has_browser, is_missing, run_in_browser};
use crate::server::{Server, example};

#[test]
fn table_shows_the_bytes_of_each_way() {
    let output = Command::new(example("http_vs_websocket"))
        .args(["127.0.0.1:0", "--headless"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let number = |way: &str, column: usize| {
        let row = table.lines().find_map(|line| line.strip_prefix(way));
        let cell = row.and_then(|row| row.split_whitespace().nth(column));
        cell.and_then(|cell| cell.parse::<f64>().ok())
            .expect(&table)
    };
    let bytes = |way| number(way, 1);
    // A frame has a header of 2 bytes, a line an end of 1.
    let payload = number("WebSocket", 2);
    assert!((bytes("WebSocket") - payload - 2.0).abs() < 0.3, "{table}");
    assert!((bytes("TCP") - payload - 1.0).abs() < 0.3, "{table}");
    assert!(bytes("server-sent events") > bytes("WebSocket"), "{table}");
    for way in ["polling", "long polling"] {
        // A machine that is slow has several updates in an answer.
        assert!(bytes(way) > 2.0 * bytes("WebSocket"), "{table}");
        assert!(number(way, 5) > 10.0, "{table}");
    }
    assert_eq!((number("WebSocket", 5), number("TCP", 5)), (1.0, 0.0));
}

#[test]
fn page_measures_each_way() {
    if is_missing("Chromium or Node ws", has_browser()) {
        return;
    }
    let server = Server::start("http_vs_websocket");
    run_in_browser("http_vs_websocket.mjs", &[&server.page()]);
    server.interrupt();
}
