//! permessage-deflate in the opening handshake (RFC 7692 §5 and §7.1), both
//! roles: offers, answers, and what is made of answers.

use crate::drive::feed;
use crate::wire::config;
use sansocket::deflate::Options;
use sansocket::{
    ClientRequest, Config, Connection, ConnectionError, Event, HandshakeError, HeaderField, Input,
};

const NAME: &str = "permessage-deflate";

/// The answer that a client with the randomness of [`config`] waits for.
const ACCEPT: &str = "pT25h6EVFbWDyyinkmTBvzUVxQo=";

pub(crate) const INVALID: HandshakeError = HandshakeError::Invalid(HeaderField::Extensions);

/// Demands nothing and keeps every window.
pub(crate) fn lenient() -> Options {
    Options::new()
        .with_context_takeover(true)
        .with_peer_context_takeover(true)
}

fn fields(lists: &[&str]) -> String {
    let field = |list: &&str| format!("Sec-WebSocket-Extensions: {list}\r\n");
    lists.iter().map(field).collect()
}

/// What a server answers to these fields.
pub(crate) fn answer(lists: &[&str], config: &Config) -> Result<Option<String>, HandshakeError> {
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{}\r\n",
        fields(lists)
    );
    let mut ws = Connection::server(config);
    let transcript = feed(&mut ws, [head.as_bytes()]);
    if let Some(ConnectionError::Handshake(error)) = transcript.error() {
        assert!(transcript.out.starts_with(b"HTTP/1.1 400 "), "never a 500");
        return Err(error);
    }
    let response = String::from_utf8(transcript.out).unwrap();
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    let written = response
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let agreed = ws.deflate().map(|parameters| parameters.to_string());
    assert_eq!(
        agreed.as_deref(),
        written,
        "what is written is what is kept"
    );
    Ok(agreed)
}

/// What a client offers.
fn offer(config: &Config) -> Option<String> {
    let (request, mut out) = (ClientRequest::to("ws://h/").unwrap(), Vec::new());
    Connection::client(&request, config, &mut out).unwrap();
    let request = String::from_utf8(out).unwrap();
    let mut lists = request
        .lines()
        .filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let list = lists.next().map(str::to_owned);
    assert_eq!(lists.next(), None, "one field");
    list
}

/// What a client makes of a response with these fields.
pub(crate) fn check(lists: &[&str], config: &Config) -> Result<Option<String>, HandshakeError> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: {ACCEPT}\r\n{}\r\n",
        fields(lists)
    );
    let request = ClientRequest::to("ws://h/").unwrap();
    let mut ws = Connection::client(&request, config, &mut Vec::new()).unwrap();
    let transcript = feed(&mut ws, [head.as_bytes()]);
    match transcript.events.last() {
        Some(Event::Open(_)) => Ok(ws.deflate().map(|parameters| parameters.to_string())),
        Some(Event::Failed(ConnectionError::Handshake(error))) => Err(*error),
        other => panic!("{other:?}"),
    }
}

/// A list in which `@` is replaced by the name.
pub(crate) fn full(list: &str) -> String {
    list.replace('@', NAME)
}

// Requirement 6: the table of offers.
#[test]
fn server_accepts_declines_or_refuses_an_offer() {
    let accepted = [
        ("@", "@"),
        (" @\t", "@"),
        (",@, ,", "@"),
        ("@; client_max_window_bits", "@"),
        ("@; client_max_window_bits=15", "@"),
        (
            "@; client_max_window_bits=10",
            "@; client_max_window_bits=10",
        ),
        ("@; client_max_window_bits=8", "@; client_max_window_bits=8"),
        (
            "@; server_max_window_bits=15",
            "@; server_max_window_bits=15",
        ),
        (
            "@; server_max_window_bits=10",
            "@; server_max_window_bits=10",
        ),
        ("@; server_max_window_bits=9", "@; server_max_window_bits=9"),
        ("@; server_max_window_bits=8", "@; server_max_window_bits=8"),
        (
            "@; server_no_context_takeover",
            "@; server_no_context_takeover",
        ),
        (
            "@; client_no_context_takeover",
            "@; client_no_context_takeover",
        ),
        (
            "@; client_max_window_bits=11; server_max_window_bits=12; \
            client_no_context_takeover; server_no_context_takeover",
            "@; server_no_context_takeover; client_no_context_takeover; \
            server_max_window_bits=12; client_max_window_bits=11",
        ),
        (
            "@; server_max_window_bits=\"10\"",
            "@; server_max_window_bits=10",
        ),
        (
            "@; server_max_window_bits=\"1\\0\"",
            "@; server_max_window_bits=10",
        ),
        (
            "@;server_max_window_bits=10",
            "@; server_max_window_bits=10",
        ),
        (
            "@ ;\tserver_max_window_bits = 10 ",
            "@; server_max_window_bits=10",
        ),
        ("x-other, @", "@"),
        ("x-other; server_max_window_bits=10, @", "@"),
        ("@; server_max_window_bits=7, @", "@"),
        (
            "@; x-unknown, @; server_no_context_takeover",
            "@; server_no_context_takeover",
        ),
        (
            "@; server_no_context_takeover, @",
            "@; server_no_context_takeover",
        ),
    ];
    for (offer, expected) in accepted {
        let config = config().with_deflate(lenient());
        let answer = answer(&[&full(offer)], &config);
        assert_eq!(answer, Ok(Some(full(expected))), "{offer}");
    }

    let declined = [
        "x-other",
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        "@; x-unknown",
        "@; x-unknown=1",
        "@; Server_No_Context_Takeover",
        "@; server_no_context_takeover; server_no_context_takeover",
        "@; client_no_context_takeover; client_no_context_takeover",
        "@; server_max_window_bits=10; server_max_window_bits=10",
        "@; client_max_window_bits; client_max_window_bits",
        "@; client_max_window_bits=9; client_max_window_bits",
        "@; server_no_context_takeover=1",
        "@; server_no_context_takeover=\"true\"",
        "@; client_no_context_takeover=0",
        "@; server_max_window_bits",
        "@; server_max_window_bits=7",
        "@; server_max_window_bits=16",
        "@; server_max_window_bits=0",
        "@; server_max_window_bits=08",
        "@; server_max_window_bits=010",
        "@; server_max_window_bits=+9",
        "@; server_max_window_bits=-9",
        "@; server_max_window_bits=9.0",
        "@; server_max_window_bits=1",
        "@; server_max_window_bits=19",
        "@; server_max_window_bits=100",
        "@; server_max_window_bits=18446744073709551626",
        "@; server_max_window_bits=nine",
        "@; client_max_window_bits=7",
        "@; client_max_window_bits=16",
        "@; client_max_window_bits=\"07\"",
        // RFC 9110 §5.6.1.2: nothing is offered.
        "",
        ",",
    ];
    for offer in declined {
        let config = config().with_deflate(lenient());
        assert_eq!(answer(&[&full(offer)], &config), Ok(None), "{offer}");
    }

    let malformed = [
        "@;",
        "@;,@",
        "@; =10",
        "@; server_max_window_bits=",
        "@; server_max_window_bits=\"",
        "@; server_max_window_bits=\"\"",
        "@; server_max_window_bits=\"1 0\"",
        "@; server_max_window_bits=10 11",
        "@ client_max_window_bits",
        "per/message",
    ];
    for offer in malformed {
        let config = config().with_deflate(lenient());
        assert_eq!(answer(&[&full(offer)], &config), Err(INVALID), "{offer}");
    }
}

// Requirement 6: the table of settings.
#[test]
fn server_answers_by_its_settings() {
    let table = [
        (
            Options::new(),
            "@",
            "@; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            Options::new().with_context_takeover(true),
            "@; server_no_context_takeover",
            "@; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            lenient().with_context_takeover(false),
            "@",
            "@; server_no_context_takeover",
        ),
        (
            lenient().with_peer_context_takeover(false),
            "@",
            "@; client_no_context_takeover",
        ),
        (
            lenient().with_window_bits(9),
            "@",
            "@; server_max_window_bits=9",
        ),
        (
            lenient().with_window_bits(9),
            "@; server_max_window_bits=12",
            "@; server_max_window_bits=9",
        ),
        (
            lenient().with_window_bits(12),
            "@; server_max_window_bits=9",
            "@; server_max_window_bits=9",
        ),
        (lenient().with_peer_window_bits(9), "@", "@"),
        (
            lenient().with_peer_window_bits(9),
            "@; client_max_window_bits",
            "@; client_max_window_bits=9",
        ),
        (
            lenient().with_peer_window_bits(9),
            "@; client_max_window_bits=8",
            "@; client_max_window_bits=8",
        ),
        (
            lenient().with_window_bits(0).with_peer_window_bits(200),
            "@; client_max_window_bits",
            "@; server_max_window_bits=8",
        ),
    ];
    for (options, offer, expected) in table {
        let answer = answer(&[&full(offer)], &config().with_deflate(options.clone()));
        assert_eq!(answer, Ok(Some(full(expected))), "{offer}: {options:?}");
    }
}

#[test]
fn server_reads_offers_in_several_fields() {
    let config = config().with_deflate(lenient());
    let lists = ["x-other", "permessage-deflate; x-unknown", NAME];
    assert_eq!(answer(&lists, &config), Ok(Some(NAME.into())));
}

// The feature alone changes nothing.
#[test]
fn nothing_is_negotiated_unless_asked_for() {
    assert_eq!(answer(&[NAME], &config()), Ok(None));
    assert_eq!(offer(&config()), None);
    let unasked = Err(HandshakeError::ExtensionNotOffered);
    assert_eq!(check(&[NAME], &config()), unasked);
}

#[test]
fn server_may_decline_for_one_connection() {
    let config = config().with_deflate(Options::new());
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Extensions: {NAME}\r\n\r\n"
    );
    let (mut ws, mut out) = (Connection::server(&config), Vec::new());
    let mut head = head.into_bytes();
    let Some(Event::Request(request)) = ws.receive(&mut Input::new(&mut head), &mut out) else {
        panic!("no request");
    };
    ws.respond(request.accept().without_deflate(), &mut out)
        .unwrap();
    assert!(ws.is_open());
    assert_eq!(ws.deflate(), None);
    assert!(!String::from_utf8(out).unwrap().contains("Extensions"));
}

#[test]
fn client_offers_by_its_settings() {
    let table = [
        (
            Options::new(),
            "@; server_no_context_takeover; client_no_context_takeover; client_max_window_bits, \
            @; client_no_context_takeover; client_max_window_bits",
        ),
        (
            Options::new().with_fallback(false),
            "@; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (lenient(), "@; client_max_window_bits"),
        (
            lenient().with_window_bits(10),
            "@; client_max_window_bits=10",
        ),
        (
            lenient().with_peer_window_bits(9),
            "@; server_max_window_bits=9; client_max_window_bits, @; client_max_window_bits",
        ),
    ];
    for (options, expected) in table {
        let expected = full(expected);
        let offer = offer(&config().with_deflate(options));
        assert_eq!(offer, Some(expected));
    }
}

// Requirement 6: the table of responses.
#[test]
fn client_accepts_or_fails_a_response() {
    let accepted = [
        "@",
        "@; server_no_context_takeover",
        "@; client_no_context_takeover",
        "@; server_max_window_bits=8",
        "@; client_max_window_bits=15",
        "@; client_max_window_bits=8",
        "@; server_no_context_takeover; client_no_context_takeover; \
        server_max_window_bits=10; client_max_window_bits=11",
    ];
    for list in accepted {
        let checked = check(&[&full(list)], &config().with_deflate(lenient()));
        assert_eq!(checked, Ok(Some(full(list))), "{list}");
    }
    let spelled = format!(" {NAME} ; server_max_window_bits=\"1\\0\" ,");
    assert_eq!(
        check(&[&spelled], &config().with_deflate(lenient())),
        Ok(Some(full("@; server_max_window_bits=10")))
    );
    assert_eq!(check(&[], &config().with_deflate(lenient())), Ok(None));

    let not_offered = HandshakeError::ExtensionNotOffered;
    let failed = [
        ("x-other", not_offered),
        ("x-other, @", not_offered),
        ("@, x-other", not_offered),
        ("Permessage-Deflate", not_offered),
        ("@, @", INVALID),
        ("@; x-unknown", INVALID),
        ("@; client_max_window_bits", INVALID),
        ("@; client_max_window_bits=7", INVALID),
        ("@; client_max_window_bits=16", INVALID),
        ("@; server_max_window_bits", INVALID),
        ("@; server_max_window_bits=08", INVALID),
        ("@; server_no_context_takeover=1", INVALID),
        (
            "@; server_no_context_takeover; server_no_context_takeover",
            INVALID,
        ),
        ("@;", INVALID),
    ];
    for empty in ["", " , ,"] {
        let checked = check(&[empty], &config().with_deflate(lenient()));
        assert_eq!(checked, Ok(None), "{empty:?}");
    }
    for (list, error) in failed {
        let checked = check(&[&full(list)], &config().with_deflate(lenient()));
        assert_eq!(checked, Err(error), "{list}");
    }
    // RFC 6455 §11.3.2: not more than once in a response.
    let twice = check(&[NAME, NAME], &config().with_deflate(lenient()));
    assert_eq!(
        twice,
        Err(HandshakeError::Duplicate(HeaderField::Extensions))
    );
}

#[test]
fn client_holds_the_response_against_each_of_its_offers() {
    let no_takeover = lenient().with_peer_context_takeover(false);
    let window = lenient().with_peer_window_bits(10);
    let own_window = lenient().with_window_bits(10);
    let table = [
        (no_takeover.clone(), "@", true),
        (no_takeover.clone().with_fallback(false), "@", false),
        (
            no_takeover.with_fallback(false),
            "@; server_no_context_takeover",
            true,
        ),
        (window.clone(), "@", true),
        (window.clone().with_fallback(false), "@", false),
        (
            window.clone().with_fallback(false),
            "@; server_max_window_bits=11",
            false,
        ),
        (
            window.clone().with_fallback(false),
            "@; server_max_window_bits=10",
            true,
        ),
        (
            window.with_fallback(false),
            "@; server_max_window_bits=8",
            true,
        ),
        (own_window.clone(), "@", true),
        (own_window.clone(), "@; client_max_window_bits=10", true),
        (own_window, "@; client_max_window_bits=11", false),
    ];
    for (options, list, is_fine) in table {
        let expected = if is_fine {
            Ok(Some(full(list)))
        } else {
            Err(INVALID)
        };
        let checked = check(&[&full(list)], &config().with_deflate(options.clone()));
        assert_eq!(checked, expected, "{list}: {options:?}");
    }
}
