//! The opening handshake (§4): HTTP heads in, an [`Agreement`] out.
//!
//! Knows the rules for requests and responses, written once over pairs of name
//! and value, and the limits on heads; knows nothing of frames, of time, or of
//! who drives it.
//!
//! ```text
//!  client                                                   server
//!    │ GET /chat HTTP/1.1                                     │
//!    │ Host: example.com                                      │ one, not empty
//!    │ Upgrade: websocket                                     │ else a plain request
//!    │ Connection: Upgrade                                    │
//!    │ Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==            │ 16 bytes in base64
//!    │ Sec-WebSocket-Version: 13                              │ else 426
//!    │ Sec-WebSocket-Protocol: chat, echo                     │ offers, unique
//!    │ Origin: https://example.com                            │ by policy, else 403
//!    ├───────────────────────────────────────────────────────►│
//!    │                       HTTP/1.1 101 Switching Protocols │ else a refusal
//!    │                                     Upgrade: websocket │
//!    │                                    Connection: Upgrade │
//!    │     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= │ SHA-1 of the key
//!    │                            Sec-WebSocket-Protocol: echo│ one of the offers
//!    │◄───────────────────────────────────────────────────────┤
//! ```

mod added;
#[cfg(feature = "std")]
mod asked;
mod body;
#[cfg(feature = "deflate")]
mod extensions;
mod fields;
mod head;
mod key;
mod negotiate;
mod origin;
#[cfg(feature = "std")]
pub(crate) mod proxy;
mod redirect;
mod request;
mod response;
mod uri;

use alloc::boxed::Box;
use alloc::string::String;

#[cfg(feature = "deflate")]
use crate::deflate;
pub use added::RequestError;
#[cfg(feature = "std")]
pub(crate) use asked::Asked;
pub use head::Headers;
pub use origin::OriginPolicy;
pub use redirect::RedirectError;
pub use request::Request;
pub(crate) use request::RequestReader;
pub use response::Response;
pub(crate) use response::{Answer, ResponseReader};
pub use uri::{Uri, UriError};

/// What either role is told about its handshakes.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// Whom a server lets in.
    pub(crate) origin: OriginPolicy,
    /// What to offer or accept of permessage-deflate.
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<deflate::Options>,
}

/// How much of a head, and of a refusal's body, is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a head.
    pub(crate) max_head_len: usize,
    /// Fields in a head.
    pub(crate) max_headers: usize,
    /// Bytes of a refusal's body.
    pub(crate) max_body_len: usize,
}

/// What the handshake settled besides the connection itself.
///
/// ```
/// use sansocket::Agreement;
///
/// let agreement = Agreement::default().with_subprotocol("chat");
/// assert_eq!(agreement.subprotocol(), Some("chat"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    subprotocol: Option<Box<str>>,
    #[cfg(feature = "deflate")]
    deflate: Option<deflate::Parameters>,
}

impl Agreement {
    /// With a subprotocol.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into().into());
        self
    }

    /// The subprotocol (§1.9), if one was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// With permessage-deflate (RFC 7692), as the response says that opened the
    /// connection. How to compress stands in
    /// [`Config::deflate`](crate::Config::deflate).
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self, parameters: deflate::Parameters) -> Self {
        self.deflate = Some(parameters);
        self
    }

    /// The parameters of permessage-deflate, if it was agreed on.
    #[cfg(feature = "deflate")]
    pub const fn deflate(&self) -> Option<deflate::Parameters> {
        self.deflate
    }

    /// To be kept, if there is anything in it.
    pub(crate) fn into_box(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// Heap bytes held.
    pub(crate) fn held_bytes(&self) -> usize {
        self.subprotocol.as_ref().map_or(0, |name| name.len())
    }
}
