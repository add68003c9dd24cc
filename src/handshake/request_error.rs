//! Errors of what is added to a request or an answer.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use core::convert::Infallible;

use super::UriError;
use super::lists::is_token;
use crate::error::HeaderField;

/// Error returned when a [`ClientRequest`](crate::ClientRequest) or an
/// [`Answer`](crate::Answer) is built from something invalid.
///
/// ```
/// use sansocket::{ClientRequest, RequestError};
///
/// let request = ClientRequest::to("ws://example.com/")?.with_subprotocol("chat")?;
/// let error = request.with_subprotocol("chat").unwrap_err();
/// assert_eq!(error, RequestError::DuplicateSubprotocol("chat".into()));
/// assert_eq!(error.to_string(), "subprotocol chat was offered before");
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not a `ws://` or `wss://` URI.
    #[error("invalid URI: {0}")]
    Uri(#[from] UriError),
    /// The name of a header is not a token (RFC 9110 §5.1).
    #[error("invalid name of header {0:?}")]
    InvalidHeaderName(Box<str>),
    /// The value of this header contains a CR, LF, NUL or other control character
    /// (RFC 9110 §5.5).
    #[error("invalid value of header {0}")]
    InvalidHeaderValue(Box<str>),
    /// This header is written by the handshake itself.
    #[error("header {0} is written by the handshake")]
    ReservedHeader(Box<str>),
    /// The name of this cookie is not a token, or its value contains a space, quote,
    /// comma, semicolon or backslash (RFC 6265 §4.1.1).
    #[error("invalid cookie {0:?}")]
    InvalidCookie(Box<str>),
    /// The name of a subprotocol is not a token (§4.1).
    #[error("invalid name of subprotocol {0:?}")]
    InvalidSubprotocol(Box<str>),
    /// This subprotocol was offered before (§4.1).
    #[error("subprotocol {0} was offered before")]
    DuplicateSubprotocol(Box<str>),
    /// The request does not offer this subprotocol, or the answer does not open the
    /// connection (§4.2.2).
    #[error("subprotocol {0} was not offered")]
    SubprotocolNotOffered(Box<str>),
}

impl From<Infallible> for RequestError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Checks a header field that the caller adds.
pub(super) fn check_header(name: &str, value: &[u8]) -> Result<(), RequestError> {
    let is_reserved = match HeaderField::from_name(name) {
        Some(HeaderField::Origin) => false,
        Some(_) => true,
        None => name
            .get(..14)
            .is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-")),
    };
    if is_reserved {
        return Err(RequestError::ReservedHeader(name.into()));
    }
    if !is_token(name.as_bytes()) {
        return Err(RequestError::InvalidHeaderName(name.into()));
    }
    // RFC 9110 §5.5: a CR or LF here would start another header.
    if value
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return Err(RequestError::InvalidHeaderValue(name.to_owned().into()));
    }
    Ok(())
}
