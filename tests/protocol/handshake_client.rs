//! The opening handshake of a client (§4.1): the request that it sends, the
//! responses that it believes, and what it hands over of a refusal.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::drive::{END, Transcript, every_cut, feed};
use crate::wire::{config, wire};
use sansocket::{
    Answer, ClientRequest, Config, Connection, ConnectionError, Entropy, Event, Fragment,
    HandshakeError, HeaderField, Input, MessageKind, NoEntropy, Prepared, RedirectError,
    RequestError, Response, Role, SendError, UriError,
};

/// What a server answers to the nonce that `config` draws.
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: pT25h6EVFbWDyyinkmTBvzUVxQo=\r\n\r\n";

fn client_of(request: &ClientRequest, config: &Config) -> (Connection, Vec<u8>) {
    let mut out = Vec::new();
    let ws = Connection::client(request, config, &mut out).expect("randomness");
    (ws, out)
}

/// A client that offered the subprotocols `chat` and `echo`.
fn client() -> Connection {
    let request = ClientRequest::to("ws://example.com/chat").unwrap();
    let request = request.with_subprotocol("chat").unwrap();
    client_of(&request.with_subprotocol("echo").unwrap(), &config()).0
}

/// The response with a part of it replaced.
fn with(part: &str, replacement: &str) -> Vec<u8> {
    assert!(RESPONSE.contains(part), "{part:?}");
    RESPONSE.replacen(part, replacement, 1).into_bytes()
}

/// The response with one more field.
fn with_field(field: &str) -> Vec<u8> {
    with("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"))
}

// Requirement 30: names and tokens without case, lists of tokens.
#[test]
fn client_opens_on_valid_response() {
    let rows = [
        ("minimal", RESPONSE.into(), None),
        (
            "other phrase",
            with("Switching Protocols", "Well, OK"),
            None,
        ),
        ("no phrase", with(" Switching Protocols", ""), None),
        (
            "Upgrade in capitals",
            with(": websocket", ": WebSocket"),
            None,
        ),
        (
            "Connection is a list",
            with(": Upgrade", ": keep-alive, upgrade"),
            None,
        ),
        (
            "names in small letters",
            with("Sec-WebSocket-Accept", "sec-websocket-accept"),
            None,
        ),
        ("names in capitals", with("Upgrade:", "UPGRADE:"), None),
        (
            "spaces around Accept",
            with("=\r\n\r\n", "= \t\r\n\r\n"),
            None,
        ),
        (
            "unknown fields",
            with_field("Server: \u{fc}\r\nDate: today"),
            None,
        ),
        (
            "first subprotocol",
            with_field("Sec-WebSocket-Protocol: chat"),
            Some("chat"),
        ),
        (
            "second subprotocol",
            with_field("sec-websocket-protocol:echo"),
            Some("echo"),
        ),
        // RFC 9112 §6.3: a 1xx response ends at the empty line.
        ("length of zero", with_field("Content-Length: 0"), None),
        ("length", with_field("Content-Length: 5"), None),
        (
            "two lengths",
            with_field("Content-Length: 5\r\nContent-Length: x"),
            None,
        ),
        ("chunks", with_field("Transfer-Encoding: chunked"), None),
        (
            "empty extensions",
            with_field("Sec-WebSocket-Extensions: "),
            None,
        ),
        (
            "no extensions",
            with_field("Sec-WebSocket-Extensions: , ,"),
            None,
        ),
    ];
    for (name, bytes, subprotocol) in rows {
        let told = every_cut(client, &bytes);
        let [Event::Open(response)] = &told.events[..] else {
            panic!("{name}: {:?}", told.events)
        };
        assert_eq!(response.status(), 101, "{name}");
        assert_eq!(response.subprotocol(), subprotocol, "{name}");
        assert!(response.headers().get("UPGRADE").is_some(), "{name}");
        let mut ws = client();
        feed(&mut ws, [&*bytes]);
        assert!(ws.is_open(), "{name}");
        assert_eq!(ws.subprotocol(), subprotocol, "{name}");
        assert!(told.out.is_empty(), "{name}");
    }
}

// Requirement 20: what follows the head is read as frames.
#[test]
fn frames_behind_the_head_are_received_at_every_cut() {
    let frames = wire(Role::Server).text("one").binary(b"two").ping(b"three");
    let bytes = [RESPONSE.as_bytes(), &frames.bytes()].concat();
    let told = every_cut(client, &bytes);
    let [Event::Open(_), rest @ ..] = &told.events[..] else {
        panic!("{:?}", told.events)
    };
    let expected = [
        Event::Message("one".into()),
        Event::Message(b"two".into()),
        Event::Ping(b"three".into()),
    ];
    assert_eq!(rest, expected);
}

#[test]
fn client_refuses_invalid_uri() {
    let rows = [
        ("", UriError::UnknownScheme),
        ("example.com", UriError::UnknownScheme),
        ("http://example.com/", UriError::UnknownScheme),
        ("ws:/example.com/", UriError::UnknownScheme),
        ("ws://", UriError::InvalidHost),
        ("ws:///chat", UriError::InvalidHost),
        ("ws://[::1/", UriError::InvalidHost),
        ("ws://a:b:c/", UriError::InvalidPort),
        ("ws://h:0/", UriError::InvalidPort),
        ("ws://h:65536/", UriError::InvalidPort),
        ("ws://h:http/", UriError::InvalidPort),
        ("ws://h/#fragment", UriError::Fragment),
        ("ws://user:secret@h/", UriError::UserInformation),
        ("ws://h/a b", UriError::InvalidCharacter),
        ("ws://h/a\r\nX: y", UriError::InvalidCharacter),
        ("ws://h/\0", UriError::InvalidCharacter),
        ("ws://h/\u{fc}", UriError::InvalidCharacter),
        ("ws://h/secret<1>", UriError::InvalidCharacter),
        ("ws://h/{a}", UriError::InvalidCharacter),
        ("ws://h/?a|b", UriError::InvalidCharacter),
        ("ws://a\\b/", UriError::InvalidCharacter),
        ("ws://h/%zz", UriError::InvalidEscape),
        ("ws://h/?%2", UriError::InvalidEscape),
    ];
    for (uri, error) in rows {
        let made = ClientRequest::to(uri).map(drop);
        assert_eq!(made, Err(error.into()), "{uri}");
    }
}

#[cfg(feature = "std")]
#[test]
fn client_reports_transport_that_does_not_open() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let connected = sansocket::blocking::connect(format!("ws://{addr}/"), &config());
    let Err(sansocket::Error::Connect { step, error }) = connected else {
        panic!("{connected:?}")
    };
    assert_eq!(step, sansocket::adapter::ConnectStep::Tcp);
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

// Requirement 19: what is added is part of a complete request.
#[test]
fn client_sends_complete_request() {
    let request = ClientRequest::to("ws://example.com:9001/chat?room=1")
        .unwrap()
        .with_header("Authorization", "Bearer secret")
        .unwrap()
        .with_cookie("session", "42")
        .unwrap()
        .with_subprotocol("chat.v2")
        .unwrap()
        .with_origin("http://example.com:9001")
        .unwrap()
        .with_cookie("theme", "dark")
        .unwrap()
        .with_subprotocol("chat.v1")
        .unwrap()
        .with_header("X-Twice", "1")
        .unwrap()
        .with_header("X-Twice", b"\xff2")
        .unwrap();
    let (_, out) = client_of(&request, &config());
    let expected = b"GET /chat?room=1 HTTP/1.1\r\n\
        Host: example.com:9001\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: KioqKioqKioqKioqKioqKg==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Authorization: Bearer secret\r\n\
        Cookie: session=42; theme=dark\r\n\
        Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n\
        Origin: http://example.com:9001\r\n\
        X-Twice: 1\r\n\
        X-Twice: \xff2\r\n\r\n";
    assert_eq!(
        out.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );

    let told = feed(&mut Connection::server(&config()), [&*out]);
    let [Event::Request(received)] = &told.events[..] else {
        panic!("{:?}", told.events)
    };
    assert!(received.is_upgrade());
    assert_eq!(received.target(), "/chat?room=1");
    assert!(received.subprotocols().eq(["chat.v2", "chat.v1"]));
    assert_eq!(told.out, RESPONSE.as_bytes());
}

// Requirement 19: a header that the handshake writes is named.
#[test]
fn clashing_and_malformed_fields_are_named() {
    let request = || ClientRequest::to("ws://h/").unwrap();
    let reserved = [
        "Host",
        "upgrade",
        "CONNECTION",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Whatever",
        "Content-Length",
        "Transfer-Encoding",
    ];
    for name in reserved {
        let clash = request().with_header(name, "x");
        assert_eq!(
            clash.map(drop),
            Err(RequestError::ReservedHeader(name.into()))
        );
    }
    for name in ["", "a b", "a:", "a\r\n", "\u{fc}", "a\0"] {
        let error = RequestError::InvalidHeaderName(name.into());
        assert_eq!(request().with_header(name, "x").map(drop), Err(error));
    }
    for value in ["a\r\nX: y", "a\n", "\r", "\0", "\x7f", "\x01"] {
        let error = Err(RequestError::InvalidHeaderValue("X-Mine".into()));
        assert_eq!(request().with_header("X-Mine", value).map(drop), error);
        let error = Err(RequestError::InvalidHeaderValue("Origin".into()));
        assert_eq!(request().with_origin(value).map(drop), error);
        assert!(request().with_cookie("a", value).is_err());
        assert!(request().with_cookie(value, "a").is_err());
    }
    for (name, value) in [
        ("", "x"),
        ("a b", "x"),
        ("a", "x;y"),
        ("a", "x y"),
        ("a", "\"x\""),
    ] {
        assert!(
            request().with_cookie(name, value).is_err(),
            "{name}={value}"
        );
    }
    assert!(request().with_header("X", "tab\tand \u{fc}").is_ok());
}

// Requirement 38: the Host of IPv6 and of other ports.
#[test]
fn client_writes_target_and_host_of_uri() {
    let rows = [
        ("ws://example.com", "/", "example.com"),
        ("ws://example.com?a=b", "/?a=b", "example.com"),
        ("ws://example.com:80/", "/", "example.com"),
        ("ws://example.com:443/", "/", "example.com:443"),
        ("wss://example.com:443/a/b", "/a/b", "example.com"),
        ("wss://example.com:80/", "/", "example.com:80"),
        ("ws://[2001:db8::1]:9001/x", "/x", "[2001:db8::1]:9001"),
        ("wss://[::1]/", "/", "[::1]"),
        ("ws://127.0.0.1:9001/%20", "/%20", "127.0.0.1:9001"),
    ];
    for (uri, target, host) in rows {
        let (_, out) = client_of(&ClientRequest::to(uri).unwrap(), &config());
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n");
        assert!(
            out.starts_with(head.as_bytes()),
            "{uri}: {}",
            out.escape_ascii()
        );
    }
}

/// The key in a request.
fn key_of(out: &[u8]) -> &str {
    let head = core::str::from_utf8(out).unwrap();
    let (_, key) = head.split_once("Sec-WebSocket-Key: ").expect("a key");
    key.split_once("\r\n").expect("a line").0
}

#[test]
fn client_draws_nonce_for_each_connection() {
    let request = ClientRequest::to("ws://h/").unwrap();
    #[cfg(feature = "std")]
    {
        let draw = || client_of(&request, &Config::new()).1;
        let (first, second) = (draw(), draw());
        assert_eq!(key_of(&first).len(), 24);
        assert!(key_of(&first).ends_with("=="), "16 bytes");
        assert_ne!(key_of(&first), key_of(&second));
    }
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let counting = Config::new().with_entropy(Entropy::new(|bytes| {
        bytes.fill_with(|| COUNT.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }));
    let drawn = client_of(&request, &counting).1;
    assert_eq!(key_of(&drawn), "AAECAwQFBgcICQoLDA0ODw==");
    assert_eq!(COUNT.load(Ordering::Relaxed), 16, "and no more");

    let failing = Config::new().with_entropy(Entropy::new(|_| Err(NoEntropy)));
    let mut out = Vec::new();
    let refused = Connection::client(&request, &failing, &mut out).map(drop);
    assert_eq!(refused, Err(SendError::NoEntropy));
    assert!(out.is_empty());
}

#[test]
fn client_refuses_invalid_subprotocol() {
    let request = || ClientRequest::to("ws://h/").unwrap();
    for name in [
        "", "a b", "a,b", "a;b", "a/b", "\"a\"", "a\r\n", "\u{fc}", "a\x7f", "{a}",
    ] {
        let error = RequestError::InvalidSubprotocol(name.into());
        assert_eq!(request().with_subprotocol(name).map(drop), Err(error));
    }
    let twice = request()
        .with_subprotocol("a")
        .unwrap()
        .with_subprotocol("a");
    assert_eq!(
        twice.map(drop),
        Err(RequestError::DuplicateSubprotocol("a".into()))
    );
    let two = request()
        .with_subprotocol("a")
        .unwrap()
        .with_subprotocol("A");
    assert!(two.unwrap().subprotocols().eq(["a", "A"]));
}

#[test]
fn client_sends_nothing_before_response() {
    let (mut ws, mut out) = client_of(&ClientRequest::to("ws://h/").unwrap(), &config());
    let request = out.clone();
    let half = RESPONSE.as_bytes().split_at(40).0;
    for piece in [&b""[..], half] {
        if !piece.is_empty() {
            assert_eq!(feed(&mut ws, [piece]), Transcript::default());
        }
        let refused = Err(SendError::NotOpen);
        assert_eq!(ws.send("x", &mut out), refused);
        assert_eq!(ws.send_fragment(Fragment::more("x"), &mut out), refused);
        let header = ws.send_header(MessageKind::Text, 1, &mut out);
        assert_eq!(header.map(drop), refused);
        assert_eq!(ws.send_prepared(&Prepared::new("x"), &mut out), refused);
        assert_eq!(ws.share_prepared(&Prepared::new("x")).map(drop), refused);
        assert_eq!(ws.ping(b"", &mut out), refused);
        assert_eq!(ws.pong(b"", &mut out), refused);
        assert_eq!(ws.close(1000, "", &mut out), refused);
        assert_eq!(out, request);
    }
}

/// Name, bytes, status, a field, body, whether the stream's end belongs to it,
/// whether the body is cut off.
type Refusal<'b> = (
    &'b str,
    String,
    u16,
    (&'b str, &'b str),
    &'b str,
    bool,
    bool,
);

fn refusals() -> Vec<Refusal<'static>> {
    vec![
        (
            "401 in chunks",
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"x\"\r\n\
            Transfer-Encoding: chunked\r\n\r\n\
            7;ext=1\r\n{\"no\":1\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n"
                .into(),
            401,
            ("www-authenticate", "Bearer realm=\"x\""),
            "{\"no\":1}",
            false,
            false,
        ),
        (
            "429 with a length",
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nslow down".into(),
            429,
            ("Retry-After", "7"),
            "slow down",
            false,
            false,
        ),
        (
            "503 of HTTP/1.0",
            "HTTP/1.0 503 Service Unavailable\r\nServer: old\r\n\r\n<h1>down</h1>".into(),
            503,
            ("Server", "old"),
            "<h1>down</h1>",
            true,
            false,
        ),
        (
            "301 without a body",
            "HTTP/1.1 301 Moved Permanently\r\nLocation: wss://h/\r\nContent-Length: 0\r\n\r\n".into(),
            301,
            ("Location", "wss://h/"),
            "",
            false,
            false,
        ),
        (
            "204",
            "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n".into(),
            204,
            ("X", "y"),
            "",
            false,
            false,
        ),
        (
            "200 of a web server",
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi".into(),
            200,
            ("Content-Type", "text/html"),
            "hi",
            false,
            false,
        ),
        (
            "length beyond the end of the stream",
            "HTTP/1.1 500 Oops\r\nX: y\r\nContent-Length: 100\r\n\r\nshort".into(),
            500,
            ("X", "y"),
            "short",
            true,
            true,
        ),
        (
            "equal lengths",
            "HTTP/1.1 403 Forbidden\r\nX: y\r\nContent-Length: 3\r\nContent-Length: 3, 3\r\n\r\nabc".into(),
            403,
            ("X", "y"),
            "abc",
            false,
            false,
        ),
        (
            "chunk of no number",
            "HTTP/1.1 500 Oops\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n".into(),
            500,
            ("X", "y"),
            "ok",
            false,
            true,
        ),
    ]
}

// Requirement 18: a refusal with its status, fields and body, at every cut.
#[test]
fn client_hands_over_refusal() {
    for (name, bytes, status, (field, value), body, needs_end, is_truncated) in refusals() {
        let mut whole = client();
        let told = feed(&mut whole, [bytes.as_bytes(), END]);
        let [Event::Refused(response), Event::Failed(error)] = &told.events[..] else {
            panic!("{name}: {:?}", told.events)
        };
        assert_eq!(*error, HandshakeError::Refused(status).into(), "{name}");
        assert_eq!(response.status(), status, "{name}");
        assert_eq!(
            response.headers().get(field),
            Some(value.as_bytes()),
            "{name}"
        );
        assert_eq!(response.body(), body.as_bytes(), "{name}");
        assert_eq!(response.is_truncated(), is_truncated, "{name}");
        assert!(told.out.is_empty(), "{name}");
        assert!(whole.is_closed() && !whole.is_open(), "{name}");
        for cut in 1..bytes.len() {
            let (first, second) = bytes.as_bytes().split_at(cut);
            let halves = feed(&mut client(), [first, second, END]);
            assert_eq!(halves, told, "{name}, cut at {cut}");
        }
        let bytewise = feed(&mut client(), bytes.as_bytes().chunks(1).chain([END]));
        assert_eq!(bytewise, told, "{name}");
        let without_end = feed(&mut client(), [bytes.as_bytes()]);
        assert_eq!(without_end.events.is_empty(), needs_end, "{name}");
    }
}

// A body of which nobody knows the end is given up, and the status is kept.
#[test]
fn refusal_of_an_invalid_length_keeps_its_status() {
    for lengths in ["3\r\nContent-Length: 4", "3, 4", "x", "-1", ""] {
        let bytes = format!("HTTP/1.1 403 Forbidden\r\nX: y\r\nContent-Length: {lengths}\r\n\r\n");
        let told = every_cut(client, bytes.as_bytes());
        let [Event::Refused(response), Event::Failed(error)] = &told.events[..] else {
            panic!("{lengths}: {:?}", told.events)
        };
        assert_eq!(*error, HandshakeError::Refused(403).into(), "{lengths}");
        assert_eq!((response.status(), response.header("x")), (403, Some("y")));
        assert!(
            response.is_truncated() && response.body().is_empty(),
            "{lengths}"
        );
        let told = feed(
            &mut client(),
            [[bytes.as_bytes(), b"abc"].concat().as_slice(), END],
        );
        assert!(
            matches!(told.events[..], [Event::Refused(_), _]),
            "{lengths}"
        );
    }
}

/// The refusal that a client receives.
fn refused(bytes: &str) -> Response {
    let told = feed(&mut client(), [bytes.as_bytes(), END]);
    match told.events.into_iter().next() {
        Some(Event::Refused(response)) => response,
        event => panic!("{event:?}"),
    }
}

#[test]
fn response_is_shown_as_text() {
    let response =
        refused("HTTP/1.1 403 F\r\nX-Text: a\r\nX-Bytes: \u{fc}\r\nContent-Length: 3\r\n\r\nno!");
    let shown = format!("{response:?}");
    assert!(
        shown.contains("status: 403") && shown.contains("body: \"no!\""),
        "{shown}"
    );
    assert_eq!(response.header("x-text"), Some("a"));
    assert_eq!(response.header("X-Bytes"), None);
    assert_eq!(response.body(), b"no!");
}

/// What a server writes for this answer to an upgrade.
fn written(answer: Answer) -> (String, bool) {
    let mut request = Vec::new();
    let to = ClientRequest::to("ws://h/").unwrap();
    Connection::client(&to, &config(), &mut request).unwrap();
    let (mut ws, mut out) = (Connection::server(&config()), Vec::new());
    ws.receive(&mut Input::new(&mut request), &mut out);
    ws.respond(answer, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), ws.is_open())
}

// RFC 9110 §7.6.1: a gateway passes on what is meant for the client alone.
#[test]
fn gateway_forwards_end_to_end_fields() {
    let received = refused(
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\
        Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n\
        X-End: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nTE: trailers\r\nTrailer: X\r\n\
        Upgrade: h2c\r\nProxy-Authenticate: Basic\r\nSec-WebSocket-Version: 13\r\n\
        Content-Type: text/plain\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let (out, is_open) = written(Answer::forwarding(&received));
    assert_eq!(
        out,
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 3\r\n\
        X-End: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Type: text/plain\r\n\r\nabc"
    );
    assert!(!is_open);
    let length = refused("HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nabc");
    let (out, _) = written(Answer::forwarding(&length));
    assert!(
        out.contains("\r\nContent-Length: 3\r\n") && out.ends_with("\r\n\r\nabc"),
        "{out}"
    );

    let opened = feed(&mut client(), [RESPONSE.as_bytes()]).events;
    let [Event::Open(opened)] = &opened[..] else {
        panic!("{opened:?}")
    };
    for response in [
        opened,
        &refused("HTTP/1.1 999 Odd\r\nX: y\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let (out, is_open) = written(Answer::forwarding(response));
        assert!(
            out.starts_with("HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n"),
            "{out}"
        );
        assert!(
            !out.contains("Sec-WebSocket") && !out.contains("X: y"),
            "{out}"
        );
        assert!(!is_open);
    }
}

// Secrets stay with the server that they are meant for.
#[test]
fn redirect_keeps_fields_from_other_servers() {
    let moved = |location: &str| {
        refused(&format!(
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        ))
    };
    let base = ClientRequest::to("wss://example.com/a")
        .and_then(|request| request.with_header("Authorization", "Bearer secret"))
        .and_then(|request| request.with_cookie("id", "secret"))
        .and_then(|request| request.with_header("X-Api-Key", "secret"))
        .and_then(|request| request.with_header("X-Trace", "42"))
        .and_then(|request| request.with_subprotocol("token.secret"))
        .and_then(|request| request.with_origin("https://example.com"))
        .unwrap()
        .with_redirected_header("x-trace");
    for here in ["/b", "wss://EXAMPLE.com/b", "https://example.com:443/b"] {
        let next = base.redirected(&moved(here)).unwrap();
        assert_eq!(next.uri().resource_name(), "/b", "{here}");
        assert_eq!(next.headers(), base.headers(), "{here}");
    }
    let elsewhere = [
        "wss://other.example/",
        "wss://example.com:444/",
        "//sub.example.com/",
    ];
    for location in elsewhere {
        let next = base.redirected(&moved(location)).unwrap();
        let fields: Vec<_> = next.headers().iter().collect();
        assert_eq!(fields, [("X-Trace", &b"42"[..])], "{location}");
        assert_eq!(next.subprotocols().count(), 0, "{location}");
        // And they do not come back.
        let back = next.redirected(&moved("wss://example.com/")).unwrap();
        assert_eq!(back.headers().len(), 1, "{location}");
    }
    let next = base
        .clone()
        .with_redirected_header("Sec-WebSocket-Protocol")
        .with_redirected_header("Origin")
        .redirected(&moved("wss://other.example/"))
        .unwrap();
    assert_eq!(next.headers().len(), 3);
    assert!(next.subprotocols().eq(["token.secret"]));

    assert_eq!(
        base.redirected(&moved("http://example.com/")),
        Err(RedirectError::Downgrade)
    );
    for bytes in [
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert_eq!(
            base.redirected(&refused(bytes)),
            Err(RedirectError::NotARedirect)
        );
    }
    let invalid = base.redirected(&moved("wss://other.example/%zz"));
    assert_eq!(
        invalid,
        Err(RedirectError::InvalidLocation(
            UriError::InvalidEscape.into()
        ))
    );
}

// Requirement 18: the body is bounded, exactly.
#[test]
fn body_of_a_refusal_is_bounded() {
    let request = ClientRequest::to("ws://h/").unwrap();
    let limited = config().with_max_body_len(4);
    let rows = [
        ("Content-Length: 4", "four", "four", false),
        ("Content-Length: 5", "fiver", "five", true),
        (
            "Content-Length: 9223372036854775807",
            "endless",
            "endl",
            true,
        ),
        (
            "Transfer-Encoding: chunked",
            "2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n",
            "four",
            false,
        ),
        (
            "Transfer-Encoding: chunked",
            "2\r\nfi\r\n3\r\nver\r\n0\r\n\r\n",
            "five",
            true,
        ),
        ("X: y", "four", "four", false),
        ("X: y", "fiver", "five", true),
    ];
    for (field, body, expected, is_truncated) in rows {
        let bytes = format!("HTTP/1.1 403 Forbidden\r\n{field}\r\n\r\n{body}");
        let pieces: Vec<_> = bytes.as_bytes().chunks(1).chain([END]).collect();
        for pieces in [vec![bytes.as_bytes(), END], pieces] {
            let told = feed(&mut client_of(&request, &limited).0, pieces);
            let Some(Event::Refused(response)) = told.events.first() else {
                panic!("{field}: {:?}", told.events)
            };
            assert_eq!(response.body(), expected.as_bytes(), "{field}");
            assert_eq!(response.is_truncated(), is_truncated, "{field}");
        }
    }
}

#[test]
fn client_fails_invalid_response() {
    use HandshakeError::*;
    let accept = "pT25h6EVFbWDyyinkmTBvzUVxQo=";
    let other = |value: &str| with(accept, value);
    let rows = [
        (
            "malformed head",
            with("Upgrade:", "Up grade:"),
            MalformedHead,
        ),
        ("no status", with("101", "abc"), MalformedHead),
        ("status of four digits", with("101", "1010"), MalformedHead),
        (
            "bare LF",
            with("Protocols\r\n", "Protocols\n"),
            MalformedHead,
        ),
        (
            "folded line",
            with("websocket\r\n", "websocket\r\n ,x\r\n"),
            MalformedHead,
        ),
        ("no HTTP", with("HTTP", "SSH"), UnsupportedHttpVersion),
        ("HTTP/1.0", with("1.1", "1.0"), UnsupportedHttpVersion),
        (
            "no Upgrade",
            with("Upgrade: websocket\r\n", ""),
            Missing(HeaderField::Upgrade),
        ),
        (
            "other Upgrade",
            with("websocket", "h2c"),
            Invalid(HeaderField::Upgrade),
        ),
        (
            "longer Upgrade",
            with("websocket", "xwebsocketx"),
            Invalid(HeaderField::Upgrade),
        ),
        (
            "no Connection",
            with("Connection: Upgrade\r\n", ""),
            Missing(HeaderField::Connection),
        ),
        (
            "Connection without the token",
            with(": Upgrade", ": close"),
            Invalid(HeaderField::Connection),
        ),
        (
            "no Accept",
            with(&format!("Sec-WebSocket-Accept: {accept}\r\n"), ""),
            Missing(HeaderField::Accept),
        ),
        (
            "other Accept",
            other("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            Invalid(HeaderField::Accept),
        ),
        (
            "Accept in other case",
            other(&accept.to_uppercase()),
            Invalid(HeaderField::Accept),
        ),
        (
            "shorter Accept",
            other(&accept[..27]),
            Invalid(HeaderField::Accept),
        ),
        (
            "longer Accept",
            other(&format!("{accept}=")),
            Invalid(HeaderField::Accept),
        ),
        (
            "huge Accept",
            other(&accept.repeat(100)),
            Invalid(HeaderField::Accept),
        ),
        ("empty Accept", other(""), Invalid(HeaderField::Accept)),
        (
            "two Accepts",
            with_field(&format!("Sec-WebSocket-Accept: {accept}")),
            Duplicate(HeaderField::Accept),
        ),
        (
            "extension not offered",
            with_field("Sec-WebSocket-Extensions: permessage-deflate"),
            ExtensionNotOffered,
        ),
        (
            "quoted parameter is not a token",
            with_field("Sec-WebSocket-Extensions: x; a=\"b c\""),
            ExtensionNotOffered,
        ),
        (
            "subprotocol not offered",
            with_field("Sec-WebSocket-Protocol: other"),
            SubprotocolNotOffered,
        ),
        (
            "subprotocol in other case",
            with_field("Sec-WebSocket-Protocol: Chat"),
            SubprotocolNotOffered,
        ),
        (
            "empty subprotocol",
            with_field("Sec-WebSocket-Protocol:"),
            SubprotocolNotOffered,
        ),
        (
            "two subprotocols",
            with_field("Sec-WebSocket-Protocol: chat, echo"),
            SubprotocolNotOffered,
        ),
        (
            "two subprotocol fields",
            with_field("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: echo"),
            Duplicate(HeaderField::Subprotocol),
        ),
        (
            "empty line before the head",
            with("HTTP", "\r\nHTTP"),
            MalformedHead,
        ),
        (
            "too many fields",
            with_field(&vec!["A: b"; 98].join("\r\n")),
            TooManyHeaders,
        ),
        (
            "too long",
            with_field(&format!("A: {}", "b".repeat(16 * 1024))),
            HeadTooLong,
        ),
        (
            "subprotocol is not UTF-8",
            {
                let mut bytes = with_field("Sec-WebSocket-Protocol: chat!");
                let at = bytes.iter().position(|byte| *byte == b'!').unwrap();
                bytes[at] = 0xff;
                bytes
            },
            SubprotocolNotOffered,
        ),
    ];
    for (name, bytes, error) in rows {
        let told = if bytes.len() > 1000 {
            feed(&mut client(), bytes.chunks(1))
        } else {
            every_cut(client, &bytes)
        };
        assert_eq!(told.events, [Event::Failed(error.into())], "{name}");
        assert!(told.out.is_empty(), "{name}");
        let mut ws = client();
        feed(
            &mut ws,
            [
                &*bytes,
                wire(Role::Server).text("behind").bytes().as_slice(),
            ],
        );
        assert!(ws.is_closed() && !ws.is_open(), "{name}");
        assert!(ws.outcome().is_some_and(|outcome| !outcome.clean), "{name}");
    }
}

#[test]
fn status_that_merely_contains_101_is_a_refusal() {
    for status in ["HTTP/1.1 200 101", "HTTP/1.1 404 HTTP/1.1 101"] {
        let bytes = with("HTTP/1.1 101", status);
        let told = feed(&mut client(), [&*bytes, END]);
        assert!(matches!(told.events[0], Event::Refused(_)), "{status}");
    }
}

#[test]
fn informational_response_is_no_answer() {
    // RFC 9110 §15.2: a client may get 1xx responses before the final one.
    let bytes = ["HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", RESPONSE].concat();
    let told = every_cut(client, bytes.as_bytes());
    assert!(
        matches!(told.events[..], [Event::Open(_)]),
        "{:?}",
        told.events
    );
}

#[test]
fn stream_that_ends_in_the_head_fails() {
    for cut in 0..RESPONSE.len() {
        let mut ws = client();
        let told = feed(&mut ws, [&RESPONSE.as_bytes()[..cut], END]);
        assert_eq!(
            told.events,
            [Event::Failed(ConnectionError::UnexpectedEof)],
            "{cut}"
        );
        assert!(told.out.is_empty() && ws.is_closed(), "{cut}");
    }
}

#[test]
fn request_is_told_before_it_is_sent() {
    let request = ClientRequest::to("wss://example.com:8443/a?b").unwrap();
    let uri = request.uri();
    assert_eq!(
        (uri.host(), uri.port(), uri.is_secure()),
        ("example.com", 8443, true)
    );
    assert_eq!(uri.resource_name(), "/a?b");
    assert_eq!(uri.authority(), "example.com:8443");
    let mut bytes = RESPONSE.as_bytes().to_vec();
    let (mut ws, mut out) = client_of(&request, &config());
    out.clear();
    let event = ws.receive(&mut Input::new(&mut bytes), &mut out);
    assert!(matches!(event, Some(Event::Open(_))));
}
