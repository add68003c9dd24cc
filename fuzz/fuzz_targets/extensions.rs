//! Any `Sec-WebSocket-Extensions`, in both roles: a server answers what a
//! client of any settings then accepts, and neither ever promises more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket::{ClientRequest, Connection, ConnectionError, Event, HandshakeError};
use sansocket_fuzz::{Compression, config, feed};

fuzz_target!(|data: (Compression, Compression, &[u8])| {
    let (ours, theirs, list) = data;
    // Pieces of lists, in place of single bytes: no fuzzer finds the names.
    let list = sansocket_fuzz::with_parameters(list);
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: "
        .to_vec();
    head.extend(&list);
    head.extend(b"\r\n\r\n");
    let config = config()
        .with_max_head_len(usize::MAX)
        .with_deflate(ours.options());
    let answer = feed(&mut Connection::server(&config), [&*head]);
    assert!(!answer.out.starts_with(b"HTTP/1.1 5"));

    let mut head =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: pT25h6EVFbWDyyinkmTBvzUVxQo=\r\nSec-WebSocket-Extensions: "
            .to_vec();
    head.extend(&list);
    head.extend(b"\r\n\r\n");
    let mut client = sansocket_fuzz::client(&config);
    match feed(&mut client, [&*head]).events.last() {
        Some(Event::Open(_)) => {}
        Some(Event::Failed(ConnectionError::Handshake(HandshakeError::Refused(_)))) => {
            unreachable!()
        }
        Some(Event::Failed(ConnectionError::Handshake(_))) | None => {}
        other => panic!("{other:?}"),
    }

    // Any client and any server of ours agree.
    let theirs = config.clone().with_deflate(theirs.options());
    let (request, mut asked) = (ClientRequest::to("ws://h/").expect("a URI"), Vec::new());
    let mut client = Connection::client(&request, &theirs, &mut asked).expect("entropy");
    let mut server = Connection::server(&config);
    let answer = feed(&mut server, [&*asked]).out;
    feed(&mut client, [&*answer]);
    assert!(client.is_open() && server.is_open());
    assert!(client.deflate().is_some());
    assert_eq!(client.deflate(), server.deflate());
});
