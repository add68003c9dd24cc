//! Where tungstenite, which parses heads with httparse, accepts a head that this
//! library refuses, or the reverse, and what the RFC says about it. The target
//! `differential_heads` fails on a difference that has no row here.

use sansocket::{Connection, ConnectionError, Event, HandshakeError, HeaderField, OriginPolicy};
use tungstenite::error::{ProtocolError, SubProtocolError};
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{self, create_response};

use crate::peers::Wire;
use crate::{Transcript, client, config, feed};

/// A known difference.
pub struct Difference {
    /// What tungstenite does.
    pub what: &'static str,
    /// What the RFCs say. RFC 6455, unless another is named.
    pub rule: &'static str,
    applies: fn(&Compared) -> bool,
}

/// Two verdicts on one head, of which one is to accept it.
#[derive(Debug)]
pub enum Compared {
    /// Only tungstenite accepts it.
    WeRefuse(Refusal),
    /// Only this library accepts it.
    TheyRefuse(tungstenite::Error),
}

/// Why this library does not open the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Fault(HandshakeError),
    /// A request that does not ask for an upgrade, or the end of the stream.
    NoUpgrade,
}

use Compared::{TheyRefuse, WeRefuse};
use HandshakeError::{Duplicate, Invalid, Missing, Unexpected};
use Refusal::Fault;

/// All known differences.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "accepts lines that end with a bare LF, empty lines and odd bytes",
        rule: "RFC 9112 sections 2.2, 4, 5: a recipient MAY accept a bare LF, and may reject \
            what does not match the grammar",
        applies: |c| matches!(c, WeRefuse(Fault(HandshakeError::MalformedHead))),
    },
    Difference {
        what: "accepts targets with a fragment, of other forms, or with an invalid host",
        rule: "section 4.2.1 item 1, RFC 9112 section 3.2",
        applies: |c| matches!(c, WeRefuse(Fault(HandshakeError::InvalidTarget))),
    },
    Difference {
        what: "does not look at the Host field",
        rule: "section 4.2.1 item 2, RFC 9112 section 3.2: a server MUST answer 400 if it is \
            missing, repeated or invalid",
        applies: |c| c.is_about(HeaderField::Host),
    },
    Difference {
        what: "takes the first of several fields that must be unique",
        rule: "section 11.3: the field MUST NOT appear more than once",
        applies: |c| matches!(c, WeRefuse(Fault(Duplicate(_)))),
    },
    Difference {
        what: "does not parse lists of extensions and subprotocols",
        rule: "sections 9.1 and 4.2.1: a value that does not match the grammar fails the handshake",
        applies: |c| c.is_about(HeaderField::Extensions) || c.is_about(HeaderField::Subprotocol),
    },
    Difference {
        what: "does not check the extensions of a response",
        rule: "section 4.1 item 5 of the client's checks: one that was not offered fails it",
        applies: |c| matches!(c, WeRefuse(Fault(HandshakeError::ExtensionNotOffered))),
    },
    Difference {
        what: "accepts an upgrade with a body",
        rule: "RFC 9112 section 6.3, RFC 9110 section 15.2: the body would be read as frames",
        applies: |c| {
            c.is_about(HeaderField::ContentLength) || c.is_about(HeaderField::TransferEncoding)
        },
    },
    Difference {
        what: "does not look at the Origin field",
        rule: "section 10.2, RFC 6454 section 7: an invalid one is no origin of a browser",
        applies: |c| c.is_about(HeaderField::Origin),
    },
    Difference {
        what: "wants Upgrade to be websocket alone, in one field",
        rule: "section 4.2.1 item 3: the field contains the value; RFC 9110 section 7.8: a list",
        applies: |c| c.is_refused_for(&ProtocolError::MissingUpgradeWebSocketHeader),
    },
    Difference {
        what: "wants Connection to be Upgrade alone as a client, and looks at the first field",
        rule: "sections 4.1 and 4.2.1: a token of the list; RFC 9110 section 5.3: several fields \
            are one list",
        applies: |c| c.is_refused_for(&ProtocolError::MissingConnectionUpgradeHeader),
    },
    Difference {
        what: "accepts up to 124 header fields, not 100",
        rule: "section 10.4, RFC 9110 section 5.4: each implementation has limits of its own",
        applies: |c| matches!(c, WeRefuse(Fault(HandshakeError::TooManyHeaders))),
    },
    Difference {
        what: "fails a response without a subprotocol",
        rule: "section 4.2.2 item 5: a server need not select one",
        applies: |c| {
            let none = SubProtocolError::NoSubProtocol;
            c.is_refused_for(&ProtocolError::SecWebSocketSubProtocolError(none))
        },
    },
];

/// The row that explains the difference, if there is one.
pub fn explain(compared: &Compared) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|row| (row.applies)(compared))
}

impl Compared {
    /// Whether only this library looks at the field.
    fn is_about(&self, field: HeaderField) -> bool {
        let WeRefuse(Fault(error)) = self else {
            return false;
        };
        [
            Missing(field),
            Duplicate(field),
            Invalid(field),
            Unexpected(field),
        ]
        .contains(error)
    }

    fn is_refused_for(&self, error: &ProtocolError) -> bool {
        matches!(self, TheyRefuse(tungstenite::Error::Protocol(fault)) if fault == error)
    }
}

/// The head of the answer to a request, or why there is no connection.
pub fn answer(request: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut ws = Connection::server(&config().with_origin(OriginPolicy::Any));
    let Transcript { events, out } = feed(&mut ws, [request, &[]]);
    match events.first() {
        Some(Event::Request(request)) if request.is_upgrade() => Ok(out),
        Some(Event::Rejected(rejection)) => Err(Fault(rejection.error())),
        _ => Err(Refusal::NoUpgrade),
    }
}

/// The key with which tungstenite accepts a request.
pub fn tungstenite_answer(request: &[u8]) -> Result<Vec<u8>, tungstenite::Error> {
    let parsed = server::Request::try_parse(request)?;
    let (_, request) = parsed.ok_or(ProtocolError::HandshakeIncomplete)?;
    let response = create_response(&request)?;
    Ok(response.headers()["Sec-WebSocket-Accept"].as_bytes().into())
}

/// Whether a response opens the connection.
pub fn open(response: &[u8]) -> Result<(), Refusal> {
    let events = feed(&mut client(&config()), [response, &[]]).events;
    match events.first() {
        Some(Event::Open(_)) => Ok(()),
        Some(Event::Refused(response)) => Err(Fault(HandshakeError::Refused(response.status()))),
        Some(Event::Failed(ConnectionError::Handshake(error))) => Err(Fault(*error)),
        _ => Err(Refusal::NoUpgrade),
    }
}

/// Whether a response opens a connection of tungstenite, with the same request.
pub fn tungstenite_open(response: &[u8]) -> Result<(), tungstenite::Error> {
    use tungstenite::HandshakeError::{Failure, Interrupted};
    let request = tungstenite::http::Request::builder()
        .uri("ws://example.com/")
        .header("Host", "example.com")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "KioqKioqKioqKioqKioqKg==")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Protocol", "echo")
        .body(())
        .expect("a request");
    let start = ClientHandshake::start(Wire::new(&[response]), request, None);
    match start.expect("a request").handshake() {
        Ok(_) => Ok(()),
        Err(Failure(error)) => Err(error),
        Err(Interrupted(_)) => panic!("the wire is never pending"),
    }
}
