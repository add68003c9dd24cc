//! permessage-deflate in `Sec-WebSocket-Extensions` (§9.1, RFC 7692 §5): which
//! offer a server accepts, and how a client checks the answer.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter;

use super::lists::{Item, extensions};
use crate::deflate::{Element, NAME, Options, Parameters};
use crate::error::{HandshakeError, HeaderField};

/// The offers of a client, in order of preference, as one list, because some
/// servers refuse a second field.
pub(super) fn offer(options: &Options) -> String {
    let offers: Vec<_> = options.offers().map(|offer| offer.to_string()).collect();
    offers.join(", ")
}

/// The answer to the first offer that can be accepted.
///
/// RFC 7692 §7.1: an offer with an unknown parameter, or an invalid value of a
/// known one, or one of them twice, is declined.
pub(super) fn answer<'h>(
    lists: impl Iterator<Item = &'h [u8]>,
    options: &Options,
) -> Option<Parameters> {
    let offer = lists
        .flat_map(elements)
        .find_map(|(name, element)| element.filter(|_| name == NAME.as_bytes()))?;
    Some(Parameters::answer(&offer, options))
}

/// The parameters of the offer that the response accepts, if any.
///
/// RFC 7692 §7.1: a client fails the connection if the response has parameters
/// that the offer does not allow.
pub(super) fn check(list: &[u8], options: &Options) -> Result<Option<Parameters>, HandshakeError> {
    let invalid = HandshakeError::Invalid(HeaderField::Extensions);
    let mut accepted = None;
    for (name, element) in elements(list) {
        if name != NAME.as_bytes() {
            return Err(HandshakeError::ExtensionNotOffered);
        }
        let element = element.ok_or(invalid)?;
        let matching = options
            .offers()
            .find_map(|offer| Parameters::accepted(&element, &offer));
        // RFC 7692 §5: one extension, one configuration.
        if accepted.replace(matching.ok_or(invalid)?).is_some() {
            return Err(invalid);
        }
    }
    Ok(accepted)
}

/// The extensions in a well-formed list, each with its parameters if it is a valid
/// element of permessage-deflate.
fn elements(list: &[u8]) -> impl Iterator<Item = (&[u8], Option<Element>)> {
    let mut items = extensions(list).flatten().peekable();
    iter::from_fn(move || {
        let Some(Item::Extension(name)) = items.next() else {
            return None;
        };
        let mut element = Some(Element::default());
        while let Some(Item::Parameter(name, value)) =
            items.next_if(|item| matches!(item, Item::Parameter(..)))
        {
            let value = value.map(super::lists::Value::bytes);
            element = element.and_then(|element| element.with(name, value));
        }
        Some((name, element))
    })
}
