//! Bytes that specifications print: what they mean, and that the same is
//! written. The frames are those of §5.7, the handshake that of §1.3.

use crate::drive::{every_cut, feed, open};
use crate::wire::{ROLES, config, peer_of};
use sansocket::frame::Opcode;
use sansocket::{
    ClientRequest, CloseCode, Config, Connection, Entropy, Event, Fragment, MessageKind,
    MessageRef, Role,
};

/// The key of the masked examples.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Masking keys are that of the RFC's examples, and so is the nonce.
fn config_of_the_rfc() -> Config {
    Config::new().with_entropy(Entropy::new(|bytes| {
        match bytes.len() {
            16 => bytes.copy_from_slice(b"the sample nonce"),
            _ => bytes.copy_from_slice(&KEY),
        }
        Ok(())
    }))
}

/// What one row expects of whoever receives the bytes.
enum Told {
    Text(&'static str),
    Binary(usize),
    Ping(&'static [u8]),
    Pong(&'static [u8]),
    Close(u16),
}

/// Name, bytes, events, output.
type Vector = (&'static str, Vec<u8>, Told, &'static [u8]);

/// What a server sends.
fn from_server() -> Vec<Vector> {
    let binary = |head: &[u8], len| [head, &vec![0xab; len]].concat();
    vec![
        (
            "single-frame text",
            b"\x81\x05Hello".to_vec(),
            Told::Text("Hello"),
            b"",
        ),
        (
            "fragmented text",
            b"\x01\x03Hel\x80\x02lo".to_vec(),
            Told::Text("Hello"),
            b"",
        ),
        (
            "unmasked ping",
            b"\x89\x05Hello".to_vec(),
            Told::Ping(b"Hello"),
            // The masked pong that §5.7 prints.
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        ),
        (
            "256 bytes",
            binary(b"\x82\x7e\x01\x00", 256),
            Told::Binary(256),
            b"",
        ),
        (
            "64 KiB",
            binary(b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65_536),
            Told::Binary(65_536),
            b"",
        ),
        (
            "close",
            b"\x88\x02\x03\xe8".to_vec(),
            Told::Close(1000),
            b"\x88\x82\x37\xfa\x21\x3d\x34\x12",
        ),
    ]
}

/// What a client sends.
fn from_client() -> Vec<Vector> {
    vec![
        (
            "single-frame masked text",
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(),
            Told::Text("Hello"),
            b"",
        ),
        (
            "masked pong",
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(),
            Told::Pong(b"Hello"),
            b"",
        ),
        (
            "masked close",
            b"\x88\x82\x37\xfa\x21\x3d\x34\x12".to_vec(),
            Told::Close(1000),
            b"\x88\x02\x03\xe8",
        ),
    ]
}

fn is_told(event: &Event<'_>, told: &Told) -> bool {
    match (event, told) {
        (Event::Message(message), Told::Text(text)) => *message == MessageRef::from(*text),
        (Event::Message(message), Told::Binary(len)) => {
            *message == MessageRef::from(vec![0xab; *len])
        }
        (Event::Ping(payload), Told::Ping(expected))
        | (Event::Pong(payload), Told::Pong(expected)) => payload == expected,
        (Event::Close(close), Told::Close(code)) => close.code == CloseCode::from(*code),
        _ => false,
    }
}

#[test]
fn vectors_hold_at_every_split() {
    for (role, vectors) in [(Role::Client, from_server()), (Role::Server, from_client())] {
        for (name, bytes, told, answer) in vectors {
            let start = || open(role, &config_of_the_rfc());
            // A cut in 64 KiB at every place would take too long.
            let transcript = if bytes.len() > 1000 {
                feed(&mut start(), bytes.chunks(1))
            } else {
                every_cut(start, &bytes)
            };
            let [event] = &transcript.events[..] else {
                panic!("{name}: {:?}", transcript.events)
            };
            assert!(is_told(event, &told), "{name}: {event:?}");
            assert_eq!(transcript.out, answer, "{name}");

            let (mut ws, mut out) = (open(peer_of(role), &config_of_the_rfc()), Vec::new());
            match told {
                _ if name == "fragmented text" => {
                    ws.send_fragment(Fragment::more("Hel"), &mut out).unwrap();
                    ws.send_fragment(Fragment::last("lo"), &mut out).unwrap();
                }
                Told::Text(text) => ws.send(text, &mut out).unwrap(),
                Told::Binary(len) => ws.send(vec![0xab; len], &mut out).unwrap(),
                Told::Ping(payload) => ws.ping(payload, &mut out).unwrap(),
                Told::Pong(payload) => ws.pong(payload, &mut out).unwrap(),
                Told::Close(code) => ws.close(code, "", &mut out).unwrap(),
            }
            assert_eq!(out, bytes, "{name}");
        }
    }
}

#[test]
fn header_is_written_for_payload_that_is_sent_elsewhere() {
    for role in ROLES {
        let (mut ws, mut out) = (open(role, &config_of_the_rfc()), Vec::new());
        let key = ws.send_header(MessageKind::Text, 5, &mut out).unwrap();
        let mut payload = *b"Hello";
        key.inspect(|key| key.apply(&mut payload));
        out.extend(payload);
        let expected = match role {
            Role::Server => &from_server()[0].1,
            Role::Client => &from_client()[0].1,
        };
        assert_eq!(out, *expected);
    }
}

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

#[test]
fn handshake_of_the_rfc() {
    let request = "GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Origin: http://example.com\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\r\n";
    let made = ClientRequest::to("ws://server.example.com/chat")
        .and_then(|request| request.with_origin("http://example.com"))
        .and_then(|request| {
            request
                .with_subprotocol("chat")?
                .with_subprotocol("superchat")
        })
        .unwrap();
    let mut out = Vec::new();
    let mut client = Connection::client(&made, &config_of_the_rfc(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), request);
    feed(&mut client, [RESPONSE.as_bytes()]);
    assert_eq!(client.subprotocol(), Some("chat"));

    let origins = sansocket::OriginPolicy::list(["http://example.com"]).unwrap();
    let (mut server, mut out) = (
        Connection::server(&config().with_origin(origins)),
        Vec::new(),
    );
    let mut bytes = request.as_bytes().to_vec();
    let event = server.receive(&mut sansocket::Input::new(&mut bytes), &mut out);
    let Some(Event::Request(received)) = event else {
        panic!("{event:?}")
    };
    let response = received.accept().with_subprotocol("chat").unwrap();
    server.respond(response, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), RESPONSE);
    assert_eq!(server.subprotocol(), Some("chat"));
}

#[test]
fn accept_of_known_keys() {
    let known = [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("wDqumtseNBJdhkihL6PW7w==", "0FFP+2nmNIf/h+4BP36k9uzrYGk="),
    ];
    for (key, accept) in known {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let told = every_cut(|| Connection::server(&config()), request.as_bytes());
        let out = String::from_utf8(told.out).unwrap();
        assert!(
            out.contains(&format!("\r\nSec-WebSocket-Accept: {accept}\r\n")),
            "{out}"
        );
    }
}

#[test]
fn opcodes_are_those_of_the_registry() {
    let opcodes = [
        (Opcode::Continuation, 0x80),
        (Opcode::Text, 0x81),
        (Opcode::Binary, 0x82),
        (Opcode::Close, 0x88),
        (Opcode::Ping, 0x89),
        (Opcode::Pong, 0x8a),
    ];
    for (opcode, first) in opcodes {
        assert_eq!(
            crate::wire::wire(Role::Server)
                .frame(opcode, true, b"")
                .bytes(),
            [first, 0]
        );
    }
}
