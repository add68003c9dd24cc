//! Any request, in any pieces: same events; an upgrade keeps the rules of §4.2.1.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::{Connection, Event, Request};
use sansocket_fuzz::head::Head;
use sansocket_fuzz::{Cuts, config, feed, with_lines};

/// The value of a field that occurs once.
fn only<'r>(request: &'r Request, name: &'r str) -> &'r [u8] {
    let values: Vec<_> = request.headers().get_all(name).collect();
    assert_eq!(values.len(), 1, "{name}");
    values[0]
}

fuzz_target!(|data: (Cuts, Option<Head<'_>>, &[u8])| {
    let (cuts, head, bytes) = data;
    let mut bytes = with_lines(bytes);
    bytes.splice(..0, head.map_or_else(Vec::new, |head| head.request()));
    let whole = feed(&mut Connection::server(&config()), [&*bytes, &[]]);
    let pieces = cuts.split(&bytes).into_iter().chain([&[][..]]);
    let pieces = feed(&mut Connection::server(&config()), pieces);
    assert_eq!(whole, pieces);
    if let Some(Event::Request(request)) = whole.events.first()
        && request.is_upgrade()
    {
        assert_eq!(request.method(), "GET");
        assert!(request.path().starts_with('/'));
        assert!(request.host().is_some_and(|host| !host.is_empty()));
        assert!(!only(request, "Host").is_empty());
        assert_eq!(only(request, "Sec-WebSocket-Version"), b"13");
        assert_eq!(only(request, "Sec-WebSocket-Key").len(), 24);
        assert!(whole.out.starts_with(b"HTTP/1.1 101 "));
    }
    // One line of a log, whatever was received.
    if let Some(Event::Rejected(rejection)) = whole.events.first() {
        assert!(!rejection.to_string().contains(char::is_control));
        assert!(
            whole
                .out
                .starts_with(format!("HTTP/1.1 {} ", rejection.status()).as_bytes())
        );
    }
});
