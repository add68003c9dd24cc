//! The opening handshake (§4): reads and writes HTTP heads, and returns an
//! [`Agreement`].
//!
//! Heads that are received and heads that are sent have different types:
//!
//! | | receives | sends |
//! |---|---|---|
//! | client | [`Response`] | [`ClientRequest`] |
//! | server | [`Request`] | [`Answer`] |
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
mod byte_set;
mod client_request;
mod content_length;
mod expected;
#[cfg(feature = "deflate")]
mod extensions;
mod head;
mod headers;
mod hosts;
mod key;
mod lists;
mod number;
mod origin;
mod redirect;
mod rejection;
mod request;
mod request_error;
mod request_line;
mod request_reader;
mod response;
mod rules;
mod settings;
mod status;
mod uri;

pub use agreement::Agreement;
pub use answer::Answer;
pub use client_request::ClientRequest;
#[cfg(feature = "std")]
pub(crate) use expected::Expected;
#[cfg(feature = "std")]
pub(crate) use head::HeadBuffer;
pub use headers::Headers;
#[cfg(feature = "std")]
pub(crate) use headers::write_field;
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
pub(crate) use settings::{Limits, Settings};
pub use uri::{Uri, UriError};
