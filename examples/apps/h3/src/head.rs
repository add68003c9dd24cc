//! Requests and responses: header fields of quiche as the pairs of name and
//! value that [`sansocket::upgrade`] reads and writes.

use std::str;

use quiche::h3::{self, Header, NameValue};
use sansocket::upgrade::{self, ExtendedConnect, Offer};
use sansocket::{Agreement, Answer, ClientRequest, Config, Headers, Rejection, Request};

use crate::Error;

/// A WebSocket's request, or the status that any other one is refused with.
/// `None` if it is malformed (RFC 9114 §4.3.1).
pub(crate) fn request(list: &[Header], config: &Config) -> Option<Result<Request, Answer>> {
    let (method, protocol) = (pseudo(list, ":method")?, pseudo(list, ":protocol"));
    if (method, protocol) != ("CONNECT", Some("websocket")) {
        // RFC 9220 §3: 501 for a protocol that is unknown.
        let status = if protocol.is_some() { 501 } else { 404 };
        return Some(Err(Answer::new(status)));
    }
    let pseudo = ExtendedConnect {
        protocol: "websocket",
        scheme: pseudo(list, ":scheme")?,
        authority: pseudo(list, ":authority")?,
        path: pseudo(list, ":path")?,
    };
    let received = upgrade::extended_connect(pseudo, fields(list), config);
    Some(received.map_err(|rejection| refusal(&rejection)))
}

fn refusal(rejection: &Rejection) -> Answer {
    Answer::new(rejection.status()).with_body(format!("{rejection}\n"))
}

/// The response of a server.
pub(crate) fn response(answer: &Answer) -> Vec<Header> {
    let mut list = vec![Header::new(
        b":status",
        answer.status().to_string().as_bytes(),
    )];
    append(&answer.multiplexed_fields(), &mut list);
    list
}

/// The extended CONNECT of a client (RFC 8441 §4).
pub(crate) fn extended_connect(request: &ClientRequest, offer: &Offer) -> Vec<Header> {
    let uri = request.uri();
    let mut list = vec![
        Header::new(b":method", b"CONNECT"),
        Header::new(b":protocol", b"websocket"),
        Header::new(b":scheme", b"https"),
        Header::new(b":authority", uri.authority().as_bytes()),
        Header::new(b":path", uri.resource_name().as_bytes()),
    ];
    append(offer.fields(), &mut list);
    list
}

/// What a response agrees on. `None` if the final one is still to come.
pub(crate) fn agreement(list: &[Header], offer: &Offer) -> Result<Option<Agreement>, Error> {
    let status = pseudo(list, ":status").and_then(|status| status.parse().ok());
    match status {
        Some(100..200) => Ok(None),
        Some(status) => Ok(Some(offer.check(status, fields(list))?)),
        None => Err(h3::Error::MessageError.into()),
    }
}

/// The value of a pseudo-header field, of which there must be one.
fn pseudo<'h>(list: &'h [Header], name: &str) -> Option<&'h str> {
    let mut found = list.iter().filter(|field| field.name() == name.as_bytes());
    let value = found.next()?.value();
    found
        .next()
        .is_none()
        .then_some(str::from_utf8(value).ok()?)
}

fn fields(list: &[Header]) -> impl Iterator<Item = (&str, &[u8])> {
    let field = |field| Some((str::from_utf8(Header::name(field)).ok()?, field.value()));
    let fields = list.iter().filter_map(field);
    fields.filter(|(name, _)| !name.starts_with(':'))
}

/// RFC 9114 §4.2: "Characters in field names MUST be converted to lowercase".
fn append(fields: &Headers, list: &mut Vec<Header>) {
    let lower =
        |(name, value): (&str, &[u8])| Header::new(name.to_ascii_lowercase().as_bytes(), value);
    list.extend(fields.iter().map(lower));
}
