//! The opening handshake of a server (§4.2): what it accepts, what it refuses
//! and with which status, and that nothing after the head is lost or taken.

use crate::drive::{END, every_cut, feed};
use crate::wire::{config, wire};
use sansocket::{
    Answer, Config, Connection, ConnectionError, Event, HandshakeError, HeaderField, Hosts, Input,
    Message, OriginPolicy, Rejection, Request, RequestError, Role, SendError,
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

/// A server that received this request and has not answered it.
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

/// The rejection, which the failure follows.
fn rejection<'e>(events: &'e [Event<'static>]) -> &'e Rejection {
    match events {
        [Event::Rejected(rejection), Event::Failed(error)]
            if *error == rejection.error().into() =>
        {
            rejection
        }
        events => panic!("{events:?}"),
    }
}

/// Is refused with this error and the status of it, whatever the cut.
fn assert_refuses(name: &str, bytes: &[u8], config: &Config, error: HandshakeError) {
    let told = every_cut(|| Connection::server(config), bytes);
    let rejection = rejection(&told.events);
    assert_eq!(rejection.error(), error, "{name}");
    assert_eq!(rejection.status(), error.status(), "{name}");
    assert!(
        rejection
            .request()
            .is_none_or(|request| !request.is_upgrade())
    );
    let (status, head, body) = answer(&told.out);
    assert_eq!(status, error.status(), "{name}");
    assert!(head.contains("\r\nconnection: "), "{name}: {head}");
    assert!(head.contains("close\r\n"), "{name}: {head}");
    if rejection.method() == Some("HEAD") {
        assert!(body.is_empty(), "{name}");
    } else {
        let len = format!("\r\ncontent-length: {}\r\n", body.len());
        assert!(head.contains(&len), "{name}: {head}");
        assert!(body.ends_with(&format!(": {error}\n")), "{name}: {body}");
    }
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
            "two empty lines before the head",
            with("GET", "\r\n\r\nGET"),
            MalformedHead,
            400,
        ),
        (
            "bare CR before the head",
            with("GET", "\rGET"),
            MalformedHead,
            400,
        ),
        (
            "bare LF after an empty line",
            with("GET", "\r\n\nGET"),
            MalformedHead,
            400,
        ),
        (
            "space in the target",
            with("/chat", "/a b"),
            MalformedHead,
            400,
        ),
        (
            "version without a minor number",
            with("1.1", "2"),
            MalformedHead,
            400,
        ),
        ("no version", with(" HTTP/1.1", ""), MalformedHead, 400),
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
        ("HTTP/1.2", with("1.1", "1.2"), UnsupportedHttpVersion, 505),
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
            "target of another scheme",
            with("/chat", "ftp://example.com/"),
            InvalidTarget,
            400,
        ),
        (
            "target with a fragment",
            with("/chat", "/chat#part"),
            InvalidTarget,
            400,
        ),
        (
            "absolute target with a fragment",
            with("/chat", "http://example.com#part"),
            InvalidTarget,
            400,
        ),
        (
            "absolute target with user information",
            with("/chat", "http://user@example.com/"),
            InvalidTarget,
            400,
        ),
        (
            "absolute target without a host",
            with("/chat", "http:///chat"),
            InvalidTarget,
            400,
        ),
        (
            "absolute target with an invalid port",
            with("/chat", "http://example.com:x/"),
            InvalidTarget,
            400,
        ),
        (
            "absolute target, no Host",
            with(
                "/chat HTTP/1.1\r\nHost: example.com",
                "http://example.com/ HTTP/1.1",
            ),
            Missing(HeaderField::Host),
            400,
        ),
        (
            "absolute target, invalid Host",
            with(
                "/chat HTTP/1.1\r\nHost: ",
                "http://example.com/ HTTP/1.1\r\nHost: a/",
            ),
            Invalid(HeaderField::Host),
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
            "Host with a port of letters",
            with("example.com", "example.com:http"),
            Invalid(HeaderField::Host),
            400,
        ),
        (
            "Host with a port above 65535",
            with("example.com", "example.com:65536"),
            Invalid(HeaderField::Host),
            400,
        ),
        (
            "Host of a port",
            with("example.com", ":80"),
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
            "two lengths of zero and one",
            with_field("Content-Length: 0\r\nContent-Length: 1"),
            Invalid(HeaderField::ContentLength),
            400,
        ),
        (
            "length that is not a number",
            with_field("Content-Length: +0"),
            Invalid(HeaderField::ContentLength),
            400,
        ),
        (
            "body in chunks, length of zero",
            with_field("Content-Length: 0\r\nTransfer-Encoding: chunked"),
            Unexpected(HeaderField::TransferEncoding),
            400,
        ),
        (
            "plain request with two lengths",
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
                .to_vec(),
            Invalid(HeaderField::ContentLength),
            400,
        ),
        (
            "plain request with a fragment",
            b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
            InvalidTarget,
            400,
        ),
        (
            "plain request without a path",
            b"GET a HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
            InvalidTarget,
            400,
        ),
        (
            "plain request without a Host",
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            Missing(HeaderField::Host),
            400,
        ),
        (
            "HTTP/1.0 with two Hosts",
            b"GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n".to_vec(),
            Duplicate(HeaderField::Host),
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
        // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is
        // received in an HTTP/1.0 request".
        ("upgrade of HTTP/1.0", with("1.1", "1.0")),
        (
            "HTTP/1.0 without a Host",
            b"OPTIONS / HTTP/1.0\r\n\r\n".to_vec(),
        ),
        (
            "asterisk",
            b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        ),
        (
            "CONNECT",
            b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n".to_vec(),
        ),
        (
            "empty line before the head",
            b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        ),
        (
            "equal lengths",
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\n"
                .to_vec(),
        ),
    ];
    for (name, bytes) in rows {
        let told = every_cut(|| Connection::server(&config()), &bytes);
        assert!(matches!(told.events[..], [Event::Request(_)]), "{name}");
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
            "Host with an empty port",
            with("example.com", "example.com:"),
        ),
        ("empty line before the head", with("GET", "\r\nGET")),
        ("length of zero", with_field("Content-Length: 0")),
        (
            "lengths of zero",
            with_field("Content-Length: 0, 0\r\nContent-Length: 0"),
        ),
        ("absolute target", with("/chat", "http://example.com/chat")),
        (
            "absolute target of wss",
            with("/chat", "WSS://example.com:443/chat"),
        ),
        (
            "absolute target without a path",
            with("/chat", "http://example.com"),
        ),
        (
            "absolute target of a query",
            with("/chat", "ws://example.com?a=b"),
        ),
        (
            "empty elements of subprotocols",
            with_field("Sec-WebSocket-Protocol: a,, b,"),
        ),
        ("empty subprotocols", with_field("Sec-WebSocket-Protocol:")),
        ("empty extensions", with_field("Sec-WebSocket-Extensions: ")),
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
    let list = || OriginPolicy::list(["https://a.example"]).unwrap();
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
        let config = config().with_origin(policy);
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
        Answer::new(307)
            .with_header("Location", "wss://other.example/")
            .unwrap()
    };
    type Decide = fn(&Request) -> Answer;
    let rows: [(Decide, &str); 3] = [
        (
            |request| request.reject(404),
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 14\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\r\n404 Not Found\n",
        ),
        (
            |request| {
                request
                    .reject(401)
                    .with_header("WWW-Authenticate", "Bearer")
                    .unwrap()
            },
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 17\r\n\
            Content-Type: text/plain; charset=utf-8\r\nWWW-Authenticate: Bearer\r\n\r\n\
            401 Unauthorized\n",
        ),
        (
            |_| Answer::new(200).with_body("<p>"),
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
            request.accept().with_subprotocol(name).map(drop),
            not_offered(name)
        );
    }
    let empty = request.accept().with_subprotocol("");
    assert_eq!(
        empty.map(drop),
        Err(RequestError::InvalidSubprotocol("".into()))
    );
    let mut out = Vec::new();
    ws.respond(request.accept().with_subprotocol("last").unwrap(), &mut out)
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
        request.accept().with_subprotocol("chat").map(drop),
        not_offered("chat")
    );
    let refusal = request.reject(404).with_subprotocol("chat");
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
    let error = ConnectionError::from(HandshakeError::UnsupportedVersion);
    assert_eq!(
        ConnectionError::from(rejection(&told.events).error()),
        error
    );
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

// Requirement 20: what follows the head is read as frames.
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
    assert_eq!(request.headers().get("cookie"), Some(&b"a=b"[..]));
    assert!(request.headers().get_all("X-TWICE").eq([b"1", b"2"]));
    assert_eq!(request.headers().len(), 8);
    assert_eq!(request.subprotocols().count(), 0);
}

#[test]
fn request_is_taken_apart() {
    let fields = "Cookie: a=1; B=2; b=\"3\";empty=; no value; a=4\r\n\
        cookie: late=5; \u{fc}=6\r\nX-Text: a\tb c\r\nX-Bytes: \u{fc}\r\n\
        Sec-WebSocket-Protocol: chat,, echo,\r\nSec-WebSocket-Protocol:";
    let head = String::from_utf8(with_field(fields)).unwrap();
    let (_, request) = asked(head.replace("/chat ", "/a/b?c=d?e ").as_bytes(), &config());
    assert_eq!(request.target(), "/a/b?c=d?e");
    assert_eq!((request.path(), request.query()), ("/a/b", Some("c=d?e")));
    let cookies = [
        ("a", Some("1")),
        ("B", Some("2")),
        ("b", Some("\"3\"")),
        ("empty", Some("")),
        ("late", Some("5")),
        ("no value", None),
        ("A", None),
        ("", None),
    ];
    for (name, value) in cookies {
        assert_eq!(request.cookie(name), value, "{name:?}");
    }
    assert_eq!(request.header("x-text"), Some("a\tb c"));
    assert_eq!(request.header("X-Bytes"), None, "not ASCII");
    assert_eq!(request.header("X-Other"), None);
    assert!(request.subprotocols().eq(["chat", "echo"]));
    assert!(request.accept().with_subprotocol("echo").is_ok());

    let (_, request) = asked(REQUEST.as_bytes(), &config());
    assert_eq!((request.path(), request.query()), ("/chat", None));
    let shown = format!("{request:?}");
    assert!(
        shown.contains("\"/chat\"") && shown.contains("is_upgrade: true"),
        "{shown}"
    );
}

// RFC 9112 §3.2.2: "When an origin server receives a request with an
// absolute-form of request-target, the origin server MUST ignore the received
// Host header field (if any)".
#[test]
fn absolute_target_replaces_host() {
    let rows = [
        ("http://real.example/chat?a", "/chat?a", "real.example"),
        ("HTTP://real.example:81", "/", "real.example:81"),
        ("wss://real.example?a=b", "/?a=b", "real.example"),
        ("/http://other/", "/http://other/", "example.com"),
    ];
    for (target, expected, host) in rows {
        let (_, request) = asked(&with("/chat", target), &config());
        assert_eq!(request.target(), expected, "{target}");
        assert_eq!(request.host(), Some(host), "{target}");
        assert_eq!(request.header("Host"), Some("example.com"), "{target}");
    }
    // The origin policy looks at the same host.
    let from = |origin: &str| {
        let head = String::from_utf8(with_field(&format!("Origin: {origin}"))).unwrap();
        head.replace("/chat", "http://real.example/chat")
            .into_bytes()
    };
    assert!(
        asked(&from("http://real.example"), &config())
            .1
            .is_upgrade()
    );
    let error = HandshakeError::OriginNotAllowed;
    assert_refuses("Host", &from("http://example.com"), &config(), error);
}

#[test]
fn server_refuses_other_hosts() {
    let hosts = Hosts::list(["example.com", "localhost:8080"]).unwrap();
    let config = config().with_hosts(hosts);
    let rows = [
        ("listed", REQUEST.into(), true),
        ("in capitals", with("example.com", "EXAMPLE.com:81"), true),
        ("with its port", with("example.com", "localhost:8080"), true),
        (
            "with another port",
            with("example.com", "localhost:81"),
            false,
        ),
        ("another", with("example.com", "evil.example"), false),
        (
            "in the target",
            with("/chat", "http://evil.example/"),
            false,
        ),
        (
            "plain",
            b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec(),
            false,
        ),
        (
            "plain and listed",
            b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec(),
            true,
        ),
        (
            "HTTP/1.0",
            b"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n".to_vec(),
            false,
        ),
        ("without one", b"GET / HTTP/1.0\r\n\r\n".to_vec(), true),
    ];
    for (name, bytes, is_allowed) in rows {
        if is_allowed {
            asked(&bytes, &config);
        } else {
            let error = HandshakeError::HostNotAllowed;
            assert_eq!(error.status(), 421);
            assert_refuses(name, &bytes, &config, error);
        }
    }
}

#[test]
fn rejection_is_one_line_of_a_log() {
    let mut ws = Connection::server(&config());
    let bytes = with_field("Origin: https://evil.example");
    let told = feed(&mut ws, [&*bytes]);
    let rejected = rejection(&told.events);
    assert_eq!(rejected.method(), Some("GET"));
    assert_eq!(rejected.target(), Some("/chat"));
    assert_eq!(rejected.origin(), Some("https://evil.example"));
    let request = rejected.request().expect("its head was read");
    assert_eq!(request.host(), Some("example.com"));
    assert_eq!(request.accept().status(), 426, "it opens nothing");

    let rows = [
        (
            bytes,
            "403 for GET /chat from https://evil.example: \
            origin is not allowed (RFC 6455 section 10.2)",
        ),
        (
            with("/chat", "/a\u{202e}\u{85}'b' "),
            "400 for a request: malformed HTTP head (RFC 9112)",
        ),
        (
            with("GET /chat", "PUT /a\u{202e}\u{85}"),
            "405 for PUT /a\\u{202e}\\u{85}: \
            method of an upgrade is not GET (RFC 6455 section 4.1)",
        ),
    ];
    for (bytes, expected) in rows {
        let told = feed(&mut Connection::server(&config()), [&*bytes]);
        assert_eq!(rejection(&told.events).to_string(), expected);
    }
}

// RFC 9110 §9.3.2
#[test]
fn answer_to_head_has_no_body() {
    let bytes = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (method, body) in [("HEAD", ""), ("GET", "a page")] {
        let head = String::from_utf8(bytes.to_vec())
            .unwrap()
            .replace("HEAD", method);
        let (mut ws, _) = asked(head.as_bytes(), &config());
        let mut out = Vec::new();
        ws.respond(Answer::new(200).with_body("a page"), &mut out)
            .unwrap();
        let (status, fields, sent) = answer(&out);
        assert_eq!((status, &*sent), (200, body));
        assert!(fields.contains("\r\ncontent-length: 6\r\n"), "{fields}");
    }
    let refused = feed(&mut Connection::server(&config()), [&*with("GET", "HEAD")]);
    assert_eq!(answer(&refused.out).0, 405);
    assert!(refused.out.ends_with(b"\r\n\r\n"));
}

// RFC 9110 §15.5.22 and RFC 6455 §4.4, whoever makes the answer.
#[test]
fn every_426_names_the_protocol_and_its_version() {
    type Decide = fn(&Request) -> Answer;
    let rows: [Decide; 4] = [
        Request::accept,
        |request| request.reject(426),
        |_| Answer::new(426),
        |_| {
            Answer::new(426)
                .with_body("upgrade")
                .with_header("X", "y")
                .unwrap()
        },
    ];
    for decide in rows {
        let (mut ws, request) = asked(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", &config());
        let mut out = Vec::new();
        ws.respond(decide(&request), &mut out).unwrap();
        let (status, head, _) = answer(&out);
        assert_eq!(status, 426);
        for field in [
            "upgrade: websocket",
            "connection: upgrade, close",
            "sec-websocket-version: 13",
        ] {
            assert_eq!(
                head.matches(&format!("\r\n{field}\r\n")).count(),
                1,
                "{head}"
            );
        }
        let fields = decide(&request).fields();
        assert_eq!(fields.get_str("Connection"), Some("Upgrade"));
        assert_eq!(fields.get_str("Upgrade"), Some("websocket"));
        let fields = decide(&request).multiplexed_fields();
        assert_eq!(fields.get_str("Sec-WebSocket-Version"), Some("13"));
        assert!(fields.get("Connection").is_none() && fields.get("Upgrade").is_none());
    }
}

#[test]
fn statuses_without_content_have_no_body_and_no_length() {
    for status in [204, 304] {
        let (mut ws, _) = asked(REQUEST.as_bytes(), &config());
        let mut out = Vec::new();
        ws.respond(Answer::new(status).with_body("x"), &mut out)
            .unwrap();
        let (_, head, body) = answer(&out);
        assert!(
            body.is_empty() && !head.contains("content-length"),
            "{head}"
        );
    }
    for (status, expected) in [(101, 500), (199, 500), (600, 500), (0, 500), (451, 451)] {
        assert_eq!(Answer::new(status).status(), expected);
        assert!(!Answer::new(status).is_upgrade());
    }
}

// Requirement 21: limits that are exact.
#[test]
fn head_limits_hold_exactly() {
    let len = REQUEST.len();
    let fits = every_cut(
        || Connection::server(&config().with_max_head_len(len)),
        REQUEST.as_bytes(),
    );
    assert_eq!(String::from_utf8(fits.out).unwrap(), RESPONSE);
    let config_of = |len| config().with_max_head_len(len);
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
        || Connection::server(&config().with_max_headers(fields)),
        REQUEST.as_bytes(),
    );
    assert_eq!(String::from_utf8(fits.out).unwrap(), RESPONSE);
    let error = HandshakeError::TooManyHeaders;
    assert_eq!(error.status(), 431);
    assert_refuses(
        "one field more",
        REQUEST.as_bytes(),
        &config().with_max_headers(fields - 1),
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
    assert!(ws.memory_usage() < 1024, "{}", ws.memory_usage());

    let mut ws = Connection::server(&config());
    for piece in bytes.chunks(1000).take(16) {
        assert!(feed(&mut ws, [piece]).events.is_empty());
        assert!(ws.memory_usage() <= 33 * 1024, "{}", ws.memory_usage());
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
        let mut ws = Connection::server(&config().with_max_head_len(len));
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
        assert_eq!(
            told.events,
            [Event::Failed(ConnectionError::UnexpectedEof)],
            "{cut}"
        );
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
        .with_header("Set-Cookie", "a=b; HttpOnly")
        .and_then(|response| response.with_header("Set-Cookie", "c=d"))
        .unwrap();
    let mut out = Vec::new();
    ws.respond(response, &mut out).unwrap();
    let expected = RESPONSE.replace(
        "\r\n\r\n",
        "\r\nSet-Cookie: a=b; HttpOnly\r\nSet-Cookie: c=d\r\n\r\n",
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    for name in ["Sec-WebSocket-Accept", "upgrade", "Content-Length"] {
        let clash = request.accept().with_header(name, "x");
        assert_eq!(
            clash.map(drop),
            Err(RequestError::ReservedHeader(name.into()))
        );
    }
    let injected = request.accept().with_header("X", "a\r\nSet-Cookie: b");
    let error = RequestError::InvalidHeaderValue("X".into());
    assert_eq!(injected.map(drop), Err(error));
    assert!(ws.is_open());
    feed(&mut ws, [&*wire(Role::Client).text("x").bytes()]);
    assert_eq!(ws.send(Message::from("y"), &mut Vec::new()), Ok(()));
}
