//! Servers with a page end in order.

use sansocket::{Config, blocking};

use crate::server::Server;

/// Each with the path of its WebSocket, and what is said first.
const SERVERS: &[(&str, &str, Option<&str>)] = &[
    ("ticker", "compressed", None),
    ("http_vs_websocket", "websocket", None),
    ("collab", "room", Some(r#"{"hello":"Ada"}"#)),
    ("game", "arena", None),
    (
        "chat",
        "",
        Some(r#"{"type":"join","room":"a","name":"Ada"}"#),
    ),
];

#[test]
fn stop_closes_every_socket_with_1001() {
    for (name, path, greeting) in SERVERS {
        let server = Server::start(name);
        let url = format!("{}{path}", server.url);
        let mut ws = blocking::connect(url.as_str(), &Config::new()).unwrap();
        if let Some(greeting) = greeting {
            ws.send(*greeting).unwrap();
        }
        assert!(ws.next().unwrap().is_some(), "{name} is served");
        let stopping = std::thread::spawn(move || server.interrupt());
        while ws.next().unwrap().is_some() {}
        let outcome = ws.outcome().unwrap();
        assert_eq!((outcome.clean, outcome.code), (true, 1001.into()), "{name}");
        stopping.join().unwrap();
    }
}
