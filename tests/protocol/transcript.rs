//! A whole connection, byte by byte, as a program without randomness of its own
//! has it.

use sansocket::{ClientRequest, CloseCode, Config, Connection, Entropy, Event, Input};

/// The masking key of RFC 6455 §5.7, four times as the nonce of the request.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FROM_CLIENT: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: N/ohPTf6IT03+iE9N/ohPQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\
    \x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\
    \x88\x82\x37\xfa\x21\x3d\x34\x12";

const FROM_SERVER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: 7Ubo2JRe6fIuZAdGHq7kDA4XEQ0=\r\n\r\n\
    \x81\x05Hello\x88\x02\x03\xe8";

/// Passes what was written to the other side; keeps all of it.
fn pass(
    ws: &mut Connection,
    bytes: &mut Vec<u8>,
    all: &mut Vec<u8>,
    out: &mut Vec<u8>,
    mut handle: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>),
) {
    all.extend_from_slice(bytes);
    let mut input = Input::new(bytes);
    while let Some(event) = ws.receive(&mut input, out) {
        handle(ws, event, out);
    }
    bytes.clear();
}

// Requirement 37: the same randomness makes the same bytes.
#[test]
fn given_randomness_makes_the_same_transcript() {
    let config = Config::new().with_entropy(Entropy::new(|bytes| {
        for (byte, key) in bytes.iter_mut().zip(KEY.iter().cycle()) {
            *byte = *key;
        }
        Ok(())
    }));
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    let to = ClientRequest::to("ws://example.com/chat").expect("a URI");
    let mut client = Connection::client(&to, &config, &mut to_server).expect("randomness");
    let mut server = Connection::server(&config);
    while !server.is_closed() {
        pass(
            &mut server,
            &mut to_server,
            &mut from_client,
            &mut to_client,
            |ws, event, out| match event {
                Event::Request(request) => ws.respond(request.accept(), out).expect("valid"),
                Event::Message(message) => ws.send(message, out).expect("open"),
                _ => {}
            },
        );
        pass(
            &mut client,
            &mut to_client,
            &mut from_server,
            &mut to_server,
            |ws, event, out| match event {
                Event::Open(_) => ws.send("Hello", out).expect("open"),
                Event::Message(_) => ws.close(CloseCode::NORMAL, "", out).expect("open"),
                _ => {}
            },
        );
    }
    assert_eq!(
        from_client.escape_ascii().to_string(),
        FROM_CLIENT.escape_ascii().to_string()
    );
    assert_eq!(
        from_server.escape_ascii().to_string(),
        FROM_SERVER.escape_ascii().to_string()
    );
}
