//! Why a request was refused.

use std::string::String;

use ::http::StatusCode;
use axum_core::response::{IntoResponse, Response};

use crate::adapter::http;
use crate::error::{HandshakeError, HeaderField};
use crate::handshake::{Answer, Rejection};

/// Rejection of [`WebSocketUpgrade`](super::WebSocketUpgrade).
///
/// The variants are those of axum, and [`Refused`](Self::Refused) for faults that axum
/// does not check. The body of the response explains what is wrong with the request, and
/// its extensions contain the [`Rejection`], for logs.
///
/// ```
/// use sansocket::axum::rejection::WebSocketUpgradeRejection;
/// use sansocket::{HandshakeError, HeaderField};
///
/// fn explain(rejection: &WebSocketUpgradeRejection) -> &'static str {
///     match rejection.error() {
///         Some(HandshakeError::OriginNotAllowed) => "a foreign page",
///         Some(HandshakeError::Invalid(HeaderField::Key)) => "a broken client",
///         Some(_) => "not a WebSocket request",
///         None => "a request without a connection",
///     }
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketUpgradeRejection {
    /// The method of an HTTP/1.1 upgrade is not GET. Status 405.
    #[error("{0}")]
    MethodNotGet(Rejection),
    /// The method of an HTTP/2 request is not CONNECT. Status 426.
    #[error("{0}")]
    MethodNotConnect(Rejection),
    /// `Connection` is missing or does not list `upgrade`. Status 400.
    #[error("{0}")]
    InvalidConnectionHeader(Rejection),
    /// `Upgrade` is missing or does not list `websocket`: plain HTTP. Status 426.
    #[error("{0}")]
    InvalidUpgradeHeader(Rejection),
    /// An extended CONNECT whose `:protocol` is not `websocket`. Status 426.
    #[error("{0}")]
    InvalidProtocolPseudoheader(Rejection),
    /// `Sec-WebSocket-Version` is missing (status 400) or not 13 (status 426).
    #[error("{0}")]
    InvalidWebSocketVersionHeader(Rejection),
    /// `Sec-WebSocket-Key` is missing. Status 400.
    #[error("{0}")]
    WebSocketKeyHeaderMissing(Rejection),
    /// The request has no connection to upgrade, because it was not received by a hyper
    /// server, but created in a test for example. Status 426.
    #[error("{0}")]
    ConnectionNotUpgradable(ConnectionNotUpgradable),
    /// Any other fault, such as an origin that is not allowed (status 403), a host that is
    /// not allowed (421), or an invalid key (400).
    #[error("{0}")]
    Refused(Rejection),
}

/// See [`WebSocketUpgradeRejection::ConnectionNotUpgradable`].
#[derive(Clone, Copy, Debug, Default, thiserror::Error)]
#[error("426: no connection to upgrade")]
#[non_exhaustive]
pub struct ConnectionNotUpgradable;

impl WebSocketUpgradeRejection {
    /// Sorts a rejection by its fault.
    pub(super) fn new(rejection: Rejection, is_http2: bool) -> Self {
        use HandshakeError::{Invalid, Missing};
        match rejection.error() {
            HandshakeError::MethodNotAllowed => Self::MethodNotGet(rejection),
            Missing(HeaderField::Connection) | Invalid(HeaderField::Connection) => {
                Self::InvalidConnectionHeader(rejection)
            }
            HandshakeError::NotAnUpgrade if rejection.method() == Some("CONNECT") => {
                Self::InvalidProtocolPseudoheader(rejection)
            }
            HandshakeError::NotAnUpgrade if is_http2 => Self::MethodNotConnect(rejection),
            HandshakeError::NotAnUpgrade => Self::InvalidUpgradeHeader(rejection),
            HandshakeError::UnsupportedVersion | Missing(HeaderField::Version) => {
                Self::InvalidWebSocketVersionHeader(rejection)
            }
            Missing(HeaderField::Key) => Self::WebSocketKeyHeaderMissing(rejection),
            _ => Self::Refused(rejection),
        }
    }

    /// Returns what is wrong with the request, or `None` if the request is valid but has
    /// no connection to upgrade.
    pub const fn error(&self) -> Option<HandshakeError> {
        match self.rejection() {
            Some(rejection) => Some(rejection.error()),
            None => None,
        }
    }

    /// The refusal, with the request.
    pub const fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::MethodNotGet(rejection)
            | Self::MethodNotConnect(rejection)
            | Self::InvalidConnectionHeader(rejection)
            | Self::InvalidUpgradeHeader(rejection)
            | Self::InvalidProtocolPseudoheader(rejection)
            | Self::InvalidWebSocketVersionHeader(rejection)
            | Self::WebSocketKeyHeaderMissing(rejection)
            | Self::Refused(rejection) => Some(rejection),
            Self::ConnectionNotUpgradable(_) => None,
        }
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        // A fault has only statuses that exist.
        StatusCode::from_u16(self.answer().status()).unwrap_or_default()
    }

    /// The body of the response.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(self.answer().content()).into_owned()
    }

    fn answer(&self) -> Answer {
        match self.rejection() {
            Some(rejection) => http::refusal(rejection),
            None => Answer::new(426).with_body("426 Upgrade Required: no connection to upgrade\n"),
        }
    }

    /// Whether the request came by HTTP/2, which forbids `Upgrade`.
    fn is_http2(&self) -> bool {
        let is_connect = self.rejection().and_then(Rejection::method) == Some("CONNECT");
        is_connect || matches!(self, Self::MethodNotConnect(_))
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        let mut response = if self.is_http2() {
            http::multiplexed_response(&self.answer())
        } else {
            http::response(&self.answer())
        };
        if let Some(rejection) = self.rejection() {
            response.extensions_mut().insert(rejection.clone());
        }
        response
    }
}
