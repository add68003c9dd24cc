//! How often a handshake asks for memory.

use crate::allocator::measure;
use crate::wire::config;
use sansocket::{ClientRequest, Connection, Event, Input};

const MINIMAL: &[u8] = b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const BROWSER: &[u8] = b"GET /chat?room=12 HTTP/1.1\r\nHost: chat.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Sec-WebSocket-Version: 13\r\nOrigin: http://chat.example.com\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nSec-Fetch-Dest: empty\r\n\
    Sec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\nPragma: no-cache\r\n\
    Cache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

// One allocation is the state before the connection is open, and one is the head.
#[test]
fn server_allocates_twice_in_a_handshake() {
    let config = config();
    for head in [MINIMAL, BROWSER] {
        let (mut buf, mut out) = (head.to_vec(), Vec::with_capacity(512));
        let (ws, used) = measure(|| {
            let mut ws = Connection::server(&config);
            let event = ws.receive(&mut Input::new(&mut buf), &mut out);
            let Some(Event::Request(request)) = event else {
                panic!("{event:?}")
            };
            assert_eq!(request.path(), "/chat");
            assert_eq!(request.headers().get("upgrade"), Some(&b"websocket"[..]));
            ws.respond(request.accept(), &mut out).expect("a request");
            ws
        });
        assert!(ws.is_open());
        assert!(used.calls <= 2, "{used:?}");
        assert_eq!(used.held, 0, "{used:?}");
    }
}

// One allocation is the state before the connection is open; the head and the response
// that is kept take one each.
#[test]
fn client_allocates_three_times_in_a_handshake() {
    let (config, mut request) = (config(), Vec::with_capacity(512));
    let to = ClientRequest::to("ws://example.com/").expect("a URI");
    let mut ws = None;
    let ((), used) = measure(|| ws = Connection::client(&to, &config, &mut request).ok());
    assert!(used.calls <= 1, "{used:?}");

    let (mut server, mut out) = (Connection::server(&config), Vec::with_capacity(512));
    let event = server.receive(&mut Input::new(&mut request), &mut out);
    let Some(Event::Request(request)) = event else {
        panic!("{event:?}")
    };
    server
        .respond(request.accept(), &mut out)
        .expect("a request");
    let mut ws = ws.expect("randomness");
    let (event, used) = measure(|| ws.receive(&mut Input::new(&mut out), &mut Vec::new()));
    assert!(matches!(event, Some(Event::Open(_))), "{event:?}");
    assert!(used.calls <= 2, "{used:?}");
}
