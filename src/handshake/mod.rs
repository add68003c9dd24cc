//! The opening handshake (§4): HTTP heads in, an [`Agreement`] out.
//!
//! What is received and what is made are different types:
//!
//! | | received | made |
//! |---|---|---|
//! | by a client | [`Response`] | [`ClientRequest`] |
//! | by a server | [`Request`] | [`Answer`] |
//!
//! ```text
//!  client                                                   server
//!    │ GET /chat HTTP/1.1                                     │
//!    │ Host: example.com                                      │ one, not empty; else 400
//!    │ Upgrade: websocket                                     │ else a plain request
//!    │ Connection: Upgrade                                    │
//!    │ Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==            │ 16 bytes in base64
//!    │ Sec-WebSocket-Version: 13                              │ else 426
//!    │ Sec-WebSocket-Protocol: chat, echo                     │ offers
//!    │ Origin: https://example.com                            │ by policy, else 403
//!    ├───────────────────────────────────────────────────────►│
//!    │                       HTTP/1.1 101 Switching Protocols │ else a refusal
//!    │                                     Upgrade: websocket │
//!    │                                    Connection: Upgrade │
//!    │     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= │ SHA-1 of the key
//!    │                            Sec-WebSocket-Protocol: echo│ one of the offers
//!    │◄───────────────────────────────────────────────────────┤
//! ```

mod agreement;
mod answer;
mod authority;
mod body;
mod client_request;
mod content_length;
mod expected;
#[cfg(feature = "deflate")]
mod extensions;
mod fields;
mod head;
mod headers;
mod hosts;
mod key;
mod negotiate;
mod number;
mod origin;
#[cfg(feature = "std")]
pub(crate) mod proxy;
mod redirect;
mod rejection;
mod request;
mod request_error;
mod request_line;
mod request_reader;
mod response;
#[cfg(feature = "std")]
pub(crate) mod socks;
mod status;
mod uri;

#[cfg(feature = "deflate")]
use crate::deflate;
use crate::error::HandshakeError;
pub use agreement::Agreement;
pub use answer::Answer;
pub use client_request::ClientRequest;
#[cfg(feature = "std")]
pub(crate) use expected::Expected;
pub use headers::Headers;
pub use hosts::{Hosts, InvalidHost};
pub use origin::{InvalidOrigin, OriginList, OriginPolicy};
pub use redirect::RedirectError;
pub use rejection::Rejection;
pub use request::Request;
pub use request_error::RequestError;
#[cfg(feature = "std")]
pub(crate) use request_line::{HttpVersion, RequestLine};
pub(crate) use request_reader::RequestReader;
pub use response::Response;
pub(crate) use response::{Reply, ResponseReader};
pub use uri::{Uri, UriError};

/// The settings of opening handshakes, for both roles.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// The pages that a server lets in.
    pub(crate) origin: OriginPolicy,
    /// The hosts that a server answers for; `None` allows every one.
    pub(crate) hosts: Option<Hosts>,
    /// What to offer or accept of permessage-deflate.
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<deflate::Options>,
}

impl Settings {
    fn check_host(&self, host: &[u8]) -> Result<(), HandshakeError> {
        match &self.hosts {
            Some(hosts) if !hosts.allows(host) => Err(HandshakeError::HostNotAllowed),
            _ => Ok(()),
        }
    }
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
