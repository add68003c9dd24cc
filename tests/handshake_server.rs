//! The opening handshake of a server (§4.2): what it accepts, what it refuses
//! and with which status, and that nothing behind the head is lost or taken.

mod common;

use common::{END, config, every_cut, feed, wire};
use sansocket::{
    Config, Connection, Error, Event, HandshakeError, HeaderField, Input, Message, OriginPolicy,
    Request, RequestError, Response, Role, SendError,
};

const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The request with a part of it replaced.
fn with(part: &str, replacement: &str) -> Vec<u8> {
    assert!(REQUEST.contains(part), "{part:?}");
    REQUEST.replacen(part, replacement, 1).into_bytes()
}

/// The request with one more field.
fn with_field(field: &str) -> Vec<u8> {
    with("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"))
}

/// A server that received this request and owes the answer.
fn asked(bytes: &[u8], config: &Config) -> (Connection, Request) {
    let mut ws = Connection::server(config);
    let mut bytes = bytes.to_vec();
    match ws.receive(&mut Input::new(&mut bytes), &mut Vec::new()) {
        Some(Event::Request(request)) => (ws, request),
        event => panic!("{event:?}"),
    }
}

/// The status, the fields in small letters, and the body.
fn answer(out: &[u8]) -> (u16, String, String) {
    let out = core::str::from_utf8(out).expect("text");
    let (head, body) = out.split_once("\r\n\r\n").expect("a whole head");
    let status = head.strip_prefix("HTTP/1.1 ").expect("a status line");
    let status = status.get(..3).and_then(|code| code.parse().ok());
    (
        status.expect("a status"),
        format!("{}\r\n", head.to_lowercase()),
        body.into(),
    )
}

/// Is refused with this error and the status of it, whatever the cut.
fn assert_refuses(name: &str, bytes: &[u8], config: &Config, error: HandshakeError) {
    let told = every_cut(|| Connection::server(config), bytes);
    assert_eq!(told.events, [Event::Failed(error.into())], "{name}");
    let (status, head, body) = answer(&told.out);
    assert_eq!(status, error.status(), "{name}");
    assert!(head.contains("\r\nconnection: "), "{name}: {head}");
    assert!(head.contains("close\r\n"), "{name}: {head}");
    let len = format!("\r\ncontent-length: {}\r\n", body.len());
    assert!(head.contains(&len), "{name}: {head}");
    assert!(head.contains("\r\ncontent-type: text/plain"), "{name}");
    let needed: &[&str] = match status {
        405 => &["\r\nallow: get\r\n"],
        426 => &[
            "\r\nsec-websocket-version: 13\r\n",
            "\r\nupgrade: websocket\r\n",
        ],
        _ => &[],
    };
    assert!(
        needed.iter().all(|field| head.contains(field)),
        "{name}: {head}"
    );

    let mut ws = Connection::server(config);
    feed(&mut ws, [bytes]);
    assert!(ws.is_closed() && !ws.is_open(), "{name}");
    assert!(ws.outcome().is_some_and(|outcome| !outcome.clean), "{name}");
}

// Requirements 29 and 30: the right status for each fault.
#[test]
fn server_refuses_invalid_request() {
    use HandshakeError::*;
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let rows = [
        (
            "malformed head",
            with("Host:", "Ho st:"),
            MalformedHead,
            400,
        ),
        (
            "space before the colon",
            with("Host:", "Host :"),
            MalformedHead,
            400,
        ),
        (
            "folded line",
            with("Upgrade\r\n", "Upgrade,\r\n x\r\n"),
            MalformedHead,
            400,
        ),
        ("bare LF", with("com\r\n", "com\n"), MalformedHead, 400),
        (
            "bare CR",
            with("com\r\n", "com\rX: y\r\n"),
            MalformedHead,
            400,
        ),
        (
            "bare LF at the end",
            with("13\r\n\r\n", "13\r\n\n"),
            MalformedHead,
            400,
        ),
        (
            "bare LF before the head",
            with("GET", "\nGET"),
            MalformedHead,
            400,
        ),
        (
            "empty line before the head",
            with("GET", "\r\nGET"),
            MalformedHead,
            400,
        ),
        ("NUL in a value", with("com", "c\0m"), MalformedHead, 400),
        ("no name", with("Host:", ":"), MalformedHead, 400),
        ("no colon", with("Host: ", "Host "), MalformedHead, 400),
        (
            "two spaces in the request line",
            with("/chat", " /chat"),
            MalformedHead,
            400,
        ),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            MalformedHead,
            400,
        ),
        (
            "method is not GET",
            with("GET", "POST"),
            MethodNotAllowed,
            405,
        ),
        (
            "method in small letters",
            with("GET", "get"),
            MethodNotAllowed,
            405,
        ),
        ("method is HEAD", with("GET", "HEAD"), MethodNotAllowed, 405),
        ("HTTP/1.0", with("1.1", "1.0"), UnsupportedHttpVersion, 505),
        ("HTTP/2.0", with("1.1", "2.0"), UnsupportedHttpVersion, 505),
        (
            "target is not a path",
            with("/chat", "*"),
            InvalidTarget,
            400,
        ),
        (
            "target without a slash",
            with("/chat", "chat"),
            InvalidTarget,
            400,
        ),
        (
            "target in absolute form",
            with("/chat", "http://example.com/"),
            InvalidTarget,
            400,
        ),
        (
            "no Host",
            with("Host: example.com\r\n", ""),
            Missing(HeaderField::Host),
            400,
        ),
        (
            "two Hosts",
            with_field("Host: example.com"),
            Duplicate(HeaderField::Host),
            400,
        ),
        (
            "empty Host",
            with("example.com", ""),
            Invalid(HeaderField::Host),
            400,
        ),
        (
            "Host of a path",
            with("example.com", "a/b"),
            Invalid(HeaderField::Host),
            400,
        ),
        (
            "Host with user information",
            with("example.com", "a@b"),
            Invalid(HeaderField::Host),
            400,
        ),
        (
            "no Connection",
            with("Connection: Upgrade\r\n", ""),
            Missing(HeaderField::Connection),
            400,
        ),
        (
            "Connection without the token",
            with(": Upgrade", ": keep-alive"),
            Invalid(HeaderField::Connection),
            400,
        ),
        (
            "Connection with a longer token",
            with(": Upgrade", ": xUpgradex"),
            Invalid(HeaderField::Connection),
            400,
        ),
        ("no key", with(key, ""), Missing(HeaderField::Key), 400),
        (
            "two keys",
            with_field(key.trim_end()),
            Duplicate(HeaderField::Key),
            400,
        ),
        (
            "empty key",
            with("dGhlIHNhbXBsZSBub25jZQ==", ""),
            Invalid(HeaderField::Key),
            400,
        ),
        (
            "key of 15 bytes",
            with("jZQ==", "jZQ"),
            Invalid(HeaderField::Key),
            400,
        ),
        (
            "key of 17 bytes",
            with("jZQ==", "jZWU="),
            Invalid(HeaderField::Key),
            400,
        ),
        (
            "key is not base64",
            with("jZQ==", "j-_=="),
            Invalid(HeaderField::Key),
            400,
        ),
        (
            "no version",
            with("Sec-WebSocket-Version: 13\r\n", ""),
            Missing(HeaderField::Version),
            400,
        ),
        (
            "two versions",
            with_field("Sec-WebSocket-Version: 13"),
            Duplicate(HeaderField::Version),
            400,
        ),
        (
            "subprotocol is not a token",
            with_field("Sec-WebSocket-Protocol: a b"),
            Invalid(HeaderField::Subprotocol),
            400,
        ),
        (
            "empty subprotocol",
            with_field("Sec-WebSocket-Protocol: a,,b"),
            Invalid(HeaderField::Subprotocol),
            400,
        ),
        (
            "extension is not a token",
            with_field("Sec-WebSocket-Extensions: x y"),
            Invalid(HeaderField::Extensions),
            400,
        ),
        (
            "extension without a name",
            with_field("Sec-WebSocket-Extensions: ; a"),
            Invalid(HeaderField::Extensions),
            400,
        ),
        (
            "parameter without a name",
            with_field("Sec-WebSocket-Extensions: x; =1"),
            Invalid(HeaderField::Extensions),
            400,
        ),
        (
            "quoted parameter is not a token",
            with_field("Sec-WebSocket-Extensions: x; a=\"b c\""),
            Invalid(HeaderField::Extensions),
            400,
        ),
        (
            "body by length",
            with_field("Content-Length: 5"),
            Unexpected(HeaderField::ContentLength),
            400,
        ),
        (
            "body in chunks",
            with_field("Transfer-Encoding: chunked"),
            Unexpected(HeaderField::TransferEncoding),
            400,
        ),
        (
            "two Origins",
            with_field("Origin: http://example.com\r\nOrigin: http://evil.example"),
            Duplicate(HeaderField::Origin),
            400,
        ),
    ];
    assert!(rows.len() >= 40);
    for (name, bytes, error, status) in rows {
        assert_eq!(error.status(), status, "{name}");
        assert_refuses(name, &bytes, &config(), error);
    }
    // §8.1 for the handshake: httparse lets no such byte into a target.
    let mut bytes = REQUEST.as_bytes().to_vec();
    bytes[5] = 0xff;
    assert_refuses("target is not UTF-8", &bytes, &config(), MalformedHead);
}

#[test]
fn server_answers_plain_request_with_426() {
    let rows = [
        ("no Upgrade", with("Upgrade: websocket\r\n", "")),
        (
            "no fields but Host",
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        ),
        ("longer token", with(": websocket", ": websocketx")),
        ("other protocol", with(": websocket", ": h2c")),
        ("empty Upgrade", with(": websocket", ":")),
        (
            "POST of a form",
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n".to_vec(),
        ),
    ];
    for (name, bytes) in rows {
        let (mut ws, request) = asked(&bytes, &config());
        assert!(!request.is_upgrade(), "{name}");
        let mut out = Vec::new();
        ws.respond(request.accept(), &mut out).unwrap();
        let (status, head, _) = answer(&out);
        assert_eq!(status, 426, "{name}");
        assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
        assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
        assert!(
            head.contains("\r\nconnection: upgrade, close\r\n"),
            "{head}"
        );
        assert!(ws.is_closed() && !ws.is_open(), "{name}");
    }
}

// Requirements 29 and 30: names without case, lists of tokens.
#[test]
fn server_opens_on_valid_request() {
    let rows = [
        ("minimal", REQUEST.into()),
        ("Upgrade in capitals", with(": websocket", ": WebSocket")),
        (
            "Upgrade is a list",
            with(": websocket", ": h2c , websocket"),
        ),
        (
            "Connection is a list",
            with(": Upgrade", ": keep-alive, Upgrade"),
        ),
        (
            "Connection in two fields",
            with_field("Connection: keep-alive"),
        ),
        (
            "Connection in small letters",
            with(": Upgrade", ":\tupgrade\t"),
        ),
        (
            "names in small letters",
            REQUEST
                .to_lowercase()
                .replace("get /chat http", "GET /chat HTTP")
                .replace("dghlihnhbxbszsbub25jzq==", "dGhlIHNhbXBsZSBub25jZQ==")
                .into_bytes(),
        ),
        (
            "names in capitals",
            with("Sec-WebSocket-Key", "SEC-WEBSOCKET-KEY"),
        ),
        (
            "unknown fields",
            with_field("X-Unknown: \u{fc}\r\nCookie: a=b; c"),
        ),
        ("key with spaces around it", with("Key: ", "Key:   ")),
        ("Host with a port", with("example.com", "[::1]:9001")),
        ("query", with("/chat", "/?a=b%20c&d=\u{fc}")),
        (
            "several subprotocols",
            with_field("Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Protocol: c"),
        ),
        ("other order", {
            let (line, fields) = REQUEST.split_once("\r\n").unwrap();
            let mut fields: Vec<_> = fields.trim_end().split("\r\n").collect();
            fields.reverse();
            format!("{line}\r\n{}\r\n\r\n", fields.join("\r\n")).into_bytes()
        }),
    ];
    for (name, bytes) in rows {
        let told = every_cut(|| Connection::server(&config()), &bytes);
        let [Event::Request(request)] = &told.events[..] else {
            panic!("{name}: {:?}", told.events)
        };
        assert!(request.is_upgrade(), "{name}");
        assert_eq!(String::from_utf8(told.out).unwrap(), RESPONSE, "{name}");
        let mut ws = Connection::server(&config());
        feed(&mut ws, [&*bytes]);
        assert!(ws.is_open() && !ws.is_closed(), "{name}");
    }
}

#[test]
fn server_refuses_other_version() {
    for version in ["0", "8", "12", "14", "25", "13, 8", "013", "13a", ""] {
        let bytes = with("Version: 13", &format!("Version: {version}"));
        let error = HandshakeError::UnsupportedVersion;
        assert_refuses(version, &bytes, &config(), error);
        assert_eq!(error.status(), 426);
    }
}

// Requirement 40: pages of other sites are refused unless they are welcome.
#[test]
fn server_refuses_unwelcome_origin() {
    let list = || OriginPolicy::List(vec!["https://a.example".into()]);
    let rows = [
        (OriginPolicy::SameOrigin, Some("http://example.com"), true),
        (OriginPolicy::SameOrigin, Some("https://EXAMPLE.com"), true),
        (OriginPolicy::SameOrigin, Some("http://evil.example"), false),
        (
            OriginPolicy::SameOrigin,
            Some("http://example.com.evil.example"),
            false,
        ),
        (OriginPolicy::SameOrigin, Some("null"), false),
        (OriginPolicy::SameOrigin, Some(""), false),
        (OriginPolicy::SameOrigin, None, true),
        (list(), Some("https://a.example"), true),
        (list(), Some("http://a.example"), false),
        (list(), Some("http://example.com"), false),
        (list(), None, true),
        (OriginPolicy::Any, Some("http://evil.example"), true),
    ];
    for (policy, origin, is_welcome) in rows {
        let bytes = match origin {
            Some(origin) => with_field(&format!("Origin: {origin}")),
            None => REQUEST.into(),
        };
        let name = format!("{policy:?}: {origin:?}");
        let config = config().origin(policy);
        if is_welcome {
            assert!(asked(&bytes, &config).1.is_upgrade(), "{name}");
        } else {
            let error = HandshakeError::OriginNotAllowed;
            assert_refuses(&name, &bytes, &config, error);
            assert_eq!(error.status(), 403);
        }
    }
}

#[test]
fn server_sends_refusal_of_caller() {
    let redirect = || {
        Response::new(307)
            .header("Location", "wss://other.example/")
            .unwrap()
    };
    type Answer = fn(&Request) -> Response;
    let rows: [(Answer, &str); 3] = [
        (
            |request| request.reject(404),
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 14\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\r\n404 Not Found\n",
        ),
        (
            |request| {
                request
                    .reject(401)
                    .header("WWW-Authenticate", "Bearer")
                    .unwrap()
            },
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 17\r\n\
            Content-Type: text/plain; charset=utf-8\r\nWWW-Authenticate: Bearer\r\n\r\n\
            401 Unauthorized\n",
        ),
        (
            |_| Response::new(200).body("<p>"),
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n<p>",
        ),
    ];
    for (response, expected) in rows {
        let (mut ws, request) = asked(REQUEST.as_bytes(), &config());
        let mut out = Vec::new();
        ws.respond(response(&request), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(ws.is_closed() && !ws.is_open());
        assert_eq!(ws.send("x", &mut Vec::new()), Err(SendError::Closed));
        let again = ws.respond(request.accept(), &mut Vec::new());
        assert_eq!(again, Err(SendError::Closed));
    }
    let (mut ws, _) = asked(REQUEST.as_bytes(), &config());
    let mut out = Vec::new();
    ws.respond(redirect(), &mut out).unwrap();
    assert!(
        answer(&out)
            .1
            .contains("\r\nlocation: wss://other.example/\r\n")
    );
    let outcome = ws.outcome().unwrap();
    assert_eq!(outcome.cause, Some(HandshakeError::Refused(307).into()));
}

#[test]
fn server_chooses_only_offered_subprotocol() {
    let offer =
        with_field("Sec-WebSocket-Protocol: chat , super.chat\r\nSec-WebSocket-Protocol: last");
    let (mut ws, request) = asked(&offer, &config());
    assert!(request.subprotocols().eq(["chat", "super.chat", "last"]));
    let not_offered = |name: &str| Err(RequestError::SubprotocolNotOffered(name.into()));
    for name in ["other", "Chat", "chatx"] {
        assert_eq!(
            request.accept().subprotocol(name).map(drop),
            not_offered(name)
        );
    }
    let empty = request.accept().subprotocol("");
    assert_eq!(
        empty.map(drop),
        Err(RequestError::InvalidSubprotocol("".into()))
    );
    let mut out = Vec::new();
    ws.respond(request.accept().subprotocol("last").unwrap(), &mut out)
        .unwrap();
    assert!(
        answer(&out)
            .1
            .ends_with("\r\nsec-websocket-protocol: last\r\n")
    );
    assert_eq!(ws.subprotocol(), Some("last"));

    let (mut ws, request) = asked(&offer, &config());
    out.clear();
    ws.respond(request.accept(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), RESPONSE, "none was chosen");
    assert_eq!(ws.subprotocol(), None);

    let (_, request) = asked(REQUEST.as_bytes(), &config());
    assert_eq!(
        request.accept().subprotocol("chat").map(drop),
        not_offered("chat")
    );
    let refusal = request.reject(404).subprotocol("chat");
    assert_eq!(refusal.map(drop), not_offered("chat"));
}

#[test]
fn server_lists_no_extension() {
    let offers = [
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Extensions: foo, bar; baz=2; qux=\"x\"",
        "Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: bar",
    ];
    for offer in offers {
        let told = every_cut(|| Connection::server(&config()), &with_field(offer));
        assert_eq!(String::from_utf8(told.out).unwrap(), RESPONSE, "{offer}");
    }
}

#[test]
fn server_reads_nothing_behind_refusal() {
    let frames = wire(Role::Client).text("behind").close(1000, "").bytes();
    let bad = [with("Version: 13", "Version: 12"), frames.clone()].concat();
    let mut ws = Connection::server(&config());
    let told = feed(&mut ws, [&*bad, &frames, END]);
    let error = Error::from(HandshakeError::UnsupportedVersion);
    assert_eq!(told.events, [Event::Failed(error)]);
    assert_eq!(answer(&told.out).0, 426);
    assert!(
        told.out.ends_with(b"\n"),
        "no close frame behind the answer"
    );
    assert!(ws.is_closed());

    // Refused by the caller, with the frames in the same input.
    let mut bytes = [REQUEST.as_bytes(), &frames].concat();
    let (mut ws, mut out) = (Connection::server(&config()), Vec::new());
    let mut input = Input::new(&mut bytes);
    let Some(Event::Request(request)) = ws.receive(&mut input, &mut out) else {
        panic!("no request")
    };
    ws.respond(request.reject(403), &mut out).unwrap();
    assert_eq!(input.remaining(), frames, "they stay with the driver");
    let len = out.len();
    assert_eq!(ws.receive(&mut input, &mut out), None);
    assert_eq!(out.len(), len);
    assert!(
        input.remaining().is_empty(),
        "all is consumed after the end"
    );
}

// Requirement 20: what stands behind the head is read as frames.
#[test]
fn frames_behind_the_head_are_received_at_every_cut() {
    let frames = wire(Role::Client).text("one").binary(b"two").ping(b"three");
    let bytes = [REQUEST.as_bytes(), &frames.bytes()].concat();
    let told = every_cut(|| Connection::server(&config()), &bytes);
    let [Event::Request(_), rest @ ..] = &told.events[..] else {
        panic!("{:?}", told.events)
    };
    let expected = [
        Event::Message("one".into()),
        Event::Message(b"two".into()),
        Event::Ping(b"three".into()),
    ];
    assert_eq!(rest, expected);
    assert!(told.out.ends_with(b"\x8a\x05three"));
}

// Requirements 20 and 29: a plain request takes nothing of its body.
#[test]
fn bytes_behind_a_plain_request_stay_in_the_input() {
    let head = b"POST /form HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n";
    let bytes = [&head[..], b"name=body"].concat();
    for cut in 1..bytes.len() {
        let (mut first, mut second) = (bytes[..cut].to_vec(), bytes[cut..].to_vec());
        let (mut ws, mut out) = (Connection::server(&config()), Vec::new());
        let (mut request, mut left) = (None, Vec::new());
        for piece in [&mut first, &mut second] {
            let mut input = Input::new(piece);
            if let Some(Event::Request(received)) = ws.receive(&mut input, &mut out) {
                request = Some(received);
            }
            assert!(ws.receive(&mut input, &mut out).is_none());
            left.extend_from_slice(input.remaining());
        }
        let request = request.expect("a request");
        assert_eq!(request.method(), "POST");
        assert_eq!(request.target(), "/form");
        assert_eq!(request.host(), Some("h"));
        assert_eq!(request.headers().get("content-length"), Some(&b"9"[..]));
        assert_eq!(left, b"name=body", "cut at {cut}");
        assert!(out.is_empty());
    }
}

#[test]
fn request_tells_what_was_asked() {
    let fields = "Cookie: a=b\r\nX-Twice: 1\r\nx-twice: 2";
    let (_, request) = asked(&with_field(fields), &config());
    assert_eq!((request.method(), request.target()), ("GET", "/chat"));
    assert_eq!(request.host(), Some("example.com"));
    assert!(request.uri().is_none(), "it was received");
    assert_eq!(request.headers().get("cookie"), Some(&b"a=b"[..]));
    assert!(request.headers().get_all("X-TWICE").eq([b"1", b"2"]));
    assert_eq!(request.headers().len(), 8);
    assert_eq!(request.subprotocols().count(), 0);
}

// Requirement 21: limits that are exact.
#[test]
fn head_limits_hold_exactly() {
    let len = REQUEST.len();
    let fits = every_cut(
        || Connection::server(&config().max_head_len(len)),
        REQUEST.as_bytes(),
    );
    assert_eq!(String::from_utf8(fits.out).unwrap(), RESPONSE);
    let config_of = |len| config().max_head_len(len);
    let error = HandshakeError::HeadTooLong;
    assert_eq!(error.status(), 431);
    assert_refuses(
        "one byte more",
        REQUEST.as_bytes(),
        &config_of(len - 1),
        error,
    );

    let fields = 5;
    let fits = every_cut(
        || Connection::server(&config().max_headers(fields)),
        REQUEST.as_bytes(),
    );
    assert_eq!(String::from_utf8(fits.out).unwrap(), RESPONSE);
    let error = HandshakeError::TooManyHeaders;
    assert_eq!(error.status(), 431);
    assert_refuses(
        "one field more",
        REQUEST.as_bytes(),
        &config().max_headers(fields - 1),
        error,
    );

    let hundred = |fields| with_field(&vec!["A: b"; fields].join("\r\n"));
    assert!(asked(&hundred(95), &config()).1.is_upgrade());
    assert_refuses("101 fields", &hundred(96), &config(), error);
}

// Requirement 21: what is too long costs no more than the limit.
#[test]
fn endless_head_is_refused_at_the_limit() {
    let endless = vec![b'a'; 20_000_000];
    let bytes = [b"GET / HTTP/1.1\r\nX: ", &*endless].concat();
    let mut ws = Connection::server(&config());
    let told = feed(&mut ws, [&*bytes]);
    assert_eq!(told.error(), Some(HandshakeError::HeadTooLong.into()));
    assert_eq!(answer(&told.out).0, 431);
    assert!(ws.held_bytes() < 1024, "{}", ws.held_bytes());

    let mut ws = Connection::server(&config());
    for piece in bytes.chunks(1000).take(16) {
        assert!(feed(&mut ws, [piece]).events.is_empty());
        assert!(ws.held_bytes() <= 33 * 1024, "{}", ws.held_bytes());
    }
    assert!(feed(&mut ws, [&bytes[16_000..17_000]]).error().is_some());
}

// Requirement 21: one byte at a time is honest. Were each byte looked at again
// with the next, this would take hours.
#[test]
fn head_is_read_in_linear_time() {
    for len in [8 * 1024, 1024 * 1024] {
        let value = "v".repeat(len - REQUEST.len() - 5);
        let bytes = with_field(&format!("X: {value}"));
        assert_eq!(bytes.len(), len);
        let mut ws = Connection::server(&config().max_head_len(len));
        let told = feed(&mut ws, bytes.chunks(1));
        assert_eq!(String::from_utf8(told.out).unwrap(), RESPONSE);
    }
}

// No answer repeats what the peer sent: a page could be made of it.
#[test]
fn refusals_echo_nothing() {
    let evil = "<script>alert(1)</script>";
    let rows = [
        with("/chat", &format!("/ {evil}")),
        with("/chat", &format!("/{evil}\0")),
        with("GET", evil),
        with("Version: 13", &format!("Version: {evil}")),
        with("Host: example.com", &format!("Host: {evil}")),
        with_field(&format!("Sec-WebSocket-Protocol: {evil}")),
        with_field(&format!("Origin: {evil}")),
    ];
    for bytes in rows {
        let out = feed(&mut Connection::server(&config()), [&*bytes]).out;
        assert!(!out.escape_ascii().to_string().contains("script"));
    }
}

// Names that a peer makes up are data: none reaches a table.
#[test]
fn hostile_names_and_lists_are_data() {
    let many = |n| vec!["a; b=\"\\c\"; d"; n].join(", ");
    let lists = [
        "constructor, __proto__; hasOwnProperty=toString".into(),
        many(1000),
        format!("{}; x", "a".repeat(8000)),
    ];
    for list in lists {
        let bytes = with_field(&format!("Sec-WebSocket-Extensions: {list}"));
        let told = feed(&mut Connection::server(&config()), [&*bytes]);
        assert_eq!(String::from_utf8(told.out).unwrap(), RESPONSE);
    }
    // The end is wrong, and the way there is long.
    let list = format!("{}; =", many(1000));
    let bytes = with_field(&format!("Sec-WebSocket-Extensions: {list}"));
    let told = feed(&mut Connection::server(&config()), [&*bytes]);
    let error = HandshakeError::Invalid(HeaderField::Extensions);
    assert_eq!(told.error(), Some(error.into()));
}

#[test]
fn stream_that_ends_in_the_head_fails() {
    for cut in 0..REQUEST.len() {
        let mut ws = Connection::server(&config());
        let told = feed(&mut ws, [&REQUEST.as_bytes()[..cut], END]);
        assert_eq!(told.events, [Event::Failed(Error::UnexpectedEof)], "{cut}");
        assert!(told.out.is_empty(), "nobody reads an answer");
        assert!(ws.is_closed());
    }
}

// Requirement 19: what the caller adds to the response.
#[test]
fn fields_of_the_caller_are_added_to_the_response() {
    let (mut ws, request) = asked(REQUEST.as_bytes(), &config());
    let response = request
        .accept()
        .header("Set-Cookie", "a=b; HttpOnly")
        .and_then(|response| response.header("Set-Cookie", "c=d"))
        .unwrap();
    let mut out = Vec::new();
    ws.respond(response, &mut out).unwrap();
    let expected = RESPONSE.replace(
        "\r\n\r\n",
        "\r\nSet-Cookie: a=b; HttpOnly\r\nSet-Cookie: c=d\r\n\r\n",
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    for name in ["Sec-WebSocket-Accept", "upgrade", "Content-Length"] {
        let clash = request.accept().header(name, "x");
        assert_eq!(
            clash.map(drop),
            Err(RequestError::ReservedHeader(name.into()))
        );
    }
    let injected = request.accept().header("X", "a\r\nSet-Cookie: b");
    let error = RequestError::InvalidHeaderValue("X".into());
    assert_eq!(injected.map(drop), Err(error));
    assert!(ws.is_open());
    feed(&mut ws, [&*wire(Role::Client).text("x").bytes()]);
    assert_eq!(ws.send(Message::from("y"), &mut Vec::new()), Ok(()));
}
