//! Any response, in any pieces: same events; what opens keeps the rules of §4.1.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::Event;
use sansocket_fuzz::head::Head;
use sansocket_fuzz::{ACCEPT, Cuts, client, config, feed, with_lines};

fuzz_target!(|data: (Cuts, Option<Head<'_>>, &[u8])| {
    let (cuts, head, bytes) = data;
    let mut bytes = with_lines(bytes);
    bytes.splice(..0, head.map_or_else(Vec::new, |head| head.response()));
    let whole = feed(&mut client(&config()), [&*bytes, &[]]);
    let pieces = cuts.split(&bytes).into_iter().chain([&[][..]]);
    assert_eq!(whole, feed(&mut client(&config()), pieces));
    match whole.events.first() {
        Some(Event::Open(response)) => {
            let accepts: Vec<_> = response.headers().get_all("Sec-WebSocket-Accept").collect();
            assert_eq!(response.status(), 101);
            assert_eq!(accepts, [ACCEPT.as_bytes()]);
            assert!(matches!(response.subprotocol(), None | Some("echo")));
        }
        Some(Event::Refused(response)) => assert_ne!(response.status(), 101),
        _ => {}
    }
});
