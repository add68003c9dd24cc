//! A tunnel through an HTTP proxy (RFC 9110 §9.3.6), which a client asks for
//! before it speaks to the server (RFC 6455 §4.1).

use std::format;
use std::string::String;
use std::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::HandshakeError;
use crate::handshake::{HeadBuffer, Limits, Response, Uri, write_field};
use crate::input::Input;

/// Appends the request for a tunnel to the server of the URI.
pub(super) fn write_connect(uri: &Uri, authorization: Option<&str>, out: &mut Vec<u8>) {
    let target = if uri.host().contains(':') {
        format!("[{}]:{}", uri.host(), uri.port())
    } else {
        format!("{}:{}", uri.host(), uri.port())
    };
    out.extend_from_slice(format!("CONNECT {target} HTTP/1.1\r\n").as_bytes());
    write_field("Host", target.as_bytes(), out);
    if let Some(authorization) = authorization {
        write_field("Proxy-Authorization", authorization.as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// The credentials as a proxy reads them (RFC 7617 §2).
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Reads the proxy's answer from pieces of any length.
#[derive(Debug, Default)]
pub(super) struct TunnelReader {
    head: HeadBuffer,
}

impl TunnelReader {
    /// Takes the answer from the input. Returns `None` if more is needed. With a 2xx
    /// status, the tunnel is open. The body of a refusal is not read.
    pub(super) fn read(
        &mut self,
        input: &mut Input<'_>,
        limits: &Limits,
    ) -> Result<Option<Response>, HandshakeError> {
        while let Some(head) = self.head.collect(input, limits.max_head_len)? {
            let response = Response::parse_head(&head, limits)?;
            if !matches!(response.status(), 100..=199) {
                return Ok(Some(response));
            }
        }
        Ok(None)
    }
}
