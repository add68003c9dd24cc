//! Handshakes whose heads another library reads, over pairs of name and value:
//! upgrades of HTTP/1.1, and extended CONNECT (RFC 8441 §4 and §5, RFC 9220).

use crate::wire::config;
use sansocket::upgrade::{self, ExtendedConnect, Offer};
use sansocket::{
    Agreement, ClientRequest, Config, Connection, HandshakeError, HeaderField, Hosts, OriginPolicy,
};

type Field = (&'static str, &'static [u8]);

const PSEUDO: ExtendedConnect<'_> = ExtendedConnect {
    protocol: "websocket",
    scheme: "https",
    authority: "example.com",
    path: "/chat?room=1",
};
const VERSION: Field = ("sec-websocket-version", b"13");

fn fault(pseudo: ExtendedConnect<'_>, fields: &[Field]) -> Option<HandshakeError> {
    let fields = fields.iter().copied();
    let rejected = upgrade::extended_connect(pseudo, fields, &config());
    rejected.err().map(|rejection| rejection.error())
}

// Requirement 36: the table of requests.
#[test]
fn server_accepts_or_refuses_an_extended_connect() {
    let fields = [
        VERSION,
        ("origin", b"https://example.com"),
        ("sec-websocket-protocol", b"chat, echo"),
        ("sec-websocket-extensions", b"permessage-deflate"),
        ("cookie", b"id=1"),
    ];
    let request = upgrade::extended_connect(PSEUDO, fields, &config()).unwrap();
    assert!(request.is_upgrade());
    assert_eq!(request.method(), "CONNECT");
    assert_eq!(request.target(), "/chat?room=1");
    assert_eq!(request.host(), Some("example.com"));
    assert_eq!(request.headers().get("Cookie"), Some(&b"id=1"[..]));
    let response = request.accept().with_subprotocol("echo").unwrap();
    assert_eq!(response.status(), 200);
    let written: Vec<_> = response
        .fields()
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(written, ["Sec-WebSocket-Protocol"], "no key, no upgrade");
    assert_eq!(response.agreement().subprotocol(), Some("echo"));
    assert!(response.is_upgrade() && !request.reject(403).is_upgrade());
    let with_body = request.accept().with_body("hello");
    assert_eq!(with_body.content(), b"", "frames follow at once");
    assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
    assert_eq!(request.reject(403).agreement(), &Agreement::default());

    use HandshakeError as E;
    let invalid_host = Some(E::Invalid(HeaderField::Host));
    let invalid_protocol = Some(E::Invalid(HeaderField::Subprotocol));
    let rows: [(ExtendedConnect<'_>, &[Field], Option<HandshakeError>, u16); 17] = [
        (PSEUDO, &[VERSION], None, 200),
        (
            ExtendedConnect {
                scheme: "http",
                ..PSEUDO
            },
            &[VERSION],
            None,
            200,
        ),
        (
            ExtendedConnect {
                protocol: "connect-udp",
                ..PSEUDO
            },
            &[VERSION],
            Some(E::NotAnUpgrade),
            426,
        ),
        (
            ExtendedConnect {
                protocol: "",
                ..PSEUDO
            },
            &[VERSION],
            Some(E::NotAnUpgrade),
            426,
        ),
        (
            ExtendedConnect {
                scheme: "ftp",
                ..PSEUDO
            },
            &[VERSION],
            Some(E::InvalidTarget),
            400,
        ),
        (
            ExtendedConnect {
                scheme: "",
                ..PSEUDO
            },
            &[VERSION],
            Some(E::InvalidTarget),
            400,
        ),
        (
            ExtendedConnect { path: "", ..PSEUDO },
            &[VERSION],
            Some(E::InvalidTarget),
            400,
        ),
        (
            ExtendedConnect {
                path: "chat",
                ..PSEUDO
            },
            &[VERSION],
            Some(E::InvalidTarget),
            400,
        ),
        (
            ExtendedConnect {
                authority: "",
                ..PSEUDO
            },
            &[VERSION],
            invalid_host,
            400,
        ),
        (
            ExtendedConnect {
                authority: "a b",
                ..PSEUDO
            },
            &[VERSION],
            invalid_host,
            400,
        ),
        (
            ExtendedConnect {
                authority: "h:http",
                ..PSEUDO
            },
            &[VERSION],
            invalid_host,
            400,
        ),
        (
            ExtendedConnect {
                path: "/chat#part",
                ..PSEUDO
            },
            &[VERSION],
            Some(E::InvalidTarget),
            400,
        ),
        (PSEUDO, &[], Some(E::Missing(HeaderField::Version)), 400),
        (
            PSEUDO,
            &[("sec-websocket-version", b"8")],
            Some(E::UnsupportedVersion),
            426,
        ),
        (
            PSEUDO,
            &[VERSION, VERSION],
            Some(E::Duplicate(HeaderField::Version)),
            400,
        ),
        (
            PSEUDO,
            &[VERSION, ("origin", b"https://evil.example")],
            Some(E::OriginNotAllowed),
            403,
        ),
        (
            PSEUDO,
            &[VERSION, ("sec-websocket-protocol", b"a b")],
            invalid_protocol,
            400,
        ),
    ];
    for (pseudo, fields, expected, status) in rows {
        assert_eq!(fault(pseudo, fields), expected, "{pseudo:?} {fields:?}");
        assert_eq!(expected.map_or(200, HandshakeError::status), status);
    }
    let hosts = Hosts::list(["chat.example.com"]).unwrap();
    let rejection = upgrade::extended_connect(PSEUDO, [VERSION], &config().with_hosts(hosts));
    let rejection = rejection.unwrap_err();
    assert_eq!(rejection.status(), 421);
    assert_eq!(rejection.target(), Some("/chat?room=1"));
    assert_eq!(rejection.request().unwrap().host(), Some("example.com"));
    let any = config().with_origin(OriginPolicy::Any);
    let fields = [VERSION, ("origin", b"https://evil.example".as_slice())];
    assert!(upgrade::extended_connect(PSEUDO, fields, &any).is_ok());
}

// Requirement 36: the table of responses.
#[test]
fn client_holds_the_answer_against_its_offer() {
    let request = ClientRequest::to("wss://example.com/chat")
        .and_then(|request| request.with_header("Authorization", "Bearer secret"))
        .and_then(|request| request.with_subprotocol("chat"))
        .unwrap();
    let offer = Offer::extended_connect(&request, &config());
    let names: Vec<_> = offer
        .fields()
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "Sec-WebSocket-Version",
            "Authorization",
            "Sec-WebSocket-Protocol"
        ]
    );

    use HandshakeError as E;
    type Row<'r> = (u16, &'r [Field], Result<Option<&'r str>, HandshakeError>);
    let rows: [Row<'_>; 7] = [
        (200, &[], Ok(None)),
        (204, &[], Ok(None)),
        (
            200,
            &[("sec-websocket-protocol", b"chat")],
            Ok(Some("chat")),
        ),
        (
            200,
            &[("sec-websocket-protocol", b"echo")],
            Err(E::SubprotocolNotOffered),
        ),
        (
            200,
            &[("sec-websocket-extensions", b"permessage-deflate")],
            Err(E::ExtensionNotOffered),
        ),
        (101, &[], Err(E::Refused(101))),
        (502, &[], Err(E::Refused(502))),
    ];
    for (status, fields, expected) in rows {
        let checked = offer.check(status, fields.iter().copied());
        let checked = checked.as_ref().map(Agreement::subprotocol);
        assert_eq!(checked, expected.as_ref().copied(), "{status} {fields:?}");
    }
}

// Requirement 2: HTTP/1.1 by another library, compression and all.
#[test]
fn both_roles_agree_by_pairs() {
    #[cfg(feature = "deflate")]
    let config = config().with_deflate(sansocket::deflate::Options::new());
    #[cfg(not(feature = "deflate"))]
    let config: Config = config();
    let request = ClientRequest::to("ws://example.com/chat")
        .and_then(|request| request.with_subprotocol("chat"))
        .unwrap();
    let offer = Offer::upgrade(&request, &config).unwrap();
    let received = upgrade::request("GET", "/chat", offer.fields().iter(), &config).unwrap();
    assert_eq!(received.host(), Some("example.com"));
    assert!(received.headers().iter().eq(offer.fields().iter()));
    let mut head = Vec::new();
    Connection::client(&request, &config, &mut head).unwrap();
    let head = String::from_utf8(head).unwrap();
    let written: Vec<_> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .collect();
    let offered = offer.fields().iter();
    let offered: Vec<_> = offered
        .map(|(name, value)| (name, str::from_utf8(value).unwrap()))
        .collect();
    assert_eq!(written, offered, "in the head as in the pairs");
    let response = received.accept().with_subprotocol("chat").unwrap();
    let agreement = offer
        .check(response.status(), response.fields().iter())
        .unwrap();
    assert_eq!(&agreement, response.agreement());
    assert_eq!(agreement.subprotocol(), Some("chat"));
    #[cfg(feature = "deflate")]
    assert!(agreement.deflate().is_some());

    let other = Offer::upgrade(&request, &Config::new()).unwrap();
    assert_eq!(
        other.check(101, response.fields().iter()),
        Err(HandshakeError::Invalid(HeaderField::Accept)),
        "of another key"
    );
}

#[test]
fn broken_upgrades_are_refused_with_their_status() {
    use HandshakeError as E;
    let good: [Field; 5] = [
        ("host", b"h"),
        ("upgrade", b"websocket"),
        ("connection", b"keep-alive, Upgrade"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        VERSION,
    ];
    let check = |method, fields: &[Field]| {
        let request = upgrade::request(method, "/", fields.iter().copied(), &config());
        request
            .map(|request| request.is_upgrade())
            .map_err(|rejection| rejection.error())
    };
    assert_eq!(check("GET", &good), Ok(true));
    assert_eq!(check("GET", &good[..1]), Ok(false), "plain HTTP");
    assert_eq!(check("POST", &good), Err(E::MethodNotAllowed));
    for left_out in [0, 2, 3, 4] {
        let mut fields = good.to_vec();
        fields.remove(left_out);
        let error = check("GET", &fields).unwrap_err();
        assert!(matches!(error, E::Missing(_)), "{error}");
        assert_eq!(error.status(), 400);
    }
    let rejection = upgrade::request("POST", "http://h/a?b", good, &config()).unwrap_err();
    assert_eq!(
        (rejection.method(), rejection.target()),
        (Some("POST"), Some("/a?b"))
    );
    let absolute = upgrade::request("GET", "http://real:81?b", good, &config()).unwrap();
    assert_eq!(
        (absolute.target(), absolute.host()),
        ("/?b", Some("real:81"))
    );
    let mut empty = good.to_vec();
    empty.push(("content-length", b"0"));
    assert_eq!(check("GET", &empty), Ok(true));
    let mut with_body = good.to_vec();
    with_body.push(("content-length", b"3"));
    assert_eq!(
        check("GET", &with_body),
        Err(E::Unexpected(HeaderField::ContentLength))
    );
}
